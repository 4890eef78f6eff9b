"""Statements both databases understand: upserts, and batches that keep a write transaction short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table

from connector.db.bulk import upsert_many

T = TypeVar("T")
BATCH = 500
"""Rows in one write transaction: a writer on SQLite keeps every other one waiting."""


def batches(rows: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Cut rows into lists of at most ``size``."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def tuples(db: Connection, statement: Select[Any]) -> Sequence[tuple[Any, ...]]:
    """Return all rows as the driver's own tuples, unconverted: for columns of plain text and numbers only."""
    result = db.execute(statement)
    cursor = result.cursor
    if cursor is None:
        raise TypeError("a statement that returns no rows has no tuples")
    rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    result.close()
    return rows


def upsert(
    db: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: Sequence[str] = (),
    key: Sequence[str] | None = None,
) -> None:
    """Insert rows, or replace the columns of those whose key exists already.

    Args:
        db: An open writing transaction.
        table: The table.
        rows: Values by column; every row names the same columns. Of two with one key the last counts.
        keep: Columns that an existing row keeps.
        key: The unique columns meant; the primary key when not given.
    """
    if not rows:
        return
    unique = list(key) if key else [column.name for column in table.primary_key]
    changed = [name for name in rows[0] if name not in unique and name not in keep and name != "id"]
    upsert_many(db, table, rows, unique, changed)
