"""A database that holds a synthetic year as the sync itself would have left it: SQLite, or PostgreSQL where it is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
from sqlalchemy import insert
from sqlalchemy.engine import make_url

from benchmarks.plans.year import MAPPING, SCHOOL, TABLES, Year
from benchmarks.postgres import admin_url, fresh_database
from connector.base.config import with_driver
from connector.db.database import Database
from connector.db.tables.registry import school
from connector.host.tables import import_tables
from mappings.load import load_mapping
from sync.runs.columns import GradeWords

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
BATCH = 20_000


def version() -> str:
    """Return the fingerprint of the year's scale."""
    return GradeWords(load_mapping(MAPPING), "fo", Decimal(100), Decimal(10)).version


@contextlib.contextmanager
def place(engine: str, year: Year, folder: Path) -> Iterator[str]:
    """Fill a database with a year; yield the URL of the application's role, or nothing without a server."""
    import_tables()
    if engine == "sqlite":
        url = f"sqlite:///{folder / 'year.sqlite3'}"
        _prepare(url)
        _fill_sqlite(folder / "year.sqlite3", year)
        yield url
        return
    with fresh_database() as settings:
        if not settings:
            yield ""
            return
        url, owner = (with_driver(settings[name]) for name in ("DATABASE_URL", "DATABASE_OWNER_URL"))
        _prepare(owner)
        _fill_postgres(url, year)
        yield url


def service_of(url: str) -> str:
    """Return the URL of the role that leases jobs, in a database that ``place`` made."""
    return url.replace("_app@", "_service@")


def _prepare(owner: str) -> None:
    """Make the tables and the school."""
    made = Database(owner)
    made.create_all()
    with made.service() as db:
        values = {"code": "bench", "name": "Bench", "sealed_key": "", "created_at": NOW}
        db.execute(insert(school).values(id=SCHOOL, **values))
    made.close()


def _fill_sqlite(file: Path, year: Year) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute("PRAGMA synchronous=OFF")
        for name, (rows, columns) in TABLES.items():
            names = columns.split()
            statement = f"INSERT INTO {name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
            db.execute("BEGIN")
            db.executemany(statement, rows(year))
            db.execute("COMMIT")
        db.execute("ANALYZE")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill_postgres(url: str, year: Year) -> None:
    admin = make_url(admin_url() or "").set(drivername="postgresql", database=make_url(url).database)
    with psycopg.connect(admin.render_as_string(hide_password=False)) as db:
        # Copied as they are: checking four million references would take longer than all that is measured.
        db.execute("SET session_replication_role = replica")
        for name, (rows, columns) in TABLES.items():
            copy = f"COPY {name} ({', '.join(columns.split())}) FROM STDIN"
            with db.cursor().copy(copy.encode()) as target:
                for row in rows(year):
                    target.write_row(row)
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as db:
        db.execute("VACUUM ANALYZE")
