"""A database that does not answer, or not in time: no launch is lost and none answers with a server's error."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from werkzeug.test import TestResponse

from connector.db.tables.launches import launch
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, open_site


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path) -> Iterator[Site]:
    """Kopir on a database whose locks are waited for a moment only."""
    with open_site(sqlite_place, tmp_path) as opened:
        event.listen(opened.runtime.database.engine, "checkout", _impatient)
        yield opened


@pytest.fixture
def lms(site: Site) -> Lms:
    return site.lmss["main"]


def _impatient(dbapi: Any, *_more: object) -> None:
    dbapi.execute("PRAGMA busy_timeout=20")


@contextmanager
def held(site: Site) -> Iterator[None]:
    """Hold the database's write lock, as a backup or another process may."""
    with sqlite3.connect(str(site.runtime.database.engine.url.database), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    other.close()


@contextmanager
def without(site: Site, table: str) -> Iterator[None]:
    """Take a table away for the length of the block, as an unfinished upgrade does."""
    for old, new in ((table, "away"), ("away", table)):
        with site.runtime.database.service() as db:
            db.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if new == "away":
            yield


def posted_again(site: Site, client: Any, page: TestResponse, address: str) -> TestResponse:
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    data = {unescape(name): unescape(value) for name, value in fields}
    answer: TestResponse = client.post(address, data=data, base_url=PUBLIC)
    return answer


def launches(site: Site) -> int:
    with site.runtime.database.service(write=False) as db:
        return int(db.scalar(select(func.count()).select_from(launch)) or 0)


def test_launch_that_finds_the_database_locked_waits_on_a_page_and_opens(site: Site, lms: Lms) -> None:
    site.enter(site.client(), lms)
    client = site.client()
    with held(site):
        page = site.launch(client, lms)
    assert page.status_code == 202
    assert page.headers["Retry-After"] == "2"
    assert 'action="/lti/launch"' in page.text
    assert re.findall(r'<section lang="(\w+)"', page.text) == ["kk", "ru", "en"]
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'self' https://lms.school.kz")
    assert launches(site) == 1
    assert posted_again(site, client, page, "/lti/launch").status_code == 303
    assert launches(site) == 2
    assert "<code>replayed</code>" in posted_again(site, client, page, "/lti/launch").text


def test_login_that_finds_no_database_waits_on_a_page_and_goes_on(site: Site, lms: Lms) -> None:
    client = site.client()
    with without(site, "registration"):
        page = client.post("/lti/login", data=lms.login_form(), base_url=PUBLIC)
    assert page.status_code == 202
    assert 'action="/lti/login"' in page.text
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors *")
    assert "Set-Cookie" not in page.headers
    assert posted_again(site, client, page, "/lti/login").status_code == 302


def test_launch_is_let_in_while_the_copy_of_the_key_set_cannot_be_kept(site: Site, lms: Lms) -> None:
    # The first of a school's morning: its thread alone fetches the keys and keeps the copy.
    with without(site, "key_set"):
        assert site.launch(site.client(), lms).status_code == 303
    assert launches(site) == 1
