"""A random school year on two systems: edits, removals, lost reads, lost bases, crashes, new mappings, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync.reconcile.inverse import Applied
from sync.reconcile.types import BaseState, Change, Owner, Policy, Removal, Side, State
from tests.reconcile.simulator import Crash, Pair, Shift, key_of, removals

KEYS = [key_of(person) for person in "abc"]
keys = st.sampled_from(KEYS)
sides = st.sampled_from(Side)
misses = st.one_of(st.none(), st.none(), st.sets(keys))
policies = st.builds(
    Policy, owner=st.sampled_from([Owner.MANUAL, Owner.LEFT, Owner.STICKY]), removal=st.sampled_from(Removal)
)


class School(RuleBasedStateMachine):
    """What people type is written down apart, so that nothing they typed can vanish unnoticed."""

    bugs: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(**self.bugs)
        self.typed: dict[tuple[Side, str], tuple[str | None, int]] = {}
        self.next = 100
        self.applied: list[Applied] = []

    @initialize(policy=policies)
    def start(self, policy: Policy) -> None:
        self.pair.policy = policy

    # people

    def _type(self, side: Side, key: str, raw: str | None) -> None:
        self.pair.put(side, key, raw)
        self.typed[side, key] = (raw, len(self.pair.history))

    @rule(side=sides, key=keys)
    def edit(self, side: Side, key: str) -> None:
        """Values are never typed twice, so that each can be followed."""
        self.next += 100
        self._type(side, key, str(self.next))

    @rule(side=sides, key=keys)
    def remove(self, side: Side, key: str) -> None:
        self._type(side, key, None)

    @rule(side=sides, key=keys)
    def settle_by_hand(self, side: Side, key: str) -> None:
        """Somebody copies the other system's value."""
        raw = self.pair.values(side.other).get(key)
        if raw is not None:
            said = self.pair.translate.to_right(raw) if side is Side.RIGHT else self.pair.translate.to_left(raw)
            self._type(side, key, said.raw)

    # misfortunes

    @rule(key=keys)
    def lose_base_row(self, key: str) -> None:
        self.pair.base.pop(key, None)

    @rule()
    def lose_whole_base(self) -> None:
        self.pair.base.clear()

    @rule(key=keys)
    def corrupt_base_row(self, key: str) -> None:
        if key in self.pair.base:
            self.pair.base[key] = self.pair.base[key]._replace(state=BaseState.CORRUPT)

    @rule(by=st.integers(0, 2))
    def change_mapping(self, by: int) -> None:
        self.pair.translate = Shift(by)

    # the engine

    def _run(self, changes: list[Change], between: Callable[[], None], *, release: bool = False) -> None:
        try:
            self.applied = self.pair.apply(changes, between, release=release)
        except Crash:
            self.applied = []

    @rule(left=misses, right=misses)
    def sync(self, left: set[str] | None, right: set[str] | None) -> None:
        _, changes = self.pair.plan(left, right)
        self._partial_read_deletes_nothing(changes, left, right)
        self._run(changes, lambda: None)

    @rule(data=st.data(), side=sides, key=keys)
    def sync_while_somebody_types(self, data: st.DataObject, side: Side, key: str) -> None:
        _, changes = self.pair.plan()
        steps = iter(range(99))
        moment = data.draw(st.integers(0, 2), label="edit before step")
        self._run(changes, lambda: self.edit(side, key) if next(steps) == moment else None)

    @rule(data=st.data())
    def sync_and_crash(self, data: st.DataObject) -> None:
        _, changes = self.pair.plan()
        steps = iter(range(99))
        moment = data.draw(st.integers(0, 2), label="crash before step")

        def between() -> None:
            if next(steps) == moment:
                raise Crash

        self._run(changes, between)

    @rule()
    def approve_everything(self) -> None:
        self._run(self.pair.plan()[1], lambda: None, release=True)

    @rule()
    def undo(self) -> None:
        self.pair.undo(self.applied)
        self.applied = []

    @rule()
    def quiesce(self) -> None:
        """Without edits and faults two rounds are enough, and then nothing is written any more."""
        for _ in range(2):
            self.pair.apply(self.pair.plan()[1])
        written = self.pair.writes
        _, changes = self.pair.plan()
        assert {change.state for change in changes} <= {State.CONFLICT, State.HELD, State.REPORTED}
        self.pair.apply(changes)
        assert self.pair.writes == written

    # what must always hold

    def _partial_read_deletes_nothing(
        self, changes: list[Change], left: set[str] | None, right: set[str] | None
    ) -> None:
        for change in removals(changes):
            assert change.side is not None
            missing = left if change.side is Side.RIGHT else right
            assert missing is None, "a removal was concluded from a partial read"

    @invariant()
    def nothing_typed_is_out_of_reach(self) -> None:
        for (side, key), (raw, since) in self.typed.items():
            if self.pair.values(side).get(key) == raw:
                continue
            kept = [w for w in self.pair.history[since:] if (w.side, w.key) == (side, key)]
            assert any(written.before == raw for written in kept), f"{side} lost {raw!r}"

    @invariant()
    def the_same_world_gives_the_same_bytes(self) -> None:
        assert self.pair.plan()[0].plan_hash == self.pair.plan()[0].plan_hash


QUIET = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_a_random_year_loses_nothing():
    run_state_machine_as_test(School, settings=QUIET)


@pytest.mark.parametrize("bug", ["blind", "gullible"])
def test_the_same_year_finds_a_planted_bug(bug):
    class Broken(School):
        bugs = {bug: True}  # noqa: RUF012

    hunting = settings(QUIET, max_examples=2_000, phases=[Phase.generate], derandomize=True, database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=hunting)
