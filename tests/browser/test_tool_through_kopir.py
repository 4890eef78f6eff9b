"""A real browser: a third-party tool in Kopir's frame in the LMS's frame, chosen by a teacher, graded for a pupil."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from connector.demo.world import World, open_world
from connector.host.operators import invite
from connector.host.tools.records import SchoolTool, State, add_tool
from lti.platform.records import RegisteredTool
from lti.vocab import Scope
from tests.support.peer_tool import PeerTool, running_peer
from tests.support.services import require_service

pytestmark = pytest.mark.browser
ARGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
TEACHER, AIGERIM = "3", "5"
CHOSEN = "Тізбек №7"
SHOTS = os.environ.get("KOPIR_SCREENSHOTS", "")


@dataclass
class Stage:
    world: World
    browser: Browser
    peer: PeerTool
    tool: SchoolTool


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    chromium = require_service("chromium")
    with running_peer() as peer, sync_playwright() as engine:
        world = open_world(tmp_path_factory.mktemp("world"), {"lms": 0, "kopir": 0, "journal": 0})
        described = RegisteredTool(
            client_id="", deployment_id="1", name="Зертхана", login_url=f"{peer.url}/login",
            redirect_uris=(f"{peer.url}/launch",), target_link_uri=f"{peer.url}/launch",
            deep_linking_url=f"{peer.url}/launch", jwks_url=f"{peer.url}/jwks.json", scopes=frozenset(Scope),
        )  # fmt: skip
        tool = add_tool(world.runtime, world.school_id, described, state=State.ON)
        peer.know(world.kopir_url, tool.client_id)
        browser = engine.chromium.launch(executable_path=chromium, args=ARGS)
        yield Stage(world, browser, peer, tool)
        browser.close()
        world.stop()


def shoot(page: Page, name: str) -> None:
    """Keep a picture where a developer asked for one."""
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def open_page(stage: Stage, **options: object) -> tuple[Page, list[str]]:
    page = stage.browser.new_context(**{"locale": "kk-KZ", **options}).new_page()
    problems: list[str] = []
    page.set_default_timeout(20_000)
    page.on("console", lambda one: problems.append(one.text) if "Security Policy" in one.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return page, problems


def enter_lms(page: Page, stage: Stage, user: str) -> None:
    page.context.clear_cookies(domain="localhost")
    page.goto(stage.world.lms_url)
    page.locator(f"button[name=user][value='{user}']").click()
    page.wait_for_url("**/course/view.php**")


def test_teacher_chooses_inside_the_tool_pupil_is_graded_by_it_and_the_lms_shows_the_mark(stage: Stage) -> None:
    page, problems = open_page(stage)
    enter_lms(page, stage, TEACHER)
    page.locator("a[href*='modedit.php?add=lti']").first.click()
    kopir = page.frame_locator("iframe.tool")
    kopir.locator("a[href*='/pick/external_tool/']").click()
    kopir.locator("a[href*='/pick/choose/']").wait_for()
    shoot(page, "picker-kk")
    kopir.locator("a[href*='/pick/choose/']").click()
    inside = kopir.frame_locator("iframe#kopir-tool")
    inside.locator("#choose").wait_for()
    shoot(page, "choosing-kk")
    inside.locator("#choose").click()
    kopir.locator("form[action='/course/modedit.php'] button").click()
    page.wait_for_url("**/course/view.php**")

    enter_lms(page, stage, AIGERIM)
    page.get_by_role("link", name=CHOSEN).first.click()
    inside.locator("#finish").wait_for()
    shoot(page, "pupil-kk")
    assert stage.peer.refused == []
    # The tool stands two frames deep, on a third site, with a cookie of its own that the browser kept.
    assert [one["name"] for one in page.context.cookies() if one["name"].startswith("kopir_tool_")] == []
    inside.locator("#finish").click()
    expect(inside.locator("#done")).to_have_text("sent")

    enter_lms(page, stage, TEACHER)
    for _ in range(40):
        page.goto(f"{stage.world.lms_url}/grade/report/grader/index.php?id=2")
        if page.get_by_text("8,00").or_(page.get_by_text("8.00")).or_(page.get_by_text("8", exact=True)).count():
            break
        page.wait_for_timeout(250)
    marks = next(one.marks() for one in stage.world.lms.gradebook() if one.item.label == CHOSEN)
    assert {user: int(mark) for user, mark in marks.items()} == {AIGERIM: 8}
    page.goto(f"{stage.world.lms_url}/course/view.php?id=2")
    page.get_by_role("link", name=CHOSEN).first.click()
    expect(kopir.locator("td").first).to_contain_text("8 / 10")
    shoot(page, "class-kk")
    assert problems == []
    page.context.close()


@pytest.mark.parametrize(("language", "width"), [("kk", 360), ("ru", 360), ("ru", 1200)])
def test_console_page_of_tools_and_the_picker_fit_phone_and_desk(stage: Stage, language: str, width: int) -> None:
    page, problems = open_page(stage, viewport={"width": width, "height": 800}, locale=f"{language}-KZ")
    page.goto(invite(stage.world.runtime, stage.world.school_id, "Әсел"))
    with page.expect_navigation():
        page.locator("main form button").first.click()
    page.goto(f"{stage.world.kopir_url}/console/tools/")
    page.locator("details summary").last.click()
    expect(page.get_by_text("Зертхана").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, f"console-{language}-{width}")
    enter_lms(page, stage, TEACHER)
    page.locator("a[href*='modedit.php?add=lti']").first.click()
    kopir = page.frame_locator("iframe.tool")
    kopir.locator("a[href*='/pick/external_tool/']").click()
    kopir.locator("input[name=title]").wait_for()
    frame = page.frame("tool")
    assert frame is not None
    assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if SHOTS:
        kopir.locator("main").screenshot(path=str(Path(SHOTS) / f"picker-{language}-{width}.png"))
    assert problems == []
    page.context.close()
