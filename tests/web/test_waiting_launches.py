"""A launch whose key is not known yet, while the LMS was asked for its keys a moment ago: it waits by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from connector.db.tables.launches import launch
from lti.tool.keys import public_jwk
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, key_pair, open_site, sign
from tests.support.serving import serving


def pair(name: str) -> Any:
    return key_pair() if name == "platform" else key_pair(name)


class Keys:
    """An LMS's key set that can change, and counts who asks."""

    def __init__(self) -> None:
        self.published = ["platform"]
        self.asked = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        del environ
        self.asked += 1
        body = json.dumps({"keys": [public_jwk(pair(name)) for name in self.published]}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path, keys: Keys) -> Iterator[Site]:
    """Kopir after a launch, a minute ago: the LMS's keys are known and fresh."""
    with open_site(sqlite_place, tmp_path) as opened, serving(keys) as url:
        opened.lmss["rotating"] = opened.lms(f"{url}/certs", "lyceum-2", "https://rotating.school.kz")
        opened.enter(opened.client(), opened.lmss["rotating"])
        opened.clock.ahead = 60.0
        yield opened


@pytest.fixture
def lms(site: Site) -> Lms:
    return site.lmss["rotating"]


def launch_with(site: Site, client: Client, lms: Lms, name: str, kid: str = "") -> TestResponse:
    asked = site.begin(client, lms)
    key = pair(name)
    token = sign({"alg": "RS256", "kid": kid or key.kid}, lms.claims(asked["nonce"], site.clock()), key.key)
    return client.post("/lti/launch", data={"id_token": token, "state": asked["state"]}, base_url=PUBLIC)


def fields(page: TestResponse) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    return {unescape(name): unescape(value) for name, value in found}


def again(client: Client, page: TestResponse, **changes: str) -> TestResponse:
    return client.post("/lti/launch", data={**fields(page), **changes}, base_url=PUBLIC)


def launches(site: Site) -> int:
    with site.runtime.database.service(write=False) as db:
        return int(db.scalar(select(func.count()).select_from(launch)) or 0)


def test_security_launch_in_a_flood_of_unknown_keys_waits_on_a_page_and_opens(site: Site, lms: Lms, keys: Keys) -> None:
    assert launch_with(site, site.client(), lms, "stranger", "invented").status_code == 400
    keys.published = ["platform", "rotated"]
    client = site.client()
    page = launch_with(site, client, lms, "rotated")
    assert page.status_code == 202
    assert 1 <= int(page.headers["Retry-After"]) <= 10
    assert "Set-Cookie" not in page.headers
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert policy.endswith("frame-ancestors 'self' https://rotating.school.kz")
    assert re.findall(r'<section lang="(\w+)"', page.text) == ["kk", "ru", "en"]
    assert 'action="/lti/launch"' in page.text
    assert page.text.count("<button") == 1
    wait = int(re.findall(r'data-submit-after="(\d+)"', page.text)[0])
    assert wait >= 1000 * int(page.headers["Retry-After"])
    assert keys.asked == 2
    # Too early (the button): the same page again, nothing asked, nothing used up.
    assert again(client, page).status_code == 202
    assert keys.asked == 2
    site.clock.ahead += wait / 1000
    opened = again(client, page)
    assert opened.status_code == 303
    assert keys.asked == 3
    assert launches(site) == 2
    # The form is good once, as ever.
    assert "<code>replayed</code>" in again(client, page).text
    assert launches(site) == 2


def test_security_key_that_stays_unknown_is_refused_after_one_wait_even_in_a_flood(
    site: Site, lms: Lms, keys: Keys
) -> None:
    assert launch_with(site, site.client(), lms, "stranger", "invented").status_code == 400
    client = site.client()
    page = launch_with(site, client, lms, "stranger", "invented too")
    assert page.status_code == 202
    site.clock.ahead += 11
    # Somebody else's unknown key is the one that is looked for this time.
    assert "<code>unknown_key</code>" in launch_with(site, site.client(), lms, "stranger", "third").text
    asked = keys.asked
    refused = again(client, page)
    assert refused.status_code == 400
    assert "<code>unknown_key</code>" in refused.text
    assert keys.asked == asked


def test_security_waiting_page_gives_another_browser_nothing(site: Site, lms: Lms, keys: Keys) -> None:
    assert launch_with(site, site.client(), lms, "stranger", "invented").status_code == 400
    keys.published = ["platform", "rotated"]
    page = launch_with(site, site.client(), lms, "rotated")
    site.clock.ahead += 11
    thief = site.client()
    assert again(thief, page).status_code == 400
    assert launches(site) == 1


def test_security_time_of_another_form_or_an_invented_one_is_not_believed(site: Site, lms: Lms) -> None:
    assert launch_with(site, site.client(), lms, "stranger", "invented").status_code == 400
    client = site.client()
    other = launch_with(site, site.client(), lms, "stranger", "second")
    page = launch_with(site, client, lms, "stranger", "third")
    mine = fields(page)["kopir_first_posted"]
    for mark in (fields(other)["kopir_first_posted"], "invented", ""):
        answer = again(client, page, kopir_first_posted=mark)
        assert answer.status_code == 202
        assert fields(answer)["kopir_first_posted"] not in (mark, mine)


def test_security_what_was_posted_is_shown_as_text_only(site: Site, lms: Lms) -> None:
    assert launch_with(site, site.client(), lms, "stranger", "invented").status_code == 400
    client = site.client()
    page = launch_with(site, client, lms, "stranger", "second")
    answer = client.post("/lti/launch", data={**fields(page), "x": '"><script>alert(1)</script>'}, base_url=PUBLIC)
    assert answer.status_code == 202
    assert "<script>alert" not in answer.text
