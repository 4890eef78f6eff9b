"""From an empty database to this version, on SQLite and on PostgreSQL as the owner: tables, policies, roles."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from connector.base.errors import Fatal
from connector.base.ids import new_id
from connector.db import migrate as migrate_module
from connector.db.database import Database
from connector.db.migrate import CORE, Migrator
from connector.db.schema import OWNED, metadata
from connector.db.tables.launches import account
from connector.db.tables.registry import school
from connector.host.install import install, migrate, migrator
from connector.host.plugins import load_plugins
from connector.host.tables import import_tables
from tests.conftest import POSTGRES
from tests.support import factories as make
from tests.support.installations import Installation, on_postgres, on_sqlite
from tests.support.services import require_service


@pytest.fixture(params=["sqlite", POSTGRES])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation with an empty database, once on SQLite and once on PostgreSQL."""
    import_tables()
    if request.param == "sqlite":
        yield on_sqlite(tmp_path / "data")
        return
    with on_postgres(tmp_path / "data", require_service("postgres")) as made:
        yield made


@pytest.fixture
def postgres_place(tmp_path: Path) -> Iterator[Installation]:
    import_tables()
    with on_postgres(tmp_path / "data", require_service("postgres")) as made:
        yield made


def owner(place: Installation) -> Engine:
    return create_engine(place.settings().owner_url)


def differences(connection: Connection, tables: Any = metadata) -> list[Any]:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not (name or "").startswith("p_lost_")

    options = {"compare_type": True, "include_name": ours, "render_as_batch": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables))


def test_tables_after_an_upgrade_are_those_of_the_code(place: Installation) -> None:
    migrate(place.settings())
    engine = owner(place)
    with engine.connect() as connection:
        assert differences(connection) == []
        assert {table.name for table in metadata.sorted_tables} <= set(inspect(connection).get_table_names())
    engine.dispose()


def test_constraints_after_an_upgrade_are_those_of_the_code(place: Installation) -> None:
    """Autogenerate compares no checks and no primary keys, so they are compared by name here."""
    migrate(place.settings())
    engine = owner(place)
    with engine.connect() as connection:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            checks = {str(one["name"]) for one in found.get_check_constraints(table.name)}
            assert {str(one.name) for one in table.constraints if one.__visit_name__.startswith("check")} <= checks
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ], table.name
            ours = {tuple(sorted(column.name for column in key.columns)) for key in table.foreign_key_constraints}
            theirs = {tuple(sorted(key["constrained_columns"])) for key in found.get_foreign_keys(table.name)}
            assert theirs == ours, table.name
    engine.dispose()


def test_merge_keys_sort_by_code_point(place: Installation) -> None:
    migrate(place.settings())
    words = ["a_1", "a-1", "A:10", "ә", "б", "Я", "z", "10", "9"]
    school_id = new_id()
    database = Database(place.settings().sqlalchemy_url, place.settings().service_url)
    row = {"id": school_id, "code": "s", "name": "№1", "sealed_key": "x", "created_at": make.NOW}
    with database.service() as db:
        db.execute(insert(school).values(row))
    for word in words:
        make.make_account(database, school_id, sub=word)
    with database.school(school_id, write=False) as db:
        query = select(account.c.sub).where(account.c.school_id == school_id).order_by(account.c.sub)
        assert list(db.scalars(query)) == sorted(words)
    database.close()


def test_upgrade_run_again_changes_nothing(place: Installation) -> None:
    first = migrate(place.settings())
    assert first
    assert not migrator(place.settings()).pending()
    assert migrate(place.settings()) == first
    engine = owner(place)
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_empty_database_is_told_to_be_behind(place: Installation) -> None:
    assert migrator(place.settings()).pending()


def test_downgrade_to_nothing_and_up_again_ends_where_it_began(place: Installation) -> None:
    heads = migrate(place.settings())
    tool = migrator(place.settings())
    assert tool.downgrade("base") == []
    engine = owner(place)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    assert tool.upgrade() == heads
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_every_plugin_with_tables_has_its_own_branch(tmp_path: Path) -> None:
    import_tables()
    tool, plugins = migrator(on_sqlite(tmp_path).settings()), load_plugins()[0]
    script = ScriptDirectory.from_config(tool._config())
    labels = {label for one in script.walk_revisions() for label in one.branch_labels}
    assert "core" in labels
    for name in plugins:
        if any(table.startswith(f"p_{name}_") for table in metadata.tables):
            assert name in labels


def test_init_can_be_run_twice_and_keeps_the_keys(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path / "data")}
    first = install(None, environ)
    keys = Path(first.keys_file).read_text()
    assert first.keys_written
    assert Path(first.keys_file).stat().st_mode & 0o077 == 0
    second = install(None, environ)
    assert not second.keys_written
    assert Path(second.keys_file).read_text() == keys
    assert second.revisions == first.revisions != ()
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == ["keys.toml", "kopir.sqlite3"]


