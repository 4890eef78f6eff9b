"""Values come back from both databases as they were put in, and sort as Python sorts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select, text
from sqlalchemy.exc import StatementError

from connector.db.database import Database
from connector.db.types import Instant, Json, Key, Mark, canonical, dump_json
from connector.db.upsert import upsert
from tests.conftest import POSTGRES

values = Table(
    "value_of_a_test",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("key", Key, unique=True),
    Column("at", Instant),
    Column("mark", Mark),
    Column("json", Json),
    Column("note", String),
)


@pytest.fixture(params=["sqlite", POSTGRES])
def shelf(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Database]:
    """A database with one table of every type."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/t.sqlite3")
    else:
        database = request.getfixturevalue("postgres").owner()
    with database.service() as db:
        values.create(db)
    yield database
    with database.service() as db:
        values.drop(db)
    if request.param == "sqlite":
        database.close()


def there_and_back(database: Database, **row: Any) -> Any:
    with database.service() as db:
        db.execute(delete(values))
        db.execute(insert(values).values(id=1, **row))
    with database.service(write=False) as db:
        return db.execute(select(values)).one()


_EACH = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
# Hypothesis takes its bounds without a zone.
_MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=10,
)


@_EACH
@given(_MOMENTS, st.integers(-840, 840))
def test_instant_comes_back_the_same_and_in_utc(shelf: Database, moment: datetime, minutes: int) -> None:
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    back = there_and_back(shelf, at=there).at
    assert back == moment
    assert back.utcoffset() == timedelta(0)


def test_instant_without_its_zone_is_refused(shelf: Database) -> None:
    with pytest.raises(StatementError, match="time zone"):
        there_and_back(shelf, at=datetime(2026, 11, 20, 9, 0))  # noqa: DTZ001


@_EACH
@given(st.lists(_MOMENTS, max_size=8))
def test_instants_are_compared_by_the_database_as_by_python(shelf: Database, moments: list[datetime]) -> None:
    with shelf.service() as db:
        db.execute(delete(values))
        for number, moment in enumerate(moments):
            db.execute(insert(values).values(id=number, at=moment))
        assert list(db.scalars(select(values.c.at).order_by(values.c.at))) == sorted(moments)
        for moment in moments[:1]:
            later = db.scalars(select(values.c.at).where(values.c.at > moment)).all()
            assert sorted(later) == sorted(one for one in moments if one > moment)


@_EACH
@given(st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=5))
def test_mark_comes_back_as_the_same_number(shelf: Database, mark: Decimal) -> None:
    back = there_and_back(shelf, mark=mark).mark
    assert isinstance(back, Decimal)
    assert back == mark


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("8", "8"), ("8.50", "8.5"), ("0", "0"), ("-0", "0"), ("-0.00", "0"), ("1E+2", "100"), ("1E-5", "0.00001"),
     ("100", "100"), ("10.0", "10"), ("0.10", "0.1"), ("-1.50", "-1.5"), ("1234567890123456789.5",) * 2],
)  # fmt: skip
def test_mark_has_one_spelling(mark: str, expected: str) -> None:
    assert canonical(Decimal(mark)) == expected


@given(st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=7))
def test_equal_marks_are_equal_texts(mark: Decimal) -> None:
    same = mark.normalize(Context(prec=400))
    assert canonical(mark) == canonical(same)
    assert Decimal(canonical(mark)) == mark


@pytest.mark.parametrize("mark", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_no_mark(mark: str) -> None:
    with pytest.raises((ValueError, InvalidOperation)):
        canonical(Decimal(mark))


@_EACH
@given(_JSON)
def test_json_comes_back_as_it_was(shelf: Database, value: Any) -> None:
    assert there_and_back(shelf, json=value).json == value


@given(st.dictionaries(_TEXT, _JSON, max_size=5))
def test_equal_json_is_equal_bytes_whatever_the_order_of_keys(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert dump_json(turned) == dump_json(value)


def test_absent_value_is_null_in_the_database(shelf: Database) -> None:
    row = there_and_back(shelf, json=None, at=None, mark=None, key=None)
    assert (row.json, row.at, row.mark, row.key) == (None, None, None, None)
    with shelf.service(write=False) as db:
        assert db.scalar(text("SELECT count(*) FROM value_of_a_test WHERE json IS NULL AND mark IS NULL")) == 1


@_EACH
@given(st.lists(_TEXT, unique=True, max_size=12))
def test_keys_sort_by_code_point_on_both(shelf: Database, keys: list[str]) -> None:
    with shelf.service() as db:
        db.execute(delete(values))
        for number, key in enumerate(keys):
            db.execute(insert(values).values(id=number, key=key))
        assert list(db.scalars(select(values.c.key).order_by(values.c.key))) == sorted(keys)


def test_upsert_inserts_then_brings_up_to_date_and_keeps_what_it_is_told_to(shelf: Database) -> None:
    with shelf.service() as db:
        first = upsert(db, values, {"id": 1, "key": "a", "note": "one", "json": [1]}, ("key",), keep=("id",))
        second = upsert(db, values, {"id": 2, "key": "a", "note": "two", "json": [2]}, ("key",), keep=("id",))
        third = upsert(db, values, {"id": 3, "key": "b", "note": "three"}, ("key",), keep=("id",))
        assert (first.id, first.note) == (1, "one")
        assert (second.id, second.note, second.json) == (1, "two", [2])
        assert (third.id, third.json) == (3, None)
        assert len(db.execute(select(values)).all()) == 2


def test_upsert_with_nothing_to_change_returns_the_row_that_is_there(shelf: Database) -> None:
    with shelf.service() as db:
        upsert(db, values, {"id": 1, "key": "a", "note": "kept"}, ("key",))
        assert upsert(db, values, {"id": 2, "key": "a"}, ("key",), keep=("id",)).note == "kept"


def test_upsert_of_another_unique_value_is_no_silent_change(shelf: Database) -> None:
    with shelf.service() as db:
        upsert(db, values, {"id": 1, "key": "a", "note": "mine"}, ("id",))
    with pytest.raises(Exception, match=r"(?i)unique"), shelf.service() as db:
        upsert(db, values, {"id": 2, "key": "a", "note": "theirs"}, ("id",))
