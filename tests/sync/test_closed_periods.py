"""A closed quarter is not revised: not by a plan, not by a yes, not by an apply or an undo that comes too late."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select

from connector.db.database import Database
from sync.jobs.tables import job
from sync.model import AcademicSession, LineItem
from sync.runs import view
from sync.systems.contract import Evidence, Writing
from sync.twins.kundelik import Journal
from tests.sync.kit import MAPPING, Bench, joined
from tests.sync.memory import DAY, journal
from tests.sync.test_killed_at_any_point import Killed, kill_at, steps_of_one_apply
from tests.sync.test_over_twins import apply, class_test, join, plan
from tests.sync.twins import Twins, twins
from tests.twins.moodle_kit import new_key

REPORT = MAPPING.replace("  owner: left\n", "  owner: left\n  closed_period: report\n")


def quarter(*, closed: bool = False, first: date = date(2026, 11, 2)) -> AcademicSession:
    return AcademicSession("q2", "quarter", 2, first, date(2026, 12, 27), closed)


def in_a_quarter(database: Database, mapping: str = MAPPING, *, closed: bool = False, **changes: object) -> Bench:
    return joined(database, right=journal(sessions=[quarter(closed=closed)], **changes), mapping=mapping)


def grades(made: Bench, which: object, *states: str) -> list[tuple[str, str]]:
    rows = made.changes(which, *states)  # type: ignore[arg-type]
    return [(row.state, row.held_by or row.change.rule) for row in rows if row.kind == "grade"]


def test_marks_of_an_open_quarter_flow(database: Database) -> None:
    made = in_a_quarter(database)
    assert made.sync().clean
    assert len(made.right.marks) == 3


def test_marks_of_a_closed_quarter_are_held_and_no_yes_lifts_it(database: Database) -> None:
    made = in_a_quarter(database, closed=True)
    found = made.plan()
    assert grades(made, found) == [("held", "closed_period")] * 3
    made.approve(found, releases=("closed_period", "create_work", "over_percent"))
    report = made.apply(found)
    assert (made.right.marks, made.right.items, report.counts["held"]) == ({}, [], 3)


def test_marks_of_a_closed_quarter_are_only_shown_where_the_mapping_says_report(database: Database) -> None:
    made = in_a_quarter(database, REPORT, closed=True)
    found = made.plan()
    assert grades(made, found) == [("reported", "closed_period")] * 3
    assert found.counts.get("grade_pending", 0) == 0
    assert made.sync().clean
    assert made.right.marks == {}


@pytest.mark.parametrize(("mapping", "state"), [(MAPPING, "held"), (REPORT, "reported")])
def test_a_quarter_closed_between_plan_and_apply_is_not_written(
    sqlite_database: Database, mapping: str, state: str
) -> None:
    made = in_a_quarter(sqlite_database, mapping)
    found = made.plan()
    made.approve(found)
    made.right.sessions = [quarter(closed=True)]
    made.apply(found)
    assert (made.right.marks, made.right.items) == ({}, [])
    assert grades(made, found, state) == [(state, "closed_period")] * 3
    made.right.sessions = [quarter()]
    made.sync()
    assert len(made.right.marks) == 3


def test_attendance_of_a_closed_quarter_still_reaches_our_own_register(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database, closed=True)
    made.sync()
    assert len(made.register()) == 2


def test_equal_marks_of_a_closed_quarter_are_agreed_without_a_write(sqlite_database: Database) -> None:
    works = [LineItem("w1", "Бақылау тесті", scale="mark10", due=DAY, lesson_id="L1")]
    marks = {("w1", f"9000000000000000{n}"): mark for n, mark in ((1, "8"), (2, "5"), (3, "10"))}
    made = in_a_quarter(sqlite_database, closed=True, items=works, marks=marks)
    assert made.plan().counts.get("grade_pending", 0) == 0
    assert len([key for key in made.base() if key.startswith("grade|")]) == 3


@pytest.mark.parametrize("evidence", [Evidence.UNKNOWN, Evidence.PARTIAL, Evidence.UNAUTHORISED])
def test_periods_that_cannot_be_read_hold_and_are_asked_for_again(
    sqlite_database: Database, evidence: Evidence
) -> None:
    made = in_a_quarter(sqlite_database)
    made.right.spoiled["session"] = (evidence, "http_503")
    found = made.plan()
    assert ("session", "http_503") in {(one["kind"], one["reason"]) for one in made.run(found).not_compared}
    if evidence is not Evidence.PARTIAL:
        assert grades(made, found) == [("held", "sessions_unknown")] * 3
    made.approve(found, releases=("sessions_unknown",))
    made.apply(found)
    assert made.right.marks == {}
    made.right.spoiled.clear()
    made.sync()
    assert len(made.right.marks) == 3


def test_periods_that_cannot_be_read_at_the_apply_hold_and_are_tried_again(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database)
    found = made.plan()
    made.approve(found)
    made.right.spoiled["session"] = (Evidence.UNKNOWN, "html_page")
    report = made.apply(found)
    assert (made.right.marks, report.counts["held"]) == ({}, 3)
    with sqlite_database.school(made.school, write=False) as db:
        jobs = db.scalars(select(job.c.payload).where(job.c.kind == "sync_plan", job.c.state == "ready")).all()
    assert "retry" in {payload["trigger"] for payload in jobs}


def test_what_was_known_to_be_closed_stays_closed_while_periods_cannot_be_read(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database, closed=True)
    made.plan()
    made.right.spoiled["session"] = (Evidence.UNKNOWN, "html_page")
    assert grades(made, made.plan()) == [("held", "closed_period")] * 3


def test_a_day_that_no_period_holds_is_not_taken_for_open(sqlite_database: Database) -> None:
    """A list of periods that came back short would otherwise open the quarter that it lost."""
    made = in_a_quarter(sqlite_database)
    made.right.sessions = [quarter(first=date(2026, 11, 24))]
    assert grades(made, made.plan()) == [("held", "sessions_unknown")] * 3


def test_marks_that_wait_to_be_typed_leave_the_sheet_when_the_quarter_closes(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database, write=Writing.VENDOR_GATED)
    made.sync()
    assert made.sheet().open == 3
    made.right.sessions = [quarter(closed=True)]
    made.plan()
    assert made.sheet().open == 0


def test_a_run_in_a_quarter_that_closed_since_is_not_taken_back(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database)
    run = made.sync().plan.run
    written = dict(made.right.marks)
    made.right.sessions = [quarter(closed=True)]
    late = made.undo(run)
    made.approve(late)
    made.apply(late)
    made.plan()
    assert grades(made, made.undo(run)) == [("reported", "closed_period")] * 3
    assert made.right.marks == written


def test_an_apply_killed_before_the_quarter_closed_writes_nothing_more_after(sqlite_database: Database) -> None:
    for point in range(1, steps_of_one_apply(sqlite_database) + 1):
        made = in_a_quarter(sqlite_database)
        found = made.plan()
        made.approve(found)
        kill_at(made, point)
        with suppress(Killed):
            made.apply(found)
        made.step = lambda _name: None
        made.right.sessions = [quarter(closed=True)]
        before = len(made.right.writes)
        made.apply(found)
        assert len(made.right.writes) == before, point
        again = made.plan()
        assert not [row for row in made.changes(again, "ready") if row.side == "right"], point
        settled = [key for key in made.base() if key.startswith("grade|")]
        assert len(settled) == len(made.right.marks), point


def test_explaining_a_cell_names_the_closed_period(sqlite_database: Database) -> None:
    made = in_a_quarter(sqlite_database, closed=True)
    row = next(row for row in made.changes(made.plan(), "held") if row.kind == "grade")
    assert view.explain(made.runtime, made.school, made.connection, row.key).held_by == "closed_period"


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture
def both(sqlite_database: Database, tmp_path: Path, key: RSAKey) -> Iterator[Twins]:
    with twins(sqlite_database, tmp_path, key) as made:
        yield made


def put_a_quarter_mark(journal: Journal) -> None:
    """Put one quarter mark in algebra for the second quarter, as a teacher does in its last week."""
    with closing(sqlite3.connect(journal.store_path)) as db, db:
        period = db.execute("SELECT id FROM period WHERE number = 2").fetchone()[0]
        row = (9_000_000_000_000_001, int(journal.person_ids()[1]), int(journal.subject_id), period, "5", "2026-11-23")
        db.execute("INSERT INTO final_mark VALUES (?, ?, ?, ?, ?, ?)", row)


def test_a_quarter_mark_put_after_the_yes_closes_the_quarter_over_http(both: Twins) -> None:
    class_test(both)
    plan(both)
    join(both)
    made = plan(both)
    assert made.counts["create_right"] == 30
    put_a_quarter_mark(both.journal)
    before = both.journal.marks()
    report = apply(both, made)
    assert (report.counts["held"], both.journal.marks()) == (30, before)


def test_after_its_last_day_the_quarter_is_closed_over_http(both: Twins) -> None:
    class_test(both)
    plan(both)
    join(both)
    both.clock.now = datetime(2026, 12, 28, 4, 0, tzinfo=UTC)
    made = plan(both)
    with both.runtime.reading(both.school) as db:
        from sync.store import plans

        held = plans.changes(db, both.school, made.id, ("held",))
    assert {row.held_by for row in held if row.kind == "grade"} == {"closed_period"}
    before = both.journal.marks()
    apply(both, made, "closed_period")
    assert both.journal.marks() == before
