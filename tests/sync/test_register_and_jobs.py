"""Kopir's own register as a side, and the runs that workers make by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector.db.database import Database
from sync.jobs.runner import Handlers, execute_job
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.tables import job
from sync.runs.handlers import APPLY_JOB, register_sync_jobs, request_apply, request_plan
from sync.store import register
from sync.systems.contract import CellWrite, Evidence, Outcome, Scope
from sync.systems.kopir import KopirSystem
from tests.sync.kit import Bench, bench, joined
from tests.sync.memory import NOW


def write(person: str, after: str | None, expect: str | None, lesson: str = "L1") -> CellWrite:
    return CellWrite(lesson, person, after, expect, NOW, NOW)


@pytest.fixture
def kept(database: Database) -> tuple[KopirSystem, Bench, str]:
    made = joined(database)
    return KopirSystem(database, made.school, made.clock), made, made.person("u1")


def test_the_register_compares_and_sets(kept: tuple[KopirSystem, Bench, str]) -> None:
    system, _made, person = kept
    scope = Scope("2244", "55")
    assert system.write_attendance(scope, write(person, "late", None)).outcome is Outcome.APPLIED
    assert system.write_attendance(scope, write(person, "late", None)).outcome is Outcome.ALREADY
    moved = system.write_attendance(scope, write(person, "present", "absent_ill"))
    assert (moved.outcome, moved.seen) == (Outcome.CONFLICT, "late")
    assert system.write_attendance(scope, write(person, "present", "late")).outcome is Outcome.APPLIED
    assert system.write_attendance(scope, write(person, None, "present")).outcome is Outcome.APPLIED
    lessons = system.read_lessons(scope)
    assert [lesson.id for lesson in lessons.records] == ["L1", "L2"]
    assert system.read_attendance(scope, lessons.records).records == ()


def test_an_entry_needs_a_lesson_that_is_known(kept: tuple[KopirSystem, Bench, str]) -> None:
    system, _made, person = kept
    result = system.write_attendance(Scope("2244"), write(person, "late", None, "L99"))
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "unknown_lesson")


def test_the_register_offers_no_marks(kept: tuple[KopirSystem, Bench, str]) -> None:
    system, _made, person = kept
    assert system.read_results(Scope("2244"), []).evidence is Evidence.GONE
    assert system.write_result(Scope("2244"), write(person, "8", None)).outcome is Outcome.REFUSED


def test_one_schools_register_is_not_anothers(database: Database) -> None:
    one, two = joined(database), joined(database)
    one.sync()
    with database.school(two.school, write=False) as db:
        assert register.entries_of(db, two.school, ["L1"]) == []


def workers(made: Bench) -> JobRuntime:
    handlers = Handlers()
    register_sync_jobs(handlers, made.runtime)
    return JobRuntime(made.database, handlers)


def drain(made: Bench) -> int:
    runtime, count = workers(made), 0
    while execute_job(runtime):
        count += 1
        assert count < 20
    return count


def test_the_first_plan_waits_for_a_person_whoever_asked(database: Database) -> None:
    made = joined(database)
    request_plan(made.runtime, made.school, made.connection, trigger="schedule")
    drain(made)
    assert made.right.writes == []


def test_later_marks_flow_by_themselves(database: Database) -> None:
    made = joined(database)
    made.sync()
    made.left.marks[("li-1", "u4")] = "77"
    made.clock.now += timedelta(minutes=1)
    request_plan(made.runtime, made.school, made.connection, trigger="score")
    assert drain(made) == 2
    assert made.right.marks[(made.right.items[0].id, "90000000000000004")] == "8"


def test_an_approved_plan_is_applied_by_a_worker(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    request_apply(made.runtime, made.school, plan.id, actor="person-1")
    drain(made)
    assert len(made.right.marks) == 3


def test_a_stale_plan_is_made_anew_by_the_worker(sqlite_database: Database) -> None:
    from sync.runs import people

    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    people.part(made.runtime, made.school, made.connection, made.person("u3"), who="person-1")
    request_apply(made.runtime, made.school, plan.id, actor="person-1")
    runtime = workers(made)
    assert execute_job(runtime)
    with sqlite_database.school(made.school, write=False) as db:
        open_jobs = db.execute(select(job.c.kind).where(job.c.state == "ready")).scalars().all()
    assert open_jobs == ["sync_plan"]
    assert made.right.marks == {}


def test_a_payload_names_nobody(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    request_apply(made.runtime, made.school, plan.id, actor="person-1")
    with sqlite_database.school(made.school, write=False) as db:
        [row] = db.execute(select(job).where(job.c.kind == APPLY_JOB)).all()
    assert row.payload == {"plan": plan.id, "actor": "person-1"}


def test_a_paused_connection_is_left_alone(sqlite_database: Database) -> None:
    from sync.store import connections

    made = bench(sqlite_database)
    with sqlite_database.school(made.school) as db:
        connections.set_state(db, made.school, made.connection, "paused")
    request_plan(made.runtime, made.school, made.connection, trigger="schedule")
    drain(made)
    assert made.left.reads == []


def test_a_lost_lease_stops_the_writing(sqlite_database: Database) -> None:
    from sync.jobs.errors import LeaseLost
    from sync.reconcile.apply import apply_plan

    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)

    def lost() -> None:
        raise LeaseLost("j")

    with pytest.raises(LeaseLost):
        apply_plan(made.runtime, made.school, plan.id, fence=lost)
    assert made.right.writes == []
    assert replace(plan, state="x").id == plan.id
