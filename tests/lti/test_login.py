"""OIDC third-party initiated login: Security Framework 1.0 §5.1.1.1–§5.1.1.2, LTI Core 1.3 §4.1."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.base.secrets import Signer
from lti.errors import LaunchReason, LaunchRefused
from lti.tool.ladder import origins_of
from lti.tool.login import COOKIE_PREFIX, STATE_PURPOSE, begin_login, cookie_name_for, read_state
from tests.lti.kit import CLIENT, ISSUER, NOW, TARGET, Book, Visit, registration


def begin(book=None, **params):
    sent = {"iss": ISSUER, "login_hint": "5", "target_link_uri": TARGET, "client_id": CLIENT, **params}
    return begin_login(
        {name: value for name, value in sent.items() if value is not None},
        registrations=book or Book(registration()),
        signer=Signer("k" * 40, STATE_PURPOSE),
        redirect_uri="https://kopir.example/lti/launch",
        allowed_targets=lambda url: url.startswith("https://kopir.example/"),
        now=NOW,
    )


def refusal(**params):
    book = params.pop("book", None)
    with pytest.raises(LaunchRefused) as caught:
        begin(book, **params)
    return caught.value


def test_every_parameter_of_the_authentication_request_is_sent():
    query = Visit().query
    assert query.pop("state")
    assert len(query.pop("nonce")) >= 32
    assert query == {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": CLIENT,
        "redirect_uri": "https://kopir.example/lti/launch",
        "login_hint": "5",
        "lti_message_hint": '{"cmid":3,"launchid":"ltilaunch_1"}',
    }


@pytest.mark.parametrize("hint", ["", "a b+c%20&=é", '{"launchid":"ltilaunch_1"}', "ә"])
def test_the_message_hint_comes_back_unaltered(hint):
    url = begin(lti_message_hint=hint).url
    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))["lti_message_hint"] == hint


def test_without_a_message_hint_none_is_sent():
    assert "lti_message_hint" not in begin().url


def test_the_query_of_the_authorisation_endpoint_is_kept():
    book = Book(registration(auth_url="https://lms.example/auth?tenant=7%2F8&nonce=mine#x"))
    query = parse_qsl(urlsplit(begin(book).url).query)
    assert ("tenant", "7/8") in query
    assert [value for name, value in query if name == "nonce"] != ["mine"]
    assert "#" not in begin(book).url


@pytest.mark.parametrize("name", ["iss", "login_hint", "target_link_uri"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_parameter_is_named(name, value):
    error = refusal(**{name: value})
    assert error.launch_reason is LaunchReason.MISSING_PARAMETER
    assert name in str(error.message)


@pytest.mark.parametrize(
    "change", [{"iss": "http://moodle.example/"}, {"iss": "http://MOODLE.example"}, {"client_id": "x"}]
)
def test_an_issuer_or_client_that_is_not_registered_exactly_is_unknown(change):
    assert refusal(**change).launch_reason is LaunchReason.UNKNOWN_ISSUER


def test_without_a_client_id_a_single_registration_is_taken():
    assert begin(client_id=None).registration_id == "r1"


def test_without_a_client_id_two_registrations_are_never_guessed_between():
    book = Book(registration(), registration(id="r2", client_id="other"))
    assert refusal(book=book, client_id=None).launch_reason is LaunchReason.AMBIGUOUS_CLIENT
    assert begin(book, client_id="other").registration_id == "r2"


@pytest.mark.parametrize("target", ["https://evil.example/launch", "javascript:alert(1)", "//evil.example/"])
def test_a_foreign_target_is_refused_though_the_login_is_unsigned(target):
    error = refusal(target_link_uri=target)
    assert error.launch_reason is LaunchReason.FOREIGN_TARGET
    assert error.registration_id == "r1"


def test_a_huge_login_is_refused():
    assert refusal(lti_message_hint="x" * 20_000).launch_reason is LaunchReason.TOO_LARGE


def test_states_nonces_and_secrets_never_repeat():
    logins = [begin() for _ in range(50)]
    assert len({login.state for login in logins}) == 50
    assert len({login.cookie_value for login in logins}) == 50
    assert len({dict(parse_qsl(urlsplit(login.url).query))["nonce"] for login in logins}) == 50


def test_the_state_does_not_hold_the_browsers_secret_or_the_login_hint():
    visit = Visit(login_params={"login_hint": "someone@example.kz"})
    state = visit.signer.read(visit.login.state)
    assert visit.login.cookie_value not in str(state)
    assert "someone" not in str(state)


def test_the_cookie_of_a_launch_is_found_by_its_state():
    visit = Visit()
    name = cookie_name_for({"state": visit.login.state}, visit.signer)
    assert name == visit.login.cookie_name == COOKIE_PREFIX + visit.login.state_id
    assert cookie_name_for({"state": "x.y"}, visit.signer) is None
    assert cookie_name_for({}, visit.signer) is None


@pytest.mark.parametrize("state", ["", ".", "a.b", "ә.ә", "a" * 70_000])
def test_a_state_of_any_other_form_is_not_read(state):
    assert read_state(state, Signer("k" * 40, STATE_PURPOSE)) is None


def test_a_state_signed_for_another_purpose_is_not_read():
    visit = Visit()
    assert read_state(visit.login.state, Signer("k" * 40, "something else")) is None


def test_platform_storage_is_offered_when_the_platform_does():
    login = begin(lti_storage_target="_parent")
    assert login.storage_target == "_parent"
    assert origins_of(login.registration) == (ISSUER,)
    assert login.state_id in login.storage_key
    assert begin().storage_target is None


def test_a_login_shows_no_secret_in_its_repr():
    login = begin()
    assert login.cookie_value not in repr(login)
