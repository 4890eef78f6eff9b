"""Connections: one transaction sees one school, and a second small role sees what stands above schools."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from connector.db.schema import metadata as default_metadata
from connector.db.security import secure

# Both settings end with the transaction; one statement, so that entering a school is one round trip.
_ENTER = text("SELECT set_config('kopir.school', :school, true), set_config('transaction_read_only', :read_only, true)")


class Database:
    """Hand out transactions; safe to share between threads, and to be made anew after a fork."""

    def __init__(self, url: str, service_url: str = "", *, pool_size: int = 10) -> None:
        """Open pools for the application's role and, on PostgreSQL, the service role.

        Args:
            url: SQLAlchemy URL of the application's role.
            service_url: URL of the role for look-ups, leases and sweeps; empty means the same database as ``url``.
            pool_size: Connections kept per role on PostgreSQL.
        """
        self.engine = _engine(url, pool_size)
        same = not service_url or service_url == url
        self._service_engine = self.engine if same else _engine(service_url, pool_size)
        # SQLite has one writer at a time, and a thread that finds it busy sleeps for milliseconds and asks again;
        # the threads of one process queue here instead, and wake as soon as it is their turn.
        self._turn: AbstractContextManager[object] = threading.RLock() if self.is_sqlite else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        """Tell whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def school(self, school_id: str, *, write: bool = True) -> Iterator[Connection]:
        """Open a transaction that sees one school; it commits at the end and rolls back on an error.

        Args:
            school_id: The school; on PostgreSQL row-level security shows its rows only.
            write: False opens a transaction that cannot write (and never waits for a writer on SQLite).
        """
        with self._begin(self.engine, write) as connection:
            if not self.is_sqlite:
                connection.execute(_ENTER, {"school": school_id, "read_only": "off" if write else "on"})
            yield connection

    @contextmanager
    def service(self, *, write: bool = True) -> Iterator[Connection]:
        """Open a transaction of the service role: registrations, leases and sweeps, across schools."""
        with self._begin(self._service_engine, write) as connection:
            yield connection

    @contextmanager
    def _begin(self, engine: Engine, write: bool) -> Iterator[Connection]:
        with self._turn if write else nullcontext(), engine.connect() as connection:
            connection.info["write"] = write
            with connection.begin():
                yield connection

    def create_all(self, tables: MetaData = default_metadata) -> None:
        """Make every table at once (tests and throw-away databases; an installation migrates)."""
        with self._begin(self.engine, write=True) as connection:
            tables.create_all(connection)
            secure(connection, tables)

    def close(self) -> None:
        """Close the pools."""
        self.engine.dispose()
        self._service_engine.dispose()


def _engine(url: str, pool_size: int) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        keep_private(make_url(url).database)
        engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)


def keep_private(file: str | None) -> None:
    """Make the database file readable by its owner only, before anything is in it; SQLite's side files follow it."""
    if file and file != ":memory:" and Path(file).parent.is_dir():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def prepare_sqlite(dbapi: Any, _record: object) -> None:
    """Set a new SQLite connection up: explicit transactions, WAL, foreign keys, patience with other writers."""
    dbapi.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
        dbapi.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a deferred BEGIN loses updates or fails as busy in mid-transaction."""
    write = connection.info.get("write", True)
    # Given to the driver itself: through the toolkit each of them costs as much as a statement that does something.
    execute = connection.connection.dbapi_connection.execute  # type: ignore[union-attr]
    try:
        if connection.info.get("writes", True) is not write:
            execute(f"PRAGMA query_only={'OFF' if write else 'ON'}")
            connection.info["writes"] = write
        execute("BEGIN IMMEDIATE" if write else "BEGIN")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN", None, error) from error
