"""Many rows in one statement: ``unnest`` on PostgreSQL, the driver's own ``executemany`` on SQLite.

The toolkit's inserts cost more per row than the database does. Here each column is converted as its type says and
handed over as it is; a row that is there already is replaced only where something in it differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Integer, Table

from connector.db.types import Instant

Row = Mapping[str, Any]


def insert_many(db: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; every row names the same columns.

    Raises:
        IntegrityError: One of them breaks a rule of the table; none is there then.
    """
    if rows:
        _write(db, table, tuple(rows[0]), rows, "")


def upsert_many(
    db: Connection, table: Table, rows: Sequence[Row], unique: Sequence[str], changed: Sequence[str]
) -> None:
    """Insert rows, or change those whose key is there already and that differ.

    Args:
        db: A writing transaction.
        table: The table.
        rows: Values by column; every row names the same columns. Of two with one key the last counts.
        unique: The columns that tell whether a row is there already.
        changed: The columns an existing row takes over.
    """
    if not rows:
        return
    last = {tuple(row[name] for name in unique): row for row in rows}
    conflict = _on_conflict(db.dialect.name, table.name, tuple(unique), tuple(changed))
    _write(db, table, tuple(rows[0]), list(last.values()), conflict)


@lru_cache(maxsize=256)
def _on_conflict(dialect: str, table: str, unique: tuple[str, ...], changed: tuple[str, ...]) -> str:
    target = f" ON CONFLICT ({_names(unique)})"
    if not changed:
        return f"{target} DO NOTHING"
    taken = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
    apart = "IS DISTINCT FROM" if dialect == "postgresql" else "IS NOT"
    differs = " OR ".join(f'{table}."{name}" {apart} excluded."{name}"' for name in changed)
    return f"{target} DO UPDATE SET {taken} WHERE {differs}"


def _write(db: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Row], conflict: str) -> None:
    processors = [_processor(table.c[name], db.dialect) for name in columns]
    if db.dialect.name == "postgresql":
        values = tuple(
            [process(row[name]) for row in rows] if process else [row[name] for row in rows]
            for name, process in zip(columns, processors, strict=True)
        )
        db.exec_driver_sql(_unnest(table, columns) + conflict, values)
        return
    made = [
        tuple(process(row[name]) if process else row[name] for name, process in zip(columns, processors, strict=True))
        for row in rows
    ]
    marks = ", ".join("?" * len(columns))
    db.exec_driver_sql(f"INSERT INTO {table.name} ({_names(columns)}) VALUES ({marks}){conflict}", made)  # noqa: S608


@lru_cache(maxsize=256)
def _unnest(table: Table, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{_array(table.c[name])}[]" for name in columns)
    return f"INSERT INTO {table.name} ({_names(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our own names.


def _array(column: Column[Any]) -> str:
    if isinstance(column.type, Instant):
        return "timestamptz"
    return "integer" if isinstance(column.type, Integer) else "text"


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return how a value of a column is handed to the driver; None where it is handed over as it is."""
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return processor
