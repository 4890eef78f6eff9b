from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import Fatal, Hold
from sync.model import AcademicSession
from sync.reconcile.guard import (
    Approval,
    Approve,
    Ask,
    GuardRules,
    Limit,
    Verdict,
    Window,
    assess,
    check_approval,
    period_closed,
    stand,
)
from sync.reconcile.plan import Planner, ScopeCounts, Summary
from sync.reconcile.types import (
    Action,
    Base,
    Cell,
    CellKey,
    CellKind,
    Operation,
    PlanHeader,
    Removal,
    SideRules,
    State,
)
from tests.reconcile.kit import both_ways, covered, rules_for

TODAY = date(2026, 11, 20)
GRADE = CellKind.GRADE
HEADER = PlanHeader.of("school", "pair", ["grade|7A"], {"mapping": "m1", "identity": "i1", "left": "x"})
AUTO = Approve(first=Ask.AUTO, delete=Ask.AUTO)


def summary(known: int, scope: str = "grade|7A", **operations: int) -> Summary:
    counts = ScopeCounts(known=known, operations={Operation(name): n for name, n in operations.items()})
    return Summary({scope: counts})


def make(edits: int = 0, removals: int = 0, same: int = 0, hold: str = "") -> tuple[Planner, list]:
    """A plan with that many updates, removals and untouched cells."""
    keys = [CellKey(GRADE, "7A", "quiz", f"{n:04d}").text for n in range(edits + removals + same)]
    left = [Cell(k, "7" if n < edits else "5") for n, k in enumerate(keys) if n < edits or n >= edits + removals]
    policy = both_ways(removal=Removal.CLEAR, right=SideRules(hold=hold))
    planner = Planner(HEADER, rules_for(policy), covered())
    changes = list(planner.changes(left, [Cell(k, "5") for k in keys], [Base(k, "5", "5", "v1") for k in keys]))
    return planner, changes


@pytest.mark.parametrize(
    ("known", "operations", "limit", "reason"),
    [
        (100, {"update": 20}, Limit(percent=Decimal(20)), ""),
        (100, {"update": 21}, Limit(percent=Decimal(20)), "over_percent"),
        (24, {"update": 24}, Limit(percent=Decimal(20)), ""),  # a small set is judged by count alone
        (24, {"update": 24}, Limit(count=23, percent=Decimal(20)), "over_count"),
        (25, {"update": 6}, Limit(percent=Decimal(20)), "over_percent"),
        (0, {"update": 5}, Limit(count=4), "over_count"),
        (1000, {"update": 5}, Limit(count=5), ""),
        (1000, {"update": 1000}, Limit(), ""),
    ],
)
def test_limits_by_share_and_count_with_a_floor(known, operations, limit, reason):
    rules = GuardRules(defaults={Operation.UPDATE: limit}, floor=25)
    verdict = assess(summary(known, **operations), rules, TODAY)
    assert verdict.kinds.get((GRADE, Operation.UPDATE), "") == reason


def test_the_default_guard_of_a_mapping_holds_every_removal_and_lets_the_rest_flow():
    planner, changes = make(edits=1, removals=1, same=40)
    verdict = assess(planner.summary, GuardRules.of(max_delete=0, max_change_pct=Decimal(20)), TODAY)
    standings = {c.operation: stand(c, verdict, AUTO) for c in changes}
    assert standings[Operation.UPDATE] == (State.READY, "")
    assert standings[Operation.CLEAR] == (State.HELD, "over_count")


def test_a_limit_of_a_kind_beats_the_default():
    rules = GuardRules({(GRADE, Operation.CLEAR): Limit(count=9)}, {Operation.CLEAR: Limit(count=0)})
    assert not assess(summary(100, clear=9), rules, TODAY).kinds


def test_small_bites_within_a_day_add_up():
    rules = GuardRules(defaults={Operation.CLEAR: Limit(count=5)})
    assert not assess(summary(100, clear=3), rules, TODAY).kinds
    recent = {(GRADE, Operation.CLEAR): 3}
    assert assess(summary(100, clear=3), rules, TODAY, recent).kinds == {(GRADE, Operation.CLEAR): "over_count"}


