"""Placing several things at once, materials beside activities, and what an LMS does not take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from connector.db.tables.launches import activity, shared_file
from connector.db.tables.registry import registration
from lti.vocab import Claim
from plugins.virtual_lab import plugin as virtual_lab
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, deep_linking, open_site
from tests.support.probe_plugin import Probe

ALL = ["ltiResourceLink", "link", "file", "html", "image"]


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path) -> Iterator[Site]:
    with open_site(sqlite_place, tmp_path) as opened:
        opened.runtime.plugins = {"probe": Probe(tmp_path), "virtual_lab": virtual_lab}
        yield opened


def show(client: Client, path: str) -> TestResponse:
    return client.get(path, base_url=PUBLIC, follow_redirects=True)


def send(client: Client, path: str, page: TestResponse, **fields: Any) -> TestResponse:
    token = re.search(r'name="kopir_token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    data = {"kopir_token": token[1], **fields}
    return client.post(path, data=data, base_url=PUBLIC, follow_redirects=True)


def claims(site: Site, page: TestResponse) -> dict[str, Any]:
    token = re.search(r'name="JWT" value="([^"]+)"', page.text)
    assert token is not None, page.text
    keys = KeySet.import_key_set(site.client().get("/lti/jwks.json", base_url=PUBLIC).json)
    return dict(jwt.decode(token[1], keys, algorithms=["RS256"]).claims)


def items(site: Site, page: TestResponse) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = claims(site, page)[Claim.DL_CONTENT_ITEMS]
    return found


def count(site: Site, table: Any) -> int:
    with site.runtime.database.service(write=False) as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def test_teacher_adds_a_test_and_a_lab_in_one_go(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms))
    assert 'id="several"' in show(client, path).text
    listed = show(client, f"{path}?several=1")
    assert f"{path}pick/probe/pick?several=1" in listed.text
    picker = show(client, f"{path}pick/probe/pick?several=1")
    assert f'action="{path}pick/probe/pick?several=1"' in picker.text
    after = send(client, f"{path}pick/probe/pick?several=1", picker, title="Бақылау", maximum="10")
    assert "Бақылау" in after.text
    assert count(site, activity) == 0
    after = send(client, f"{path}pick/virtual_lab/pick?several=1", after, title="Ом", tag="fo")
    after = send(client, f"{path}pick/probe/pick?several=1", after, title="Артық", maximum="5")
    after = send(client, f"{path}basket", after, out="2")
    assert "Артық" not in after.text
    found = items(site, send(client, f"{path}basket", after))
    assert [one["title"] for one in found] == ["Бақылау", "Ом"]
    assert [one["lineItem"]["scoreMaximum"] for one in found] == [10, 10]
    assert len({one["custom"]["kopir_activity"] for one in found}) == 2
    assert {one["custom"]["context_id_history"] for one in found} == {"$Context.id.history"}
    assert count(site, activity) == 2


def test_platform_that_takes_one_at_a_time_is_offered_one(site: Site, lms: Lms) -> None:
    client = site.client()
    page = show(client, site.enter(client, lms, **deep_linking(lms, accept_multiple=False)))
    assert 'id="several"' not in page.text


def test_lab_brings_its_task_picture_and_form_where_the_lms_takes_them(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms, accept_types=ALL))
    picker = show(client, f"{path}pick/virtual_lab/pick")
    assert picker.text.count('name="also"') == 3
    form = {"title": "Ом", "tag": "fo", "also": ["task", "circuit", "form"]}
    lab, task, circuit, sheet = items(site, send(client, f"{path}pick/virtual_lab/pick", picker, **form))
    assert [one["type"] for one in (lab, task, circuit, sheet)] == ["ltiResourceLink", "html", "image", "file"]
    assert task["html"].startswith("<h3>")
    until = datetime.fromisoformat(sheet["expiresAt"])
    assert timedelta(minutes=5) < until - datetime.now(UTC) < timedelta(minutes=11)
    stranger = site.client()
    picture = stranger.get(urlsplit(circuit["url"]).path, base_url=PUBLIC)
    assert (picture.status_code, picture.content_type) == (200, "image/svg+xml")
    assert picture.headers["Content-Disposition"].startswith("inline;")
    printed = stranger.get(urlsplit(sheet["url"]).path, base_url=PUBLIC)
    assert printed.status_code == 200
    assert printed.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in printed.headers["Content-Security-Policy"]
    assert "script" not in printed.headers["Content-Security-Policy"]
    site.clock.ahead = 601
    assert stranger.get(urlsplit(sheet["url"]).path, base_url=PUBLIC).status_code == 404
    assert stranger.get(urlsplit(circuit["url"]).path, base_url=PUBLIC).status_code == 200


def test_form_is_a_link_where_files_are_not_taken(site: Site, lms: Lms) -> None:
    """Open edX says nothing of it, and takes no files; its profile does."""
    with site.runtime.database.service() as db:
        db.execute(registration.update().values(profile="openedx"))
    site.runtime.registry.forget()
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms, accept_types=["ltiResourceLink", "link", "html"]))
    page = show(client, f"{path}pick/virtual_lab/pick")
    assert page.text.count('name="also"') == 2
    lab, sheet = items(site, send(client, f"{path}pick/virtual_lab/pick", page, title="Ом", tag="fo", also=["form"]))
    assert (lab["type"], sheet["type"]) == ("ltiResourceLink", "link")
    assert "context_id_history" not in lab["custom"]
    site.clock.ahead = 3600
    assert site.client().get(urlsplit(sheet["url"]).path, base_url=PUBLIC).status_code == 200


def test_material_nobody_offered_is_not_placed(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms))
    picker = show(client, f"{path}pick/virtual_lab/pick")
    assert 'name="also"' not in picker.text
    (lab,) = items(site, send(client, f"{path}pick/virtual_lab/pick", picker, title="Ом", tag="fo", also=["form"]))
    assert lab["type"] == "ltiResourceLink"
    assert count(site, shared_file) == 0


def test_what_the_lms_does_not_take_is_left_out_and_the_teacher_is_told(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms, accept_multiple=False))
    picker = show(client, f"{path}pick/probe/pick")
    told = claims(site, send(client, f"{path}pick/probe/pick", picker, title="Қос", maximum="5", count="2"))
    assert len(told[Claim.DL_CONTENT_ITEMS]) == 1
    assert "«Қос»" in told[Claim.DL_MSG]
    assert told[Claim.DL_LOG] == "ltiResourceLink: one_at_a_time"
    assert count(site, activity) == 1


def test_lms_that_takes_none_of_it_gets_an_error_and_nothing_is_made(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms, accept_types=["html"]))
    picker = show(client, f"{path}pick/probe/pick")
    told = claims(site, send(client, f"{path}pick/probe/pick", picker, title="Қос", maximum="5"))
    assert told[Claim.DL_CONTENT_ITEMS] == []
    assert "«Қос»" in told[Claim.DL_ERRORMSG]
    assert told[Claim.DL_ERRORLOG] == "ltiResourceLink: type"
    assert count(site, activity) == 0


@pytest.mark.parametrize("key", ["x", "a.b.c", "..", "%00.%00.%00"])
def test_address_of_no_file_is_404(site: Site, key: str) -> None:
    assert site.client().get(f"/shared/{key}/x.pdf", base_url=PUBLIC).status_code == 404


def test_basket_is_the_teacher_s_of_that_launch(site: Site, lms: Lms) -> None:
    client, other = site.client(), site.client()
    path = site.enter(client, lms, **deep_linking(lms))
    page = show(client, f"{path}?several=1")
    send(client, f"{path}pick/probe/pick?several=1", page, title="Менікі", maximum="5")
    elsewhere = site.enter(other, lms, **deep_linking(lms))
    assert "Менікі" not in show(other, elsewhere).text
    launched = site.enter(other, lms)
    assert send(other, f"{launched}basket", show(other, elsewhere)).status_code in (403, 404)
