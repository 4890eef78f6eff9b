"""What a person left out of a plan: it goes on waiting until somebody takes it in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select

from sync.reconcile.types import CellKey
from sync.store.plans import ChangeRow, StoredPlan
from sync.store.sql import batches, upsert
from sync.store.tables.plans import left_out


def of(db: Connection, school: str, connection: str) -> frozenset[str]:
    """Return the keys that were left out: cells, and columns (a key without a person)."""
    where = (left_out.c.school_id == school, left_out.c.connection == connection)
    return frozenset(db.scalars(select(left_out.c.key).where(*where)))


def covers(keys: Collection[str], cell: str) -> bool:
    """Tell whether a cell, or its whole column, was left out."""
    return bool(keys) and (cell in keys or column_of(cell) in keys)


def column_of(cell: str) -> str:
    """Return the key of a cell's column."""
    return CellKey.parse(cell)._replace(person="").text


def note(
    db: Connection,
    school: str,
    plan: StoredPlan,
    left: Iterable[ChangeRow],
    taken: Iterable[ChangeRow],
    who: str,
    now: datetime,
) -> None:
    """Remember what was not ticked; a column of which nothing was ticked is left out with whatever joins it later."""
    cells = {row.key for row in left}
    columns = {column_of(key) for key in cells} - {column_of(row.key) for row in taken}
    row = {"school_id": school, "connection": plan.connection, "plan": plan.id, "left_by": who, "left_at": now}
    for batch in batches(sorted(cells | columns)):
        upsert(db, left_out, [{**row, "key": key} for key in batch])


def lift(db: Connection, school: str, connection: str, cells: Iterable[str]) -> None:
    """Forget that these cells, and their columns as a whole, were left out."""
    keys = {key for cell in cells for key in (cell, column_of(cell))}
    for batch in batches(sorted(keys)):
        where = (left_out.c.school_id == school, left_out.c.connection == connection, left_out.c.key.in_(batch))
        db.execute(delete(left_out).where(*where))