def test_one_class_wiped_out_is_held_though_it_is_a_small_share_of_the_school():
    planner, changes = make(removals=30)
    planner.summary.scopes["grade|7B"] = ScopeCounts(known=10_000, same=10_000)
    verdict = assess(planner.summary, GuardRules.of(max_delete=1000, max_change_pct=Decimal(20)), TODAY)
    assert not verdict.kinds
    assert {stand(c, verdict, AUTO) for c in changes} == {(State.HELD, "over_percent")}


@pytest.mark.parametrize(("today", "frozen"), [(22, False), (23, True), (30, True), (31, False)])
def test_nothing_is_written_on_frozen_days_even_with_a_yes(today, frozen):
    planner, (change,) = make(edits=1)
    rules = GuardRules.of(freeze=[Window(date(2026, 10, 23), date(2026, 10, 30))])
    verdict = assess(planner.summary, rules, date(2026, 10, today))
    approval = Approval(planner.plan_hash, "p1", frozenset({"freeze"}))
    standing = stand(change, verdict, AUTO, approval=approval)
    assert standing == ((State.HELD, "freeze") if frozen else (State.READY, ""))


def test_a_broken_canary_holds_every_write():
    planner, (change,) = make(edits=1)
    planner.summary.broken_canaries.append("grade|7A|quiz|canary")
    verdict = assess(planner.summary, GuardRules(), TODAY)
    assert stand(change, verdict, AUTO) == (State.HELD, "canary")


def test_a_period_that_closed_since_the_plan_refuses_the_write():
    planner, (change,) = make(edits=1)
    verdict = assess(planner.summary, GuardRules(), TODAY, closed=[CellKey(GRADE, "7A", "quiz", "anybody")])
    approval = Approval(planner.plan_hash, "p1", frozenset({"closed_period"}))
    assert stand(change, verdict, AUTO, approval=approval) == (State.REPORTED, "closed_period")


@pytest.mark.parametrize(
    ("approve", "first", "expected"),
    [
        (Approve(), True, "first_plan"),
        (Approve(), False, ""),
        (Approve(update=Ask.ASK), False, "ask_update"),
        (Approve(first=Ask.AUTO), True, ""),
    ],
)
def test_the_approve_block_says_who_is_asked(approve, first, expected):
    _, (change,) = make(edits=1)
    standing = stand(change, Verdict(), approve, first=first)
    assert standing == ((State.HELD, expected) if expected else (State.READY, ""))


def test_removals_ask_by_default():
    _, (change,) = make(removals=1)
    assert change.action is Action.CLEAR_RIGHT
    assert stand(change, Verdict(), Approve()) == (State.HELD, "ask_delete")


def test_a_plain_yes_lifts_questions_and_no_guard_hold():
    planner, changes = make(edits=1, removals=1, same=40)
    verdict = assess(planner.summary, GuardRules.of(max_delete=0), TODAY)
    approval = Approval(planner.plan_hash, "p1")
    standing = {c.operation: stand(c, verdict, Approve(), first=True, approval=approval) for c in changes}
    assert standing[Operation.UPDATE] == (State.READY, "")
    assert standing[Operation.CLEAR] == (State.HELD, "over_count")
    released = Approval(planner.plan_hash, "p1", frozenset({"over_count"}))
    removal = next(c for c in changes if c.operation is Operation.CLEAR)
    assert stand(removal, verdict, Approve(), first=True, approval=released) == (State.READY, "")


def test_no_yes_gives_a_value_a_place_it_has_not():
    planner, (change,) = make(edits=1, hold="no_place")
    approval = Approval(planner.plan_hash, "p1", frozenset({"no_place"}))
    assert stand(change, Verdict(), AUTO, approval=approval) == (State.HELD, "no_place")


