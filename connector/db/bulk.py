"""Many rows in one statement: one JSON text on PostgreSQL, the driver's own ``executemany`` on SQLite.

The toolkit's inserts cost more per row than the database does. Here each column is converted as its type says and
handed over as it is; a row that is there already is replaced only where something in it differs. PostgreSQL's driver
writes arrays and COPY lines in Python, value by value; a JSON text is made in C.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Integer, Table

from connector.db.types import Instant

Row = Mapping[str, Any]
Values = tuple[Any, ...]


def insert_many(db: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; every row names the same columns.

    Raises:
        IntegrityError: One of them breaks a rule of the table; none is there then.
    """
    if rows:
        columns = tuple(rows[0])
        _write(db, table, columns, list(map(itemgetter(*columns), rows)), "")


def upsert_many(
    db: Connection, table: Table, rows: Sequence[Row], unique: Sequence[str], changed: Sequence[str]
) -> None:
    """Insert rows, or change those whose key is there already and that differ.

    Args:
        db: A writing transaction.
        table: The table.
        rows: Values by column; every row names the same columns. Of two with one key the last counts.
        unique: The columns, two at least, that tell whether a row is there already.
        changed: The columns an existing row takes over.
    """
    if rows:
        columns = tuple(rows[0])
        upsert_values(db, table, columns, list(map(itemgetter(*columns), rows)), unique, changed)


def upsert_values(
    db: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[Values],
    unique: Sequence[str],
    changed: Sequence[str],
) -> None:
    """Do as ``upsert_many`` with rows that are tuples in the order of ``columns``."""
    if not rows:
        return
    keys = map(itemgetter(*(columns.index(name) for name in unique)), rows)
    last = list(dict(zip(keys, rows, strict=True)).values())
    _write(db, table, columns, last, _on_conflict(db.dialect.name, table.name, tuple(unique), tuple(changed)))


@lru_cache(maxsize=256)
def _on_conflict(dialect: str, table: str, unique: tuple[str, ...], changed: tuple[str, ...]) -> str:
    target = f" ON CONFLICT ({_names(unique)})"
    if not changed:
        return f"{target} DO NOTHING"
    taken = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
    apart = "IS DISTINCT FROM" if dialect == "postgresql" else "IS NOT"
    differs = " OR ".join(f'{table}."{name}" {apart} excluded."{name}"' for name in changed)
    return f"{target} DO UPDATE SET {taken} WHERE {differs}"


def _write(db: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Values], conflict: str) -> None:
    rows = _converted(table, columns, rows, db.dialect)
    if db.dialect.name == "postgresql":
        text = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)
        db.exec_driver_sql(_from_json(table, columns) + conflict, (text,))
        return
    marks = ", ".join("?" * len(columns))
    db.exec_driver_sql(f"INSERT INTO {table.name} ({_names(columns)}) VALUES ({marks}){conflict}", list(rows))  # noqa: S608


def _converted(table: Table, columns: tuple[str, ...], rows: Sequence[Values], dialect: Dialect) -> Sequence[Values]:
    """Convert the columns whose type asks for it, column by column."""
    processors = [_processor(table.c[name], dialect) for name in columns]
    if not any(processors):
        return rows
    values = [
        list(map(process, column)) if process else column
        for process, column in zip(processors, zip(*rows, strict=True), strict=True)
    ]
    return list(zip(*values, strict=True))


@lru_cache(maxsize=256)
def _from_json(table: Table, columns: tuple[str, ...]) -> str:
    shape = ", ".join(f'"{name}" {_type(table.c[name])}' for name in columns)
    source = f"json_to_recordset(%s::json) AS given({shape})"
    return f"INSERT INTO {table.name} ({_names(columns)}) SELECT * FROM {source}"  # noqa: S608 - our own names.


def _type(column: Column[Any]) -> str:
    if isinstance(column.type, Instant):
        return "timestamptz"
    return "integer" if isinstance(column.type, Integer) else "text"


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return how a value of a column is handed to the driver; None where it is handed over as it is."""
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    # Thousands of rows say one instant, and writing it out costs more than all the rest of a row.
    return lru_cache(maxsize=8)(processor) if processor and isinstance(column.type, Instant) else processor
