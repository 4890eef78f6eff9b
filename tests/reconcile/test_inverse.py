from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.reconcile.inverse import Applied, invert
from sync.reconcile.types import Action, Cell, CellState, Change, Operation, Side, State
from tests.reconcile.kit import base
from tests.reconcile.simulator import Pair, key_of

A, B, C = (key_of(person) for person in "abc")


def pair(left: dict[str, str], right: dict[str, str], agreed: dict[str, tuple[str | None, str | None]]) -> Pair:
    return Pair(
        left=dict(left),
        right=dict(right),
        base={key: base(*values, "shift0", key) for key, values in agreed.items()},
    )


def synced() -> tuple[Pair, list[Applied]]:
    """One value updated, one created, one cleared."""
    world = pair({A: "7", B: "9"}, {A: "5", C: "4"}, {A: ("5", "5"), C: ("4", "4")})
    return world, world.apply(world.plan()[1])


def test_undo_puts_back_what_stood_there():
    world, applied = synced()
    assert world.right == {A: "7", B: "9"}
    world.undo(applied)
    assert world.right == {A: "5", C: "4"}
    assert world.left == {A: "7", B: "9"}


def test_what_was_undone_is_not_written_again_by_the_next_plan():
    world, applied = synced()
    world.undo(applied)
    assert world.plan()[1] == []


def test_an_edit_after_an_undo_flows_again():
    world, applied = synced()
    world.undo(applied)
    world.left[A] = "8"
    (change,) = world.plan()[1]
    assert (change.action, change.after) == (Action.WRITE_RIGHT, "8")


def test_an_edit_between_apply_and_undo_is_still_seen_after_it():
    world, applied = synced()
    world.left[A] = "8"
    world.undo(applied)
    assert world.right[A] == "5"
    (change,) = world.plan()[1]
    assert (change.action, change.after) == (Action.WRITE_RIGHT, "8")


def test_a_value_somebody_changed_since_is_a_conflict_and_stays():
    world, applied = synced()
    world.right[A] = "10"
    rows = {change.key: change for change in invert(applied, world.now)}
    assert (rows[A].state, rows[A].rule, rows[A].after) == (State.CONFLICT, "edited_since", None)
    world.undo(applied)
    assert world.right == {A: "10", C: "4"}


def test_a_value_that_cannot_be_read_is_left_alone():
    _, applied = synced()
    rows = list(invert(applied, lambda change: Cell(change.key, None, CellState.UNKNOWN, note="http_503")))
    assert {(row.action, row.reason) for row in rows} == {(Action.NOT_COMPARED, "http_503")}


def test_undo_never_brings_back_an_erased_person():
    world, applied = synced()
    rows = {row.key: row for row in invert(applied, world.now, erased={"c"})}
    assert (rows[C].action, rows[C].rule, rows[C].after) == (Action.REPORT, "person_erased", None)
    assert rows[A].action is Action.WRITE_RIGHT


def test_undo_does_not_revise_a_closed_period():
    world, applied = synced()
    rows = list(invert(applied, world.now, closed=lambda key: True))
    assert {(row.action, row.rule) for row in rows} == {(Action.REPORT, "closed_period")}


def test_undo_compares_with_what_was_read_back_and_not_with_what_was_sent():
    world, applied = synced()
    world.right[A] = "7.00"
    normalised = [Applied(done.change, "7.00" if done.change.key == A else done.written) for done in applied]
    rows = {row.key: row for row in invert(normalised, world.now)}
    assert (rows[A].action, rows[A].before, rows[A].after) == (Action.WRITE_RIGHT, "7.00", "5")


def test_bookkeeping_has_nothing_to_undo():
    world = pair({A: "5"}, {A: "5"}, {})
    (adopted,) = world.plan()[1]
    assert adopted.operation is Operation.BOOKKEEPING
    assert list(invert([Applied(adopted, None)], world.now)) == []


def test_an_undo_survives_json_like_any_change():
    world, applied = synced()
    for row in invert(applied, world.now):
        assert Change.from_dict(row.to_dict()) == row


raws = st.sampled_from([None, "1", "2", "3"])


@given(st.dictionaries(st.sampled_from([A, B, C]), st.tuples(raws, raws, st.one_of(st.none(), st.tuples(raws, raws)))))
def test_apply_then_undo_is_identity_and_undo_of_undo_is_apply(cells):
    world = pair(
        {key: left for key, (left, _, _) in cells.items() if left},
        {key: right for key, (_, right, _) in cells.items() if right},
        {key: agreed for key, (_, _, agreed) in cells.items() if agreed and agreed != (None, None)},
    )
    before = (dict(world.left), dict(world.right))
    applied = world.apply(world.plan()[1])
    after = (dict(world.left), dict(world.right))
    undone = world.undo(applied)
    assert (world.left, world.right) == before
    assert len(undone) == len(applied)
    assert not [change for change in world.plan()[1] if change.state is State.READY]
    world.undo(undone)
    assert (world.left, world.right) == after


@pytest.mark.parametrize("side", Side)
def test_undo_works_on_either_side(side):
    world = pair({A: "5"}, {A: "5"}, {A: ("5", "5")})
    world.put(side.other, A, "9")
    applied = world.apply(world.plan()[1])
    assert world.values(side)[A] == "9"
    world.undo(applied)
    assert world.values(side)[A] == "5"
    assert world.values(side.other)[A] == "9"