def test_conflicts_and_reports_stay_what_they_are():
    key = CellKey(GRADE, "7A", "quiz", "a").text
    (conflict,) = Planner(HEADER, rules_for(both_ways()), covered()).changes([Cell(key, "5")], [Cell(key, "7")], [])
    approval = Approval("any", "p1", frozenset({"over_count"}))
    assert stand(conflict, Verdict(), AUTO, approval=approval) == (State.CONFLICT, "")


def test_the_guard_cannot_be_told_to_wave_everything_through():
    with pytest.raises(ValueError, match="over_guard"):
        Approve(over_guard=Ask.AUTO)


def test_the_approved_plan_passes():
    planner, changes = make(edits=2)
    moved = PlanHeader.of("school", "pair", ["grade|7A"], {"mapping": "m1", "identity": "i1", "left": "y"})
    check_approval(Approval(planner.plan_hash, "p1"), HEADER, changes, moved)


def _header(**changed):
    inputs = {"mapping": "m1", "identity": "i1", "left": "x"} | changed.pop("inputs", {})
    values = {"school": "school", "pair": "pair", "scopes": ["grade|7A"]} | changed
    return PlanHeader.of(values.pop("school"), values.pop("pair"), values.pop("scopes"), inputs, **values)


@pytest.mark.parametrize(
    ("current", "family", "reason"),
    [
        (_header(school="other"), Fatal, "plan_foreign"),
        (_header(pair="other"), Fatal, "plan_foreign"),
        (_header(inputs={"mapping": "m2"}), Hold, "plan_stale"),
        (_header(inputs={"identity": "i2"}), Hold, "plan_stale"),
        (_header(scopes=["grade|7A", "grade|7B"]), Hold, "plan_stale"),
        (_header(first=True), Hold, "plan_stale"),
    ],
)
def test_a_plan_that_no_longer_fits_is_refused(current, family, reason):
    planner, changes = make(edits=1)
    with pytest.raises(family) as caught:
        check_approval(Approval(planner.plan_hash, "p1"), HEADER, changes, current)
    assert caught.value.reason == reason


def test_an_edited_plan_is_refused():
    planner, changes = make(edits=2)
    for edited in (
        changes[:1],
        changes[::-1],
        [changes[0], type(changes[1]).from_dict({**changes[1].to_dict(), "after": "10"})],
    ):
        with pytest.raises(Fatal) as caught:
            check_approval(Approval(planner.plan_hash, "p1"), HEADER, edited, HEADER)
        assert caught.value.reason == "plan_edited"


def test_a_yes_to_one_plan_is_no_yes_to_another():
    (one, _), (_, others) = make(edits=1), make(edits=2)
    with pytest.raises(Fatal):
        check_approval(Approval(one.plan_hash, "p1"), HEADER, others, HEADER)


def test_a_day_is_closed_with_its_session_last_day_included():
    first = AcademicSession("q1", "quarter", 1, date(2026, 9, 1), date(2026, 10, 25), closed=True)
    second = AcademicSession("q2", "quarter", 2, date(2026, 11, 2), date(2026, 12, 27))
    days = [date(2026, 9, 1), date(2026, 10, 25), date(2026, 10, 26), date(2026, 11, 2)]
    assert [period_closed(day, [first, second]) for day in days] == [True, True, False, False]


@given(
    st.integers(0, 200),
    st.dictionaries(st.sampled_from(["create", "update", "clear", "delete"]), st.integers(1, 200)),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 50),
)
def test_holding_one_operation_never_touches_another_and_stricter_limits_hold_more(known, ops, count, percent, floor):
    planned = summary(known, **ops)
    loose = GuardRules(defaults=dict.fromkeys(Operation, Limit(count, Decimal(percent))), floor=floor)
    strict = GuardRules(defaults=dict.fromkeys(Operation, Limit(count - 1, Decimal(percent) - 1)), floor=floor)
    held = assess(planned, loose, TODAY)
    assert {op for _, op in held.kinds} <= {Operation(name) for name in ops}
    assert held.kinds.keys() <= assess(planned, strict, TODAY).kinds.keys()
    for name, number in ops.items():
        over = number > count or (known >= floor and number * 100 > percent * known)
        assert ((GRADE, Operation(name)) in held.kinds) == over
