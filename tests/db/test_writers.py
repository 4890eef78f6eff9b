"""Writers that read first: nothing is lost, on either database, by threads of one process or by processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from connector.db.database import Database
from connector.db.tables.launches import result
from tests.support import factories as make
from tests.support.databases import Place

THREADS, TIMES = 8, 25


@pytest.fixture
def counted(database: Database) -> tuple[str, str]:
    school_id = make.make_school(database)
    activity_id, pupil = make.make_activity(database, school_id), make.make_account(database, school_id)
    return school_id, make.make_result(database, school_id, activity_id, pupil, revision=0)


def test_eight_threads_that_read_then_write_lose_nothing(database: Database, counted: tuple[str, str]) -> None:
    school_id, result_id = counted
    gate = threading.Barrier(THREADS)
    where = (result.c.school_id == school_id, result.c.id == result_id)

    def add() -> None:
        gate.wait()
        for _ in range(TIMES):
            with database.school(school_id) as db:
                seen = db.scalar(select(result.c.revision).where(*where).with_for_update())
                assert seen is not None
                db.execute(update(result).where(*where).values(revision=seen + 1))

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(add) for _ in range(THREADS)]:
            future.result()
    with database.school(school_id, write=False) as db:
        assert db.scalar(select(result.c.revision).where(*where)) == THREADS * TIMES


def test_sqlite_reader_sees_a_steady_picture_and_never_waits_for_a_writer(sqlite_database: Database) -> None:
    school_id = make.make_school(sqlite_database)
    make.make_account(sqlite_database, school_id)
    with (
        sqlite_database.school(school_id) as writer,
        sqlite_database.school(school_id, write=False) as reader,
    ):
        writer.execute(text("DELETE FROM account"))
        assert reader.scalar(text("SELECT count(*) FROM account")) == 1
    with sqlite_database.school(school_id, write=False) as reader:
        assert reader.scalar(text("SELECT count(*) FROM account")) == 0


def test_failed_transaction_leaves_nothing(database: Database, counted: tuple[str, str]) -> None:
    school_id, result_id = counted
    with pytest.raises(RuntimeError), database.school(school_id) as db:
        db.execute(update(result).values(revision=7))
        raise RuntimeError
    with database.school(school_id, write=False) as db:
        assert db.scalar(select(result.c.revision).where(result.c.id == result_id)) == 0


def test_sqlite_connections_keep_foreign_keys_and_the_log_mode(sqlite_place: Place) -> None:
    opened = sqlite_place.open()
    with opened.service(write=False) as db:
        assert db.scalar(text("PRAGMA foreign_keys")) == 1
        assert db.scalar(text("PRAGMA journal_mode")) == "wal"
    opened.close()
