from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import RSAKey

from connector.base.clock import utc_now
from connector.base.i18n import catalogue, translate
from connector.base.outbound import NetworkPolicy, Outbound
from sync.twins.moodle import create_lms
from tests.twins.moodle_browser import (
    CLAIM,
    DL,
    Browser,
    PretendTool,
    form_to,
    forms_of,
    open_id_token,
    request_of,
    response_token,
)
from tests.twins.moodle_kit import key_server, new_key, serving
from tests.twins.moodle_school import ASSISTANT, BASE, ITEM, LAUNCH, OTHER_PUPIL, PUPIL, TEACHER, School, open_school


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return new_key()


@pytest.fixture
def school(tmp_path: Path, tool_key: RSAKey) -> Iterator[School]:
    with key_server(tool_key) as keys:
        yield open_school(tmp_path / "lms.sqlite3", tool_key, keys)


def test_deep_linking_adds_an_activity_and_its_column(school: School) -> None:
    teacher = school.browser(TEACHER)
    page = school.send_choice(teacher)
    assert page.status_code == 200
    assert "Бақылау жұмысы №1" in page.text
    assert school.lms.gradebook() == []
    teacher.post("/course/modedit.php", **form_to(page.text, "/course/modedit.php"))
    (column,) = school.lms.gradebook()
    assert column.item.label == "Бақылау жұмысы №1"
    assert (column.item.maximum, column.item.resource_id, column.item.tag) == (Decimal(40), "exam-1", "exam")
    assert "Бақылау жұмысы №1" in teacher.get("/course/view.php", id="2").text


def test_saving_twice_adds_once(school: School) -> None:
    teacher = school.browser(TEACHER)
    fields = form_to(school.send_choice(teacher).text, "/course/modedit.php")
    for _ in range(2):
        teacher.post("/course/modedit.php", **fields)
    assert len(school.lms.gradebook()) == 1


def test_the_deep_linking_request_says_what_moodle_says(school: School) -> None:
    claims = school.launch(school.browser(TEACHER), "/mod/lti/contentitem.php", id="1", course="2")
    settings = claims[DL + "deep_linking_settings"]
    assert claims[CLAIM + "message_type"] == "LtiDeepLinkingRequest"
    assert CLAIM + "resource_link" not in claims
    assert "data" not in settings
    assert (settings["accept_types"], settings["accept_multiple"]) == (["ltiResourceLink"], True)
    assert settings["deep_link_return_url"].startswith(f"{BASE}/mod/lti/contentitem_return.php?course=2&id=1&sesskey=")


def test_a_pupils_launch_carries_the_claims_moodle_sends(school: School) -> None:
    school.add()
    claims = school.launch(school.browser(PUPIL))
    assert (claims["sub"], claims["aud"], claims["iss"]) == ("5", school.tool.client_id, BASE)
    assert claims["exp"] - claims["iat"] == 60
    assert claims[CLAIM + "deployment_id"] == "1"
    assert claims[CLAIM + "resource_link"]["id"] == "1"
    assert claims[CLAIM + "roles"] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"]
    assert claims[CLAIM + "lis"] == {"person_sourcedid": "2026010001", "course_section_sourcedid": "7A-ALG-2026"}
    assert claims[CLAIM + "context"]["label"] == "7А-ALG-2026"
    assert claims[CLAIM + "ext"] == {"user_username": "student01", "lms": "moodle-2"}
    assert claims[CLAIM + "tool_platform"]["product_family_code"] == "moodle"
    assert claims[CLAIM + "custom"] == {
        "exam_id": "1",
        "sitting": "A-2026",
        "user_idnumber": "2026010001",
        "middlename": "Нұрланқызы",
        "static": "сәлем",
        "context_memberships_url": f"{BASE}/mod/lti/services.php/CourseSection/2/bindings/1/memberships",
    }
    endpoint = claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert endpoint["lineitem"] == f"{BASE}/mod/lti/services.php/2/lineitems/2/lineitem?type_id=1"
    assert (claims["given_name"], claims["family_name"]) == ("Айгерім", "Әбдірахманова")


def test_the_assistant_launches_as_an_instructor(school: School) -> None:
    school.add()
    roles = school.launch(school.browser(ASSISTANT))[CLAIM + "roles"]
    assert roles == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]


