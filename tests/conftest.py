from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.base.log import setup_logging
from connector.db.database import Database
from tests.support.databases import Place, PostgresServer, SqliteTemplate
from tests.support.fleet import Nursery
from tests.support.services import require_service


@pytest.fixture(autouse=True)
def _log_set_up() -> None:
    """Log as an application does: its log is the process's, and another test may have hushed it."""
    setup_logging("INFO")


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer(require_service("postgres"))
    yield server
    server.drop()


@pytest.fixture
def postgres(_postgres_server: PostgresServer) -> PostgresServer:
    """An empty PostgreSQL database with every table, and logins of the two roles."""
    _postgres_server.empty()
    return _postgres_server


@pytest.fixture(params=["sqlite", POSTGRES])
def database_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the test's database is; for tests that start processes of their own."""
    if request.param == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        return template.copy(tmp_path / "kopir.sqlite3")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.place


@pytest.fixture
def database(request: pytest.FixtureRequest, database_place: Place) -> Iterator[Database]:
    """An empty database, once on SQLite and once on PostgreSQL as the application's two roles."""
    if database_place.kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        yield server.database
        return
    opened = database_place.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks worker processes that tests may kill."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def sqlite_place(sqlite_template: SqliteTemplate, tmp_path: Path) -> Place:
    return sqlite_template.copy(tmp_path / "kopir.sqlite3")


@pytest.fixture
def sqlite_database(sqlite_place: Place) -> Iterator[Database]:
    """An empty SQLite database, for what need not be tried on both."""
    opened = sqlite_place.open()
    yield opened
    opened.close()


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Database:
    """An empty PostgreSQL database as the application's two roles."""
    return postgres.database
