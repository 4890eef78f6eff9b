"""Decide what to do about one cell: the whole of reconciliation's judgement, without I/O and without a clock.

A side has changed only against its *own* last agreed raw value, so that neither a lossy scale nor a changed mapping
ever looks like an edit. Absence is a fact only when the cell says ABSENT; unknown stops every decision.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from connector.base.i18n import N_, Message, say
from sync.reconcile.types import (
    Action,
    Base,
    BaseState,
    Cell,
    CellState,
    Decision,
    Direction,
    First,
    Operation,
    Owner,
    Policy,
    Removal,
    Risk,
    Side,
    SideRules,
    Translate,
    Values,
)


def decide(left: Cell, right: Cell, base: Base | None, policy: Policy, translate: Translate) -> Decision:
    """Compare both sides with their own last agreed values and say what to do.

    Args:
        left: What left holds; ABSENT only where a complete read proves it.
        right: What right holds.
        base: Both sides' raw values as last agreed; None or a corrupt one counts as "never agreed".
        policy: Who owns the cell, which way values flow, what each side allows.
        translate: How the two sides' values correspond.

    Returns:
        One decision. A conflict, a report and an unknown never carry a value to write.
    """
    agreed = base if base is not None and base.state == BaseState.OK else None
    if CellState.UNKNOWN in (left.state, right.state):
        blind = left if left.state == CellState.UNKNOWN else right
        return Decision(Action.NOT_COMPARED, "unknown", reason=blind.note or "unknown")
    mine = _settle(left.raw, agreed and agreed.left_raw, policy.left, agreed is not None)
    theirs = _settle(right.raw, agreed and agreed.right_raw, policy.right, agreed is not None)
    if mine is None or theirs is None:
        return _hidden(left, right)
    one = _One(left, right, Values(mine.raw, theirs.raw), mine.by_base or theirs.by_base, policy, translate)
    if agreed is None:
        return _first_contact(one, corrupt=base is not None)
    return _three_way(one, agreed)


class _Seen(NamedTuple):
    raw: str | None
    by_base: bool = False


class _One(NamedTuple):
    """Everything known about the cell in hand."""

    left: Cell
    right: Cell
    now: Values
    by_base: bool
    policy: Policy
    translate: Translate

    def agree(self) -> bool:
        """Tell whether both sides hold something and it means the same."""
        left, right = self.now
        return left is not None and right is not None and self.translate.agree(left, right)

    def with_side(self, side: Side, raw: str | None) -> Values:
        """Return the values as they will be once a side is written."""
        return Values(raw, self.now.right) if side is Side.LEFT else Values(self.now.left, raw)


def _settle(raw: str | None, last: str | None, rules: SideRules, known: bool) -> _Seen | None:
    """Tell a hidden value from none by what was last agreed; None when that cannot be told."""
    if raw is not None or not rules.hides:
        return _Seen(raw)
    return _Seen(last, by_base=True) if known and (last is None or _among(last, rules.hides)) else None


def _among(raw: str, hidden: frozenset[str]) -> bool:
    return raw in hidden or any(_number(raw) is not None and _number(raw) == _number(other) for other in hidden)


def _number(raw: str) -> Decimal | None:
    try:
        return Decimal(raw)
    except InvalidOperation:
        return None


def _hidden(left: Cell, right: Cell) -> Decision:
    if left.raw is None and right.raw is None:
        return Decision(Action.NONE, "nowhere")
    return Decision(Action.NOT_COMPARED, "hidden", reason="hidden_or_none")


def _first_contact(one: _One, *, corrupt: bool) -> Decision:
    """Decide without a base: nothing is deleted, nothing unequal is overwritten unless the initial policy says so."""
    left, right = one.now
    if left is None and right is None:
        return Decision(Action.NONE, "nowhere")
    if left is None or right is None:
        source = Side.RIGHT if left is None else Side.LEFT
        return _create(one, source, "base_corrupt" if corrupt else "")
    if one.agree():
        return Decision(Action.ADOPT, "equal", settles=one.now)
    if corrupt or one.policy.first is First.CONFLICT:
        return Decision(Action.CONFLICT, "base_corrupt" if corrupt else "first_contact")
    source = Side.LEFT if one.policy.first is First.LEFT else Side.RIGHT
    return _write(one, source, f"first_{source.value}", risk=Risk.FIRST_CONTACT)


def _create(one: _One, source: Side, held_by: str) -> Decision:
    if not one.policy.direction.may_write(source.other) or _owner_is(one.policy, source.other):
        return Decision(Action.NONE, "not_our_way")
    return _write(one, source, "only_one_side", held_by=held_by)


def _three_way(one: _One, agreed: Base) -> Decision:
    left_changed = one.now.left != agreed.left_raw
    right_changed = one.now.right != agreed.right_raw
    if one.now == (None, None):
        return Decision(Action.DROP_BASE, "gone_both", settles=Values(None, None))
    if not left_changed and not right_changed:
        return _unchanged(one, agreed)
    if one.agree():
        return Decision(Action.ADOPT, "equal", settles=one.now)
    if left_changed and right_changed:
        return _both_changed(one)
    return _one_changed(one, Side.LEFT if left_changed else Side.RIGHT)


def _unchanged(one: _One, agreed: Base) -> Decision:
    """Decide when nobody edited: the only news can be that the mapping changed."""
    if agreed.mapping_version == one.translate.version:
        return Decision(Action.NONE, "settled_by_base" if one.by_base else "unchanged")
    if None in one.now or one.agree():
        return Decision(Action.ADOPT, "mapping_same", settles=one.now)
    source = _leading_side(one.policy)
    if source is None:
        return Decision(Action.CONFLICT, "impact_unowned", risk=Risk.IMPACT)
    return _write(one, source, "impact", held_by="impact", risk=Risk.IMPACT)


def _leading_side(policy: Policy) -> Side | None:
    for side in Side:
        if _owner_is(policy, side):
            return side
    if policy.direction is Direction.BOTH:
        return None
    return Side.LEFT if policy.direction is Direction.LEFT_TO_RIGHT else Side.RIGHT


def _owner_is(policy: Policy, side: Side) -> bool:
    return policy.owner.value == side.value


def _one_changed(one: _One, source: Side) -> Decision:
    if _owner_is(one.policy, source.other):
        return Decision(Action.REPORT, f"owner_{source.other.value}")
    if one.now.of(source) is None:
        return _remove(one, source.other)
    if one.policy.owner in (Owner.MAX, Owner.MIN) and one.now.of(source.other) is not None:
        return _one_changed_in_order(one, source)
    return _write(one, source, f"{source.value}_changed")


def _one_changed_in_order(one: _One, source: Side) -> Decision:
    if _winner_by_order(one) is source:
        return _write(one, source, f"{source.value}_changed")
    return Decision(Action.CONFLICT, "against_the_order")


def _both_changed(one: _One) -> Decision:
    if None in one.now:
        return Decision(Action.CONFLICT, "removed_and_changed")
    owner = one.policy.owner
    if owner is Owner.STICKY:
        return Decision(Action.REPORT, "sticky")
    if owner is Owner.APPEND:
        return _append(one)
    winner = _winner_by_time(one) if owner is Owner.NEWEST else _winner_by_order(one)
    if winner is None:
        return Decision(Action.CONFLICT, "both_changed")
    return _write(one, winner, f"{owner.value}_wins")


def _winner_by_time(one: _One) -> Side | None:
    """Compare times of one host's clock only: two hosts' clocks say nothing about each other."""
    left, right = one.left, one.right
    if not left.clock or left.clock != right.clock or left.changed_at is None or right.changed_at is None:
        return None
    if left.changed_at == right.changed_at:
        return None
    return Side.LEFT if left.changed_at > right.changed_at else Side.RIGHT


def _winner_by_order(one: _One) -> Side | None:
    left, right = one.now
    if one.policy.owner not in (Owner.MAX, Owner.MIN) or left is None or right is None:
        return None
    order = one.translate.order(left, right)
    if not order:
        return None
    return Side.LEFT if (order > 0) == (one.policy.owner is Owner.MAX) else Side.RIGHT


def _append(one: _One) -> Decision:
    """Keep both texts: a side that holds the other's already wins, else right's is added to left and base waits."""
    left, right = one.now.left or "", one.now.right or ""
    if right in left:
        return _write(one, Side.LEFT, "append_wins")
    if left in right:
        return _write(one, Side.RIGHT, "append_wins")
    if one.policy.direction is not Direction.BOTH:
        return Decision(Action.CONFLICT, "both_changed")
    joined = _write(one, Side.RIGHT, "append_joins")
    if joined.action.side is None or joined.after is None:
        return joined
    return Decision(joined.action, joined.rule, f"{left}\n{joined.after}", held_by=joined.held_by, lossy=joined.lossy)


def _remove(one: _One, target: Side) -> Decision:
    if one.policy.removal is Removal.NEVER:
        return Decision(Action.REPORT, "never_delete", risk=Risk.REMOVES)
    refusal = _refusal(one, target)
    if refusal is not None:
        return refusal
    operation = Operation.CLEAR if one.policy.removal is Removal.CLEAR else Operation.DELETE
    return Decision(
        Action.writing(operation, target),
        f"{target.other.value}_removed",
        settles=one.with_side(target, None),
        held_by=_hold(one, target),
        risk=Risk.REMOVES,
    )


def _write(one: _One, source: Side, rule: str, *, held_by: str = "", risk: Risk = Risk.ROUTINE) -> Decision:
    """Carry the source's value to the other side, as far as direction, scale, period and place allow."""
    target, raw = source.other, one.now.of(source)
    refusal = _refusal(one, target)
    if refusal is not None:
        return refusal
    said = one.translate.to_right(raw or "") if target is Side.RIGHT else one.translate.to_left(raw or "")
    if said.raw is None:
        return Decision(Action.REPORT, "untranslatable", reason=said.reason or "no_such_value", risk=risk)
    if said.raw == one.now.of(target):
        return Decision(Action.ADOPT, "equal", settles=one.now)
    operation = Operation.CREATE if one.now.of(target) is None else Operation.UPDATE
    return Decision(
        Action.writing(operation, target),
        rule,
        said.raw,
        settles=one.with_side(target, said.raw),
        held_by=_hold(one, target, held_by),
        risk=Risk.LOSSY if said.lossy and risk is Risk.ROUTINE else risk,
        lossy=said.lossy,
    )


