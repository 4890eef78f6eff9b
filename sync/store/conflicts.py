"""Conflicts: cells two people changed apart, kept with both values until somebody or time settles them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connector.base.ids import new_id
from connector.db.bulk import insert_many
from sync.reconcile.types import CellKey, Change
from sync.store.sql import batches
from sync.store.tables.cells import conflict


@dataclass(frozen=True)
class ConflictRow:
    """One conflict, with what both sides held when they last agreed."""

    id: str
    key: str
    group_link: str
    kind: str
    item: str
    person: str
    left_raw: str | None
    right_raw: str | None
    base_left: str | None
    base_right: str | None
    reason: str
    state: str
    resolution: str | None
    opened_at: datetime
    seen_at: datetime


def _of_row(row: Any) -> ConflictRow:
    return ConflictRow(**{name: getattr(row, name) for name in ConflictRow.__dataclass_fields__})


def of(db: Connection, school: str, connection: str, state: str = "open") -> list[ConflictRow]:
    """Return conflicts in a state, oldest first."""
    table = conflict
    rows = db.execute(
        select(table)
        .where(table.c.school_id == school, table.c.connection == connection, table.c.state == state)
        .order_by(table.c.id)
    )
    return [_of_row(row) for row in rows]


def keep(db: Connection, school: str, connection: str, run: str, found: Iterable[Change], now: datetime) -> int:
    """Open a conflict per change, or refresh the one that is open; return how many are new."""
    known = {row.key: row.id for row in of(db, school, connection)}
    new, again = [], []
    for change in found:
        values = {
            "left_raw": change.left,
            "right_raw": change.right,
            "base_left": change.base_left,
            "base_right": change.base_right,
            "reason": change.rule,
            "run": run,
            "seen_at": now,
        }
        if change.key in known:
            again.append({"which": known[change.key], **values})
            continue
        cell = CellKey.parse(change.key)
        own = {"school_id": school, "id": new_id(), "connection": connection, "key": change.key}
        where = {"group_link": cell.group, "kind": cell.kind.value, "item": cell.item, "person": cell.person}
        new.append({**own, **where, **values, "state": "open", "opened_at": now})
    insert_many(db, conflict, new)
    if again:
        mine = (conflict.c.school_id == school, conflict.c.id == bindparam("which"))
        db.execute(update(conflict).where(*mine), again)
    return len(new)


def close(
    db: Connection, school: str, connection: str, keys: Sequence[str], resolution: str, who: str, now: datetime
) -> int:
    """Close the open conflicts of these cells; return how many there were."""
    table = conflict
    count = 0
    for batch in batches(keys):
        where = (
            table.c.school_id == school,
            table.c.connection == connection,
            table.c.state == "open",
            table.c.key.in_(batch),
        )
        done = (
            update(table)
            .where(*where)
            .values(state="resolved", resolution=resolution, resolved_by=who, resolved_at=now)
        )
        count += db.execute(done).rowcount
    return count
