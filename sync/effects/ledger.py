"""The ledger: order, frozen stamps, coalescing and base of every write, in the caller's transactions.

The order of use is plan → mark_sent (committed before the call leaves) → the call → read back → settle. A process
that dies in between leaves an effect that says "sent": whoever comes next reads back before anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from connector.base.ids import new_ids
from sync.effects.records import IN_FLIGHT, Cell, CellState, Change, Effect, Sighting, State
from sync.effects.rows import (
    Batches,
    cell_key,
    cell_state,
    chunks,
    effect_of,
    in_cells,
    lock_cells,
    update_cells,
    update_effects,
)
from sync.effects.tables import effect, effect_cell

_SECOND = timedelta(seconds=1)
_GIVEN_UP = frozenset({State.SUPERSEDED, State.REFUSED, State.CONFLICT, State.KEPT})


_INSERT = effect.insert()


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
    """Write down one intended change; see ``plan_many``."""
    return plan_many(db, school_id, [change], now)[0]


def hold(db: Connection, school_id: str, wanted: Iterable[Cell]) -> dict[Cell, CellState]:
    """Lock cells until the transaction ends, so that nobody else plans for or sends to them; return what is known."""
    return lock_cells(db, school_id, list(wanted))


def plan_many(
    db: Connection,
    school_id: str,
    changes: Sequence[Change],
    now: datetime,
    held: Mapping[Cell, CellState] | None = None,
) -> list[Effect]:
    """Write down intended changes and freeze their stamps; unsent ones of the same cells are superseded.

    Asking again with the same key returns the effect as it is, whatever its state.

    Args:
        db: A writing transaction.
        school_id: The school.
        changes: At most one per cell.
        now: The present.
        held: The cells, when the caller holds them already.

    Returns:
        The effects in the order of the changes.

    Raises:
        ValueError: Two changes are of one cell.
    """
    known = _by_key(db, school_id, [change.key for change in changes])
    new = [change for change in changes if change.key not in known]
    wanted = {change.cell for change in new}
    if len(wanted) != len(new):
        raise ValueError("two changes of one cell cannot be planned at once")
    states = hold(db, school_id, wanted) if held is None else held
    _supersede(db, school_id, list(wanted), now)
    ids = new_ids(len(new))
    rows = [_new_row(school_id, one, change, states[change.cell], now) for one, change in zip(ids, new, strict=True)]
    if rows:
        db.execute(_INSERT, rows)
    made = {row["key"]: _made(row, change.cell) for row, change in zip(rows, new, strict=True)}
    return [known.get(change.key) or made[change.key] for change in changes]


def _new_row(school_id: str, effect_id: str, change: Change, state: CellState, now: datetime) -> dict[str, Any]:
    return {
        "school_id": school_id,
        "id": effect_id,
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


def _made(row: dict[str, Any], cell: Cell) -> Effect:
    return Effect(
        id=row["id"],
        cell=cell,
        key=row["key"],
        origin=row["origin"],
        after=row["after"],
        maximum=row["after_maximum"],
        comment=row["comment"],
        expect=row["expect"],
        expect_maximum=row["expect_maximum"],
        stamp=row["stamp"],
        state=State.PLANNED,
        reason="",
        attempts=0,
        created_at=row["created_at"],
    )


def _supersede(db: Connection, school_id: str, cells_: Sequence[Cell], now: datetime) -> None:
    for condition in in_cells(effect, school_id, cells_):
        db.execute(
            update(effect)
            .where(condition, effect.c.state == State.PLANNED)
            .values(state=State.SUPERSEDED, comment="", settled_at=now)
        )


def mark_sent(
    db: Connection,
    school_id: str,
    effects: Sequence[Effect],
    now: datetime,
    held: Mapping[Cell, CellState] | None = None,
) -> list[Effect]:
    """Say that these writes are about to leave; commit before they do.

    Args:
        db: A writing transaction.
        school_id: The school.
        effects: One per cell.
        now: The present.
        held: The cells, when the caller holds them and knows that no other write of theirs is under way.

    Raises:
        NotSendable: One is settled already, or another write of its cell is under way.
    """
    if held is None:
        held = hold(db, school_id, [one.cell for one in effects])
        _demand_free(db, school_id, effects)
    _raise_stamps(db, school_id, effects, held)
    sent = 0
    for some in chunks(sorted({one.id for one in effects})):
        statement = (
            update(effect)
            .where(
                effect.c.school_id == school_id,
                effect.c.id.in_(some),
                effect.c.state.in_({*IN_FLIGHT, State.PLANNED}),
            )
            .values(state=State.SENT, attempts=effect.c.attempts + 1, sent_at=now)
        )
        sent += db.execute(statement).rowcount
    if sent != len(effects):
        raise NotSendable(", ".join(sorted(one.id for one in effects)))
    return [replace(one, state=State.SENT, attempts=one.attempts + 1) for one in effects]


def _demand_free(db: Connection, school_id: str, effects: Sequence[Effect]) -> None:
    """Make sure that no other write of these cells is under way; they are held, so that none begins."""
    ids = {one.id for one in effects}
    for condition in in_cells(effect, school_id, [one.cell for one in effects]):
        others = set(db.scalars(select(effect.c.id).where(condition, effect.c.state.in_(IN_FLIGHT))).all()) - ids
        if others:
            raise NotSendable(", ".join(sorted(others)))


def _raise_stamps(db: Connection, school_id: str, effects: Sequence[Effect], states: Mapping[Cell, CellState]) -> None:
    rows = []
    for one in effects:
        last = states[one.cell].last_stamp
        if last is None or last < one.stamp:
            rows.append({**cell_key(school_id, one.cell), "n_last_stamp": one.stamp})
    if rows:
        db.execute(update_cells(("last_stamp",)), rows)


def take_back(db: Connection, school_id: str, one: Effect) -> None:
    """Say that a write marked as sent never left after all: it is planned again, under its key and stamp.

    Only the process that marked it, and still holds its lease, knows so.
    """
    mine = (effect.c.school_id == school_id, effect.c.id == one.id, effect.c.state == State.SENT)
    values = {"state": State.PLANNED, "attempts": effect.c.attempts - 1}
    db.execute(update(effect).where(*mine).values(**values))


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
    state = lock_cells(db, school_id, [one.cell])[one.cell]
    last = max((instant for instant in (state.last_stamp, after, one.stamp) if instant is not None), default=None)
    values = {"stamp": next_stamp(now, now, last)}
    statement = update(effect).where(effect.c.school_id == school_id, effect.c.id == one.id).values(**values)
    return effect_of(db.execute(statement.returning(effect)).one())


@dataclass(frozen=True)
class Ending:
    """How one write ended.

    Attributes:
        effect: The write.
        state: UNKNOWN leaves it under way; anything else ends it.
        reason: A stable code.
        sighting: What the cell showed, where it was read.
    """

    effect: Effect
    state: State
    reason: str = ""
    sighting: Sighting | None = None


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
    """Write down how one write ended; see ``settle_many``."""
    settle_many(db, school_id, [Ending(one, state, reason, sighting)], now)


def settle_many(db: Connection, school_id: str, endings: Sequence[Ending], now: datetime) -> None:
    """Write down how writes ended; delivered and already make what was seen the cell's agreed value.

    Args:
        db: A writing transaction, with whatever else follows from the ends.
        school_id: The school.
        endings: One per write.
        now: The present.
    """
    effects, cells_ = Batches(), Batches()
    for one in endings:
        effects.add({"n_school_id": school_id, "n_id": one.effect.id}, _settled(one, now))
        changed = _learnt(one, now)
        if changed:
            cells_.add(cell_key(school_id, one.effect.cell), changed)
    for names, rows in effects.by_names():
        db.execute(update_effects(names), rows)
    for names, rows in cells_.by_names():
        db.execute(update_cells(names), rows)


def _settled(one: Ending, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"state": one.state, "reason": one.reason}
    if one.state not in IN_FLIGHT:
        values |= {"settled_at": now, "comment": ""}
    if one.sighting is not None:
        values |= {"seen": one.sighting.value, "seen_maximum": one.sighting.maximum}
    return values


def _learnt(one: Ending, now: datetime) -> dict[str, Any]:
    """Return what a write's end tells of its cell."""
    seen = one.sighting
    cell: dict[str, Any] = {}
    if seen is not None:
        cell = {"seen": seen.value, "seen_maximum": seen.maximum, "seen_at": now}
    if one.state in (State.DELIVERED, State.ALREADY):
        shown = seen if seen is not None and seen.value is not None else Sighting(one.effect.after, one.effect.maximum)
        cell |= {"agreed": shown.value, "agreed_maximum": shown.maximum, "agreed_at": now}
    return cell


