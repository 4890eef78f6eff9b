"""Properties 1 to 7 and 20 to 23: what is compared, decided and carried. Each is followed by its planted bug."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.reconcile import decide as deciding
from sync.reconcile.types import Action, Base, Cell, Decision, Operation, Owner, Policy, Removal, Side, Values
from sync.runs.quiet import Quiet
from sync.runs.reading import Reader
from sync.store import scopes
from sync.store.tables.cells import base as base_table
from sync.systems.contract import Evidence, Read
from tests.properties.field import Fields, World, finds
from tests.reconcile.kit import KEY, SAME, base, both_ways, cell

Patch = pytest.MonkeyPatch
REMOVALS = (Operation.CLEAR, Operation.DELETE)


def send_everything(patch: Patch) -> None:
    """Plant: left's value is sent at every run, whatever was agreed."""

    def resend(left: Cell, right: Cell, agreed: Base | None, *rules: Any) -> Decision:
        done = deciding.decide(left, right, agreed, *rules)
        if (done.action is not Action.NONE and done.rule != "mapping_same") or left.raw is None:
            return done
        return Decision(Action.WRITE_RIGHT, "left_changed", left.raw, settles=Values(left.raw, left.raw))

    real = scopes.bases

    # Cells agreed on under another mapping are not passed over as equal.
    def unsettled(*where: Any) -> Any:
        return {key: (*row[:3], "") for key, row in real(*where).items()}

    patch.setattr(scopes, "bases", unsettled)
    patch.setattr(Quiet, "scopes", property(lambda _self: ()))
    patch.setattr("sync.reconcile.plan.decide", resend)


def applied_twice_is_applied_once(world: World) -> None:
    world.type("left", 1, "3")
    plan = world.sync()
    done = len(world.system("right").writes)
    world.made.apply(plan)
    assert len(world.system("right").writes) == done
    assert world.plan().pending == 0
    world.check()


@pytest.mark.property("P1")
def test_p01_a_plan_applied_twice_is_applied_once_and_the_next_is_empty(world: World) -> None:
    applied_twice_is_applied_once(world)


def test_p01_finds_an_engine_that_sends_everything(world: World, monkeypatch: Patch) -> None:
    send_everything(monkeypatch)
    finds(applied_twice_is_applied_once, world)


def two_quiet_rounds_are_enough(fields: Fields) -> None:
    for left, right in itertools.product((None, "8", "4"), (None, "8", "6")):
        world = fields.world()
        world.type("left", 1, left)
        world.type("right", 1, right)
        world.settles()
        same = world.value("left", 1) == world.value("right", 1)
        known = {(one.left_raw, one.right_raw) for one in world.made.conflicts()}
        assert same or (world.value("left", 1), world.value("right", 1)) in known, (left, right)


@pytest.mark.property("P2")
def test_p02_both_sides_end_equal_or_in_a_reported_conflict(fields: Fields) -> None:
    two_quiet_rounds_are_enough(fields)


