"""What a process keeps of registrations: for seconds only, and never that something was not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event

from connector.db.database import Database
from connector.db.tables.registry import deployment, registration
from connector.host.directory import FRESH_SECONDS, Directory
from connector.host.registry import Platform, Registry
from tests.support import factories as make
from tests.support.kopir_site import Site

PLATFORM = Platform(
    issuer="https://lms.school.kz", client_id="c1", auth_url="https://lms.school.kz/auth",
    token_url="https://lms.school.kz/token", jwks_url="https://lms.school.kz/keys", deployment_id="1",
)  # fmt: skip


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def known(site: Site) -> str:
    """The id of a registration that is there."""
    return site.lmss["main"].made.registration_id


@pytest.fixture
def statements(site: Site) -> Iterator[list[str]]:
    """Every statement the service role runs."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT registration"):
            seen.append(statement)

    database = site.runtime.database
    with database.service(write=False) as db:
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def change(database: Database, registration_id: str, **values: str) -> None:
    """Change a registration as another process does."""
    with database.service() as db:
        db.execute(registration.update().where(registration.c.id == registration_id).values(values))


def test_registration_is_read_once_for_login_and_launch(site: Site, known: str, statements: list[str]) -> None:
    directory = Directory(site.runtime.database)
    main = site.lmss["main"]
    for _ in range(3):
        by_client, by_id = directory.of_client(main.issuer, main.client_id), directory.of_id(known)
        assert by_client is not None
        assert by_client is by_id
        assert by_client.schools["1"].code == "lyceum-1"
    assert len(statements) == 1


def test_change_by_another_process_is_noticed_within_seconds(site: Site, known: str, hand: Hand) -> None:
    directory = Directory(site.runtime.database, hand)
    directory.of_id(known)
    change(site.runtime.database, known, auth_url="https://moved.school.kz/auth")
    hand.now += FRESH_SECONDS
    entry = directory.of_id(known)
    assert entry is not None
    assert entry.registration.auth_url == "https://moved.school.kz/auth"
    assert FRESH_SECONDS <= 5


def test_removed_registration_is_not_served_after_seconds(site: Site, known: str, hand: Hand) -> None:
    directory = Directory(site.runtime.database, hand)
    main = site.lmss["main"]
    assert directory.of_client(main.issuer, main.client_id) is not None
    with site.runtime.database.service() as db:
        db.execute(deployment.delete().where(deployment.c.registration_id == known))
        db.execute(registration.delete().where(registration.c.id == known))
    hand.now += FRESH_SECONDS
    assert directory.of_client(main.issuer, main.client_id) is None
    assert directory.of_id(known) is None


def test_client_that_changed_hands_is_not_found_under_its_former_name(site: Site, known: str, hand: Hand) -> None:
    directory = Directory(site.runtime.database, hand)
    main = site.lmss["main"]
    directory.of_client(main.issuer, main.client_id)
    change(site.runtime.database, known, client_id="renamed")
    hand.now += FRESH_SECONDS
    # The entry under our id is fresh again, and the old name still leads to it.
    assert directory.of_id(known) is not None
    assert directory.of_client(main.issuer, main.client_id) is None
    assert directory.of_client(main.issuer, "renamed") is not None


def test_what_was_not_there_is_asked_for_again(sqlite_site: Site) -> None:
    registry = sqlite_site.runtime.registry
    assert registry.find("https://new.school.kz", "c1") == []
    other = Registry(sqlite_site.runtime.database)
    school_id = make.make_school(sqlite_site.runtime.database)
    kid = sqlite_site.runtime.keys.make(sqlite_site.clock())
    made = other.add_platform(replace(PLATFORM, issuer="https://new.school.kz"), school_id, kid, sqlite_site.clock())
    assert registry.find("https://new.school.kz", "c1") == [made]
    assert registry.school_of(made.id, "2") is None
    other.add_platform(
        replace(PLATFORM, issuer="https://new.school.kz", deployment_id="2"), school_id, kid, sqlite_site.clock()
    )
    found = registry.school_of(made.id, "2")
    assert found is not None
    assert found.id == school_id


def test_this_process_s_own_change_is_seen_at_once(sqlite_site: Site) -> None:
    registry = sqlite_site.runtime.registry
    school_id = make.make_school(sqlite_site.runtime.database)
    kid = sqlite_site.runtime.keys.make(sqlite_site.clock())
    made = registry.add_platform(PLATFORM, school_id, kid, sqlite_site.clock())
    assert registry.get(made.id) == made
    changed = registry.add_platform(replace(PLATFORM, auth_url="https://n.kz/a"), school_id, kid, sqlite_site.clock())
    found = registry.get(made.id)
    assert found is not None
    assert found.auth_url == changed.auth_url == "https://n.kz/a"


def test_registration_with_hundreds_of_deployments_knows_every_school(sqlite_site: Site) -> None:
    database, registry = sqlite_site.runtime.database, sqlite_site.runtime.registry
    known = sqlite_site.lmss["main"].made.registration_id
    school_id = make.make_school(database)
    now = sqlite_site.clock()
    rows = [
        {"registration_id": known, "deployment_id": f"d{number:03}", "school_id": school_id, "created_at": now}
        for number in range(250)
    ]
    with database.service() as db:
        db.execute(deployment.insert(), rows)
    registry.forget()
    found = [registry.school_of(known, row["deployment_id"]) for row in rows]
    assert all(school is not None and school.id == school_id for school in found)
    assert registry.school_of(known, "d999") is None
