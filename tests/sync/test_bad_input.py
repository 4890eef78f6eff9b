"""Plans from elsewhere, bases that vanish, mappings and people that change in the middle of a run."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from connector.base.errors import Fatal
from connector.db.database import Database
from sync.jobs.runner import Handlers, Runtime, execute_job
from sync.jobs.tables import job
from sync.runs.approving import approve
from sync.runs.handlers import APPLY_JOB, register_sync_jobs, request_apply
from sync.store import connections
from sync.store.people import person
from sync.store.tables.cells import base
from sync.systems.contract import CellWrite
from tests.sync.kit import MAPPING, joined
from tests.sync.memory import NOW


def test_a_plan_of_another_school_is_not_found(database: Database) -> None:
    one, two = joined(database), joined(database)
    plan = one.plan()
    with pytest.raises(Fatal) as refused:
        approve(two.runtime, two.school, plan.id, plan.hash, "person-1")
    assert refused.value.reason == "no_such_plan"
    assert one.right.writes == two.right.writes == []


def test_a_plan_older_than_the_newest_is_refused(database: Database) -> None:
    made = joined(database)
    older = made.plan()
    made.left.marks[("li-1", "u4")] = "70"
    made.plan()
    with pytest.raises(Fatal) as refused:
        made.approve(older)
    assert refused.value.reason == "plan_not_waiting"


def test_a_mapping_changed_between_plan_and_apply_is_planned_anew(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.approve(made.plan())
    with sqlite_database.school(made.school) as db:
        connections.change_mapping(db, made.school, made.connection, MAPPING.replace("half_up", "down"), NOW)
    handlers = Handlers()
    register_sync_jobs(handlers, made.runtime)
    request_apply(made.runtime, made.school, plan.id, actor="person-1")
    execute_job(Runtime(sqlite_database, handlers, clock=made.clock))
    with sqlite_database.school(made.school, write=False) as db:
        found = {(row.kind, row.state) for row in db.execute(select(job.c.kind, job.c.state))}
    assert found >= {(APPLY_JOB, "done"), ("sync_plan", "ready")}
    assert made.right.writes == []


@pytest.mark.parametrize("column", ["blocked_at", "erased_at"])
def test_a_person_stopped_in_mid_run_gets_no_further_mark(sqlite_database: Database, column: str) -> None:
    made = joined(sqlite_database)
    plan = made.approve(made.plan())
    everybody = {made.person(f"u{number}"): f"9000000000000000{number}" for number in (1, 2, 3)}

    def stop(write: CellWrite) -> None:
        others = [whom for whom, known in everybody.items() if known != write.person_id]
        made.right.before_write = None
        with sqlite_database.school(made.school) as db:
            db.execute(update(person).where(person.c.id.in_(others)).values({column: NOW}))

    made.right.before_write = stop
    report = made.apply(plan)
    assert report.counts["skipped"] >= 2
    assert len([row for row in made.changes(plan, "skipped") if row.kind == "grade"]) == 2
    assert len(made.right.writes) == len(made.right.marks) == 1


def test_a_lost_base_removes_nothing_and_adopts_what_is_equal(database: Database) -> None:
    made = joined(database)
    made.sync()
    with database.school(made.school) as db:
        db.execute(base.delete().where(base.c.kind == "grade"))
    made.left.marks.pop(("li-1", "u1"))
    made.left.marks[("li-1", "u2")] = "95"
    made.plan()
    plan = made.plan()
    assert [row.change.action for row in made.changes(plan) if "clear" in row.change.action] == []
    assert [(one.left_raw, one.right_raw) for one in made.conflicts()] == [("95", "5")]
    assert ("100", "10") in {values[:2] for values in made.base().values()}


def test_a_damaged_base_removes_nothing(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    with sqlite_database.school(made.school) as db:
        db.execute(update(base).where(base.c.kind == "grade").values(left_raw="☠", right_raw="☠"))
    made.left.marks.pop(("li-1", "u1"))
    made.left.marks[("li-1", "u2")] = "95"
    made.plan()
    plan = made.plan()
    assert plan.pending == 0
    assert sorted((one.left_raw, one.right_raw) for one in made.conflicts() if one.left_raw) == [("95", "5")]
    assert ("100", "10") in {values[:2] for values in made.base().values()}