def test_a_click_on_a_grade_launches_a_submission_review(school: School) -> None:
    school.add()
    school.lms.override_grade("2", PUPIL, Decimal(30))
    teacher = school.browser(TEACHER)
    assert f"/mod/lti/grade.php?id=3&amp;userid={PUPIL}" in teacher.get("/grade/report/grader/index.php", id="2").text
    page = teacher.get("/mod/lti/grade.php", id="3", userid=PUPIL)
    assert "action=gradeReport&amp;user_id=5" in page.text
    claims = school.launch(teacher, id="3", action="gradeReport", user_id=PUPIL)
    assert claims[CLAIM + "message_type"] == "LtiSubmissionReviewRequest"
    assert claims[CLAIM + "for_user"] == {"user_id": PUPIL}
    assert claims["sub"] == TEACHER


def test_a_pupil_can_neither_review_nor_choose_nor_see_the_gradebook(school: School) -> None:
    school.add()
    pupil = school.browser(PUPIL)
    for path in (
        "/mod/lti/launch.php?id=3&user_id=6",
        "/mod/lti/contentitem.php?id=1",
        "/mod/lti/grade.php?id=3&userid=6",
        "/course/modedit.php?tool=1",
        "/grade/report/grader/index.php?id=2",
        "/grade/edit/tree/grade.php?itemid=2&userid=6",
        "/grade/export/txt/export.php?id=2",
    ):
        assert pupil.get(path).status_code in (403, 404), path
    key = form_to(pupil.get("/course/view.php").text, "/login/logout.php")["sesskey"]
    changed = pupil.post(
        "/grade/edit/tree/grade.php", sesskey=key, itemid="2", userid="5", action="override", mark="40"
    )
    assert changed.status_code == 403
    assert school.lms.gradebook()[0].marks() == {}


def test_a_launch_of_an_activity_with_an_address_goes_there(school: School) -> None:
    school.add([{**ITEM, "url": "http://127.0.0.1:9001/launch?exam=1"}])
    browser = school.browser(PUPIL)
    login = browser.begin("/mod/lti/launch.php", id="3")
    assert login["target_link_uri"] == "http://127.0.0.1:9001/launch?exam=1"
    _, answer = browser.authorise(request_of(login, LAUNCH))
    claims = open_id_token(school.lms, answer["id_token"])
    assert claims[CLAIM + "target_link_uri"] == "http://127.0.0.1:9001/launch?exam=1"


