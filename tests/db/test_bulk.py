"""Rows written many at a time are what the toolkit would have written one by one, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from connector.base.ids import new_id
from connector.db.bulk import insert_many, upsert_many
from connector.db.database import Database
from connector.db.types import dump_json
from sync.store.tables.connections import connection
from tests.support.factories import make_school

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CHANGED = ("mapping_hash", "settings", "last_run", "last_good_at")


def row(school: str, which: str, **values: object) -> dict[str, object]:
    made: dict[str, object] = {
        "school_id": school, "id": which, "left_key": "moodle:ә", "right_key": f"kundelik:{which}",
        "mapping_text": "«дәптер»\n%s ?", "mapping_hash": "h", "mapping_version": 1, "settings": {"б": [1, None]},
        "read_only": 0, "refusals": {}, "state": "active", "last_run": None, "last_good_at": None, "created_at": NOW,
    }  # fmt: skip
    return made | values


def stored(database: Database, school: str) -> dict[str, dict[str, object]]:
    with database.school(school, write=False) as db:
        rows = db.execute(select(connection).where(connection.c.school_id == school))
        return {one.id: dict(one._mapping) for one in rows}


def test_rows_come_back_as_they_were_given(database: Database) -> None:
    school = make_school(database)
    rows = [row(school, new_id(), last_good_at=NOW if number % 2 else None) for number in range(5)]
    with database.school(school) as db:
        insert_many(db, connection, rows)
        insert_many(db, connection, [])
    found = stored(database, school)
    assert [{name: found[str(one["id"])][name] for name in one} for one in rows] == rows


def test_a_row_that_is_there_takes_over_only_the_columns_that_are_named(database: Database) -> None:
    school, which = make_school(database), new_id()
    later = row(school, which, mapping_hash="h2", settings={"a": 1}, last_run="r", mapping_version=9)
    other = row(school, new_id())
    with database.school(school) as db:
        upsert_many(db, connection, [row(school, which)], ("school_id", "id"), CHANGED)
        upsert_many(db, connection, [other, later], ("school_id", "id"), CHANGED)
    found = stored(database, school)
    assert len(found) == 2
    assert (found[which]["mapping_hash"], found[which]["settings"], found[which]["last_run"]) == ("h2", {"a": 1}, "r")
    assert found[which]["mapping_version"] == 1


def test_a_value_may_become_nothing_and_nothing_a_value(database: Database) -> None:
    school, which = make_school(database), new_id()
    for value in ("r", None, "s", None):
        with database.school(school) as db:
            upsert_many(db, connection, [row(school, which, last_run=value)], ("school_id", "id"), CHANGED)
        assert stored(database, school)[which]["last_run"] == value


def test_of_two_rows_with_one_key_the_last_counts(database: Database) -> None:
    school, which = make_school(database), new_id()
    rows = [row(school, which, mapping_hash=name) for name in ("first", "last")]
    with database.school(school) as db:
        upsert_many(db, connection, rows, ("school_id", "id"), CHANGED)
    assert stored(database, school)[which]["mapping_hash"] == "last"


def test_a_row_that_does_not_differ_is_not_written(database: Database) -> None:
    school, which = make_school(database), new_id()
    system = "ctid, xmin" if not database.is_sqlite else "rowid, 0"
    seen = set()
    for _ in range(2):
        with database.school(school) as db:
            upsert_many(db, connection, [row(school, which)], ("school_id", "id"), CHANGED)
        with database.school(school, write=False) as db:
            seen.add(str(db.exec_driver_sql(f"SELECT {system} FROM connection").fetchall()))
    assert len(seen) == 1


def test_without_columns_to_take_over_what_is_there_stays(database: Database) -> None:
    school, which = make_school(database), new_id()
    with database.school(school) as db:
        upsert_many(db, connection, [row(school, which)], ("school_id", "id"), ())
        upsert_many(db, connection, [row(school, which, mapping_hash="x")], ("school_id", "id"), ())
    assert stored(database, school)[which]["mapping_hash"] == "h"


def test_one_bad_row_leaves_none_of_them(database: Database) -> None:
    school = make_school(database)
    rows = [row(school, new_id()), row(school, new_id(), state="no such state")]
    with pytest.raises(IntegrityError), database.school(school) as db:
        insert_many(db, connection, rows)
    assert stored(database, school) == {}


def test_json_and_instants_are_kept_in_the_one_form_of_every_other_write(sqlite_database: Database) -> None:
    school, which = make_school(sqlite_database), new_id()
    with sqlite_database.school(school) as db:
        insert_many(db, connection, [row(school, which)])
        raw = db.exec_driver_sql("SELECT settings, created_at FROM connection").one()
    assert tuple(raw) == (dump_json({"б": [1, None]}), "2026-11-23T09:00:00.000000+00:00")
