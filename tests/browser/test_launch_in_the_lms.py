"""A real browser at the rehearsal LMS, Kopir in its frame from another site: cookies, tabs, policies, looks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect, sync_playwright
from sqlalchemy import select

from connector.db.tables.launches import account, activity, result
from connector.demo.hands import add_simple, add_test, sign_in
from connector.demo.world import World, open_world
from tests.support.probe_plugin import Probe
from tests.support.services import require_service

pytestmark = pytest.mark.browser
ARGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TEACHER, AIGERIM, YERASYL = "3", "5", "6"
PLUGINS = ("probe", "online_test", "virtual_lab", "portfolio")


@dataclass
class Stage:
    """A rehearsal that runs, a browser, and what each activity of the course is called in its address."""

    world: World
    browser: Browser
    links: dict[str, str] = field(default_factory=dict)

    def context(self, **options: Any) -> BrowserContext:
        return self.browser.new_context(**{"locale": "kk-KZ", **options})


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    chromium = require_service("chromium")
    folder = tmp_path_factory.mktemp("world")
    world = open_world(folder, {"lms": 0, "kopir": 0, "journal": 0})
    world.runtime.plugins = {**world.runtime.plugins, "probe": Probe(folder)}
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=ARGS)
        made = Stage(world, browser)
        teacher = sign_in(world.lms_url, TEACHER)
        before: set[str] = set()
        for plugin in PLUGINS:
            course = add_test(teacher) if plugin == "online_test" else add_simple(teacher, plugin)
            links = {url for url, _ in course.links if "/mod/lti/view.php" in url}
            (made.links[plugin],) = links - before
            before = links
        yield made
        browser.close()
    world.stop()


@contextmanager
def page_of(context: BrowserContext) -> Iterator[Page]:
    """Give a page, and fail when any of its frames complained of a policy or broke."""
    page = context.new_page()
    problems: list[str] = []
    page.set_default_timeout(30_000)
    page.on("console", lambda one: problems.append(one.text) if "Security Policy" in one.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []


def enter_lms(page: Page, stage: Stage, user: str) -> None:
    page.context.clear_cookies(domain="localhost")
    page.goto(stage.world.lms_url)
    page.locator(f"button[name=user][value='{user}']").click()
    page.wait_for_url("**/course/view.php**")


def open_tool(page: Page, url: str) -> Frame:
    """Open an activity and return Kopir's frame once it stands at the launch's own address."""
    page.goto(url)
    page.frame_locator("iframe.tool").locator("main#content").wait_for()
    frame = page.frame("tool")
    assert frame is not None
    return frame


def test_kopir_and_the_lms_are_two_sites_to_the_browser(stage: Stage) -> None:
    assert urlsplit(stage.world.lms_url).hostname == "localhost"
    assert urlsplit(stage.world.kopir_url).hostname == "127.0.0.1"


def test_partitioned_cookie_carries_the_launch_inside_the_frame(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, AIGERIM)
        frame = open_tool(page, stage.links["probe"])
        path = urlsplit(frame.url).path
        assert frame.url.startswith(f"{stage.world.kopir_url}/l/")
        assert "Айгерім" in frame.locator("h1").inner_text()
        (cookie,) = [one for one in context.cookies() if one["name"] == "kopir_launch"]
        assert (cookie["path"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (path, True, True, "None")
        assert cookie["partitionKey"] == "http://localhost"
        assert not [one for one in context.cookies() if one["name"].startswith("kopir_state_")]
        assert frame.evaluate("document.cookie") == ""
        assert frame.evaluate("document.documentElement.dataset.probe") == "ran"
        frame.goto(frame.url)
        assert "Айгерім" in frame.locator("h1").inner_text()
    context.close()


def test_same_cookie_without_its_partition_would_not_come_back(stage: Stage) -> None:
    """The proof above can fail: an ordinary third-party cookie is not sent in this frame."""
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, AIGERIM)

        def unpartitioned(route: Any) -> None:
            answer = route.fetch(max_redirects=0)
            headers = {name: value.replace("; Partitioned", "") for name, value in answer.headers.items()}
            route.fulfill(response=answer, headers=headers)

        page.route(f"{stage.world.kopir_url}/lti/login", unpartitioned)
        page.goto(stage.links["probe"])
        frame = page.frame_locator("iframe.tool")
        expect(frame.locator("code").first).to_have_text("no_cookie")
    context.close()


def test_two_pupils_in_two_tabs_of_one_browser_each_act_as_themselves(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as first, page_of(context) as second:
        enter_lms(first, stage, AIGERIM)
        one = open_tool(first, stage.links["probe"])
        mine = one.locator("#who").inner_text()
        enter_lms(second, stage, YERASYL)
        two = open_tool(second, stage.links["probe"])
        theirs = two.locator("#who").inner_text()
        assert mine != theirs
        for page, frame, who in ((first, one, mine), (second, two, theirs)):
            page.bring_to_front()
            frame.locator("#act button").click()
            frame.wait_for_url("**/p/act")
            told = json.loads(frame.locator("body").inner_text())
            assert told["who"] == who
        launches = {one["path"] for one in context.cookies() if one["name"] == "kopir_launch"}
        assert len(launches) == 2
    context.close()


def handed_in(stage: Stage) -> set[str]:
    """Return the LMS's ids of those who have a result of the test."""
    school = stage.world.school_id
    query = (
        select(account.c.sub)
        .join(result, (result.c.school_id == account.c.school_id) & (result.c.account == account.c.id))
        .join(activity, (activity.c.school_id == result.c.school_id) & (activity.c.id == result.c.activity))
        .where(account.c.school_id == school, activity.c.plugin == "online_test", result.c.progress == "graded")
    )
    with stage.world.runtime.database.school(school, write=False) as db:
        return set(db.scalars(query))


