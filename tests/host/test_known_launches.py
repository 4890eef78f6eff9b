"""A launch of people and courses that are known: few statements, one commit, and no change is missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from connector.db.tables.launches import account, context, resource_link
from connector.host.known import SEEN_EXACT
from connector.host.links import ACTIVITY_PARAMETER
from connector.web.state import COOKIE
from tests.support import factories as make
from tests.support.kopir_site import Site

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
SETTINGS = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")


@pytest.fixture
def executed(sqlite_site: Site) -> Iterator[list[str]]:
    """Every statement SQLite itself is given, settings and transactions too."""
    seen: list[str] = []
    engine = sqlite_site.runtime.database.engine

    def watch(dbapi: Any, *_more: object) -> None:
        dbapi.set_trace_callback(seen.append)

    event.listen(engine, "checkout", watch)
    yield seen
    event.remove(engine, "checkout", watch)
    engine.dispose()


def asked(statements: list[str]) -> list[str]:
    return [one for one in statements if not one.lstrip().upper().startswith(SETTINGS)]


def launched(site: Site, executed: list[str], **changes: Any) -> list[str]:
    """Launch through the web once and return what that executed."""
    executed.clear()
    answer = site.launch(site.client(), site.lmss["main"], **changes)
    assert answer.status_code == 303, answer.text
    assert any(COOKIE in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    return list(executed)


def test_known_person_s_login_and_launch_take_four_statements_and_one_commit(
    sqlite_site: Site, executed: list[str]
) -> None:
    launched(sqlite_site, executed)
    sqlite_site.runtime.registry.forget()
    statements = launched(sqlite_site, executed)
    assert len(asked(statements)) <= 4, asked(statements)
    assert statements.count("COMMIT") <= 2  # One that writes, and the end of a read.
    assert sum(one.startswith("BEGIN IMMEDIATE") for one in statements) == 1
    assert sum(one.startswith(WRITES) for one in statements) == 1


def test_first_launch_of_a_person_takes_ten_statements_at_most(sqlite_site: Site, executed: list[str]) -> None:
    placed = make.make_activity(sqlite_site.runtime.database, sqlite_site.lmss["main"].made.school_id)
    sqlite_site.runtime.registry.forget()
    assert len(asked(launched(sqlite_site, executed, CUSTOM={ACTIVITY_PARAMETER: placed}))) <= 10


def test_login_writes_nothing(sqlite_site: Site, executed: list[str]) -> None:
    executed.clear()
    sqlite_site.begin(sqlite_site.client(), sqlite_site.lmss["main"])
    assert not [one for one in executed if one.startswith((*WRITES, "BEGIN IMMEDIATE"))]


def stored(site: Site, table: Any) -> Any:
    school_id = site.lmss["main"].made.school_id
    with site.runtime.database.school(school_id, write=False) as db:
        return db.execute(select(table).where(table.c.school_id == school_id)).one()


@pytest.mark.parametrize(
    ("table", "column", "change", "value"),
    [
        (account, "display_name", {"name": "Айгерім Ә."}, "Айгерім Ә."),
        (account, "sourcedid", {"LIS": {"person_sourcedid": "77"}}, "77"),
        (context, "title", {"CONTEXT": {"id": "2", "title": "Геометрия"}}, "Геометрия"),
        (context, "memberships_url", {"NRPS": {"context_memberships_url": "https://new.kz/m"}}, "https://new.kz/m"),
        (context, "scopes", {"AGS_ENDPOINT": {"scope": ["s"], "lineitems": "https://new.kz/l"}}, ["s"]),
        (resource_link, "title", {"RESOURCE_LINK": {"id": "1", "title": "Жаңа"}}, "Жаңа"),
        (resource_link, "line_item_url", {"AGS_ENDPOINT": {"lineitems": "https://new.kz/l"}}, None),
    ],
)
def test_every_change_a_known_launch_tells_is_written(
    table: Any, column: str, change: dict[str, Any], value: object, site: Site
) -> None:
    main = site.lmss["main"]
    site.admit(main)
    before = stored(site, table)
    assert before._mapping[column] != value
    site.admit(main, **change)
    after = stored(site, table)
    assert after._mapping[column] == value
    assert after.id == before.id


def test_activity_named_by_a_later_launch_is_bound(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main)
    placed = make.make_activity(site.runtime.database, main.made.school_id)
    site.admit(main, CUSTOM={ACTIVITY_PARAMETER: placed})
    assert stored(site, resource_link).activity == placed


def test_person_who_comes_again_is_seen_to_the_hour(site: Site) -> None:
    main = site.lmss["main"]
    site.admit(main)
    first = stored(site, account).seen_at
    site.clock.ahead = SEEN_EXACT.total_seconds() / 2
    site.admit(main)
    assert stored(site, account).seen_at == first
    site.clock.ahead = SEEN_EXACT.total_seconds() + 1
    site.admit(main)
    assert stored(site, account).seen_at - first >= SEEN_EXACT


def test_link_of_an_activity_is_seen_exactly_since_results_go_to_the_latest(site: Site) -> None:
    main = site.lmss["main"]
    placed = make.make_activity(site.runtime.database, main.made.school_id)
    site.admit(main, CUSTOM={ACTIVITY_PARAMETER: placed})
    first = stored(site, resource_link).seen_at
    site.clock.ahead = 2
    site.admit(main, CUSTOM={ACTIVITY_PARAMETER: placed})
    assert stored(site, resource_link).seen_at - first >= timedelta(seconds=2)


def test_same_link_id_in_another_course_is_another_link(site: Site) -> None:
    main = site.lmss["main"]
    _, first = site.admit(main)
    _, second = site.admit(main, CONTEXT={"id": "3"})
    _, again = site.admit(main)
    assert first.resource_link == again.resource_link
    assert first.resource_link != second.resource_link
    assert first.account_id == second.account_id
