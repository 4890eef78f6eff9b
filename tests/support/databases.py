"""Throw-away databases: an SQLite file per test, and a PostgreSQL database per test process.

On PostgreSQL the tests connect as a login of each of the two small roles, never as the owner, so that row-level
security is what it is in production.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Table, text
from sqlalchemy.engine import make_url

import connector.db.tables.launches
import connector.db.tables.registry  # noqa: F401
from connector.base.config import with_driver
from connector.db.database import Database
from connector.db.schema import metadata
from connector.db.security import APP_ROLE, SERVICE_ROLE


@dataclass(frozen=True)
class Place:
    """Where a test's database is, so that a worker process of its own can open it too."""

    kind: str
    url: str
    service_url: str

    def open(self, pool_size: int = 5) -> Database:
        """Open it as the application does."""
        return Database(self.url, self.service_url, pool_size=pool_size)


def _names() -> frozenset[str]:
    return frozenset(metadata.tables)


class SqliteTemplate:
    """Make the tables once per process and copy the file for each test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[frozenset[str], Path] = {}

    def copy(self, target: Path) -> Place:
        """Copy a database with every table that is known now."""
        names = _names()
        if names not in self._made:
            path = self._folder / f"template-{len(self._made)}.sqlite3"
            database = Database(f"sqlite:///{path}")
            database.create_all()
            database.close()
            self._made[names] = path
        shutil.copyfile(self._made[names], target)
        return Place("sqlite", f"sqlite:///{target}", "")


class PostgresServer:
    """One database and two logins on the test server, emptied between tests."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = make_url(with_driver(admin_url))
        self.name = f"kopir_test_{os.getpid()}_{uuid4().hex[:8]}"
        self._tables: frozenset[str] = frozenset()
        with self._admin() as admin:
            _drop_orphans(admin)
            for role, group in ((f"{self.name}_app", APP_ROLE), (f"{self.name}_service", SERVICE_ROLE)):
                admin.execute(sql.SQL(_MAKE_GROUP.format(group)))
                admin.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(*map(sql.Identifier, (role, group))))
            database = sql.Identifier(self.name)
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(database))
            # A lost tail of a throw-away database hurts nobody, and commits are ten times faster.
            admin.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(database))
        self._owner = Database(self._url(self._admin_url.username), pool_size=1)
        self.place = Place("postgres", self._url(f"{self.name}_app"), self._url(f"{self.name}_service"))
        self._opened: Database | None = None

    def _url(self, user: str | None) -> str:
        url = self._admin_url.set(username=user, database=self.name)
        return url.render_as_string(hide_password=False)

    @contextmanager
    def _admin(self) -> Iterator[psycopg.Connection]:
        plain = self._admin_url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            # Roles belong to the whole server: test processes make and drop theirs one after another.
            connection.execute("SELECT pg_advisory_lock(720014)")
            yield connection

    @property
    def database(self) -> Database:
        """The pools of this process, opened once."""
        if self._opened is None:
            self._opened = self.place.open()
        return self._opened

    def empty(self) -> None:
        """Make the tables that are new since last time, and delete every row."""
        if _names() != self._tables:
            self._owner.create_all()
            self._tables = _names()
        names = "; ".join(f"DELETE FROM {table.name}" for table in metadata.sorted_tables)
        with self._owner.service() as db:
            db.exec_driver_sql(f"SET LOCAL session_replication_role = replica; {names}")

    def owner(self) -> Database:
        """Return the owner's pool: it sees every row, so tests use it to look, never to act."""
        return self._owner

    def drop(self) -> None:
        """Close the pools and leave nothing on the server."""
        self._owner.close()
        if self._opened is not None:
            self._opened.close()
        with self._admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
            for role in (f"{self.name}_app", f"{self.name}_service"):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _drop_orphans(admin: psycopg.Connection) -> None:
    """Drop what test runs that were killed left behind on this machine's own server."""
    if not admin.info.host.startswith(("127.", "/", "localhost")):
        return
    for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname ~ '^kopir_test_[0-9]+_'").fetchall():
        if Path(f"/proc/{name.split('_')[2]}").exists():
            continue
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        for role in (f"{name}_app", f"{name}_service"):
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


_MAKE_GROUP = (
    "DO $$ BEGIN CREATE ROLE {} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
)


def count(database: Database, school_id: str, table: Table) -> int:
    """Return how many rows of a table one school sees."""
    with database.school(school_id, write=False) as db:
        return int(
            db.scalar(text(f"SELECT count(*) FROM {table.name} WHERE school_id = :school"), {"school": school_id})
        )