def test_two_pupils_sit_a_test_side_by_side_and_each_hands_in_their_own(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as first, page_of(context) as second:
        enter_lms(first, stage, AIGERIM)
        one = open_tool(first, stage.links["online_test"])
        enter_lms(second, stage, YERASYL)
        two = open_tool(second, stage.links["online_test"])
        for frame in (one, two):
            frame.locator("form[action$='/start'] button").click()
            frame.locator("form#sitting").wait_for()
        for frame, expected in ((one, {AIGERIM}), (two, {AIGERIM, YERASYL})):
            assert frame.locator("form#sitting").count() == 1
            while not frame.locator("[data-submit]").is_visible():
                frame.locator("[data-next]").click()
            frame.locator("[data-submit]").click()
            frame.locator("[data-sure]").click()
            frame.locator("#score").wait_for()
            assert handed_in(stage) == expected
    context.close()


def test_teacher_adds_an_activity_inside_the_frame_and_gets_back_to_the_course(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, TEACHER)
        page.locator("a[href*='modedit.php?add=lti']").first.click()
        inside = page.frame_locator("iframe.tool")
        inside.locator("a[href*='/pick/probe/']").click()
        inside.locator("input[name=title]").fill("Шолғыштан қосылды")
        inside.locator("#act button").click()
        inside.locator("form[action='/course/modedit.php'] button").click()
        page.wait_for_url("**/course/view.php**")
        expect(page.get_by_text("Шолғыштан қосылды")).to_be_visible()
    context.close()


def test_cancelled_choice_ends_in_the_course_with_nothing_added(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, TEACHER)
        before = page.locator("li.activity").count()
        page.locator("a[href*='modedit.php?add=lti']").first.click()
        inside = page.frame_locator("iframe.tool")
        inside.locator("form[action$='/cancel'] button").click()
        inside.locator("a[href*='/course/view.php']").click()
        page.wait_for_url("**/course/view.php**")
        assert page.locator("li.activity").count() == before
    context.close()


# WCAG 2.2, "relative luminance" and "contrast ratio", of the body's text on its ground.
CONTRAST = """() => {
  const linear = value => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(text => linear(Number(text) / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const style = getComputedStyle(document.body);
  const [a, b] = [light(style.color), light(style.backgroundColor)];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""


def readable(frame: Frame) -> None:
    """Check that a page fits its frame's width and that its text stands out from its ground."""
    assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ratio = frame.evaluate(CONTRAST)
    assert ratio > 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_every_first_page_is_readable_by_day_and_night_on_phone_and_desk(width: int, scheme: str, stage: Stage) -> None:
    context = stage.context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for user in (AIGERIM, TEACHER):
        with page_of(context) as page:
            enter_lms(page, stage, user)
            for plugin in PLUGINS:
                frame = open_tool(page, stage.links[plugin])
                assert frame.evaluate("document.documentElement.dataset.bsTheme") == scheme
                readable(frame)
    with page_of(context) as page:
        enter_lms(page, stage, TEACHER)
        page.locator("a[href*='modedit.php?add=lti']").first.click()
        page.frame_locator("iframe.tool").locator("a[href*='/pick/']").first.wait_for()
        frame = page.frame("tool")
        assert frame is not None
        readable(frame)
    context.close()


def test_language_chosen_inside_the_frame_is_kept(stage: Stage) -> None:
    context = stage.context()
    with page_of(context) as page:
        enter_lms(page, stage, "7")
        frame = open_tool(page, stage.links["portfolio"])
        frame.locator("button[name=language][value=ru]").click()
        expect(frame.locator("html")).to_have_attribute("lang", "ru")
        again = open_tool(page, stage.links["probe"])
        expect(again.locator("html")).to_have_attribute("lang", "ru")
        assert re.search(r"[А-Яа-я]", again.locator("header").inner_text())
    context.close()


def test_frame_of_a_stranger_s_site_shows_nothing_of_a_launch(stage: Stage) -> None:
    """A page that is not the school's LMS frames a launch: the browser itself refuses."""
    context = stage.context()
    page = context.new_page()
    enter_lms(page, stage, AIGERIM)
    address = open_tool(page, stage.links["probe"]).url
    stranger = stage.world.journal_url.replace("127.0.0.1", "localhost")
    page.route(f"{stranger}/trap", lambda route: route.fulfill(
        content_type="text/html", body=f'<iframe name="tool" src="{address}"></iframe>'
    ))  # fmt: skip
    page.goto(f"{stranger}/trap")
    expect(page.frame_locator("iframe").locator("body")).not_to_be_empty()
    frame = page.frame("tool")
    assert frame is not None
    assert frame.url.startswith("chrome-error://")
    assert "Айгерім" not in frame.content()
    context.close()
