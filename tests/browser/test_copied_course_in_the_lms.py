"""A teacher copies a course in the LMS; a pupil works in the copy, and the mark lands in the copy's one column."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from connector.demo.world import World, open_world
from tests.support.services import require_service

pytestmark = pytest.mark.browser
TEACHER, AIGERIM = "3", "5"
ARGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]


def enter(page: Page, world: World, user: str, course: str = "2") -> None:
    page.context.clear_cookies()
    page.goto(world.lms_url)
    page.locator(f"button[name=user][value='{user}']").click()
    page.wait_for_url("**/course/view.php**")
    if course != "2":
        page.goto(f"{world.lms_url}/course/view.php?id={course}")


def take_lab(page: Page) -> None:
    """Do the lab without looking: one reading, some answers; what counts is that a mark comes of it."""
    tool = page.frame_locator("iframe.tool")
    tool.locator("form[action$='/start'] button").click()
    tool.locator("#bench").wait_for()
    tool.locator("input[name=resistance]").fill("10")
    tool.locator("input[name=current]").fill("1")
    tool.locator("input[name=law][value=direct]").check()
    tool.locator("form[action$='/report'] button").last.click()
    tool.locator("form[action$='/report']").wait_for(state="detached")


def test_teacher_adds_two_things_copies_the_course_and_a_pupil_s_mark_stays_in_the_copy(tmp_path: Path) -> None:
    chromium = require_service("chromium")
    world = open_world(tmp_path, {"lms": 0, "kopir": 0, "journal": 0})
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_context(locale="kk-KZ").new_page()
        page.set_default_timeout(20_000)
        enter(page, world, TEACHER)
        page.locator("a[href*='modedit.php?add=lti']").first.click()
        tool = page.frame_locator("iframe.tool")
        tool.locator("#several").click()
        for plugin in ("virtual_lab", "portfolio"):
            tool.locator(f"a[href*='/pick/{plugin}/']").click()
            tool.locator("form[action*='/pick'] button.btn-primary").click()
            tool.locator("#basket").wait_for()
        tool.locator("#basket form button.btn-primary").click()
        tool.locator("form[action='/course/modedit.php'] button").click()
        page.wait_for_url("**/course/view.php**")
        expect(page.locator("li.activity")).to_have_count(2)
        page.locator("#copy-course").click()
        page.wait_for_url(lambda url: "id=2" not in url)
        course = parse_qs(urlsplit(page.url).query)["id"][0]
        enter(page, world, AIGERIM, course)
        page.locator("li.activity a.title").first.click()
        take_lab(page)
        enter(page, world, TEACHER, course)
        page.goto(f"{world.lms_url}/grade/report/grader/index.php?id={course}")
        cell = page.locator(f"td[data-user='{AIGERIM}']")
        expect(cell).to_have_count(1)
        expect(cell).not_to_have_attribute("data-mark", "", timeout=20_000)
        page.goto(f"{world.lms_url}/grade/report/grader/index.php?id=2")
        expect(page.locator(f"td[data-user='{AIGERIM}']")).to_have_attribute("data-mark", "")
        # The portfolio has no column that could prove anything: its duplicate is asked about.
        page.goto(f"{world.lms_url}/course/view.php?id={course}")
        page.locator("li.activity a.title").last.click()
        page.frame_locator("iframe.tool").locator("main").wait_for()
        page.goto(f"{world.lms_url}/course/view.php?id={course}")
        page.locator("button[name=duplicate]").last.click()
        page.locator("li.activity a.title").last.click()
        question = page.frame_locator("iframe.tool").locator("button[value^='copy:']")
        question.wait_for()
        question.click()
        expect(page.frame_locator("iframe.tool").locator("button[value^='copy:']")).to_have_count(0)
        browser.close()
    world.stop()
