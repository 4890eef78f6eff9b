"""Every row of the decision table, for every side it can be read from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.reconcile.decide import RULE_IDS, decide
from sync.reconcile.guard import HOLD_CODES, RELEASABLE, WAITS_FOR_A_YES
from sync.reconcile.types import (
    Action,
    Cell,
    CellState,
    Direction,
    First,
    Owner,
    Policy,
    Removal,
    Risk,
    Side,
    SideRules,
    Values,
)
from tests.reconcile.kit import KEY, SAME, TEN, PercentToTen, base, both_ways, cell

CLEARS = both_ways(removal=Removal.CLEAR)
X, Y, Z = "7", "8", "5"


@pytest.mark.parametrize(
    ("left", "right", "agreed", "action", "after", "settles"),
    [
        # same on both sides and in the base
        (Z, Z, (Z, Z), Action.NONE, None, None),
        # a false conflict is adopted in silence
        (X, X, (Z, Z), Action.ADOPT, None, (X, X)),
        (X, X, None, Action.ADOPT, None, (X, X)),
        # one side changed
        (X, Z, (Z, Z), Action.WRITE_RIGHT, X, (X, X)),
        (Z, Y, (Z, Z), Action.WRITE_LEFT, Y, (Y, Y)),
        # both changed
        (X, Y, (Z, Z), Action.CONFLICT, None, None),
        # first contact
        (X, Y, None, Action.CONFLICT, None, None),
        (X, None, None, Action.CREATE_RIGHT, X, (X, X)),
        (None, Y, None, Action.CREATE_LEFT, Y, (Y, Y)),
        (None, None, None, Action.NONE, None, None),
        # removals
        (None, Z, (Z, Z), Action.CLEAR_RIGHT, None, (None, None)),
        (Z, None, (Z, Z), Action.CLEAR_LEFT, None, (None, None)),
        (None, Y, (Z, Z), Action.CONFLICT, None, None),
        (X, None, (Z, Z), Action.CONFLICT, None, None),
        (None, None, (Z, Z), Action.DROP_BASE, None, (None, None)),
        # unknown stops everything
        ("?", Y, (Z, Z), Action.NOT_COMPARED, None, None),
        (X, "?", (Z, Z), Action.NOT_COMPARED, None, None),
        ("?", "?", None, Action.NOT_COMPARED, None, None),
        ("?", None, (Z, Z), Action.NOT_COMPARED, None, None),
        (None, "?", (Z, Z), Action.NOT_COMPARED, None, None),
        # an emptiness that was agreed on is an agreement like any other
        (Z, None, (Z, None), Action.NONE, None, None),
        (X, None, (Z, None), Action.CREATE_RIGHT, X, (X, X)),
        (None, None, (Z, None), Action.DROP_BASE, None, (None, None)),
        # values that were agreed to differ stay apart until somebody edits
        (X, Y, (X, Y), Action.NONE, None, None),
        (Z, Y, (X, Y), Action.WRITE_RIGHT, Z, (Z, Z)),
    ],
)
def test_decision_table(left, right, agreed, action, after, settles):
    decision = decide(cell(left), cell(right), base(*agreed) if agreed else None, CLEARS, SAME)
    assert (decision.action, decision.after, decision.settles) == (action, after, Values(*settles) if settles else None)
    assert decision.rule in RULE_IDS


@pytest.mark.parametrize(
    ("left", "right", "action"),
    [
        (X, X, Action.ADOPT),
        (X, Y, Action.CONFLICT),
        (X, None, Action.CREATE_RIGHT),
        (None, Y, Action.CREATE_LEFT),
        (None, None, Action.NONE),
        ("?", Y, Action.NOT_COMPARED),
    ],
)
def test_a_corrupt_base_counts_as_none_and_never_deletes(left, right, action):
    corrupt = decide(cell(left), cell(right), base(Z, Z, corrupt=True), CLEARS, SAME)
    assert corrupt.action is action
    if action in (Action.CREATE_LEFT, Action.CREATE_RIGHT):
        assert corrupt.held_by == "base_corrupt"


def test_a_corrupt_base_is_a_conflict_even_under_an_initial_policy():
    policy = both_ways(first=First.LEFT)
    assert decide(cell(X), cell(Y), base(Z, Z, corrupt=True), policy, SAME).action is Action.CONFLICT


@pytest.mark.parametrize(
    ("first", "action", "after"), [(First.LEFT, Action.WRITE_RIGHT, X), (First.RIGHT, Action.WRITE_LEFT, Y)]
)
def test_an_initial_policy_decides_the_first_contact(first, action, after):
    decision = decide(cell(X), cell(Y), None, both_ways(first=first), SAME)
    assert (decision.action, decision.after, decision.risk) == (action, after, Risk.FIRST_CONTACT)


@pytest.mark.parametrize("removal", [Removal.CLEAR, Removal.DELETE])
def test_a_removal_is_done_as_the_policy_names_it(removal):
    policy = both_ways(removal=removal)
    decision = decide(cell(None), cell(Z), base(Z, Z), policy, SAME)
    assert decision.action is (Action.CLEAR_RIGHT if removal is Removal.CLEAR else Action.DELETE_RIGHT)
    assert decision.risk is Risk.REMOVES


def test_never_delete_reports_a_removal_and_keeps_the_value():
    decision = decide(cell(None), cell(Z), base(Z, Z), both_ways(), SAME)
    assert (decision.action, decision.rule) == (Action.REPORT, "never_delete")


# who may win


@pytest.mark.parametrize(
    ("owner", "left", "right", "action", "rule"),
    [
        (Owner.LEFT, X, Z, Action.WRITE_RIGHT, "left_changed"),
        (Owner.LEFT, Z, Y, Action.REPORT, "owner_left"),
        (Owner.LEFT, Z, None, Action.REPORT, "owner_left"),
        (Owner.LEFT, X, Y, Action.CONFLICT, "both_changed"),
        (Owner.RIGHT, X, Z, Action.REPORT, "owner_right"),
        (Owner.RIGHT, Z, Y, Action.WRITE_LEFT, "right_changed"),
        (Owner.STICKY, X, Y, Action.REPORT, "sticky"),
        (Owner.STICKY, X, Z, Action.WRITE_RIGHT, "left_changed"),
        (Owner.MAX, X, Y, Action.WRITE_LEFT, "max_wins"),
        (Owner.MAX, Y, X, Action.WRITE_RIGHT, "max_wins"),
        (Owner.MIN, X, Y, Action.WRITE_RIGHT, "min_wins"),
        (Owner.MAX, X, Z, Action.WRITE_RIGHT, "left_changed"),
        (Owner.MAX, "3", Z, Action.CONFLICT, "against_the_order"),
        (Owner.MIN, Z, "3", Action.WRITE_LEFT, "right_changed"),
        (Owner.MAX, X, "н", Action.CONFLICT, "both_changed"),
        (Owner.MANUAL, X, Y, Action.CONFLICT, "both_changed"),
    ],
)
def test_owner_policy_settles_who_may_win(owner, left, right, action, rule):
    decision = decide(cell(left), cell(right), base(Z, Z), both_ways(owner, removal=Removal.CLEAR), SAME)
    assert (decision.action, decision.rule) == (action, rule)


def _at(raw: str, minute: int, clock: str) -> Cell:
    return Cell(KEY, raw, CellState.PRESENT, datetime(2026, 11, 20, 8, minute, tzinfo=UTC), clock)


@pytest.mark.parametrize(
    ("left", "right", "action"),
    [
        (_at(X, 1, "lms"), _at(Y, 2, "lms"), Action.WRITE_LEFT),
        (_at(X, 3, "lms"), _at(Y, 2, "lms"), Action.WRITE_RIGHT),
        (_at(X, 2, "lms"), _at(Y, 2, "lms"), Action.CONFLICT),
        (_at(X, 3, "lms"), _at(Y, 2, "journal"), Action.CONFLICT),
        (_at(X, 3, ""), _at(Y, 2, ""), Action.CONFLICT),
        (_at(X, 3, "lms"), cell(Y), Action.CONFLICT),
    ],
)
def test_newest_compares_times_of_one_clock_only(left, right, action):
    assert decide(left, right, base(Z, Z), both_ways(Owner.NEWEST), SAME).action is action


def test_append_keeps_both_texts_within_two_rounds():
    policy, agreed = both_ways(Owner.APPEND), base("ok", "ok")
    first = decide(cell("ok, well done"), cell("ok, see me"), agreed, policy, SAME)
    assert (first.action, first.after) == (Action.WRITE_LEFT, "ok, well done\nok, see me")
    assert first.settles is None
    second = decide(cell(first.after), cell("ok, see me"), agreed, policy, SAME)
    assert (second.action, second.after) == (Action.WRITE_RIGHT, first.after)
    assert second.settles == Values(first.after, first.after)


# which way values may flow


@pytest.mark.parametrize(
    ("left", "right", "agreed", "action", "rule"),
    [
        (X, Z, (Z, Z), Action.WRITE_RIGHT, "left_changed"),
        (Z, Y, (Z, Z), Action.REPORT, "one_way"),
        (Z, None, (Z, Z), Action.REPORT, "one_way"),
        (None, Y, None, Action.NONE, "not_our_way"),
        (X, None, None, Action.CREATE_RIGHT, "only_one_side"),
    ],
)
def test_one_way_flow_reports_the_other_way_and_ignores_what_only_the_target_has(left, right, agreed, action, rule):
    policy = Policy(direction=Direction.LEFT_TO_RIGHT, removal=Removal.CLEAR)
    decision = decide(cell(left), cell(right), base(*agreed) if agreed else None, policy, SAME)
    assert (decision.action, decision.rule) == (action, rule)


# lossy scales


def test_a_change_inside_one_coarse_mark_writes_nothing():
    decision = decide(cell("84.9"), cell("8"), base("84.5", "8"), both_ways(), TEN)
    assert (decision.action, decision.settles) == (Action.ADOPT, Values("84.9", "8"))


def test_a_lossy_scale_is_no_edit_of_the_finer_side():
    assert decide(cell("84.5"), cell("8"), base("84.5", "8"), both_ways(), TEN).action is Action.NONE


def test_a_finer_value_is_written_coarser_and_says_so():
    decision = decide(cell("91"), cell("8"), base("84.5", "8"), both_ways(), TEN)
    assert (decision.action, decision.after, decision.lossy, decision.risk) == (
        Action.WRITE_RIGHT,
        "9",
        True,
        Risk.LOSSY,
    )


def test_a_coarse_edit_is_never_written_back_to_the_finer_scale():
    decision = decide(cell("84.5"), cell("9"), base("84.5", "8"), both_ways(), TEN)
    assert (decision.action, decision.reason, decision.after) == (Action.REPORT, "finer_scale", None)


def test_a_value_without_a_counterpart_is_reported_and_not_guessed():
    decision = decide(cell("н/а"), cell(None), None, both_ways(), TEN)
    assert (decision.action, decision.reason, decision.after) == (Action.REPORT, "no_such_value", None)


# a changed mapping


def test_a_changed_mapping_under_which_values_still_agree_only_refreshes_the_base():
    decision = decide(cell("84.5"), cell("8"), base("84.5", "8"), both_ways(), PercentToTen("v2"))
    assert (decision.action, decision.rule) == (Action.ADOPT, "mapping_same")


def test_a_changed_mapping_is_impact_and_waits_for_a_person():
    decision = decide(cell("84.5"), cell("8"), base("84.5", "8"), both_ways(Owner.LEFT), PercentToTen("v2", add=1))
    assert (decision.action, decision.after, decision.held_by) == (Action.WRITE_RIGHT, "9", "impact")
    assert decision.risk is Risk.IMPACT


def test_a_changed_mapping_that_nobody_owns_is_a_conflict():
    decision = decide(cell("84.5"), cell("8"), base("84.5", "8"), both_ways(), PercentToTen("v2", add=1))
    assert (decision.action, decision.rule) == (Action.CONFLICT, "impact_unowned")


def test_an_edit_after_a_changed_mapping_is_an_edit():
    decision = decide(cell("60"), cell("8"), base("84.5", "8"), both_ways(Owner.LEFT), PercentToTen("v2", add=1))
    assert (decision.action, decision.after, decision.held_by) == (Action.WRITE_RIGHT, "7", "")


# closed periods, places, hidden values


CLOSED = SideRules(closed=True)


@pytest.mark.parametrize(("left", "agreed"), [(X, (Z, Z)), (None, (Z, Z))])
def test_a_closed_period_is_reported_and_never_revised(left, agreed):
    policy = both_ways(removal=Removal.CLEAR, right=CLOSED)
    decision = decide(cell(left), cell(Z), base(*agreed), policy, SAME)
    assert (decision.action, decision.rule) == (Action.REPORT, "closed_period")


def test_nothing_is_created_in_a_closed_period():
    assert decide(cell(X), cell(None), None, both_ways(right=CLOSED), SAME).rule == "closed_period"


def test_a_closed_target_does_not_stop_writing_the_open_side():
    assert decide(cell(Z), cell(Y), base(Z, Z), both_ways(right=CLOSED), SAME).action is Action.WRITE_LEFT


def test_no_certain_place_is_a_hold_with_the_value_shown():
    decision = decide(cell(X), cell(None), None, both_ways(right=SideRules(hold="no_place")), SAME)
    assert (decision.action, decision.after, decision.held_by) == (Action.CREATE_RIGHT, X, "no_place")


HIDES = both_ways(removal=Removal.CLEAR, left=SideRules(hides=frozenset({"0"})))


@pytest.mark.parametrize(
    ("right", "agreed", "action", "rule"),
    [
        # A mark of 7 that is gone may have become 0: nothing is removed.
        (Z, (Z, Z), Action.NOT_COMPARED, "hidden"),
        (Y, None, Action.NOT_COMPARED, "hidden"),
        (None, None, Action.NONE, "nowhere"),
        # The base knows that it was 0.
        ("0", ("0", "0"), Action.NONE, "settled_by_base"),
        ("0", ("0.00000", "0"), Action.NONE, "settled_by_base"),
    ],
)
def test_score_of_zero_is_not_read_back_as_missing(right, agreed, action, rule):
    decision = decide(cell(None), cell(right), base(*agreed) if agreed else None, HIDES, SAME)
    assert (decision.action, decision.rule) == (action, rule)


def test_writing_over_a_value_that_only_the_base_knows_waits_for_a_person():
    decision = decide(cell(None), cell(Y), base("0", "0"), HIDES, SAME)
    assert (decision.action, decision.held_by) == (Action.WRITE_LEFT, "hidden_value")


def test_a_present_value_on_a_hiding_system_is_compared_as_usual():
    assert decide(cell(X), cell(Z), base(Z, Z), HIDES, SAME).action is Action.WRITE_RIGHT


def test_an_unknown_cell_says_why_it_is_unknown():
    assert decide(cell("?")._replace(note="http_503"), cell(X), None, CLEARS, SAME).reason == "http_503"


@pytest.mark.parametrize("why", ["closed_period", "sessions_unknown"])
@pytest.mark.parametrize(
    ("left", "right", "agreed", "words"),
    [
        (X, None, None, SAME),
        (X, None, base(None, None, corrupt=True), SAME),
        (X, Z, base(Z, Z), SAME),
        (None, Z, base(Z, Z), SAME),
        ("84.5", "8", base("84.5", "8"), PercentToTen("v2", add=1)),
    ],
    ids=["create", "corrupt base", "update", "clear", "impact"],
)
def test_what_bars_a_side_comes_before_every_hold_a_person_may_lift(left, right, agreed, words, why):
    rules = {"removal": Removal.CLEAR, "right": SideRules(barred=why, hold="create_work")}
    decision = decide(cell(left), cell(right), agreed, both_ways(Owner.LEFT, **rules), words)
    assert (decision.action.side, decision.held_by) == (Side.RIGHT, why)
    assert why in HOLD_CODES - RELEASABLE - WAITS_FOR_A_YES


def test_what_bars_one_side_does_not_stop_writing_the_other():
    barred = both_ways(right=SideRules(barred="closed_period"))
    assert decide(cell(Z), cell(Y), base(Z, Z), barred, SAME).held_by == ""
