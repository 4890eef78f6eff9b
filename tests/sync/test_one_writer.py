"""One writer at a time: a worker that lost its lease, or a second process, writes nothing more, there or here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import SQLAlchemyError

from connector.base.errors import Retriable
from connector.db.database import Database
from sync.jobs import leases
from sync.jobs.errors import LeaseLost
from sync.jobs.runner import Handlers, JobContext, Runtime
from sync.reconcile.apply import apply_plan
from sync.runs.handlers import APPLY_JOB, apply_here
from sync.runs.planning import plan_connection
from sync.runs.runtime import SyncRuntime
from sync.store import audit
from sync.store.plans import StoredPlan
from sync.systems.contract import CellWrite
from tests.sync.kit import Bench, joined


def approved(made: Bench) -> StoredPlan:
    plan = made.plan()
    return made.approve(plan)


def leased(made: Bench, plan: StoredPlan, worker: str, later: timedelta = timedelta()) -> JobContext:
    """Take the job of a plan, as a worker does ``later`` from now."""
    payload = {"plan": plan.id, "actor": worker}
    with made.runtime.writing(made.school) as db:
        job = leases.take(db, made.school, APPLY_JOB, plan.id, payload, worker, made.clock() + later)
    assert job is not None
    return JobContext(Runtime(made.database, Handlers(), clock=made.clock), job)


def run(made: Bench, context: JobContext, plan: StoredPlan) -> None:
    held: SyncRuntime = replace(made.runtime, held=context.hold_in)
    apply_plan(held, made.school, plan.id, fence=context.hold)


def overtaken_at(made: Bench, plan: StoredPlan, step: str) -> Callable[[str], None]:
    """Let another worker take the job over, and finish it, when the first one passes a step."""
    done: list[str] = []

    def watch(name: str) -> None:
        if name == step and not done:
            done.append(name)
            run(made, leased(made, plan, "second", timedelta(hours=1)), plan)

    return watch


@pytest.mark.parametrize("step", ["apply.sent", "apply.before_write", "apply.after_write", "verify.read"])
def test_a_worker_that_was_overtaken_keeps_nothing(database: Database, step: str) -> None:
    made = joined(database)
    plan = approved(made)
    first = leased(made, plan, "first")
    made.step = overtaken_at(made, plan, step)
    with pytest.raises(LeaseLost):
        run(made, first, plan)
    assert sorted(made.right.marks.values()) == ["10", "5", "8"]
    assert len(made.right.writes) == 3
    assert audit.replay(made.audit()) == made.base()


def test_a_worker_paused_past_its_lease_sends_nothing_when_it_wakes(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = joined(sqlite_database)
    plan = approved(made)
    first = leased(made, plan, "first")
    slept = [0.0]
    monkeypatch.setattr("sync.jobs.runner.time.monotonic", lambda: slept[0])
    written: list[str] = []

    def sleep_long(write: CellWrite) -> None:
        written.append(write.person_id)
        if len(written) == 1:
            slept[0] += 3600
            leased(made, plan, "second", timedelta(hours=1))

    made.right.before_write = sleep_long
    with pytest.raises(LeaseLost):
        run(made, first, plan)
    assert len(written) == 1


def test_a_plan_that_another_process_applies_is_left_to_it(database: Database) -> None:
    made = joined(database)
    plan = approved(made)
    leased(made, plan, "first")
    with pytest.raises(Retriable, match="Another process"):
        apply_here(made.runtime, made.school, plan.id, actor="person-1")
    assert made.right.writes == []
    made.clock.now += timedelta(hours=1)
    assert apply_here(made.runtime, made.school, plan.id, actor="person-1").clean


def test_two_processes_apply_one_plan_once(database: Database) -> None:
    made = joined(database)
    plan = approved(made)
    ends: list[object] = []

    def work() -> None:
        try:
            ends.append(apply_here(made.runtime, made.school, plan.id, actor="person-1").clean)
        except Retriable as error:
            ends.append(error.reason)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert True in ends and set(ends) <= {True, "applied_elsewhere"}
    cells = [(write.item_id, write.person_id) for write in made.right.writes]
    assert len(cells) == len(set(cells)) == 3
    assert len(made.right.items) == 1


def test_transactions_of_one_chain_are_linked_one_after_another(database: Database) -> None:
    made = joined(database)
    known = len(made.audit())
    faults: list[BaseException] = []

    def append() -> None:
        try:
            for number in range(5):
                with made.runtime.writing(made.school) as db:
                    audit.append(db, made.school, made.connection, f"note:{number}", "person-1", [], made.clock())
        except SQLAlchemyError as error:
            faults.append(error)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    chain = made.audit()
    audit.verify(chain)
    assert len(chain) == known + 20


def test_an_older_comparison_does_not_take_the_base_back(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    cell = next(cell for cell, mark in made.right.marks.items() if mark == "8")
    made.left.marks[("li-1", "u1")], made.right.marks[cell] = "30", "3"
    overtaken: list[str] = []

    def overtake(name: str) -> None:
        if name == "guard" and not overtaken:
            overtaken.append(name)
            plan_connection(made.runtime, made.school, made.connection)
            made.left.marks[("li-1", "u1")], made.right.marks[cell] = "60", "6"
            plan_connection(made.runtime, made.school, made.connection)

    made.step = overtake
    older = made.plan()
    assert [row.reason for row in made.changes(older, "moved")] == ["base_moved"]
    whom = made.person("u1")
    assert [base[:2] for key, base in made.base().items() if key.startswith("grade") and key.endswith(whom)] == [
        ("60", "6")
    ]
    assert audit.replay(made.audit()) == made.base()