def _refusal(one: _One, target: Side) -> Decision | None:
    if not one.policy.direction.may_write(target):
        return Decision(Action.REPORT, "one_way")
    if one.policy.of(target).closed:
        return Decision(Action.REPORT, "closed_period")
    return None


def _hold(one: _One, target: Side, why: str = "") -> str:
    """Return why a write waits; what no person may lift comes before what one may."""
    rules = one.policy.of(target)
    return rules.barred or why or rules.hold or ("hidden_value" if one.by_base else "")


_RULES: dict[str, str] = {
    "unchanged": N_("Nobody changed it since both systems last agreed."),
    "settled_by_base": N_("The system does not show this value; it is taken as unchanged since both last agreed."),
    "nowhere": N_("Neither system holds anything here."),
    "equal": N_("Both systems already hold the same value."),
    "gone_both": N_("The value was removed in both systems."),
    "only_one_side": N_("One system has a value and the other has none yet."),
    "not_our_way": N_("The mapping does not carry values this way, so what only this system holds stays there."),
    "left_changed": N_("Only the left system changed it."),
    "right_changed": N_("Only the right system changed it."),
    "left_removed": N_("The left system no longer holds it; a complete read proves that."),
    "right_removed": N_("The right system no longer holds it; a complete read proves that."),
    "first_contact": N_("Both systems held different values before they were ever compared."),
    "first_left": N_("The first comparison takes the left system's value, as the mapping says."),
    "first_right": N_("The first comparison takes the right system's value, as the mapping says."),
    "base_corrupt": N_("What was last agreed is damaged, so nobody can tell which value is newer."),
    "both_changed": N_("Both systems changed it to different values."),
    "removed_and_changed": N_("One system removed it and the other changed it."),
    "against_the_order": N_("The change goes against the rule that keeps the highest or lowest value."),
    "newest_wins": N_("Both changed it, and the same clock says which change is newer."),
    "max_wins": N_("Both changed it, and the mapping keeps the highest."),
    "min_wins": N_("Both changed it, and the mapping keeps the lowest."),
    "append_wins": N_("One text already contains the other."),
    "append_joins": N_("Both texts are kept, one after the other."),
    "sticky": N_("It was edited by hand, so it is not overwritten."),
    "owner_left": N_("The left system owns this value, so the right system's edit is shown and not carried over."),
    "owner_right": N_("The right system owns this value, so the left system's edit is shown and not carried over."),
    "one_way": N_("The mapping does not allow writing to this system."),
    "never_delete": N_("The mapping never removes values."),
    "closed_period": N_("The period is closed, and closed marks are not revised."),
    "untranslatable": N_("The other system has no exact place for this value in its scale."),
    "mapping_same": N_("The mapping changed, and the values still agree."),
    "impact": N_("Nobody edited it, but under the changed mapping the values no longer agree."),
    "impact_unowned": N_("The changed mapping makes the values differ, and no side owns them."),
    "unknown": N_("One system could not be read completely, so nothing is concluded."),
    "hidden": N_("The system does not tell this value from an empty cell, so nothing is concluded."),
    "undo": N_("An earlier change is taken back."),
    "edited_since": N_("Somebody changed it after it was written, so the earlier value is not put back."),
    "person_erased": N_("The person's data was erased and is not brought back."),
}
RULE_IDS = frozenset(_RULES)


def explain_rule(rule: str) -> Message:
    """Return why a rule decides as it does, for a person.

    Raises:
        KeyError: No rule has this id.
    """
    return say(_RULES[rule])
