"""One upsert for both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    db: Connection,
    table: Table,
    values: Mapping[str, Any],
    key: Sequence[str],
    *,
    keep: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> Row[Any]:
    """Insert a row, or bring the one with the same key up to date; return the row as it then stands.

    Args:
        db: A writing transaction.
        table: The table; ``key`` must be unique in it.
        values: Every column to write.
        key: The columns that tell whether the row is there already.
        keep: Columns that an existing row keeps.
        changes: Expressions over an existing row's columns, instead of the values.
    """
    make = _statement if changes else _kept_statement
    statement = make(db.dialect.name, table, tuple(values), tuple(key), tuple(keep), changes)
    return db.execute(statement, dict(values)).one()


def _statement(
    dialect: str,
    table: Table,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    keep: tuple[str, ...],
    changes: Mapping[str, Any] | None,
) -> Executable:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    changed = {name: insert.excluded[name] for name in columns if name not in key and name not in keep}
    changed.update(changes or {})
    if not changed:
        changed = {key[0]: insert.excluded[key[0]]}
    statement: Executable = insert.on_conflict_do_update(index_elements=list(key), set_=changed).returning(table)
    return statement


# Building the statement costs far more than running it, and a process uses few of them.
_kept_statement = lru_cache(maxsize=256)(_statement)