def test_p02_finds_conflicts_that_nobody_is_told(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr("sync.runs.planning.conflicts.keep", lambda *_: 0)
    finds(two_quiet_rounds_are_enough, fields)


def nothing_typed_is_lost(world: World) -> None:
    world.type("left", 1, "3")
    plan = world.plan()
    world.made.approve(plan)
    once = iter([True])

    def meddle(name: str) -> None:
        if name == "apply.before_write" and next(once, False):
            world.type("right", 1, "7")

    world.made.step = meddle
    world.made.apply(plan)
    world.made.step = lambda _name: None
    world.check()
    assert world.value("right", 1) == "7"
    world.plan()
    assert [(one.left_raw, one.right_raw) for one in world.made.conflicts()] == [("3", "7")]


@pytest.mark.property("P3")
def test_p03_a_mark_typed_in_the_middle_of_an_apply_is_not_lost(world: World) -> None:
    nothing_typed_is_lost(world)


def test_p03_finds_a_blind_write(world: World) -> None:
    world.system("right").blind = True
    finds(nothing_typed_is_lost, world)


def test_p03_finds_a_base_that_is_ignored(world: World, monkeypatch: Patch) -> None:
    real = deciding.decide

    def believe_left(left: Cell, right: Cell, agreed: Base | None, *rules: Any) -> Decision:
        return real(left, right, Base(left.key, right.raw, right.raw, rules[1].version), *rules)

    monkeypatch.setattr("sync.reconcile.plan.decide", believe_left)
    finds(conflicts_are_shown, world)


def conflicts_are_shown(world: World) -> None:
    world.type("left", 1, "3")
    world.type("right", 1, "7")
    world.type("left", 2, "9")
    world.type("right", 2, "9")
    world.sync()
    assert (world.value("left", 1), world.value("right", 1)) == ("3", "7")
    assert [(one.left_raw, one.right_raw, one.base_left) for one in world.made.conflicts()] == [("3", "7", "8")]
    world.check()


@pytest.mark.property("P4")
def test_p04_a_conflict_is_shown_and_an_equal_edit_is_none(world: World) -> None:
    conflicts_are_shown(world)


def test_p04_finds_a_winner_chosen_in_silence(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr(deciding, "_both_changed", lambda one: deciding._write(one, Side.LEFT, "left_changed"))
    finds(conflicts_are_shown, world)


def a_lost_base_removes_nothing(world: World) -> None:
    with world.made.database.school(world.made.school) as db:
        db.execute(base_table.delete().where(base_table.c.kind == "grade"))
    world.type("left", 1, None)
    world.type("left", 2, "6")
    world.plan()
    plan = world.plan()
    assert [row for row in world.rows(plan) if row.change.operation in REMOVALS] == []
    assert [(one.left_raw, one.right_raw) for one in world.made.conflicts()] == [("6", "5")]
    agreed = {values[:2] for key, values in world.made.base().items() if key.startswith("grade")}
    assert ("10", "10") in agreed


@pytest.mark.property("P5")
def test_p05_without_a_base_nothing_is_removed_and_what_is_equal_is_adopted(world: World) -> None:
    a_lost_base_removes_nothing(world)


def test_p05_finds_a_side_taken_for_the_base(world: World, monkeypatch: Patch) -> None:
    real = deciding.decide

    def invent(left: Cell, right: Cell, agreed: Base | None, *rules: Any) -> Decision:
        return real(left, right, agreed or Base(left.key, right.raw, right.raw, rules[1].version), *rules)

    monkeypatch.setattr("sync.reconcile.plan.decide", invent)
    finds(a_lost_base_removes_nothing, world)


SPOILED = (Evidence.PARTIAL, Evidence.SUSPICIOUS, Evidence.UNAUTHORISED, Evidence.UNKNOWN, Evidence.GONE)


def a_bad_read_removes_nothing(fields: Fields) -> None:
    for evidence in SPOILED:
        world = fields.world()
        world.system("left").spoiled["result"] = (evidence, f"read_{evidence.value}")
        before = dict(world.system("right").marks)
        for _ in range(2):
            plan = world.sync(releases=("over_percent",))
            assert [row for row in world.rows(plan) if row.change.operation in REMOVALS] == []
        assert world.system("right").marks == before
        world.check()


@pytest.mark.property("P6")
def test_p06_only_a_complete_read_proves_that_something_is_gone(fields: Fields) -> None:
    a_bad_read_removes_nothing(fields)


def test_p06_finds_a_partial_read_taken_for_absence(fields: Fields, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Read, "complete", property(lambda _self: True))
    monkeypatch.setattr("sync.runs.compare.evidence_of", lambda *_: (Evidence.COMPLETE, ""))
    finds(a_bad_read_removes_nothing, fields)


LATER = datetime(2026, 11, 23, 9, tzinfo=UTC)
OWNERS = [
    (Owner.LEFT, "3", "1", Action.WRITE_RIGHT), (Owner.LEFT, "1", "3", Action.REPORT),
    (Owner.RIGHT, "1", "3", Action.WRITE_LEFT), (Owner.RIGHT, "3", "1", Action.REPORT),
    (Owner.MANUAL, "3", "1", Action.WRITE_RIGHT), (Owner.MANUAL, "3", "2", Action.CONFLICT),
    (Owner.LEFT, "3", "2", Action.CONFLICT), (Owner.STICKY, "3", "2", Action.REPORT),
    (Owner.MAX, "3", "2", Action.WRITE_RIGHT), (Owner.MIN, "3", "2", Action.WRITE_LEFT),
]  # fmt: skip


def owners_decide() -> None:
    for owner, left, right, wanted in OWNERS:
        done = deciding.decide(cell(left), cell(right), base("1", "1"), both_ways(owner), SAME)
        assert done.action is wanted, (owner, left, right)
    kept = deciding.decide(cell(None), cell("1"), base("1", "1"), both_ways(removal=Removal.NEVER), SAME)
    assert kept.action is Action.REPORT


@pytest.mark.property("P7")
def test_p07_each_field_is_merged_by_its_owner() -> None:
    owners_decide()


def test_p07_finds_an_owner_nobody_heeds(monkeypatch: Patch) -> None:
    monkeypatch.setattr(deciding, "_owner_is", lambda *_: False)
    finds(owners_decide)


def our_own_write_is_no_edit(world: World) -> None:
    for side, mark in (("left", "3"), ("right", "6")):
        before = sum(len(world.system(one).writes) for one in ("left", "right"))
        world.type(side, 1, mark)
        for _ in range(3):
            world.sync(releases=("over_percent",))
        assert sum(len(world.system(one).writes) for one in ("left", "right")) == before + 1
    world.check()


@pytest.mark.property("P20")
def test_p20_our_own_write_that_comes_back_stops_after_one_hop(world: World) -> None:
    our_own_write_is_no_edit(world)


def test_p20_finds_an_echo(world: World, monkeypatch: Patch) -> None:
    send_everything(monkeypatch)
    finds(our_own_write_is_no_edit, world)


def skew_changes_nothing() -> None:
    for hours in (-24, -1, 0, 1, 24):
        right = Cell(KEY, "3", changed_at=LATER + timedelta(hours=hours), clock="journal")
        done = deciding.decide(
            Cell(KEY, "2", changed_at=LATER, clock="lms"), right, base("1", "1"), Policy(Owner.NEWEST), SAME
        )
        assert done.action is Action.CONFLICT, hours
    newer = deciding.decide(
        Cell(KEY, "2", changed_at=LATER + timedelta(hours=1), clock="one"),
        Cell(KEY, "3", changed_at=LATER, clock="one"), base("1", "1"), both_ways(Owner.NEWEST), SAME,
    )  # fmt: skip
    assert newer.action is Action.WRITE_RIGHT


def skewed_runs_end_alike(fields: Fields) -> None:
    ends = []
    for hours in (-24, 0, 24):
        world = fields.world()
        ours = world.system("left").clock
        world.system("left").clock = lambda ours=ours, hours=hours: ours() + timedelta(hours=hours)
        world.type("left", 1, "3")
        world.type("right", 2, "9")
        world.sync()
        world.check()
        ends.append((dict(world.system("left").marks), dict(world.system("right").marks), world.made.base()))
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.property("P21")
def test_p21_the_result_does_not_depend_on_a_skewed_clock(fields: Fields) -> None:
    skew_changes_nothing()
    skewed_runs_end_alike(fields)


def test_p21_finds_times_of_two_hosts_compared(monkeypatch: Patch) -> None:
    def by_any_clock(one: Any) -> Side:
        return Side.LEFT if one.left.changed_at > one.right.changed_at else Side.RIGHT

    monkeypatch.setattr(deciding, "_winner_by_time", by_any_clock)
    finds(skew_changes_nothing)


def order_does_not_matter(fields: Fields) -> None:
    found = set()
    for order in itertools.permutations(range(3)):
        world = fields.world()
        world.type("left", 1, "3")
        world.type("left", 2, "4")
        for side in ("left", "right"):
            marks = list(world.system(side).marks.items())
            world.system(side).marks = dict(marks[place] for place in order if place < len(marks))
            world.system(side).people = [world.system(side).people[place] for place in (*order, *range(3, 4))]
        world.plan()
        plan = world.plan()
        found.add(tuple(row.change.canonical() for row in world.made.changes(plan)))
    assert len(found) == 1


@pytest.mark.property("P22")
def test_p22_the_order_of_what_is_read_does_not_matter(fields: Fields) -> None:
    order_does_not_matter(fields)


def test_p22_finds_a_plan_in_reading_order(fields: Fields, monkeypatch: Patch) -> None:
    draw = random.Random(22)

    def as_it_came(found: Iterable[Any], **_: object) -> list[Any]:
        return draw.sample(rows := list(found), len(rows))

    monkeypatch.setattr("sync.runs.compare.sorted", as_it_came, raising=False)
    monkeypatch.setattr("sync.reconcile.plan._unsorted", lambda: AssertionError("out of order"))
    finds(order_does_not_matter, fields)


def a_sweep_finds_everything(world: World) -> None:
    world.type("left", 1, "3")
    world.type("right", 2, "9")
    world.type("left", 4, "7")
    world.sync()
    world.settles()
    assert [world.value("right", number) for number in (1, 2, 4)] == ["3", "9", "7"]
    assert world.value("left", 2) == "9"


@pytest.mark.property("P23")
def test_p23_without_any_event_the_next_sweep_converges(world: World) -> None:
    a_sweep_finds_everything(world)


def test_p23_finds_a_sweep_that_reads_nothing(world: World, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Reader, "read", lambda *_: None)
    finds(a_sweep_finds_everything, world)