def test_init_writes_no_keys_that_the_environment_gives(tmp_path: Path) -> None:
    place = on_sqlite(tmp_path / "data")
    assert not install(None, place.environ).keys_written
    assert not (place.folder / "keys.toml").exists()


def test_init_writes_the_one_key_that_is_missing(tmp_path: Path) -> None:
    place = on_sqlite(tmp_path / "data")
    only = {name: value for name, value in place.environ.items() if name != "SECRET_KEY"}
    assert install(None, only).keys_written
    text_ = (place.folder / "keys.toml").read_text()
    assert "secret_key" in text_
    assert "encryption_keys" not in text_


def test_init_keeps_the_data_where_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kopir.toml").write_text('data_dir = "elsewhere"\n')
    install(None, {})
    assert (tmp_path / "elsewhere" / "keys.toml").exists()
    assert (tmp_path / "elsewhere" / "kopir.sqlite3").exists()
    assert not (tmp_path / "data").exists()


def test_tables_of_a_later_version_are_told(place: Installation, own_revisions: Path) -> None:
    migrate(place.settings())
    add_revision(place, own_revisions, "CREATE TABLE later (a TEXT)")
    assert migrator(place.settings()).pending()
    migrator(place.settings()).upgrade()
    assert not migrator(place.settings()).pending()
    (own_revisions / "9999_fails.py").unlink()
    assert migrator(place.settings()).pending()


# A revision that fails, and rows that would be lost


FAILING = """
from alembic import op
revision = "9999_fails"
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE half_done (a TEXT)")
    op.execute("{statement}")


def downgrade() -> None:
    pass
"""


@pytest.fixture
def own_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the core's revisions that a test may add to."""
    copy = tmp_path / "migrations"
    shutil.copytree(CORE, copy)
    monkeypatch.setattr(migrate_module, "CORE", copy)
    return copy / "versions"


def add_revision(place: Installation, folder: Path, statement: str) -> None:
    script = ScriptDirectory.from_config(migrator(place.settings())._config())
    down = next(one for one in script.get_heads() if "core" in script.get_revision(one).branch_labels)
    (folder / "9999_fails.py").write_text(FAILING.format(down=down, statement=statement))


def test_revision_that_fails_half_way_leaves_the_tables_as_they_were(place: Installation, own_revisions: Path) -> None:
    heads = migrate(place.settings())
    add_revision(place, own_revisions, "DROP TABLE no_such_table")
    with pytest.raises((OperationalError, ProgrammingError), match="no_such_table"):
        migrator(place.settings()).upgrade()
    engine = owner(place)
    with engine.connect() as connection:
        assert "half_done" not in inspect(connection).get_table_names()
        assert sorted(MigrationContext.configure(connection).get_current_heads()) == heads
    engine.dispose()


def test_revision_that_would_leave_rows_pointing_at_nothing_is_refused(tmp_path: Path, own_revisions: Path) -> None:
    import_tables()
    place = on_sqlite(tmp_path / "data")
    migrate(place.settings())
    database = Database(place.settings().sqlalchemy_url)
    school_id = make.make_school(database)
    make.make_account(database, school_id)
    database.close()
    add_revision(place, own_revisions, "DELETE FROM school")
    with pytest.raises(Fatal, match="account"):
        migrator(place.settings()).upgrade()
    with sqlite3.connect(place.folder / "kopir.sqlite3") as raw:
        assert raw.execute("SELECT count(*) FROM school").fetchone() == (1,)
    raw.close()


def test_table_made_anew_by_a_revision_keeps_the_rows_that_point_at_it(tmp_path: Path, own_revisions: Path) -> None:
    import_tables()
    place = on_sqlite(tmp_path / "data")
    migrate(place.settings())
    database = Database(place.settings().sqlalchemy_url)
    school_id = make.make_school(database)
    make.make_account(database, school_id)
    database.close()
    add_revision(place, own_revisions, "")
    text_ = (own_revisions / "9999_fails.py").read_text()
    batch = (
        "import sqlalchemy as sa\n"
        "    with op.batch_alter_table('school', recreate='always') as t:\n"
        "        t.add_column(sa.Column('motto', sa.Text()))"
    )
    kept = text_.replace('op.execute("")', batch)
    (own_revisions / "9999_fails.py").write_text(kept)
    migrator(place.settings()).upgrade()
    with sqlite3.connect(place.folder / "kopir.sqlite3") as raw:
        assert raw.execute("SELECT motto FROM school").fetchall() == [(None,)]
        assert raw.execute("SELECT count(*) FROM account").fetchone() == (1,)
    raw.close()


