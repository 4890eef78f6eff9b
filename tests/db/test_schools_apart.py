"""Schools are apart: by the keys on both databases, and by row-level security on PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from connector.base.ids import new_id
from connector.db.database import Database
from connector.db.schema import OWNED, SERVICE, metadata
from connector.db.tables.launches import account, launch, result
from connector.db.tables.registry import school
from tests.support import factories as make
from tests.support.databases import PostgresServer


@pytest.fixture
def two(database: Database) -> tuple[str, str]:
    return make.make_school(database), make.make_school(database)


def test_row_cannot_point_at_a_row_of_another_school(database: Database, two: tuple[str, str]) -> None:
    mine, theirs = two
    foreign_activity = make.make_activity(database, theirs)
    pupil = make.make_account(database, mine)
    with pytest.raises(IntegrityError):
        make.make_result(database, mine, foreign_activity, pupil)
    foreign_pupil = make.make_account(database, theirs)
    own_activity = make.make_activity(database, mine)
    with pytest.raises(IntegrityError):
        make.make_result(database, mine, own_activity, foreign_pupil)
    make.make_result(database, mine, own_activity, pupil)


def test_same_sub_in_two_schools_is_two_accounts(database: Database, two: tuple[str, str]) -> None:
    first, second = (make.make_account(database, owner, sub="42") for owner in two)
    assert first != second
    with pytest.raises(IntegrityError):
        make.make_account(database, two[0], sub="42")


@pytest.fixture
def postgres_two(postgres_database: Database) -> tuple[str, str]:
    mine, theirs = make.make_school(postgres_database), make.make_school(postgres_database)
    make.make_account(postgres_database, mine, sub="1")
    make.make_account(postgres_database, theirs, sub="2")
    return mine, theirs


@pytest.mark.postgres
def test_school_sees_its_own_rows_even_when_it_asks_for_others(
    postgres_database: Database, postgres_two: tuple[str, str]
) -> None:
    mine, theirs = postgres_two
    with postgres_database.school(mine) as db:
        assert db.scalars(select(account.c.sub)).all() == ["1"]
        assert db.scalars(select(account.c.sub).where(account.c.school_id == theirs)).all() == []
        assert db.execute(update(account).where(account.c.school_id == theirs).values(sub="9")).rowcount == 0
        assert db.execute(delete(account).where(account.c.school_id == theirs)).rowcount == 0
    with postgres_database.school(theirs) as db:
        assert db.scalars(select(account.c.sub)).all() == ["2"]


@pytest.mark.postgres
def test_school_can_neither_add_nor_move_a_row_into_another(
    postgres_database: Database, postgres_two: tuple[str, str]
) -> None:
    mine, theirs = postgres_two
    row = {"school_id": theirs, "id": new_id(), "issuer": "i", "sub": "3", "registration_id": "r", "seen_at": make.NOW}
    with pytest.raises(ProgrammingError, match="row-level security"), postgres_database.school(mine) as db:
        db.execute(insert(account).values(row))
    with pytest.raises(ProgrammingError, match="row-level security"), postgres_database.school(mine) as db:
        db.execute(update(account).values(school_id=theirs))


@pytest.mark.postgres
def test_transaction_without_a_school_sees_nothing(postgres_database: Database, postgres_two: tuple[str, str]) -> None:
    with postgres_database.engine.connect() as db:
        assert db.scalars(select(account.c.sub)).all() == []
        db.execute(text("SELECT set_config('kopir.school', '', true)"))
        assert db.scalars(select(account.c.sub)).all() == []


@pytest.mark.postgres
def test_school_of_one_transaction_is_forgotten_by_the_next_on_the_same_connection(
    postgres: PostgresServer, postgres_two: tuple[str, str]
) -> None:
    single = Database(postgres.place.url, postgres.place.service_url, pool_size=1)
    try:
        with single.school(postgres_two[0], write=False) as db:
            assert len(db.scalars(select(account.c.sub)).all()) == 1
        with single.engine.connect() as raw:
            assert raw.scalars(select(account.c.sub)).all() == []
    finally:
        single.close()


@pytest.mark.postgres
def test_service_role_does_to_school_tables_only_what_each_table_allows(
    postgres_database: Database, postgres_two: tuple[str, str]
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), postgres_database.service() as db:
        db.execute(select(account.c.sub))
    make.make_launch(postgres_database, postgres_two[0])
    with postgres_database.service() as db:
        assert len(db.execute(select(launch.c.id)).all()) == 1
    with pytest.raises(ProgrammingError, match="permission denied"), postgres_database.service() as db:
        db.execute(update(launch).values(role="teacher"))


@pytest.mark.postgres
def test_application_role_reads_schools_and_changes_none(
    postgres_database: Database, postgres_two: tuple[str, str]
) -> None:
    with postgres_database.school(postgres_two[0]) as db:
        assert len(db.execute(select(school.c.id)).all()) == 2
    with pytest.raises(ProgrammingError, match="permission denied"), postgres_database.school(postgres_two[0]) as db:
        db.execute(update(school).values(name="x"))


@pytest.mark.postgres
def test_every_school_table_forces_its_policy_and_neither_role_owns_or_bypasses_one(
    postgres: PostgresServer, postgres_database: Database
) -> None:
    owned = {table.name: table for table in metadata.sorted_tables if table.info.get(OWNED)}
    with postgres.owner().service() as db:
        rows = db.execute(text(_CATALOGUE)).mappings().all()
        granted = _grants(db)
    found = {row["relname"]: row for row in rows}
    for name, table in owned.items():
        assert found[name]["relrowsecurity"], name
        assert found[name]["relforcerowsecurity"], name
        assert not found[name]["owned_by_test_login"], name
        wanted = {word.strip() for word in str(table.info.get(SERVICE, "")).split(",") if word.strip()}
        assert granted.get(name, set()) == wanted, name
        assert next(iter(table.primary_key.columns)).name == "school_id", name


_CATALOGUE = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
       pg_get_userbyid(c.relowner) IN ('kopir_app', 'kopir_service') AS owned_by_test_login
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


def _grants(db: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    statement = text(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'kopir_service'"
    )
    for name, privilege in db.execute(statement):
        found.setdefault(name, set()).add(privilege)
    return found


@pytest.mark.postgres
def test_test_logins_are_plain_roles(postgres: PostgresServer) -> None:
    with postgres.database.school("none", write=False) as db:
        row = db.execute(
            text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        ).one()
        assert tuple(row) == (False, False, False)


def test_reading_transaction_cannot_write_and_the_next_one_can(database: Database) -> None:
    school_id = make.make_school(database)
    with pytest.raises(DBAPIError, match=r"read.?only"), database.school(school_id, write=False) as db:
        db.execute(delete(result))
    with database.school(school_id) as db:
        db.execute(delete(result))
