"""A failed, partial or emptied read is never an absence: nothing follows from it, and the run says so."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from connector.db.database import Database
from sync.jobs.tables import job
from sync.systems.contract import Evidence
from tests.sync.kit import Bench, joined

SPOILED = [
    (Evidence.UNKNOWN, "html_page"),
    (Evidence.PARTIAL, "half_list"),
    (Evidence.SUSPICIOUS, "empty_list"),
    (Evidence.UNAUTHORISED, "token_refused"),
]
KINDS = ["person", "lesson", "item", "result"]


def synced(database: Database) -> Bench:
    made = joined(database)
    made.sync()
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("evidence", "reason"), SPOILED)
def test_a_spoiled_read_of_the_journal_changes_nothing(
    sqlite_database: Database, kind: str, evidence: Evidence, reason: str
) -> None:
    made = synced(sqlite_database)
    before = (dict(made.left.marks), dict(made.right.marks), made.base(), made.register())
    made.right.spoiled[kind] = (evidence, reason)
    plan = made.plan()
    assert plan.pending == 0
    run = made.run(plan)
    assert run.state in ("partial", "not_compared")
    assert {(one["side"], one["kind"], one["reason"]) for one in run.not_compared} >= {("right", kind, reason)}
    assert before == (made.left.marks, made.right.marks, made.base(), made.register())
    made.right.spoiled.clear()
    after = made.plan()
    assert (after.state, made.run(after).state) == ("empty", "planned")


@pytest.mark.parametrize("kind", ["person", "item", "result"])
@pytest.mark.parametrize(("evidence", "reason"), SPOILED)
def test_a_spoiled_read_of_the_lms_changes_nothing(
    sqlite_database: Database, kind: str, evidence: Evidence, reason: str
) -> None:
    made = synced(sqlite_database)
    marks = dict(made.right.marks)
    made.left.spoiled[kind] = (evidence, reason)
    assert made.plan().pending == 0
    assert made.right.marks == marks


def test_a_run_that_could_not_compare_is_tried_again(database: Database) -> None:
    made = synced(database)
    made.right.spoiled["result"] = (Evidence.UNKNOWN, "html_page")
    made.plan()
    with database.school(made.school, write=False) as db:
        rows = db.execute(select(job).where(job.c.kind == "sync_plan")).all()
    assert [(row.state, row.payload["trigger"]) for row in rows] == [("ready", "retry")]


def test_new_marks_of_the_other_kind_still_flow_when_one_read_fails(sqlite_database: Database) -> None:
    made = synced(sqlite_database)
    made.right.register[("L2", "90000000000000004")] = "Absent"
    made.left.spoiled["result"] = (Evidence.UNKNOWN, "http_503")
    plan = made.plan()
    assert made.run(plan).state == "partial"
    made.approve(plan)
    assert made.apply(plan).clean
    assert made.register()[("L2", made.person("u4"))] == "absent_unexcused"


def test_a_first_empty_list_of_marks_is_still_just_empty(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    assert made.plan().pending == 5


def test_a_mark_missing_once_is_not_believed_gone(sqlite_database: Database) -> None:
    made = synced(sqlite_database)
    cell = next(iter(made.right.marks))
    made.right.marks.pop(cell)
    once = made.plan()
    assert [row.change.reason for row in made.changes(once, "not_compared")] == ["awaits_second_read"]
    twice = made.plan()
    # The left owns marks, so what the journal lost is shown, and never taken out of the LMS.
    assert [row.change.rule for row in made.changes(twice, "reported")] == ["owner_left"]
    assert len(made.left.marks) == 3
