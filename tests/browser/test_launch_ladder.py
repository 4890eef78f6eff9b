"""The launch ladder in a real browser: storage, cookies, storage access and windows, as browsers need them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Frame, Page, expect
from sqlalchemy import select

from connector.db.tables.launches import launch
from connector.db.tables.registry import registration
from lti.platform.storage import StorageOffer
from lti.tool.cookies import set_cookie
from tests.browser.test_launch_in_the_lms import (
    AIGERIM,
    ARGS,
    YERASYL,
    Stage,
    enter_lms,
    handed_in,
    open_tool,
    page_of,
    stage,
)
from tests.support.services import require_service

__all__ = ["stage"]
pytestmark = pytest.mark.browser


@contextmanager
def browser_with(stage: Stage, folder: Path, exceptions: Mapping[str, Any]) -> Iterator[BrowserContext]:
    """Open a browser whose user made exceptions for sites, as its settings keep them."""
    (folder / "Default").mkdir(parents=True)
    preferences = {"profile": {"content_settings": {"exceptions": exceptions}}}
    (folder / "Default" / "Preferences").write_text(json.dumps(preferences))
    context = stage.browser.browser_type.launch_persistent_context(
        str(folder), executable_path=require_service("chromium"), args=ARGS, locale="ru-RU"
    )
    yield context
    context.close()


def without_cookies(stage: Stage, folder: Path, around: str = "*") -> AbstractContextManager[BrowserContext]:
    """Open a browser that keeps no cookie of Kopir's site and gives it no storage, whatever the cookie says.

    ``around`` limits that to pages inside another site's.
    """
    return browser_with(stage, folder, {"cookies": {f"127.0.0.1,{around}": {"setting": 2}}})


@pytest.fixture(autouse=True)
def fresh(stage: Stage) -> Iterator[None]:
    """Begin with nothing remembered of the platform, and an LMS without storage."""
    forget(stage)
    yield
    stage.world.lms.offer_storage(None)


def forget(stage: Stage, rung: str = "") -> None:
    with stage.world.runtime.database.service() as db:
        db.execute(registration.update().values(rung=rung, rung_at=stage.world.runtime.clock() if rung else None))
    stage.world.runtime.registry.forget()


def known_rung(stage: Stage) -> str:
    with stage.world.runtime.database.service(write=False) as db:
        return str(db.execute(select(registration.c.rung)).scalar_one())


def last_rung(stage: Stage) -> str:
    school = stage.world.school_id
    query = select(launch.c.rung).where(launch.c.school_id == school).order_by(launch.c.id.desc()).limit(1)
    with stage.world.runtime.database.school(school, write=False) as db:
        return str(db.execute(query).scalar_one())


def take_test(frame: Frame | Page) -> None:
    """Answer nothing, hand in: what counts is that every step of the way carries the session."""
    frame.locator("form[action$='/start'] button").click()
    frame.locator("form#sitting").wait_for()
    while not frame.locator("[data-submit]").is_visible():
        frame.locator("[data-next]").click()
    frame.locator("[data-submit]").click()
    frame.locator("[data-sure]").click()
    frame.locator("#score").wait_for()


def kopir_requests(page: Page, stage: Stage) -> list[str]:
    seen: list[str] = []
    page.on("request", lambda one: seen.append(one.url) if one.url.startswith(stage.world.kopir_url) else None)
    return seen


def test_browser_without_cookies_sits_a_test_by_the_lms_s_storage(stage: Stage, tmp_path: Path) -> None:
    stage.world.lms.offer_storage(StorageOffer())
    with without_cookies(stage, tmp_path / "a") as context, page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        seen = kopir_requests(page, stage)
        frame = open_tool(page, stage.links["online_test"])
        take_test(frame)
        assert AIGERIM in handed_in(stage)
        assert (last_rung(stage), known_rung(stage)) == ("storage", "storage")
        assert not [one for one in context.cookies() if one["name"].startswith("kopir")]
        # No address ever held what opens the session.
        token = frame.locator("meta[name=kopir-token]").get_attribute("content") or "-"
        assert not [one for one in seen if token[:20] in one or "kopir_" in urlsplit(one).query]


def test_storage_beside_the_frame_and_storage_that_wants_to_be_greeted_both_answer(
    stage: Stage, tmp_path: Path
) -> None:
    with without_cookies(stage, tmp_path / "a") as context, page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        for offer in (StorageOffer("post_message_forwarding"), StorageOffer(announced=True)):
            forget(stage)
            stage.world.lms.offer_storage(offer)
            frame = open_tool(page, stage.links["probe"])
            assert "Айгерім" in frame.locator("h1").inner_text()
            assert (last_rung(stage), known_rung(stage)) == ("storage", "storage")
        # The page around is no tool: it is told so, and gets nothing of what the tool keeps.
        answer = page.evaluate(
            """() => new Promise(done => {
                addEventListener("message", event => event.data.error && done(event.data));
                postMessage({subject: "lti.get_data", message_id: "1", key: "kopir"}, location.origin);
            })"""
        )
        assert (answer["error"]["code"], "value" in answer) == ("wrong_origin", False)


def test_pages_without_a_cookie_carry_frames_links_redirects_languages_and_downloads(
    stage: Stage, tmp_path: Path
) -> None:
    stage.world.lms.offer_storage(StorageOffer())
    with without_cookies(stage, tmp_path / "a") as context, page_of(context) as page:
        enter_lms(page, stage, YERASYL)
        frame = open_tool(page, stage.links["virtual_lab"])
        frame.locator("form[action$='/start'] button").click()
        bench = frame.frame_locator("#bench")
        bench.locator("button").click()
        expect(frame.locator("#readings tbody tr")).to_have_count(1)
        frame.locator("button[name=language][value=ru]").click()
        expect(frame.locator("html")).to_have_attribute("lang", "ru")
        expect(frame.locator("#readings tbody tr")).to_have_count(1)
        frame = open_tool(page, stage.links["portfolio"])
        expect(frame.locator("h1")).to_be_visible()
        frame = open_tool(page, stage.links["probe"])
        space = frame.locator("meta[name=kopir-launch]").get_attribute("content")
        link = "to => document.body.append(Object.assign(document.createElement('a'), {href: to, textContent: 'x'}))"
        frame.evaluate(link, f"{space}p/file")
        with page.expect_download() as download:
            frame.get_by_text("x", exact=True).click()
        assert download.value.path().read_bytes() == b"a;b"
        frame.evaluate(link, f"{space}p/go")
        frame.get_by_text("x", exact=True).last.click()
        frame.wait_for_url("**/p/echo/**")
        assert json.loads(frame.locator("body").inner_text())["query"] == "ә&б"


def test_browser_without_cookies_or_storage_goes_on_in_a_window_and_the_frame_waits(
    stage: Stage, tmp_path: Path
) -> None:
    stage.world.lms.offer_storage(StorageOffer(), silent=True)
    with without_cookies(stage, tmp_path / "a", "localhost") as context, page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        page.goto(stage.links["probe"])
        inside = page.frame_locator("iframe.tool")
        # This browser refuses without asking; the page says so only after the person has pressed the button.
        inside.locator("[data-allow]").click(timeout=10_000)
        with context.expect_page() as opened:
            inside.locator("[data-part=window] [data-window]").click()
        window = opened.value
        expect(window.locator("h1")).to_contain_text("Айгерім")
        assert urlsplit(window.url).path.startswith("/l/")
        expect(inside.locator("[data-part=opened]")).to_be_visible()
        assert (last_rung(stage), known_rung(stage)) == ("window", "window")
        window.close()
        expect(inside.locator("[data-part=closed]")).to_be_visible()
        with context.expect_page() as again:
            inside.locator("[data-again]").click()
        expect(again.value.locator("h1")).to_contain_text("Айгерім")
        expect(inside.locator("[data-part=opened]")).to_be_visible()


def test_ordinary_browser_is_asked_once_and_then_goes_straight_through(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        open_tool(page, stage.links["probe"])
        assert (last_rung(stage), known_rung(stage)) == ("cookie", "cookie")
        seen = kopir_requests(page, stage)
        open_tool(page, stage.links["probe"])
        steps = [one for one in seen if "/lti/" in one or "/l/" in one]
        assert len(steps) == 3, steps
        assert not [one for one in seen if "ladder.js" in one]
    context.close()


def test_storage_access_serves_a_browser_that_knows_no_partitions(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such a browser passes the attribute over, wherever it comes from: what is left is a third-party cookie.
    for room in ("ladder", "lti", "launched"):
        monkeypatch.setattr(f"connector.web.{room}.set_cookie", lambda *a, **b: set_cookie(*a, **b).replace(PART, ""))
    allowed = {"127.0.0.1,localhost": {"setting": 1}}
    with browser_with(stage, tmp_path / "a", {"storage_access": allowed}) as context, page_of(context) as page:
        context.add_init_script(NO_PARTITIONS)
        enter_lms(page, stage, AIGERIM)
        frame = open_tool(page, stage.links["probe"])
        assert "Айгерім" in frame.locator("h1").inner_text()
        frame.locator("#act button").click()
        frame.wait_for_url("**/p/act")
        assert (last_rung(stage), known_rung(stage)) == ("storage_access", "storage_access")


PART = "; Partitioned"
NO_PARTITIONS = """
const real = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
Object.defineProperty(Document.prototype, "cookie", {
  get() { return real.get.call(this); },
  set(text) { real.set.call(this, text.replace("; Partitioned", "")); },
});
"""


def test_lost_cookie_in_mid_session_costs_nothing(stage: Stage) -> None:
    """A browser keeps 180 cookies of a site and drops the oldest: the page goes on by its token, whatever is done."""
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        frame = open_tool(page, stage.links["probe"])
        who = frame.locator("#who").inner_text()
        context.clear_cookies(name="kopir_launch")
        frame.locator("#act button").click()
        frame.wait_for_url("**/p/act")
        assert json.loads(frame.locator("body").inner_text())["who"] == who
        assert [one for one in context.cookies() if one["name"] == "kopir_launch"]
        frame = open_tool(page, stage.links["probe"])
        frame.evaluate("const a = document.createElement('a'); a.href = location.pathname; a.textContent = 'on';"
                       "document.body.append(a)")  # fmt: skip
        context.clear_cookies(name="kopir_launch")
        with page.expect_response(lambda one: urlsplit(one.url).path == urlsplit(frame.url).path and one.status == 200):
            frame.get_by_text("on", exact=True).click()
        expect(frame.locator("#who")).to_have_text(who)
        assert [one for one in context.cookies() if one["name"] == "kopir_launch"]
        # A page that lies open brings its cookie back by itself, so that a reload finds it.
        context.clear_cookies(name="kopir_launch")
        with page.expect_response("**/renew"):
            frame.evaluate("dispatchEvent(new Event('focus'))")
        frame.goto(frame.url)
        expect(frame.locator("#who")).to_have_text(who)
    context.close()
