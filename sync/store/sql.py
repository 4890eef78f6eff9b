"""Statements both databases understand: upserts, and batches that keep a write transaction short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
BATCH = 500
"""Rows in one write transaction: a writer on SQLite keeps every other one waiting."""


def batches(rows: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Cut rows into lists of at most ``size``."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


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
        rows: Values by column; every row names the same columns.
        keep: Columns that an existing row keeps.
        key: The unique columns meant; the primary key when not given.
    """
    if not rows:
        return
    unique = list(key) if key else [column.name for column in table.primary_key]
    maker = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    statement = maker(table)
    changed = {
        name: statement.excluded[name] for name in rows[0] if name not in unique and name not in keep and name != "id"
    }
    if changed:
        statement = statement.on_conflict_do_update(index_elements=unique, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=unique)
    db.execute(statement, [dict(row) for row in rows])
