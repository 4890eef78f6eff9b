"""The rehearsal LMS registers tools as Moodle 4.5 does."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from sync.twins.moodle import create_lms
from tests.lti.kit import outbound
from tests.twins.moodle_browser import Browser, form_to
from tests.twins.moodle_kit import StillClock

BASE = "http://localhost:8081"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
BODY = {
    "application_type": "web",
    "response_types": ["id_token"],
    "initiate_login_uri": "http://127.0.0.1:9002/login",
    "redirect_uris": ["http://127.0.0.1:9002/launch"],
    "client_name": "A tool",
    "jwks_uri": "http://127.0.0.1:9002/jwks",
    "token_endpoint_auth_method": "private_key_jwt",
    "scope": f"{SCORE} https://lms.example/unknown",
    TOOL: {
        "domain": "127.0.0.1:9002",
        "target_link_uri": "http://127.0.0.1:9002/launch",
        "custom_parameters": {"user_idnumber": "$Person.sourcedId"},
        "claims": ["iss", "sub", "name"],
        "messages": [{"type": "LtiResourceLinkRequest"}, {"type": "LtiDeepLinkingRequest"}],
    },
}


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def lms(tmp_path, clock):
    return create_lms(tmp_path / "lms.sqlite3", BASE, clock=clock, tool_outbound=outbound(), language="en")


@pytest.fixture
def teacher(lms):
    return Browser(lms).sign_in("3")


def started(teacher: Browser, url: str = "http://127.0.0.1:9002/register?x=1") -> dict[str, str]:
    """Press «Add LTI Advantage» and return what the tool's page is opened with."""
    home = "/mod/lti/toolconfigure.php"
    page = teacher.post(home, **{**form_to(teacher.get(home).text, home), "url": url})
    assert "frame-src 'self' http://127.0.0.1:9002" in page.headers["Content-Security-Policy"]
    source = page.text.partition('<iframe class="tool" name="registration" src="')[2].partition('"')[0]
    answer = teacher.client.get(source.replace("&amp;", "&"), base_url=BASE)
    assert answer.status_code == 302
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def send(teacher: Browser, token: str | None, body=BODY):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    text = json.dumps(body)
    return teacher.client.post("/mod/lti/openid-registration.php", data=text, headers=headers, base_url=BASE)


def test_the_page_of_a_tool_is_opened_with_configuration_and_token(teacher):
    asked = started(teacher)
    assert asked["openid_configuration"] == f"{BASE}/mod/lti/openid-configuration.php"
    assert asked["x"] == "1"
    assert asked["registration_token"].count(".") == 2


def test_the_configuration_names_itself_and_its_endpoints(teacher):
    told = teacher.get("/mod/lti/openid-configuration.php").json
    assert told["issuer"] == BASE
    assert told["registration_endpoint"] == f"{BASE}/mod/lti/openid-registration.php"
    assert told["https://purl.imsglobal.org/spec/lti-platform-configuration"]["product_family_code"] == "moodle"


def test_a_registered_tool_is_pending_until_it_is_activated(teacher, lms):
    answer = send(teacher, started(teacher)["registration_token"])
    assert answer.status_code == 200
    assert answer.json[TOOL]["deployment_id"] == "1"
    assert answer.json["scope"] == SCORE
    assert "A tool" not in teacher.get("/course/view.php", id="2").text
    assert teacher.get("/course/modedit.php", tool="1").status_code == 404
    home = "/mod/lti/toolconfigure.php"
    page = teacher.get(home)
    assert "Pending" in page.text
    sesskey = form_to(page.text, home)["sesskey"]
    teacher.post(home, sesskey=sesskey, id="1", action="activate")
    assert "A tool" in teacher.get("/course/view.php", id="2").text


def test_a_token_registers_one_tool(teacher):
    token = started(teacher)["registration_token"]
    assert send(teacher, token).status_code == 200
    again = send(teacher, token)
    assert (again.status_code, again.text) == (401, "token_already_used")


def test_a_token_lasts_an_hour_and_cannot_be_made_up(teacher, clock):
    token = started(teacher)["registration_token"]
    assert send(teacher, None).text == "missing_registration_token"
    assert send(teacher, token + "x").status_code == 401
    clock.pass_time(hours=2)
    assert send(teacher, token).status_code == 401


@pytest.mark.parametrize(
    ("changes", "tool", "word"),
    [
        ({"jwks_uri": None}, {}, "missing required attribute jwks_uri"),
        ({"response_types": ["code"]}, {}, "invalid_response_types"),
        ({"token_endpoint_auth_method": "client_secret_post"}, {}, "invalid_token_endpoint_auth_method"),
        ({}, {"domain": ""}, "missing_domain"),
        ({}, {"domain": "127.0.0.1"}, "domain_targetlinkuri_mismatch"),
    ],
)
def test_an_incomplete_registration_is_refused_with_moodles_word(teacher, changes, tool, word):
    body = {**BODY, **changes, TOOL: {**BODY[TOOL], **tool}}
    answer = send(teacher, started(teacher)["registration_token"], body)
    assert (answer.status_code, answer.text) == (400, word)


def test_a_pupil_manages_no_tools(lms):
    pupil = Browser(lms).sign_in("5")
    assert pupil.get("/mod/lti/toolconfigure.php").status_code == 403
    assert pupil.post("/mod/lti/toolconfigure.php", url="http://127.0.0.1:9/").status_code == 403


@pytest.mark.parametrize("url", ["javascript:alert(1)", "x", "http://ключ.қаз/", "http://[/"])
def test_what_is_no_web_address_is_not_opened(teacher, url):
    home = "/mod/lti/toolconfigure.php"
    page = teacher.post(home, **{**form_to(teacher.get(home).text, home), "url": url})
    assert page.status_code == 400
    assert "<iframe" not in page.text
