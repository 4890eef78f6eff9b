from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from connector.base.errors import Fatal
from lti.platform.authorisation import MAX_NONCE, MAX_STATE
from lti.platform.errors import AuthorisationRefused
from lti.platform.hints import Intent
from lti.platform.records import BrowserSession
from lti.vocab import Claim, MessageType
from tests.lti_platform.kit import (
    CALLBACK,
    ISSUER,
    SESSION,
    Stage,
    a_message,
    request_pairs,
)


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.fixture(scope="module")
def other_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-2"})


@pytest.fixture
def stage(tool_key: RSAKey) -> Stage:
    return Stage(tool_key)


def test_login_initiation_names_platform_tool_deployment_and_target(stage: Stage) -> None:
    intent = Intent(stage.tool.client_id, MessageType.RESOURCE_LINK, "https://tool.example/launch/exam")
    form = stage.platform.login_form(stage.tool, intent, SESSION, "the hint")
    assert form.url == stage.tool.login_url
    assert form.fields == {
        "iss": ISSUER,
        "target_link_uri": "https://tool.example/launch/exam",
        "login_hint": "5",
        "lti_message_hint": "the hint",
        "client_id": "client-1",
        "lti_deployment_id": "1",
    }


def test_a_correct_request_gets_an_id_token_at_its_registered_address(stage: Stage) -> None:
    authorised = stage.authorise()
    form = stage.platform.launch_form(authorised, a_message())
    assert form.url == CALLBACK
    assert form.fields["state"] == "state-1"
    claims = stage.open(form.fields["id_token"])
    assert (claims["iss"], claims["aud"], claims["sub"], claims["nonce"]) == (ISSUER, "client-1", "5", "nonce-1")
    assert claims["exp"] - claims["iat"] == 60
    assert "azp" not in claims
    assert claims[Claim.TARGET_LINK_URI] == stage.tool.target_link_uri
    assert claims[Claim.RESOURCE_LINK] == {"id": "1", "title": "Бақылау жұмысы №1", "description": ""}
    assert claims[Claim.LIS] == {"person_sourcedid": "2026010001", "course_section_sourcedid": "7A-ALG-2026"}
    assert claims[Claim.AGS_ENDPOINT]["lineitem"] == f"{ISSUER}/lineitems/2"
    assert "email" not in claims


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"response_mode": None}, "invalid_request"),
        ({"prompt": None}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openidx"}, "invalid_scope"),
        ({"nonce": ""}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"nonce": "n" * (MAX_NONCE + 1)}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"state": "s" * (MAX_STATE + 1)}, "invalid_request"),
        ({"login_hint": "6"}, "access_denied"),
        ({"login_hint": None}, "access_denied"),
        ({"lti_message_hint": "forged.hint"}, "invalid_request"),
        ({"lti_message_hint": None}, "invalid_request"),
        ({"lti_message_hint": "қазақша"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_so_at_the_registered_address(
    stage: Stage, changes: dict[str, str | None], error: str
) -> None:
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, **changes), SESSION)
    form = stage.platform.refusal_form(refused.value)
    assert form is not None
    assert (form.url, form.fields["error"]) == (CALLBACK, error)
    assert "id_token" not in form.fields


@pytest.mark.parametrize(
    "address",
    [
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK.upper(),
        "https://tool.example",
        "https://tool.example.evil.example/launch",
        "",
    ],
)
def test_a_nearly_registered_address_hears_nothing(stage: Stage, address: str) -> None:
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, redirect_uri=address), SESSION)
    assert stage.platform.refusal_form(refused.value) is None


def test_one_tools_address_does_not_serve_another(stage: Stage) -> None:
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, client_id="client-2"), SESSION)
    assert refused.value.redirect_uri is None


def test_a_repeated_field_is_refused(stage: Stage) -> None:
    pairs = [*request_pairs(stage), ("redirect_uri", "https://evil.example")]
    with pytest.raises(AuthorisationRefused, match="repeated_parameter"):
        stage.platform.authorise(pairs, SESSION)


def test_nobody_signed_in_is_login_required(stage: Stage) -> None:
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage), None)
    assert refused.value.error == "login_required"


def test_a_hint_is_used_once(stage: Stage) -> None:
    hint = stage.hint()
    stage.platform.authorise(request_pairs(stage, lti_message_hint=hint), SESSION)
    with pytest.raises(AuthorisationRefused, match="hint_refused"):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=hint), SESSION)


def test_a_hint_of_another_session_of_the_same_user_is_refused(stage: Stage) -> None:
    hint = stage.hint(session=BrowserSession("5", "session-two"))
    with pytest.raises(AuthorisationRefused, match="hint_refused"):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=hint), SESSION)


def test_a_hint_grows_too_old(stage: Stage) -> None:
    hint = stage.hint()
    stage.clock.pass_time(minutes=11)
    with pytest.raises(AuthorisationRefused, match="hint_refused"):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=hint), SESSION)


def test_a_hint_for_another_tool_is_refused(stage: Stage) -> None:
    other = stage.platform.make_hint(Intent("client-2", MessageType.RESOURCE_LINK, CALLBACK), SESSION)
    with pytest.raises(AuthorisationRefused, match="hint_refused"):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=other), SESSION)


def test_a_wrong_request_does_not_spend_the_hint(stage: Stage) -> None:
    hint = stage.hint()
    with pytest.raises(AuthorisationRefused):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=hint, prompt="login"), SESSION)
    assert stage.platform.authorise(request_pairs(stage, lti_message_hint=hint), SESSION).state == "state-1"


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_no_text_passes_for_a_hint(text: str) -> None:
    stage = Stage(_KEY)
    with pytest.raises(AuthorisationRefused):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=text), SESSION)


_KEY = RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (MessageType.RESOURCE_LINK, {"link": None}),
        (MessageType.DEEP_LINKING, {"settings": None}),
        (MessageType.SUBMISSION_REVIEW, {"for_user": ""}),
    ],
)
def test_an_incomplete_message_is_not_signed(stage: Stage, kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Fatal, match="incomplete_message"):
        stage.platform.launch_form(stage.authorise(kind), a_message(kind, **changes))


def test_a_submission_review_names_whose_work_it_is(stage: Stage) -> None:
    message = a_message(MessageType.SUBMISSION_REVIEW, for_user="7")
    claims = stage.open(stage.platform.launch_form(stage.authorise(message.type), message).fields["id_token"])
    assert claims[Claim.FOR_USER] == {"user_id": "7"}
    assert claims[Claim.MESSAGE_TYPE] == "LtiSubmissionReviewRequest"
