"""The sitting page in Chromium: saved as given, kept over a reload and a broken connection, submitted once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server
from werkzeug.wrappers import Request as WebRequest
from werkzeug.wrappers import Response as WebResponse

from plugins import testkit
from plugins.contract import Member, NotFound, Page, Redirect, Reply, Request
from plugins.online_test import plugin
from plugins.testkit import TestRoom, TestVisit
from tests.plugins.online_test.kit import place
from tests.support.services import require_service

pytestmark = pytest.mark.browser
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'"
FRAME = testkit._PAGE.replace("<title>", "<meta name=kopir-token content=t0ken><title>")


class Site:
    """The plugin behind a web server: one pupil's launch, and a switch that breaks the connection."""

    def __init__(self, room: TestRoom) -> None:
        self.room = room
        self.visit: TestVisit | None = None
        self.down = False
        self.tokens: list[str | None] = []
        self.server = make_server("127.0.0.1", 0, self.answer, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def let_in(self, member: Member, activity: Any) -> None:
        self.visit = self.room.visit(member, activity)
        self.visit.link = lambda path, **query: f"/l/{path}" + (f"?{urlencode(query)}" if query else "")  # type: ignore[method-assign]

    @WebRequest.application
    def answer(self, asked: WebRequest) -> WebResponse:
        if asked.path.startswith("/static/"):
            file = plugin.manifest.package / "static" / Path(asked.path).name
            kind = "text/javascript" if file.suffix == ".js" else "text/css"
            return WebResponse(file.read_bytes(), content_type=kind)
        if self.down or self.visit is None or not asked.path.startswith("/l/"):
            return WebResponse("down", 503)
        if asked.is_json:
            self.tokens.append(asked.headers.get("X-Kopir-Token"))
        body = asked.get_json() if asked.is_json else None
        form, query = asked.form.to_dict(flat=False), asked.args.to_dict(flat=False)
        path = asked.path.removeprefix("/l/")
        return self.wrap(self.visit._open(Request(asked.method, path, query=query, form=form, json=body)))

    def wrap(self, answer: Any) -> WebResponse:
        assert self.visit is not None
        match answer:
            case Page():
                response = WebResponse(self.visit.html(answer), answer.status, content_type="text/html")
            case Redirect():
                address = self.visit.link(answer.path, **answer.query)
                response = WebResponse(status=303, headers={"Location": address})
            case Reply():
                import json

                response = WebResponse(json.dumps(answer.value), answer.status, content_type="application/json")
            case _:
                assert isinstance(answer, NotFound)
                response = WebResponse("no", 404)
        response.headers["Content-Security-Policy"] = CSP
        return response


@pytest.fixture
def site(room: TestRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(testkit, "_PAGE", FRAME)
    site = Site(room)
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def tab() -> Iterator[Tab]:
    path = require_service("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        tab = browser.new_page(viewport={"width": 375, "height": 720})
        tab.set_default_timeout(10_000)
        faults: list[str] = []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
        yield tab
        browser.close()
        assert faults == []


def state(tab: Tab, words: str) -> None:
    tab.wait_for_function("words => document.querySelector('[data-state]').textContent.startsWith(words)", arg=words)


def open_sitting(site: Site, tab: Tab, pupil: Member, *, script: bool = True, **settings: str) -> None:
    site.let_in(pupil, place(site.room, **settings))
    tab.goto(f"{site.url}/l/")
    tab.get_by_role("button", name="Start").click()
    if script:
        tab.locator("[data-numbers]").wait_for()


def test_answers_are_saved_as_given_and_kept_over_a_reload(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil)
    tab.get_by_label("4", exact=True).first.check()
    tab.get_by_label("True").check()
    tab.get_by_label("Your answer (a number)").fill("1822,7")
    state(tab, "saved ")
    tab.get_by_label("Your answer", exact=True).fill("zq-astana")
    tab.wait_for_timeout(900)
    state(tab, "saved ")
    tab.reload()
    assert tab.get_by_label("Your answer (a number)").input_value() == "1822,7"
    assert tab.get_by_label("True").is_checked()
    assert set(site.tokens) == {"t0ken"}
    assert "Answered: 4 of 6. Without an answer: 2, 6" in tab.inner_text("[data-count]")
    tab.get_by_role("button", name="Submit", exact=True).click()
    assert site.room.results == []
    tab.get_by_role("button", name="Yes, submit").click()
    tab.get_by_text("4 / 6").wait_for()
    assert [result.score_given for result in site.room.results] == [4]


def test_an_answer_given_before_the_script_came_is_saved_too(site: Site, tab: Tab, pupil: Member):
    late: list[Any] = []
    tab.route("**/sitting.js", lambda route: late.append(route))
    site.let_in(pupil, place(site.room))
    tab.goto(f"{site.url}/l/")
    tab.evaluate("document.querySelector('form button').click()")
    tab.get_by_label("True").check()
    assert site.tokens == []
    late[0].continue_()
    state(tab, "saved ")
    assert len(site.tokens) == 1


def test_a_broken_connection_is_said_and_the_answers_arrive_later(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil)
    site.down = True
    tab.get_by_label("True").check()
    state(tab, "not saved")
    tab.get_by_label("4", exact=True).first.check()
    tab.get_by_role("button", name="Submit", exact=True).click()
    tab.get_by_role("button", name="Yes, submit").click()
    assert site.room.results == []
    site.down = False
    state(tab, "saved ")
    tab.get_by_role("button", name="Yes, submit").click()
    tab.get_by_text("2 / 6").wait_for()


def test_answers_not_yet_sent_outlive_a_reload(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil)
    site.down = True
    tab.get_by_label("True").check()
    state(tab, "not saved")
    kept = tab.evaluate("JSON.stringify({...localStorage})")
    assert "kopir-online-test-" in kept
    tab.on("dialog", lambda dialog: dialog.accept())
    site.down = False
    tab.evaluate("() => { window.fetch = () => Promise.reject(new Error('cut')) }")
    tab.reload()
    state(tab, "saved ")
    assert tab.get_by_label("True").is_checked()
    assert tab.evaluate("localStorage.length") == 0


def test_enter_in_a_field_saves_and_does_not_submit(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil)
    tab.get_by_label("Your answer", exact=True).fill("zq-astana")
    tab.keyboard.press("Enter")
    state(tab, "saved ")
    assert site.room.results == []
    assert tab.url.endswith("/l/sit")


def test_when_the_time_is_over_the_page_submits_by_itself(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil, minutes="1")
    site.room.advance(seconds=57)
    tab.reload()
    tab.get_by_label("True").check()
    state(tab, "saved ")
    tab.get_by_label("Your answer (a number)").fill("1822,7")
    assert "0:0" in tab.inner_text("[data-clock]")
    tab.get_by_text("2 / 6").wait_for()


def test_one_at_a_time_is_walked_with_the_keyboard_alone(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil, paging="one")
    assert tab.locator("fieldset:visible").count() == 1
    tab.get_by_role("button", name="Next").focus()
    tab.keyboard.press("Enter")
    assert tab.locator("fieldset:visible").inner_text().startswith("Question 2 of 6")
    assert tab.evaluate("document.activeElement.tagName") == "LEGEND"
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    state(tab, "saved ")


def test_a_page_left_open_after_the_test_was_submitted_elsewhere_says_so(site: Site, tab: Tab, pupil: Member):
    open_sitting(site, tab, pupil)
    assert site.visit is not None
    from tests.plugins.online_test.kit import look

    look(site.visit).submit()
    tab.get_by_label("True").check()
    state(tab, "Not saved: the test was submitted already.")
    tab.get_by_text("0 / 6").wait_for()


def test_without_scripts_the_form_still_saves_and_submits(site: Site, pupil: Member):
    path = require_service("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        tab = browser.new_context(java_script_enabled=False).new_page()
        tab.set_default_timeout(10_000)
        open_sitting(site, tab, pupil, script=False)
        tab.get_by_label("True").check()
        tab.get_by_role("button", name="Save and go on").click()
        assert tab.get_by_label("True").is_checked()
        assert "saved 09:00" in tab.inner_text("[data-state]")
        tab.get_by_label("Your answer", exact=True).fill("zq-astana")
        tab.get_by_role("button", name="Submit").click()
        tab.get_by_text("2 / 6").wait_for()
        browser.close()
    assert [result.score_given for result in site.room.results] == [2]
