"""Statements compiled once and run on the driver's own cursor, for the few places where a launch waits for them.

Through the toolkit, running a statement that is known already costs more than the database takes to answer it. What
is kept of the toolkit is what matters: the SQL of each dialect, how values are written and read, and its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.selectable import Select

Values = Mapping[str, Any]
_Process = Callable[[Any], Any]


@dataclass(frozen=True)
class _Compiled:
    """One dialect's SQL, its parameters' names in order (None: by name), and what writes and reads values."""

    sql: str
    order: tuple[str, ...] | None
    write: tuple[tuple[str, _Process], ...]
    read: tuple[tuple[str, _Process | None], ...]

    def parameters(self, values: Values) -> Any:
        """Return the values as the driver takes them."""
        written = dict(values)
        for name, process in self.write:
            written[name] = process(written[name])
        return written if self.order is None else tuple([written[name] for name in self.order])


class Prepared:
    """A statement with named parameters; safe to share between threads."""

    def __init__(self, statement: Select[Any] | Insert, columns: Sequence[str] = ()) -> None:
        """Take the statement; an insert also takes the columns it writes, every one of them each time."""
        self._statement = statement
        self._columns = list(columns) or None
        self._compiled: dict[str, _Compiled] = {}

    def one(self, db: Connection, values: Values) -> dict[str, Any]:
        """Return the only row, by the names of its columns.

        Raises:
            DBAPIError: The database refuses; the kind tells why, as the toolkit's own errors do.
        """
        compiled = self._of(db.dialect)
        row = self._run(db, compiled, values, fetch=True)
        return {
            name: value if process is None else process(value)
            for (name, process), value in zip(compiled.read, row, strict=True)
        }

    def do(self, db: Connection, values: Values) -> None:
        """Run a statement that returns nothing.

        Raises:
            DBAPIError: The database refuses.
        """
        self._run(db, self._of(db.dialect), values, fetch=False)

    def _of(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, self._columns, dialect)
        return found

    def _run(self, db: Connection, compiled: _Compiled, values: Values, *, fetch: bool) -> Any:
        cursor = db.connection.cursor()
        driver = db.dialect.loaded_dbapi
        try:
            cursor.execute(compiled.sql, compiled.parameters(values))
            return cursor.fetchone() if fetch else None
        except driver.Error as error:
            # Without the values: an exception's text may be logged, and they name people.
            raise DBAPIError.instance(compiled.sql, None, error, driver.Error, dialect=db.dialect) from error
        finally:
            cursor.close()


def _compile(statement: Select[Any] | Insert, columns: list[str] | None, dialect: Dialect) -> _Compiled:
    made = statement.compile(dialect=dialect, column_keys=columns)
    if not isinstance(made, SQLCompiler):
        raise TypeError("only a statement of SQL can be prepared")
    names = made.positiontup if made.positional else None
    write = ((name, bound.type.dialect_impl(dialect).bind_processor(dialect)) for name, bound in made.binds.items())
    read = (
        (column.name, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for column in (statement.selected_columns if isinstance(statement, Select) else ())
    )
    return _Compiled(
        sql=made.string,
        order=None if names is None else tuple(names),
        write=tuple((name, process) for name, process in write if process is not None),
        read=tuple(read),
    )
