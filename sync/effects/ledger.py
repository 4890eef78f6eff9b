"""The ledger: order, frozen stamps, coalescing and base of every write, in the caller's transactions.

The order of use is plan → mark_sent (committed before the call leaves) → the call → read back → settle. A process
that dies in between leaves an effect that says "sent": whoever comes next reads back before anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, tuple_, update

from connector.base.ids import new_id
from connector.db.upsert import upsert
from sync.effects.records import IN_FLIGHT, Cell, CellState, Change, Effect, Origin, Sighting, State
from sync.effects.tables import effect, effect_cell

_SECOND = timedelta(seconds=1)
_GIVEN_UP = frozenset({State.SUPERSEDED, State.REFUSED, State.CONFLICT, State.KEPT})


class NotSendable(Exception):
    """The effect is settled, or another write of its cell is under way."""


def floor_second(instant: datetime) -> datetime:
    """Return the instant without its fraction of a second: platforms keep whole seconds."""
    return instant.replace(microsecond=0)


def next_stamp(wanted_at: datetime, now: datetime, last: datetime | None) -> datetime:
    """Return the stamp of a new write: the source's own second, later than the last write's, not ahead of the clock.

    Only a last stamp that is ahead of the clock itself pushes the new one into the future, by a second: a platform
    that was given a future stamp refuses everything before it.
    """
    stamp = floor_second(min(wanted_at, now))
    return stamp if last is None or stamp > last else floor_second(last) + _SECOND


def plan(db: Connection, school_id: str, change: Change, now: datetime) -> Effect:
    """Write down an intended change and freeze its stamp; an unsent one of the same cell is superseded.

    Asking again with the same key returns the effect as it is, whatever its state.
    """
    known = find(db, school_id, change.key)
    if known is not None:
        return known
    state = _lock(db, school_id, change.cell)
    db.execute(
        update(effect)
        .where(_in_cell(school_id, change.cell), effect.c.state == State.PLANNED)
        .values(state=State.SUPERSEDED, comment="", settled_at=now)
    )
    row = {
        "school_id": school_id,
        "id": new_id(),
        "system": change.cell.system,
        "item": change.cell.item,
        "person": change.cell.person,
        "key": change.key,
        "origin": change.origin,
        "after": change.after,
        "after_maximum": change.maximum,
        "comment": change.comment,
        "expect": state.agreed,
        "expect_maximum": state.agreed_maximum,
        "stamp": next_stamp(change.wanted_at, now, state.last_stamp),
        "state": State.PLANNED,
        "created_at": now,
    }
    return _effect(db.execute(effect.insert().values(row).returning(effect)).one())


def mark_sent(db: Connection, school_id: str, effects: Sequence[Effect], now: datetime) -> list[Effect]:
    """Say that these writes are about to leave; commit before they do.

    Raises:
        NotSendable: One is settled already, or another write of its cell is under way.
    """
    for one in effects:
        state = _lock(db, school_id, one.cell)
        others = select(effect.c.id).where(
            _in_cell(school_id, one.cell), effect.c.state.in_(IN_FLIGHT), effect.c.id != one.id
        )
        if db.execute(others).first() is not None:
            raise NotSendable(one.id)
        if state.last_stamp is None or state.last_stamp < one.stamp:
            _change_cell(db, school_id, one.cell, last_stamp=one.stamp)
    ids = [one.id for one in effects]
    statement = (
        update(effect)
        .where(effect.c.school_id == school_id, effect.c.id.in_(ids), effect.c.state.in_({*IN_FLIGHT, State.PLANNED}))
        .values(state=State.SENT, attempts=effect.c.attempts + 1, sent_at=now)
        .returning(effect)
    )
    sent = {row.id: _effect(row) for row in db.execute(statement)}
    if len(sent) != len(ids):
        raise NotSendable(", ".join(sorted(set(ids) - set(sent))))
    return [sent[one] for one in ids]


def restamp(db: Connection, school_id: str, one: Effect, now: datetime, after: datetime | None = None) -> Effect:
    """Give a write a later stamp: the one place where a frozen stamp changes.

    For use only when reading back has shown that the cell still holds what was agreed, so that nothing but the time
    stood in the way.

    Args:
        db: A writing transaction.
        school_id: The school.
        one: The write.
        now: The present.
        after: The stored mark's own time where the platform tells it; the new stamp is a second later at least.
    """
    state = _lock(db, school_id, one.cell)
    last = max((instant for instant in (state.last_stamp, after, one.stamp) if instant is not None), default=None)
    values = {"stamp": next_stamp(now, now, last)}
    statement = update(effect).where(effect.c.school_id == school_id, effect.c.id == one.id).values(**values)
    return _effect(db.execute(statement.returning(effect)).one())


def settle(
    db: Connection,
    school_id: str,
    one: Effect,
    state: State,
    now: datetime,
    *,
    reason: str = "",
    sighting: Sighting | None = None,
) -> None:
    """Write down how a write ended; delivered and already make what was seen the cell's agreed value.

    Args:
        db: A writing transaction, with whatever else follows from the end.
        school_id: The school.
        one: The write.
        state: UNKNOWN leaves it under way; anything else ends it.
        now: The present.
        reason: A stable code.
        sighting: What the cell showed, where it was read.
    """
    ended = state not in IN_FLIGHT
    values: dict[str, Any] = {"state": state, "reason": reason}
    if ended:
        values |= {"settled_at": now, "comment": ""}
    if sighting is not None:
        values |= {"seen": sighting.value, "seen_maximum": sighting.maximum}
    db.execute(update(effect).where(effect.c.school_id == school_id, effect.c.id == one.id).values(**values))
    cell: dict[str, Any] = {}
    if sighting is not None:
        cell = {"seen": sighting.value, "seen_maximum": sighting.maximum, "seen_at": now}
    if state in (State.DELIVERED, State.ALREADY):
        shown = sighting if sighting is not None and sighting.value is not None else Sighting(one.after, one.maximum)
        cell |= {"agreed": shown.value, "agreed_maximum": shown.maximum, "agreed_at": now}
    if cell:
        _change_cell(db, school_id, one.cell, **cell)


def find(db: Connection, school_id: str, key: str) -> Effect | None:
    """Return the effect of an idempotency key."""
    row = db.execute(select(effect).where(effect.c.school_id == school_id, effect.c.key == key)).one_or_none()
    return None if row is None else _effect(row)


def in_flight(db: Connection, school_id: str, system: str, item: str) -> list[Effect]:
    """Return the writes of a column that may or may not have arrived, oldest first."""
    query = (
        select(effect)
        .where(
            effect.c.school_id == school_id,
            effect.c.system == system,
            effect.c.item == item,
            effect.c.state.in_(IN_FLIGHT),
        )
        .order_by(effect.c.id)
    )
    return [_effect(row) for row in db.execute(query)]


def strays(db: Connection, school_id: str, system: str, item: str) -> dict[Cell, list[Sighting]]:
    """Return, by cell, what ended writes of a column may have put there since something was last agreed.

    A write that was sent and then given up, superseded by a newer one say, may arrive all the same. Its mark is ours,
    not somebody else's.
    """
    query = (
        select(effect)
        .join(
            effect_cell,
            and_(
                effect_cell.c.school_id == effect.c.school_id,
                effect_cell.c.system == effect.c.system,
                effect_cell.c.item == effect.c.item,
                effect_cell.c.person == effect.c.person,
            ),
        )
        .where(
            effect.c.school_id == school_id,
            effect.c.system == system,
            effect.c.item == item,
            effect.c.attempts > 0,
            effect.c.state.in_(_GIVEN_UP),
            or_(effect_cell.c.agreed_at.is_(None), effect.c.settled_at >= effect_cell.c.agreed_at),
        )
    )
    found: dict[Cell, list[Sighting]] = {}
    for one in map(_effect, db.execute(query)):
        found.setdefault(one.cell, []).append(Sighting(one.after, one.maximum))
    return found


def cells(db: Connection, school_id: str, wanted: Iterable[Cell]) -> dict[Cell, CellState]:
    """Return what is known of these cells; those never written to come with nothing known."""
    listed = list(wanted)
    found = {cell: CellState(cell) for cell in listed}
    for start in range(0, len(listed), 300):
        keys = [(cell.system, cell.item, cell.person) for cell in listed[start : start + 300]]
        columns = tuple_(effect_cell.c.system, effect_cell.c.item, effect_cell.c.person)
        rows = db.execute(select(effect_cell).where(effect_cell.c.school_id == school_id, columns.in_(keys)))
        found |= {state.cell: state for state in map(_cell_state, rows)}
    return found


def _lock(db: Connection, school_id: str, cell: Cell) -> CellState:
    row = {"school_id": school_id, "system": cell.system, "item": cell.item, "person": cell.person}
    # An upsert that changes nothing locks the row, so that two planners of one cell come one after another.
    return _cell_state(upsert(db, effect_cell, row, ("school_id", "system", "item", "person")))


def _change_cell(db: Connection, school_id: str, cell: Cell, **values: Any) -> None:
    where = and_(
        effect_cell.c.school_id == school_id,
        effect_cell.c.system == cell.system,
        effect_cell.c.item == cell.item,
        effect_cell.c.person == cell.person,
    )
    db.execute(update(effect_cell).where(where).values(**values))


def _in_cell(school_id: str, cell: Cell) -> ColumnElement[bool]:
    return and_(
        effect.c.school_id == school_id,
        effect.c.system == cell.system,
        effect.c.item == cell.item,
        effect.c.person == cell.person,
    )


def _cell_state(row: Any) -> CellState:
    return CellState(
        Cell(row.system, row.item, row.person),
        row.last_stamp,
        row.agreed,
        row.agreed_maximum,
        row.agreed_at is not None,
    )


def _effect(row: Any) -> Effect:
    return Effect(
        id=row.id,
        cell=Cell(row.system, row.item, row.person),
        key=row.key,
        origin=Origin(row.origin),
        after=row.after,
        maximum=row.after_maximum,
        comment=row.comment,
        expect=row.expect,
        expect_maximum=row.expect_maximum,
        stamp=row.stamp,
        state=State(row.state),
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
    )
