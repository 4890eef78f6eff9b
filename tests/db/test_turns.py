"""SQLite has one writer: threads of one process queue for it, and a reader never waits."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from connector.db.database import Database
from connector.db.tables.registry import school
from tests.support import factories as make
from tests.support.databases import Place


def test_writers_of_one_process_come_one_after_another_and_lose_nothing(sqlite_database: Database) -> None:
    school_id = make.make_school(sqlite_database)
    with sqlite_database.service() as db:
        db.execute(school.update().where(school.c.id == school_id).values(name="0"))

    def count(_: int) -> None:
        with sqlite_database.service() as db:
            name = db.execute(select(school.c.name).where(school.c.id == school_id)).scalar_one()
            db.execute(school.update().where(school.c.id == school_id).values(name=str(int(name) + 1)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(200)))
    with sqlite_database.service(write=False) as db:
        assert db.execute(select(school.c.name).where(school.c.id == school_id)).scalar_one() == "200"


def test_reader_does_not_wait_for_a_writer(sqlite_database: Database) -> None:
    make.make_school(sqlite_database)
    with sqlite_database.service() as db, ThreadPoolExecutor(1) as pool:
        db.execute(school.update().values(name="half done"))

        def read() -> list[str]:
            with sqlite_database.service(write=False) as reading:
                return list(reading.execute(select(school.c.name)).scalars())

        assert pool.submit(read).result(timeout=10) != ["half done"]


def test_turn_is_given_on_when_a_transaction_fails(sqlite_database: Database) -> None:
    with pytest.raises(ZeroDivisionError), sqlite_database.service():
        raise ZeroDivisionError
    done = threading.Event()

    def write() -> None:
        with sqlite_database.service():
            done.set()

    threading.Thread(target=write, daemon=True).start()
    assert done.wait(10)


def test_writer_of_another_process_that_never_ends_is_an_operational_error(sqlite_place: Place) -> None:
    database = sqlite_place.open()
    path = Path(sqlite_place.url.removeprefix("sqlite:///"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with database.service(write=False) as db:
            db.exec_driver_sql("PRAGMA busy_timeout=200")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="locked"), database.service():
            pass
        assert time.monotonic() - began < 20
    finally:
        other.close()
        database.close()
