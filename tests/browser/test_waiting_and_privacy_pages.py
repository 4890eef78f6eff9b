"""The page of a launch that waits for keys posts itself again, and the privacy page is readable, in a real browser."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lti.tool.keys import public_jwk
from tests.support.databases import Place
from tests.support.kopir_site import Lms, Site, key_pair, open_site, sign
from tests.support.probe_plugin import Probe
from tests.support.services import require_service
from tests.support.serving import serving

SHOTS = os.environ.get("KOPIR_SHOTS", "")


class Keys:
    """An LMS: its key set, which can change, and its authorisation page, which answers with the launch at once."""

    published = ("platform",)
    answer: Callable[[dict[str, str]], str]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith("/auth.php"):
            body, kind = self.answer(dict(parse_qsl(environ["QUERY_STRING"]))).encode(), "text/html"
        else:
            pairs = [key_pair() if name == "platform" else key_pair(name) for name in self.published]
            body, kind = json.dumps({"keys": [public_jwk(pair) for pair in pairs]}).encode(), "application/json"
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = require_service("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def stage(
    sqlite_place: Place, tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Site, Lms, str]]:
    monkeypatch.setattr("lti.tool.jwks.PAUSE", timedelta(seconds=1))
    with open_site(sqlite_place, tmp_path) as site, serving(keys) as certs, serving(site.app) as base:
        site.runtime.plugins = {"probe": Probe(tmp_path)}
        site.runtime.settings = site.runtime.settings.model_copy(update={"public_url": base})
        yield site, site.lms(f"{certs}/certs", "lyceum-5", certs), base


def launch(stage: tuple[Site, Lms, str], keys: Keys, page: Page, kid: str, **claims: Any) -> None:
    """Go from login to launch through the LMS's authorisation page."""
    site, lms, base = stage
    pair = key_pair(kid) if kid else key_pair()
    target = f"{base}/lti/launch"

    def authorise(asked: dict[str, str]) -> str:
        told = lms.claims(asked["nonce"], site.clock(), TARGET_LINK_URI=target, **claims)
        token = sign({"alg": "RS256", "kid": pair.kid}, told, pair.key)
        sent = {"id_token": token, "state": asked["state"]}
        fields = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in sent.items())
        return f'<form method="post" action="{target}">{fields}</form><script>document.forms[0].submit()</script>'

    keys.answer = authorise
    form = lms.login_form(target_link_uri=target, lti_message_hint="x")
    page.goto(f"{base}/lti/login?{urlencode(form)}")


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_security_waiting_launch_opens_by_itself_under_the_page_s_policy(
    stage: tuple[Site, Lms, str], keys: Keys, browser: Browser
) -> None:
    page = browser.new_page(locale="ru-RU")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    launch(stage, keys, page, "")
    page.wait_for_url("**/l/**")
    launch(stage, keys, page, "stranger")
    page.get_by_text("unknown_key").first.wait_for(state="attached")
    keys.published = ("platform", "rotated")
    launch(stage, keys, page, "rotated")
    assert page.get_by_role("button", name="Попробовать сейчас").is_visible()
    shoot(page, "waiting-ru")
    page.wait_for_url("**/l/**", timeout=10_000)
    assert faults == []


@pytest.mark.parametrize(("width", "locale"), [(390, "kk"), (1280, "ru")])
def test_privacy_page_is_readable_and_takes_the_wish(
    width: int, locale: str, stage: tuple[Site, Lms, str], keys: Keys, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    told = {"locale": locale, "return_url": f"{stage[1].issuer}/back"}
    launch(stage, keys, page, "", MESSAGE_TYPE="LtiDataPrivacyLaunchRequest", RESOURCE_LINK=None, CONTEXT=None,
           LAUNCH_PRESENTATION=told)  # fmt: skip
    page.wait_for_url("**/privacy")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, f"privacy-{locale}-{width}")
    page.get_by_role("checkbox").check()
    page.locator("form[action$='privacy/erase'] button").click()
    page.get_by_role("status").wait_for()
    shoot(page, f"privacy-asked-{locale}-{width}")
