"""A random school year on production code: every rule a year can bring, every invariant after each of them.

``KOPIR_EXAMPLES`` and ``KOPIR_STEPS`` make it longer; ``make chaos`` runs 5,000 examples.
"""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import update

from connector.base.errors import Fatal, Hold, KopirError
from sync.jobs.runner import Handlers, Runtime, execute_job
from sync.model import AcademicSession
from sync.reconcile import decide as deciding
from sync.reconcile.types import Base, Cell, Decision, Operation
from sync.runs import handlers as jobs
from sync.runs import resolving
from sync.store import connections
from sync.store import people as people_store
from sync.systems.contract import Evidence
from tests.properties.field import BOTH_WAYS, RELEASES, Fields, World

EXAMPLES = int(os.environ.get("KOPIR_EXAMPLES", "8"))
STEPS = int(os.environ.get("KOPIR_STEPS", "12"))
numbers, sides, marks = st.integers(1, 4), st.sampled_from(["left", "right"]), st.integers(1, 10).map(str)
reads = st.sampled_from(["person", "item", "result", "lesson", "session", "attendance"])
proofs = st.sampled_from([Evidence.PARTIAL, Evidence.SUSPICIOUS, Evidence.UNAUTHORISED, Evidence.UNKNOWN])
TERM = AcademicSession("q2", "quarter", "2 тоқсан", date(2026, 11, 1), date(2026, 12, 31))


class Days(RuleBasedStateMachine):
    """One school from its first agreement on: people type, and systems are kept in step."""

    fields: Fields

    def __init__(self) -> None:
        super().__init__()
        self.world: World = self.fields.world()
        self.runs: list[str] = []

    def teardown(self) -> None:
        self.fields.tidy()

    # people

    @rule(side=sides, number=numbers, mark=marks)
    def edit(self, side: str, number: int, mark: str) -> None:
        self.world.type(side, number, mark)

    @rule(side=sides, number=numbers)
    def remove(self, side: str, number: int) -> None:
        self.world.type(side, number, None)

    def _sync(self, **options: Any) -> Any:
        try:
            plan = self.world.plan()
            self.world.go(plan, **options)
        except (Hold, Fatal):
            return None
        self.runs.append(plan.run)
        return plan

    @rule()
    def sync(self) -> None:
        self._sync()

    @rule(side=sides, number=numbers, mark=marks)
    def sync_while_somebody_types(self, side: str, number: int, mark: str) -> None:
        once = iter([True])
        self.world.made.step = lambda name: (
            self.world.type(side, number, mark) if name == "apply.before_write" and next(once, False) else None
        )
        self._sync()
        self.world.made.step = lambda _name: None

    @invariant()
    def everything_holds(self) -> None:
        self.world.check()