def find(db: Connection, school_id: str, key: str) -> Effect | None:
    """Return the effect of an idempotency key."""
    return _by_key(db, school_id, [key]).get(key)


def _by_key(db: Connection, school_id: str, keys: Sequence[str]) -> dict[str, Effect]:
    found: dict[str, Effect] = {}
    for some in chunks(keys):
        query = select(effect).where(effect.c.school_id == school_id, effect.c.key.in_(some))
        found |= {row.key: effect_of(row) for row in db.execute(query).all()}
    return found


def in_flight(
    db: Connection,
    school_id: str,
    system: str,
    item: str,
    known: Mapping[str, Effect] | None = None,
    besides: Set[str] = frozenset(),
) -> list[Effect]:
    """Return the writes of a column that may or may not have arrived, oldest first.

    Args:
        db: A transaction.
        school_id: The school.
        system: The system.
        item: The column.
        known: Writes the caller itself marked as sent and nobody else may settle; they are not read again.
        besides: Those of them that the caller is sending at this moment, and which are left out.
    """
    known = known or {}
    here = [
        effect.c.school_id == school_id,
        effect.c.system == system,
        effect.c.item == item,
        effect.c.state.in_(IN_FLIGHT),
    ]
    if besides:
        here.append(effect.c.id.not_in(besides))
    ids = db.scalars(select(effect.c.id).where(*here).order_by(effect.c.id)).all()
    found = {one: known[one] for one in ids if one in known}
    for some in chunks([one for one in ids if one not in known]):
        query = select(effect).where(effect.c.school_id == school_id, effect.c.id.in_(some))
        found |= {row.id: effect_of(row) for row in db.execute(query).all()}
    return [found[one] for one in ids]


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
    for one in map(effect_of, db.execute(query)):
        found.setdefault(one.cell, []).append(Sighting(one.after, one.maximum))
    return found


def cells(db: Connection, school_id: str, wanted: Iterable[Cell]) -> dict[Cell, CellState]:
    """Return what is known of these cells; those never written to come with nothing known."""
    listed = list(wanted)
    found = {cell: CellState(cell) for cell in listed}
    for condition in in_cells(effect_cell, school_id, listed):
        found |= {state.cell: state for state in map(cell_state, db.execute(select(effect_cell).where(condition)))}
    return found
