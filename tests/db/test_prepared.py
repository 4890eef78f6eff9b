"""Prepared statements: the same values and the same errors as through the toolkit, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from connector.base.ids import new_id
from connector.db.database import Database
from connector.db.prepared import Prepared
from connector.db.tables.launches import context
from connector.db.types import Key
from tests.support import factories as make

NOW = datetime(2026, 11, 2, 8, 30, 0, 123456, tzinfo=UTC)
_INSERT = Prepared(
    context.insert(),
    ["school_id", "id", "issuer", "registration_id", "deployment_id", "context_id", "scopes", "seen_at"],
)
_SELECT = Prepared(
    select(context.c.id, context.c.scopes, context.c.seen_at.label("seen"), context.c.title).where(
        context.c.school_id == bindparam("school", type_=Key), context.c.context_id == bindparam("name", type_=Key)
    )
)


def row(school_id: str, **changes: Any) -> dict[str, Any]:
    return {"school_id": school_id, "id": new_id(), "issuer": "https://lms.kz", "registration_id": "r",
            "deployment_id": "1", "context_id": "Қ-1", "scopes": ["b", "ә"], "seen_at": NOW, **changes}  # fmt: skip


def test_values_come_back_as_they_went(database: Database) -> None:
    school_id = make.make_school(database)
    values = row(school_id)
    with database.school(school_id) as db:
        _INSERT.do(db, values)
    with database.school(school_id, write=False) as db:
        found = _SELECT.one(db, {"school": school_id, "name": "Қ-1"})
        toolkit = db.execute(select(context).where(context.c.school_id == school_id)).one()
    assert found == {"id": values["id"], "scopes": ["b", "ә"], "seen": NOW, "title": ""}
    assert (toolkit.id, toolkit.scopes, toolkit.seen_at) == (values["id"], ["b", "ә"], NOW)


def test_value_is_never_read_as_sql(database: Database) -> None:
    school_id = make.make_school(database)
    hostile = "x'); DROP TABLE context; -- %(name)s ? :name"
    with database.school(school_id) as db:
        _INSERT.do(db, row(school_id, context_id=hostile))
        assert _SELECT.one(db, {"school": school_id, "name": hostile})["seen"] == NOW


def test_key_that_is_there_already_is_the_toolkit_s_integrity_error(database: Database) -> None:
    school_id = make.make_school(database)
    with pytest.raises(IntegrityError) as caught, database.school(school_id) as db:
        _INSERT.do(db, row(school_id))
        _INSERT.do(db, row(school_id, scopes=["кім-екені-құпия"]))
    assert "context" in str(caught.value.orig)
    assert "құпия" not in str(caught.value)
    with database.school(school_id, write=False) as db:
        assert db.execute(select(context.c.id).where(context.c.school_id == school_id)).all() == []


def test_transaction_that_may_not_write_refuses(database: Database) -> None:
    school_id = make.make_school(database)
    for _ in range(2):
        with pytest.raises(DBAPIError), database.school(school_id, write=False) as db:
            _INSERT.do(db, row(school_id))
        # The same connection may write again in its next transaction.
        with database.school(school_id) as db:
            _INSERT.do(db, row(school_id, context_id=new_id()))


def test_naive_instant_is_refused_as_ever(database: Database) -> None:
    school_id = make.make_school(database)
    with pytest.raises(ValueError, match="time zone"), database.school(school_id) as db:
        _INSERT.do(db, row(school_id, seen_at=NOW.replace(tzinfo=None)))


def test_parameter_that_is_missing_is_an_error(sqlite_database: Database) -> None:
    school_id = make.make_school(sqlite_database)
    with pytest.raises(KeyError), sqlite_database.school(school_id, write=False) as db:
        _SELECT.one(db, {"school": school_id})
