"""The console in a real browser: from the invitation over the plan to the marks in the journal, and on a phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from connector.host.operators import invite
from sync.systems.contract import Writing
from tests.support.databases import Place
from tests.support.services import require_service
from tests.support.serving import serving
from tests.web.console_kit import BASE, Console, console
from tests.web.console_school import class_journal, class_lms, identity_csv

pytestmark = pytest.mark.browser
ARGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Worker:
    """Runs due jobs in a thread of the test until it is told to stop."""

    def __init__(self, made: Console) -> None:
        self._made = made
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self._made.work()

    def stop(self) -> None:
        self._stop.set()
        self.thread.join(20)


@contextmanager
def opened(place: Place, folder: Path, *, width: int = 1200, **options: object) -> Iterator[tuple[Console, Page]]:
    chromium = require_service("chromium")
    with console(place, folder, **options) as made, serving(made.app) as url, sync_playwright() as engine:
        worker = Worker(made)
        worker.thread.start()
        browser = engine.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_page(locale="en-GB", viewport={"width": width, "height": 800}, base_url=url)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(invite(made.runtime, made.bench.school, "Әсел").removeprefix(BASE))
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
        try:
            yield made, page
        finally:
            browser.close()
            worker.stop()
        assert problems == []


def compare(page: Page) -> None:
    """Press the button and wait until the page has shown the end of the work by itself."""
    with page.expect_navigation(url="**/connections/**"):
        page.get_by_role("button", name="Compare now").first.click()
    expect(page.locator("[data-progress]")).to_have_count(0, timeout=30_000)


def test_from_the_invitation_to_the_marks_in_the_journal(sqlite_place: Place, tmp_path: Path) -> None:
    with opened(sqlite_place, tmp_path, left=class_lms(), right=class_journal()) as (made, page):
        compare(page)
        page.get_by_text("Link people by a file").click()
        file = tmp_path / "pupils.csv"
        file.write_text(identity_csv(), "utf-8")
        page.get_by_label("A table (CSV)").set_input_files(file)
        page.get_by_role("button", name="Look at the file").click()
        page.get_by_role("button", name="Link these pupils: 29").click()
        expect(page.get_by_text("Linked: 29. To confirm: 1.")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Confirm all").click()
        expect(page.get_by_text("Linked: 30. To confirm: 0.")).to_be_visible(timeout=30_000)
        expect(page.locator("[data-progress]")).to_have_count(0, timeout=30_000)
        total = len(made.bench.left.marks) + len(made.bench.right.register)
        button = page.get_by_role("button", name=f"Approve and write: {total}")
        expect(button).to_be_enabled()
        assert made.bench.right.writes == []
        button.click()
        expect(page.get_by_text("Written and found there when read back")).to_be_visible(timeout=30_000)
        assert len(made.bench.right.marks) == len(made.bench.left.marks)
        assert len(made.bench.right.writes) == len(made.bench.left.marks)
        compare(page)
        expect(page.get_by_text("There is nothing to write: both systems hold the same.")).to_be_visible()


def test_unticking_a_work_changes_the_number_on_the_button(sqlite_place: Place, tmp_path: Path) -> None:
    with opened(sqlite_place, tmp_path, left=class_lms(), right=class_journal()) as (made, page):
        compare(page)
        assert made.bench.join(identity_csv()).applied
        page.goto(made.home)
        compare(page)
        before = int(page.locator("[data-total]").inner_text())
        box = page.locator("input[name=block]").first
        amount = int(box.get_attribute("data-amount") or 0)
        box.uncheck()
        expect(page.locator("[data-total]")).to_have_text(str(before - amount))
        for one in page.locator("input[name=block]").all():
            one.set_checked(False)
        expect(page.locator("[data-approve] .console-approve button")).to_be_disabled()


def test_two_quick_clicks_on_approve_send_one_form(sqlite_place: Place, tmp_path: Path) -> None:
    with opened(sqlite_place, tmp_path) as (made, page):
        made.compare()
        made.join()
        page.goto(made.home)
        compare(page)
        posts: list[str] = []
        page.on("request", lambda request: posts.append(request.url) if request.url.endswith("/approve") else None)
        page.locator("[data-approve] .console-approve button").dblclick(no_wait_after=True)
        expect(page.get_by_text("Written and found there when read back")).to_be_visible(timeout=30_000)
        assert len(posts) == 1
        assert len(made.bench.right.writes) == 3


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_no_page_is_wider_than_a_phone(sqlite_place: Place, tmp_path: Path, language: str) -> None:
    right = class_journal(write=Writing.VENDOR_GATED)
    with opened(sqlite_place, tmp_path, width=360, left=class_lms(), right=right) as (made, page):
        compare(page)
        assert made.bench.join(identity_csv()).applied
        page.goto(made.home)
        compare(page)
        page.locator("[data-approve] .console-approve button").click()
        expect(page.get_by_text("Put on the entry sheet")).to_be_visible(timeout=30_000)
        with page.expect_navigation():
            page.locator(f"button[name=language][value={language}]").click()
        for path in ("/console/", "", "entry-sheet", "runs/", "audit", "why"):
            page.goto(path if path.startswith("/") else made.home + path)
            for summary in page.locator("details:not([open]) > summary").all():
                if summary.is_visible():
                    summary.click()
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 360, (path, width)


def test_the_plan_can_be_approved_by_keyboard_alone_and_without_scripts(sqlite_place: Place, tmp_path: Path) -> None:
    with opened(sqlite_place, tmp_path) as (made, page):
        made.compare()
        made.join()
        made.compare()
        context = page.context.browser.new_context(java_script_enabled=False, locale="en-GB")  # type: ignore[union-attr]
        plain_page = context.new_page()
        origin = page.url.partition("/console")[0]
        plain_page.goto(origin + invite(made.runtime, made.bench.school, "Әсел").removeprefix(BASE))
        plain_page.get_by_role("button", name="Sign in").press("Enter")
        plain_page.goto(origin + made.home)
        plain_page.get_by_role("button", name="Approve and write").press("Enter")
        expect(plain_page.get_by_text("Written and found there when read back")).to_be_visible(timeout=30_000)
        assert len(made.bench.right.writes) == 3
        context.close()
