"""An administrator pastes the registration address into the rehearsal LMS; the rest happens in its frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from connector.base.outbound import NetworkPolicy, Outbound
from sync.twins.moodle import Lms, create_lms
from tests.support.databases import Place
from tests.support.registering import Kopir, running_kopir
from tests.support.services import require_service
from tests.support.serving import serving

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class _Site:
    lms: Lms | None = None

    def __call__(self, environ, start_response):
        assert self.lms is not None
        return self.lms.app(environ, start_response)


@pytest.fixture
def kopir(sqlite_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    with running_kopir(sqlite_place, tmp_path) as running:
        yield running


@pytest.fixture
def lms(tmp_path: Path) -> Iterator[Lms]:
    site = _Site()
    with serving(site) as base:
        # Another site than Kopir's to the browser, as two domains would be.
        address = base.replace("127.0.0.1", "localhost")
        outbound = Outbound(NetworkPolicy(everything=True))
        site.lms = create_lms(tmp_path / "lms.sqlite3", address, tool_outbound=outbound, language="en")
        yield site.lms


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    chromium = require_service("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page(locale="en-US")
        opened.set_default_timeout(15_000)
        yield opened
        browser.close()


def _sign_in(page: Page, lms: Lms, who: str = "3") -> None:
    page.goto(f"{lms.base_url}/")
    page.click(f'button[name="user"][value="{who}"]')


def _paste(page: Page, lms: Lms, address: str) -> None:
    page.goto(f"{lms.base_url}/mod/lti/toolconfigure.php")
    page.fill("#url", address)
    page.click("#add-lti-advantage")


def test_a_pasted_address_connects_the_lms_and_a_launch_works(kopir, lms, page):
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    _sign_in(page, lms)
    _paste(page, lms, kopir.invite().url)
    frame = page.frame_locator("iframe[data-registration]")
    expect(frame.get_by_role("heading", level=1)).to_contain_text("Moodle")
    expect(frame.get_by_text("send marks to our own columns")).to_be_visible()
    frame.get_by_role("button", name="Connect").click()
    expect(frame.locator("#registered")).to_contain_text("connected")
    # The page gives itself back; the LMS shows the tool, pending.
    card = page.locator(".tool-card")
    expect(card).to_contain_text("Pending")
    page.goto(f"{lms.base_url}/course/view.php?id=2")
    expect(page.locator("body")).not_to_contain_text("Kopir")
    page.goto(f"{lms.base_url}/mod/lti/toolconfigure.php")
    card.get_by_role("button", name="Activate").click()
    expect(card).to_contain_text("Active")
    page.goto(f"{lms.base_url}/course/modedit.php?tool=1")
    picker = page.frame_locator("iframe.tool")
    expect(picker.locator("main")).to_be_visible()
    expect(picker.locator("body")).not_to_contain_text(re.compile("not connected", re.IGNORECASE))
    (found,) = kopir.runtime.registry.find(lms.base_url, None)
    assert found.profile == "moodle"
    assert not [line for line in problems if "Content Security Policy" in line]


def test_a_page_that_is_closed_without_agreeing_registers_nothing(kopir, lms, page):
    _sign_in(page, lms)
    invited = kopir.invite()
    _paste(page, lms, invited.url)
    page.frame_locator("iframe[data-registration]").get_by_role("button", name="Not now").click()
    expect(page.locator("#add-lti-advantage")).to_be_visible()
    assert page.locator(".tool-card").count() == 0
    assert kopir.runtime.registry.find(lms.base_url, None) == []


def test_a_spent_address_says_so_inside_the_lms(kopir, lms, page):
    _sign_in(page, lms)
    invited = kopir.invite()
    _paste(page, lms, invited.url)
    page.frame_locator("iframe[data-registration]").get_by_role("button", name="Connect").click()
    expect(page.locator(".tool-card")).to_contain_text("Pending")
    _paste(page, lms, invited.url)
    frame = page.frame_locator("iframe[data-registration]")
    expect(frame.get_by_text("used already")).to_be_visible()
    frame.get_by_role("button", name="Back to the LMS").click()
    expect(page.locator(".tool-card")).to_have_count(1)