class Year(Days):
    """Everything else that a year brings."""

    @rule(number=numbers)
    def rename(self, number: int) -> None:
        people = self.world.made.left.people
        people[number - 1] = people[number - 1].__class__(**{**vars(people[number - 1]), "family": "Жаңатегі"})

    @rule(number=numbers)
    def leave_or_come_back(self, number: int) -> None:
        """A pupil moves to another class, or back."""
        people = self.world.made.right.people
        mine = [one for one in people if one.id.endswith(str(number))]
        if mine and len(people) > 3:
            people.remove(mine[0])
            self.gone = mine[0]
        elif not mine and getattr(self, "gone", None) is not None and self.gone not in people:
            people.append(self.gone)

    @rule(closed=st.booleans())
    def close_or_open_the_period(self, closed: bool) -> None:
        session = AcademicSession(**{**vars(TERM), "closed": closed})
        self.world.made.right.sessions = [session]

    @rule()
    def settle_a_conflict(self) -> None:
        found = self.world.made.conflicts()
        if found:
            made = self.world.made
            resolving.resolve(made.runtime, made.school, made.connection, found[0].id, "left", who="person-1")

    @rule(number=numbers)
    def block_a_person(self, number: int) -> None:
        made = self.world.made
        table = people_store.person
        with made.database.school(made.school) as db:
            where = (table.c.school_id == made.school, table.c.id == made.person(f"u{number}"))
            db.execute(update(table).where(*where).values(blocked_at=made.clock()))

    # misfortunes

    @rule(side=sides, kind=reads, evidence=proofs)
    def a_read_goes_wrong(self, side: str, kind: str, evidence: Evidence) -> None:
        self.world.system(side).spoiled[kind] = (evidence, f"read_{evidence.value}")
        plan = self._sync()
        self.world.system(side).spoiled.clear()
        if plan is not None and kind == "result" and plan.counts:
            removals = [row for row in self.world.rows(plan) if row.change.operation is Operation.CLEAR]
            assert removals == [], "a removal was concluded from a bad read"

    @rule(whole=st.booleans(), number=numbers)
    def lose_the_base(self, whole: bool, number: int) -> None:
        """The row goes with its history, as when a table is restored; the audit would tell, so it goes through it."""
        made = self.world.made
        whom = made.person(f"u{number}")
        from sync.store import audit, cells

        keys = [key for key in made.base() if whole or key.endswith(whom)]
        with made.database.school(made.school) as db:
            for key in keys:
                cells.settle(db, made.school, made.connection, "", [cells.Settling(key, None, "")], made.clock())
            entries = [audit.Entry(key, "forget", (None, None), (None, None), "lost") for key in keys]
            audit.append(db, made.school, made.connection, "base_lost", "test", entries, made.clock())

    @rule(number=numbers, raw=marks)
    def change_the_mapping(self, number: int, raw: str) -> None:
        made = self.world.made
        text = BOTH_WAYS.replace("create_work: auto", f"create_work: {'ask' if number % 2 else 'auto'}")
        with made.database.school(made.school) as db:
            connections.change_mapping(db, made.school, made.connection, text, made.clock())

    @rule(hours=st.integers(-24, 24))
    def skew_a_clock(self, hours: int) -> None:
        clock = self.world.made.clock
        self.world.made.left.clock = lambda: clock.now + timedelta(hours=hours)

    # the engine

    @rule()
    def sync_and_release(self) -> None:
        self._sync(releases=RELEASES)

    @rule(point=st.integers(1, 30))
    def sync_and_be_killed(self, point: int) -> None:
        with self.world.killed_at(point):
            self._sync()

    @rule()
    def answers_are_lost(self) -> None:
        for side in ("left", "right"):
            self.world.system(side).lose_answer = True
        self._sync()
        for side in ("left", "right"):
            self.world.system(side).lose_answer = False

    @rule()
    def go_on_after_a_kill(self) -> None:
        made = self.world.made
        newest = self.world.waiting()
        if newest.state in ("approved", "applying"):
            try:
                made.apply(newest)
            except KopirError:
                return

    @rule(times=st.integers(1, 3))
    def events_come_more_than_once(self, times: int) -> None:
        made = self.world.made
        handlers = Handlers()
        jobs.register_sync_jobs(handlers, made.runtime)
        for _ in range(times):
            jobs.request_plan(made.runtime, made.school, made.connection, trigger="score")
        for _ in range(3):
            execute_job(Runtime(made.database, handlers, clock=made.clock))

    @rule()
    def approve_only_one(self) -> None:
        plan = self.world.plan()
        keys = [row.key for row in self.world.rows(plan, "ready")][:1]
        if plan.state == "planned" and keys:
            self.world.go(plan, only=keys)

    @precondition(lambda self: self.runs)
    @rule()
    def undo(self) -> None:
        try:
            self.world.go(self.world.made.undo(self.runs[-1]))
        except (Fatal, Hold):
            return

    @rule()
    def quiesce(self) -> None:
        """Without edits and faults two rounds are enough, and then nothing is written any more."""
        for _ in range(3):
            self._sync(releases=RELEASES)
        done = [len(self.world.system(side).writes) for side in ("left", "right")]
        plan = self._sync(releases=RELEASES)
        assert done == [len(self.world.system(side).writes) for side in ("left", "right")]
        if plan is not None:
            assert not self.world.rows(plan, "ready", "moved", "retry", "unknown")


def profile(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.mark.timeout(0)
def test_a_random_year_keeps_every_invariant(fields: Fields) -> None:
    Year.fields = fields
    began = time.monotonic()
    run_state_machine_as_test(Year, settings=profile(EXAMPLES))
    print(f"state machine: {EXAMPLES} examples of {STEPS} steps in {time.monotonic() - began:.0f} s")  # noqa: T201


def _believe_left(left: Cell, right: Cell, agreed: Base | None, *rules: Any) -> Decision:
    return deciding.decide(left, right, Base(left.key, right.raw, right.raw, rules[1].version), *rules)


def test_the_same_days_find_a_base_that_is_ignored(fields: Fields, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.reconcile.plan.decide", _believe_left)
    hunting = settings(profile(100), phases=[Phase.generate], derandomize=True, database=None)
    Days.fields = fields
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Days, settings=hunting)