def test_an_authorisation_request_is_answered_once(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    request = request_of(browser.begin("/mod/lti/launch.php", id="3"), LAUNCH)
    assert "id_token" in browser.authorise(request)[1]
    assert browser.authorise(request)[1]["error"] == "invalid_request"


def test_another_pupil_cannot_use_a_launch(school: School) -> None:
    school.add()
    login = school.browser(PUPIL).begin("/mod/lti/launch.php", id="3")
    other = school.browser(OTHER_PUPIL)
    assert other.authorise(request_of(login, LAUNCH))[1]["error"] == "access_denied"
    forged = request_of(login, LAUNCH, login_hint=OTHER_PUPIL)
    assert other.authorise(forged)[1]["error"] == "invalid_request"


def test_an_unregistered_address_gets_a_page_and_no_form(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    login = browser.begin("/mod/lti/launch.php", id="3")
    page = browser.get("/mod/lti/auth.php", **request_of(login, "https://evil.example/launch"))
    assert page.status_code == 400
    assert "evil.example" not in page.text
    assert "id_token" not in page.text


def test_a_request_whose_cookie_did_not_travel_is_posted_once_more(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    request = request_of(browser.begin("/mod/lti/launch.php", id="3"), LAUNCH)
    stranger = Browser(school.lms)
    page = stranger.get("/mod/lti/auth.php", **request)
    assert "Set-Cookie" not in page.headers
    address, fields = forms_of(page.text)[0]
    assert (address, fields["repost"]) == ("/mod/lti/auth.php", "1")
    answered = forms_of(browser.post(address, **fields).text)[0]
    assert answered[0] == LAUNCH
    assert "id_token" in answered[1]
    refused = forms_of(stranger.post(address, **fields).text)[0]
    assert refused[1]["error"] == "login_required"


def test_a_deep_linking_answer_without_a_cookie_is_posted_once_more(school: School) -> None:
    teacher = school.browser(TEACHER)
    address = urlsplit(school.return_address(teacher))
    token = response_token(school.tool, school.key, BASE, school.clock, [ITEM])
    page = Browser(school.lms).post(f"{address.path}?{address.query}", JWT=token)
    again, fields = forms_of(page.text)[0]
    assert again == f"{address.path}?{address.query}"
    assert teacher.post(again, **fields).status_code == 200


def test_a_tools_state_is_escaped(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    login = browser.begin("/mod/lti/launch.php", id="3")
    state = '"><script>alert(1)</script>'
    page = browser.get("/mod/lti/auth.php", **request_of(login, LAUNCH, state=state)).text
    assert "<script>alert" not in page
    assert forms_of(page)[0][1]["state"] == state


@pytest.mark.parametrize(
    "item",
    [
        {**ITEM, "lineItem": {"scoreMaximum": 0}},
        {**ITEM, "lineItem": {"scoreMaximum": "many"}},
        {**ITEM, "lineItem": {}},
        {**ITEM, "url": "javascript:alert(1)"},
        {**ITEM, "custom": "text"},
        {"type": "html", "html": "<b>x</b>"},
    ],
)
def test_an_unusable_choice_is_refused_whole(school: School, item: dict[str, Any]) -> None:
    page = school.send_choice(school.browser(TEACHER), [ITEM, item])
    assert page.status_code == 400
    assert not any(address == "/course/modedit.php" for address, _ in forms_of(page.text))
    assert school.lms.gradebook() == []


def test_two_items_are_added_together_and_none_adds_none(school: School) -> None:
    teacher = school.browser(TEACHER)
    empty = school.send_choice(teacher, [])
    assert not any(address == "/course/modedit.php" for address, _ in forms_of(empty.text))
    school.add([ITEM, {"type": "ltiResourceLink", "title": "Без оценки"}])
    assert len(school.lms.gradebook()) == 1
    assert "Без оценки" in teacher.get("/course/view.php").text


def test_a_choice_under_another_sessions_key_is_refused(school: School) -> None:
    address = urlsplit(school.return_address(school.browser(TEACHER)))
    token = response_token(school.tool, school.key, BASE, school.clock, [ITEM])
    assistant = school.browser(ASSISTANT)
    assert assistant.post(f"{address.path}?{address.query}", JWT=token).status_code == 403


def test_a_form_without_the_sessions_key_changes_nothing(school: School) -> None:
    school.add()
    teacher = school.browser(TEACHER)
    fields = {"itemid": "2", "userid": PUPIL, "action": "override", "mark": "10", "sesskey": "қате"}
    assert teacher.post("/grade/edit/tree/grade.php", **fields).status_code == 403
    assert Browser(school.lms).post("/login/index.php", user=TEACHER, sesskey="").status_code == 403
    assert school.lms.gradebook()[0].marks() == {}


def test_signing_in_makes_a_new_session_and_leaving_ends_it(school: School) -> None:
    browser = Browser(school.lms)
    browser.get("/")
    before = browser.client.get_cookie("rehearsal_lms", domain="localhost")
    browser.sign_in(PUPIL)
    after = browser.client.get_cookie("rehearsal_lms", domain="localhost")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    page = browser.get("/course/view.php")
    browser.post("/login/logout.php", **form_to(page.text, "/login/logout.php"))
    browser.client.set_cookie("rehearsal_lms", after.value, domain="localhost")
    assert browser.get("/course/view.php").status_code == 302


@pytest.mark.parametrize(("language", "words"), [("kk", "Сіз кімсіз?"), ("ru", "Кто вы?"), ("en", "Who are you?")])
def test_pages_speak_three_languages_and_launches_name_the_one_chosen(
    school: School, language: str, words: str
) -> None:
    school.add()
    browser = school.browser(PUPIL)
    moved = browser.get("/", lang=language)
    assert (moved.status_code, moved.headers["Location"]) == (303, "/")
    assert words in browser.get("/").text
    assert school.launch(browser)[CLAIM + "launch_presentation"]["locale"] == language


def test_choosing_a_language_stays_on_the_page(school: School) -> None:
    browser = school.browser(TEACHER)
    moved = browser.get("/course/view.php", id="2", lang="ru")
    assert moved.headers["Location"] == "/course/view.php?id=2"


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_text_of_the_pages_is_translated(language: str) -> None:
    root = Path(create_lms.__code__.co_filename).parent
    texts = set()
    for template in (root / "templates").glob("*.html"):
        for quote in ('"', "'"):
            texts |= {p.split(quote)[0] for p in template.read_text().split(f"t({quote}")[1:]}
    assert len(texts) > 40
    assert {text for text in texts if catalogue.find(language, text) is None} == set()
    assert translate("Teacher", language) != "Teacher"


def test_pages_allow_only_their_own_scripts_and_the_tools_frames(school: School) -> None:
    page = school.browser(TEACHER).get("/course/view.php")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-src"] == "'self' http://127.0.0.1:9001"
    assert policy["frame-ancestors"] == "'self'"
    assert "<script>" not in page.text
    assert "style=" not in page.text


@pytest.mark.parametrize("path", ["/course/view.php", "/mod/lti/view.php?id=3", "/mod/lti/launch.php?id=3"])
def test_a_stranger_is_asked_who_they_are(school: School, path: str) -> None:
    answer = Browser(school.lms).get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("path", ["/mod/lti/view.php?id=99", "/mod/lti/view.php?id=x", "/nothing", "/static/../lms.py"])
def test_what_is_not_there_is_a_page_in_the_readers_language(school: School, path: str) -> None:
    answer = school.browser(PUPIL).get(path)
    assert answer.status_code == 404
    assert "Мұнда ештеңе жоқ" in answer.text


def test_words_a_tool_sends_back_are_shown_escaped(school: School) -> None:
    page = school.browser(PUPIL).get("/mod/lti/return.php", lti_errormsg="<b>қате</b>").text
    assert "&lt;b&gt;қате&lt;/b&gt;" in page


@pytest.mark.browser
def test_a_real_browser_adds_and_opens_an_activity_across_sites(tmp_path: Path, tool_key: RSAKey) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("needs Chromium")
    tool = PretendTool(tool_key, item=ITEM, clock=utc_now)
    with serving(tool) as tool.url, serving(lambda e, s: lms.app(e, s)) as address:
        tool.lms_url = address.replace("127.0.0.1", "localhost")
        outbound = Outbound(NetworkPolicy(everything=True))
        lms = create_lms(tmp_path / "lms.sqlite3", tool.lms_url, tool_outbound=outbound)
        launch = f"{tool.url}/launch"
        lms.register_tool(
            "Kopir",
            login_url=f"{tool.url}/login",
            redirect_uris=[launch],
            jwks_url=f"{tool.url}/jwks.json",
            target_link_uri=launch,
        )
        flags = "--no-sandbox --headless --disable-gpu --disable-quic --no-first-run --disable-background-networking"
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags.split())
            page = browser.new_page()
            page.goto(tool.lms_url)
            page.click(f'button[value="{TEACHER}"]')
            page.click("a.button")
            frame = page.frame_locator("iframe.tool")
            frame.locator("#choose").click()
            frame.locator("button.button").click()
            page.click("a.title")
            frame.locator("#launched").wait_for()
            browser.close()
    kinds = [claims[CLAIM + "message_type"] for claims in tool.launches]
    assert kinds == ["LtiDeepLinkingRequest", "LtiResourceLinkRequest"]
    assert [column.item.label for column in lms.gradebook()] == [ITEM["title"]]


def test_an_authorisation_request_may_be_posted(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    request = request_of(browser.begin("/mod/lti/launch.php", id="3"), LAUNCH)
    address, fields = forms_of(browser.post("/mod/lti/auth.php?redirect_uri=https://evil.example", **request).text)[0]
    assert address == LAUNCH
    assert open_id_token(school.lms, fields["id_token"])["nonce"] == request["nonce"]


def test_a_repeated_field_gets_no_token(school: School) -> None:
    school.add()
    browser = school.browser(PUPIL)
    request = list(request_of(browser.begin("/mod/lti/launch.php", id="3"), LAUNCH).items())
    page = browser.client.get("/mod/lti/auth.php", query_string=[*request, ("nonce", "x")], base_url=BASE)
    assert page.status_code == 400