def test_comparison_sees_a_column_that_no_revision_makes(tmp_path: Path, own_revisions: Path) -> None:
    import_tables()
    place = on_sqlite(tmp_path / "data")
    migrate(place.settings())
    add_revision(place, own_revisions, "ALTER TABLE school DROP COLUMN name")
    migrator(place.settings()).upgrade()
    engine = owner(place)
    with engine.connect() as connection:
        found = differences(connection)
    engine.dispose()
    assert any("name" in str(one) for one in found)


# PostgreSQL: who may do what after an upgrade


@pytest.mark.postgres
def test_owner_that_may_make_no_roles_upgrades_where_the_roles_are_there(postgres_place: Installation) -> None:
    assert migrate(postgres_place.settings())


@pytest.mark.postgres
def test_policies_stand_after_an_upgrade_on_every_table_of_a_school(postgres_place: Installation) -> None:
    migrate(postgres_place.settings())
    engine = owner(postgres_place)
    query = "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class WHERE relkind = 'r'"
    with engine.connect() as connection:
        forced = {row.relname: row.forced for row in connection.execute(text(query))}
        policies = {row.tablename for row in connection.execute(text("SELECT tablename FROM pg_policies"))}
    engine.dispose()
    owned = {table.name for table in metadata.sorted_tables if table.info.get(OWNED)}
    assert any(name.startswith("p_") for name in owned)
    assert {name for name, is_forced in forced.items() if is_forced} >= owned
    assert owned <= policies


@pytest.mark.postgres
def test_even_the_owner_sees_no_school_without_being_told_which(postgres_place: Installation) -> None:
    settings = postgres_place.settings()
    migrate(settings)
    database = Database(settings.sqlalchemy_url, settings.service_url)
    school_id = make.make_school(database)
    make.make_account(database, school_id)
    database.close()
    engine = owner(postgres_place)
    with engine.connect() as connection:
        assert connection.execute(select(account.c.id)).all() == []
    engine.dispose()


@pytest.mark.postgres
def test_roles_of_the_server_can_make_no_table_and_drop_none(postgres_place: Installation) -> None:
    settings = postgres_place.settings()
    migrate(settings)
    for url in (settings.sqlalchemy_url, settings.service_url):
        engine = create_engine(url)
        for statement in (
            "CREATE TABLE mine (a TEXT)",
            "DROP TABLE account",
            "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
        ):
            with pytest.raises(ProgrammingError), engine.begin() as connection:
                connection.execute(text(statement))
        engine.dispose()


@pytest.mark.postgres
def test_version_of_the_tables_is_told_with_the_applications_role_alone(postgres_place: Installation) -> None:
    migrate(postgres_place.settings())
    without_owner = postgres_place.settings(database_owner_url="")
    assert not migrator(without_owner).pending()


@pytest.mark.postgres
def test_service_role_reads_no_account(postgres_place: Installation) -> None:
    settings = postgres_place.settings()
    migrate(settings)
    database = Database(settings.sqlalchemy_url, settings.service_url)
    with pytest.raises(ProgrammingError, match="permission denied"), database.service() as db:
        db.execute(select(account.c.id))
    with pytest.raises((IntegrityError, ProgrammingError)), database.school(new_id()) as db:
        db.execute(insert(school).values(id=new_id(), code="x", name="x", sealed_key="x", created_at=make.NOW))
    database.close()


def test_plugin_that_is_not_installed_keeps_its_tables(tmp_path: Path) -> None:
    import_tables()
    place = on_sqlite(tmp_path / "data")
    tool = migrator(place.settings())
    tool.upgrade()
    with sqlite3.connect(place.folder / "kopir.sqlite3") as raw:
        before = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    raw.close()
    fewer = Migrator(place.settings().owner_url, {})
    assert fewer.upgrade() == tool.upgrade()
    with sqlite3.connect(place.folder / "kopir.sqlite3") as raw:
        assert {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == before
    raw.close()


def test_core_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    import_tables()
    place = on_sqlite(tmp_path / "data")
    tool = migrator(place.settings())
    heads = tool.upgrade()
    plugins, _ = load_plugins()
    (core,) = [head for head in heads if not any(name in head for name in plugins)]
    with sqlite3.connect(place.folder / "kopir.sqlite3") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999_core_of_tomorrow' WHERE version_num = ?", (core,))
    raw.close()
    with pytest.raises(Fatal) as refused:
        tool.upgrade()
    assert refused.value.reason == "newer_tables"


def test_database_file_is_the_owners_alone(tmp_path: Path) -> None:
    place = on_sqlite(tmp_path / "data")
    migrate(place.settings())
    assert (place.folder / "kopir.sqlite3").stat().st_mode & 0o777 == 0o600
