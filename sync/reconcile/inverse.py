"""Undo is a plan too: the inverse of what was applied, for every cell that still holds what was written."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import NamedTuple

from sync.reconcile.types import (
    Action,
    Cell,
    CellKey,
    CellState,
    Change,
    Decision,
    Operation,
    Risk,
    Side,
    State,
    Values,
)


class Applied(NamedTuple):
    """A change that was applied, and the raw value that was then read back on the written side."""

    change: Change
    written: str | None


def invert(
    applied: Iterable[Applied],
    current: Callable[[Change], Cell],
    *,
    erased: Container[str] = frozenset(),
    closed: Callable[[CellKey], bool] = lambda key: False,
) -> Iterator[Change]:
    """Yield the changes that put the before-values back.

    The base of an undone cell becomes "left holds this, right holds that, and it was agreed", so that the next plan
    does not write the value again; a later edit on either side counts from there.

    Args:
        applied: The applied remote writes; bookkeeping changes have nothing to undo and are passed over.
        current: Reads the written side's cell as it is now; ABSENT only where that is proved.
        erased: Ids of erased persons (``CellKey.person``); their values are never brought back.
        closed: Tells whether the written side's period is closed by now.
    """
    for change, written in applied:
        if change.side is None:
            continue
        now = current(change)
        yield _row(change, now, _decide(change, written, now, erased, closed))


def _decide(
    change: Change, written: str | None, now: Cell, erased: Container[str], closed: Callable[[CellKey], bool]
) -> Decision:
    key = CellKey.parse(change.key)
    if key.person in erased:
        return Decision(Action.REPORT, "person_erased")
    if now.state == CellState.UNKNOWN:
        return Decision(Action.NOT_COMPARED, "unknown", reason=now.note or "unknown")
    if now.raw != written:
        return Decision(Action.CONFLICT, "edited_since")
    if closed(key):
        return Decision(Action.REPORT, "closed_period")
    if now.raw == change.before:
        return Decision(Action.ADOPT, "equal", settles=_values(change, change.before))
    return _restore(change, now)


def _restore(change: Change, now: Cell) -> Decision:
    before = change.before
    put_back = Operation.CREATE if now.raw is None else Operation.UPDATE
    operation = Operation.CLEAR if before is None else put_back
    return Decision(
        Action.writing(operation, _side(change)),
        "undo",
        before,
        settles=_values(change, before),
        risk=Risk.REMOVES if before is None else Risk.ROUTINE,
    )


def _values(change: Change, raw: str | None) -> Values:
    return Values(raw, change.right) if _side(change) is Side.LEFT else Values(change.left, raw)


def _side(change: Change) -> Side:
    side = change.side
    if side is None:
        raise ValueError("only a remote write can be undone")
    return side


_STATES = {
    Action.CONFLICT: State.CONFLICT,
    Action.REPORT: State.REPORTED,
    Action.NOT_COMPARED: State.NOT_COMPARED,
    Action.ADOPT: State.SILENT,
}


def _row(change: Change, now: Cell, decision: Decision) -> Change:
    """Write an undo down: the target as it is now, the other side as it was when the change was planned."""
    seen = _values(change, now.raw)
    was = change.settles or Values(None, None)
    return Change(
        key=change.key,
        kind=change.kind,
        action=decision.action,
        rule=decision.rule,
        left=seen.left,
        right=seen.right,
        after=decision.after,
        base_left=was.left,
        base_right=was.right,
        has_base=change.settles is not None,
        settles=decision.settles,
        state=_STATES.get(decision.action, State.READY),
        held_by="",
        reason=decision.reason,
        risk=decision.risk,
        lossy=False,
        mapping_version=change.mapping_version,
    )
