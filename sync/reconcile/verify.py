"""Verify: read the written cells again, and only then call them agreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.base.errors import KopirError
from connector.db.types import dump_json
from sync.model import AttendanceMark, Lesson, LineItem, Result
from sync.reconcile.types import CellKind, Values
from sync.runs import effects
from sync.runs.compare import Comparison, Group
from sync.runs.planning import settle_rows
from sync.runs.runtime import Sides, SyncRuntime, scope_of
from sync.store import cells, plans
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow, StoredPlan
from sync.store.sql import batches
from sync.systems.contract import Access, Scope, System

SETTLED_AT_ONCE = 200
"""Cells whose base, audit and state are set in one transaction."""


@dataclass(frozen=True)
class _Place:
    """One side of one kind of one group: what is read back together."""

    group: Group
    kind: CellKind
    side: str
    system: System
    access: Access
    scope: Scope


def verify(
    runtime: SyncRuntime,
    connection: SyncConnection,
    plan: StoredPlan,
    sides: Sides,
    comparison: Comparison,
    actor: str,
) -> None:
    """Read back every written cell, set base and audit where the mark stands, and report where it does not.

    A cell that cannot be read now stays ``written``: the next plan sees both sides and settles it.
    """
    with runtime.reading(connection.school) as db:
        rows = plans.changes(db, connection.school, plan.id, ("written",))
    places: dict[tuple[str, str, str], list[ChangeRow]] = {}
    for row in rows:
        places.setdefault((row.group_link, row.kind, row.side), []).append(row)
    for (link, kind, side), written in places.items():
        place = _place(comparison.groups[link], CellKind(kind), side, sides)
        found = _read(place, written)
        runtime.step("verify.read")
        if found is not None:
            _settle(runtime, connection, plan, place, written, found, actor)


def _place(group: Group, kind: CellKind, side: str, sides: Sides) -> _Place:
    if side == "right":
        system, scope = sides.right, scope_of(group.link.right_group, group.link.right_subject)
    elif kind is CellKind.ATTENDANCE and sides.own_register:
        system, scope = sides.register, scope_of(group.link.right_group, group.link.right_subject)
    else:
        system, scope = sides.left, scope_of(group.link.left_group)
    access = system.capabilities.results if kind is CellKind.GRADE else system.capabilities.attendance
    return _Place(group, kind, side, system, access, scope)


def _read(place: _Place, rows: Sequence[ChangeRow]) -> dict[tuple[str, str], Result | AttendanceMark] | None:
    """Return what stands in the written columns now, by the side's own ids; None when that cannot be said."""
    wanted = {row.external_item for row in rows}
    try:
        if place.kind is CellKind.GRADE:
            marks = place.system.read_results(place.scope, _items(place, wanted))
            return {(one.item_id, one.person_id): one for one in marks.records} if marks.complete else None
        entries = place.system.read_attendance(place.scope, _lessons(place, wanted))
        return {(one.lesson_id, one.person_id): one for one in entries.records} if entries.complete else None
    except KopirError:
        return None


def _items(place: _Place, wanted: set[str | None]) -> list[LineItem]:
    found = []
    for column in place.group.columns.values():
        if place.side == "left" and column.link.left_item in wanted:
            found.append(column.left)
        elif place.side == "right" and column.right is not None and column.right.id in wanted:
            found.append(column.right)
    return found


def _lessons(place: _Place, wanted: set[str | None]) -> list[Lesson]:
    return [lesson for lesson in place.group.lessons.values() if lesson.id in wanted]


def _settle(
    runtime: SyncRuntime,
    connection: SyncConnection,
    plan: StoredPlan,
    place: _Place,
    rows: Sequence[ChangeRow],
    found: dict[tuple[str, str], Result | AttendanceMark],
    actor: str,
) -> None:
    good: list[ChangeRow] = []
    values: dict[str, Values | None] = {}
    lost: list[tuple[ChangeRow, str | None]] = []
    for row in rows:
        there = found.get((row.external_item or "", row.external_person or ""))
        seen = None if there is None else there.raw
        if not _holds(row, seen, place.access):
            lost.append((row, seen))
            continue
        good.append(row)
        values[row.key] = _agreed(row, row.change.after if seen is None else seen)
    now = runtime.clock()
    for batch in batches(good, SETTLED_AT_ONCE):
        with runtime.writing(connection.school) as db:
            settle_rows(db, connection, plan.run, "applied", actor, batch, now, values)
            _keep_seen(db, connection, place, batch, found, now)
            for row in batch:
                plans.set_change(db, connection.school, plan.id, row.seq, written=_written(row, values[row.key]))
                effects.confirm(db, connection.school, row, _written(row, values[row.key]), now, holds=True)
        runtime.step("verify.settled")
    with runtime.writing(connection.school) as db:
        for row, seen in lost:
            where = (db, connection.school, plan.id, row.seq)
            plans.set_change(*where, state="lost", reason="other_value_there", written=seen)
            effects.confirm(db, connection.school, row, seen, now, holds=False)


def _holds(row: ChangeRow, seen: str | None, access: Access) -> bool:
    """Tell whether the cell holds what was written: the same text or number, or a value the system hides."""
    after = row.change.after
    return effects.same(seen, after) or (seen is None and after in access.hides)


def _agreed(row: ChangeRow, seen: str | None) -> Values | None:
    """Return what the base becomes: the plan's word, with the written side as it was read back."""
    settles = row.change.settles
    if settles is None:
        return None
    values = Values(seen, settles.right) if row.side == "left" else Values(settles.left, seen)
    return None if values == Values(None, None) else values


def _written(row: ChangeRow, values: Values | None) -> str | None:
    return None if values is None else values.left if row.side == "left" else values.right


def _keep_seen(
    db: Connection,
    connection: SyncConnection,
    place: _Place,
    rows: Sequence[ChangeRow],
    found: dict[tuple[str, str], Result | AttendanceMark],
    now: datetime,
) -> None:
    """Keep what was read back, so that a plan from kept reads sees our own writes."""
    link, where = place.group.link.id, (connection.school, connection.id, place.side)
    pairs = [(row.external_item or "", row.external_person or "") for row in rows]
    cells.put(db, *where, link, [found[pair] for pair in pairs if pair in found], now)
    kind = "result" if place.kind is CellKind.GRADE else "attendance"
    cells.take_out(db, *where, link, kind, [dump_json(list(pair)) for pair in pairs if pair not in found])
