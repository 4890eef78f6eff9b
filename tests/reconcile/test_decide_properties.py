"""What holds for every cell there can be: three values, two sides, every base, every policy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from sync.reconcile.decide import RULE_IDS, decide
from sync.reconcile.types import (
    Action,
    Base,
    BaseState,
    Decision,
    Direction,
    First,
    Operation,
    Owner,
    Policy,
    Removal,
    Side,
    SideRules,
    Values,
)
from tests.reconcile.kit import SAME, SameScale, base, cell

RAWS = (None, "1", "2", "0", "?")
KNOWN = (None, "1", "2", "0")
BASES = (None, *(base(a, b) for a, b in product(KNOWN, KNOWN)), base("1", "1", corrupt=True), base("1", "1", "v0"))
HIDES = SideRules(hides=frozenset({"0"}))
CLOSED = SideRules(closed=True)
OPEN = SideRules()
SIDES = ((OPEN, OPEN), (HIDES, OPEN), (OPEN, HIDES), (CLOSED, OPEN), (OPEN, CLOSED))
REMOVALS = (Operation.CLEAR, Operation.DELETE)


class World(NamedTuple):
    left: str | None
    right: str | None
    base: Base | None
    policy: Policy

    def decide(self, translate: SameScale = SAME) -> Decision:
        return decide(cell(self.left), cell(self.right), self.base, self.policy, translate)

    @property
    def agreed(self) -> Values | None:
        if self.base is None or self.base.state is BaseState.CORRUPT:
            return None
        return Values(self.base.left_raw, self.base.right_raw)


def policies() -> Iterator[Policy]:
    for owner, direction, first, removal, sides in product(
        Owner, Direction, First, (Removal.NEVER, Removal.CLEAR), SIDES
    ):
        yield Policy(owner, direction, first, removal, *sides)


def worlds(policy: Policy) -> Iterator[World]:
    for left, right, agreed in product(RAWS, RAWS, BASES):
        yield World(left, right, agreed, policy)


@pytest.fixture(scope="module")
def everything() -> list[tuple[World, Decision]]:
    return [(world, world.decide()) for policy in policies() for world in worlds(policy)]


def test_unknown_is_never_compared_and_nothing_else_follows_from_it(everything):
    for world, decision in everything:
        if "?" in (world.left, world.right):
            assert decision.action is Action.NOT_COMPARED


def test_without_a_usable_base_nothing_is_removed(everything):
    for world, decision in everything:
        if world.agreed is None:
            assert decision.action.operation not in REMOVALS
            assert decision.action is not Action.DROP_BASE


def test_a_removal_needs_the_other_side_proved_empty_and_its_own_value_unchanged(everything):
    for world, decision in everything:
        side = decision.action.side
        if side is not None and decision.action.operation in REMOVALS:
            now = Values(world.left, world.right)
            assert now.of(side.other) is None
            assert not world.policy.of(side.other).hides or world.agreed.of(side.other) in (None, "0")
            assert world.policy.removal is not Removal.NEVER


def test_only_a_policy_that_says_so_overwrites_an_edit(everything):
    asked_for = {Owner.NEWEST, Owner.MAX, Owner.MIN, Owner.APPEND}
    for world, decision in everything:
        side = decision.action.side
        if side is None or world.policy.owner in asked_for:
            continue
        now = Values(world.left, world.right).of(side)
        if world.agreed is not None:
            assert now == world.agreed.of(side) or decision.held_by == "hidden_value"
        else:
            assert now is None or (world.policy.first is not First.CONFLICT and world.base is None)


def test_writing_keeps_to_direction_and_open_periods(everything):
    for world, decision in everything:
        side = decision.action.side
        if side is not None:
            assert world.policy.direction.may_write(side)
            assert not world.policy.of(side).closed


def test_what_already_agrees_is_neither_written_nor_a_conflict(everything):
    for world, decision in everything:
        if world.left == world.right and world.left not in (None, "?"):
            assert decision.action in (Action.NONE, Action.ADOPT)


def test_only_a_write_carries_a_value(everything):
    for _, decision in everything:
        writes = decision.action.side is not None and decision.action.operation not in REMOVALS
        assert (decision.after is not None) == writes
        assert decision.rule in RULE_IDS
        assert decision.settles is None or decision.action not in (Action.CONFLICT, Action.REPORT, Action.NOT_COMPARED)


def test_a_hidden_value_is_written_over_only_after_a_person_said_so(everything):
    for world, decision in everything:
        side = decision.action.side
        if side is not None and world.policy.of(side).hides and Values(world.left, world.right).of(side) is None:
            assert decision.held_by


def test_an_unchanged_cell_under_a_changed_mapping_is_never_written_without_a_person(everything):
    for policy in policies():
        world = World("1", "2", base("1", "2", "v0"), policy)
        decision = world.decide()
        assert decision.action.side is None or decision.held_by == "impact"


_MIRROR = {
    Owner.LEFT: Owner.RIGHT,
    Owner.RIGHT: Owner.LEFT,
    Direction.LEFT_TO_RIGHT: Direction.RIGHT_TO_LEFT,
    Direction.RIGHT_TO_LEFT: Direction.LEFT_TO_RIGHT,
    First.LEFT: First.RIGHT,
    First.RIGHT: First.LEFT,
}


def _mirrored(world: World) -> World:
    policy = world.policy
    turned = Policy(
        _MIRROR.get(policy.owner, policy.owner),  # type: ignore[call-overload]
        _MIRROR.get(policy.direction, policy.direction),  # type: ignore[call-overload]
        _MIRROR.get(policy.first, policy.first),  # type: ignore[call-overload]
        policy.removal,
        policy.right,
        policy.left,
    )
    row = world.base
    agreed = None if row is None else Base(row.key, row.right_raw, row.left_raw, row.mapping_version, row.state)
    return World(world.right, world.left, agreed, turned)


def test_left_and_right_are_treated_alike(everything):
    for world, decision in everything[::4]:  # A stride that no axis of the product divides.
        if world.policy.owner is Owner.APPEND:
            continue  # One side must come first when two texts are joined.
        other = _mirrored(world).decide()
        side = decision.action.side
        expected = decision.action if side is None else Action.writing(decision.action.operation, side.other)
        assert (other.action, other.after, other.held_by) == (expected, decision.after, decision.held_by)
        assert other.rule.replace("left", "right") == decision.rule.replace("left", "right")


def test_every_action_and_operation_is_reached(everything):
    reached = {decision.action for _, decision in everything}
    assert set(Action) - reached == {Action.DELETE_LEFT, Action.DELETE_RIGHT}
    assert {action.side for action in reached} == {None, Side.LEFT, Side.RIGHT}
