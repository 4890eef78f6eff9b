"""One cell, every interleaving: edits, removals, lost reads and crashes between read, write and base commit.

The same search that finds no lost update in the real decision finds each planted bug, so it can fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from sync.reconcile.decide import decide
from sync.reconcile.types import Action, Base, Cell, CellState, Decision, Removal, Side, Values
from tests.reconcile.kit import KEY, SAME, both_ways

VALUES = (None, "1", "2")
POLICY = both_ways(removal=Removal.CLEAR)


class World(NamedTuple):
    """Both systems, the base, a plan in hand, and what the last step destroyed."""

    left: str | None
    right: str | None
    base: Values | None
    plan: Decision | None = None
    seen: Values | None = None
    written: bool = False
    lost: bool = False
    edited: int = 0


@dataclass(frozen=True)
class Engine:
    """The engine under the search; each flag plants one bug."""

    compare_and_set: bool = True
    use_base: bool = True
    partial_is_absence: bool = False

    def decide(self, world: World, left_read: bool, right_read: bool) -> Decision:
        left, right = self._cell(world.left, left_read), self._cell(world.right, right_read)
        base = None if world.base is None else Base(KEY, *world.base, "v1")
        if not self.use_base:
            # The bug: left is believed whenever the sides differ.
            base = Base(KEY, right.raw, right.raw, "v1")
        return decide(left, right, base, POLICY, SAME)

    def _cell(self, raw: str | None, read: bool) -> Cell:
        if not read:
            return Cell(KEY, None, CellState.ABSENT if self.partial_is_absence else CellState.UNKNOWN)
        return Cell(KEY, raw, CellState.ABSENT if raw is None else CellState.PRESENT)


def steps(world: World, engine: Engine) -> list[World]:
    found = [world._replace(plan=None, seen=None, written=False)]  # a crash forgets the plan and nothing else
    if world.edited < 3:
        for value in VALUES:
            if value != world.left:
                found.append(world._replace(left=value, edited=world.edited + 1))
            if value != world.right:
                found.append(world._replace(right=value, edited=world.edited + 1))
    if world.plan is None:
        for left_read, right_read in ((True, True), (False, True), (True, False)):
            plan = engine.decide(world, left_read, right_read)
            found.append(world._replace(plan=plan, seen=Values(world.left, world.right)))
    else:
        found += _apply(world, engine)
    return found


def _apply(world: World, engine: Engine) -> list[World]:
    plan, seen = world.plan, world.seen
    assert plan is not None and seen is not None
    side = plan.action.side
    if side is None or world.written:
        return [_commit(world, plan)]
    here = world.left if side is Side.LEFT else world.right
    if engine.compare_and_set and here != seen.of(side):
        return [world._replace(plan=None, seen=None)]  # moved: reported, planned anew
    after = world._replace(**{side.value: plan.after}, written=True)
    return [after._replace(lost=_destroys(world, side, here))]


def _destroys(world: World, side: Side, here: str | None) -> bool:
    """A value is lost when it is overwritten though a person put it there after the last agreement."""
    agreed = None if world.base is None else world.base.of(side)
    return (here != agreed and here is not None) or (here is None and agreed is not None)


def _commit(world: World, plan: Decision) -> World:
    base = world.base if plan.settles is None else plan.settles
    if base == (None, None):
        base = None
    return world._replace(base=base, plan=None, seen=None, written=False)


def search(engine: Engine, stop: Callable[[World], bool]) -> tuple[int, int]:
    """Visit every reachable world; return how many there are and how many of them satisfy ``stop``."""
    bases = [None, *(Values(left, right) for left in VALUES for right in VALUES)]
    todo = [World(left, right, base) for left in VALUES for right in VALUES for base in bases]
    seen, bad = set(todo), 0
    while todo:
        world = todo.pop()
        if stop(world):
            bad += 1
            continue
        for following in steps(world, engine):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return len(seen), bad


def test_no_interleaving_loses_an_update():
    worlds, lost = search(Engine(), lambda world: world.lost)
    assert worlds > 5_000
    assert lost == 0


@pytest.mark.parametrize(
    "bug",
    [
        {"compare_and_set": False},
        {"use_base": False},
        {"partial_is_absence": True},
    ],
    ids=lambda bug: next(iter(bug)),
)
def test_the_same_search_finds_a_planted_bug(bug):
    _, lost = search(replace(Engine(), **bug), lambda world: world.lost)
    assert lost > 0


def _settle(world: World, engine: Engine) -> World:
    plan = engine.decide(world, True, True)
    world = world._replace(plan=plan, seen=Values(world.left, world.right))
    while world.plan is not None:
        world = _apply(world, engine)[0]
    return world


@pytest.mark.parametrize("left", VALUES)
@pytest.mark.parametrize("right", VALUES)
@pytest.mark.parametrize("agreed", [None, *(Values(a, b) for a in VALUES for b in VALUES)])
def test_one_quiet_round_ends_equal_or_in_a_conflict(left, right, agreed):
    engine = Engine()
    once = _settle(World(left, right, agreed), engine)
    again = engine.decide(once, True, True)
    assert again.action in (Action.NONE, Action.CONFLICT)
    if again.action is Action.NONE and agreed != (left, right):
        assert once.left == once.right or once.base == (once.left, once.right)
    assert _settle(once, engine)._replace(lost=False) == once._replace(lost=False)
