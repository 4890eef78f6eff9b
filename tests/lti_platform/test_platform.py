from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from connector.base.errors import Fatal
from connector.base.i18n import translate
from lti.platform.authorisation import MAX_NONCE, MAX_STATE
from lti.platform.bearer import NEEDED
from lti.platform.claims import audience_is, instant
from lti.platform.errors import AuthorisationRefused, BearerRefused, ResponseRefused, TokenRefused, ToolKeyRefused
from lti.platform.hints import Intent
from lti.platform.keys import PlatformKey, read_header, read_keys, read_unverified_claims
from lti.platform.records import BrowserSession
from lti.vocab import Claim, MessageType, Scope
from tests.lti_platform.kit import (
    CALLBACK,
    ISSUER,
    SESSION,
    TOKEN_URL,
    Stage,
    a_message,
    assertion,
    request_pairs,
    sign,
)
from tests.twins.moodle_kit import key_server


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.fixture(scope="module")
def other_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-2"})


@pytest.fixture
def stage(tool_key: RSAKey) -> Stage:
    return Stage(tool_key)


# Login and authorisation.


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


@given(st.text(max_size=200))
def test_no_text_passes_for_a_hint(text: str) -> None:
    stage = Stage(_KEY)
    with pytest.raises(AuthorisationRefused):
        stage.platform.authorise(request_pairs(stage, lti_message_hint=text), SESSION)


_KEY = RSAKey.generate_key(2048, {"kid": "tool-1"})


# Messages.


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


# Token endpoint.


def test_a_good_assertion_gets_the_scopes_asked_and_granted(stage: Stage) -> None:
    stage.register(scopes=frozenset({Scope.SCORE, Scope.LINEITEM}))
    answer = stage.platform.token(stage.token_form(assertion(stage), Scope.SCORE, Scope.RESULT_READONLY, "x"))
    assert answer.scopes == (Scope.SCORE,)
    claims = stage.open(answer.access_token)
    assert claims[Claim.DEPLOYMENT_ID] == "1"
    assert claims["exp"] - claims["iat"] == 3600
    assert (read_header(answer.access_token) or {})["typ"] == "at+jwt"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "client-2"},
        {"aud": "https://elsewhere.example"},
        {"aud": [TOKEN_URL, "https://elsewhere.example"]},
        {"aud": []},
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1},
        {"exp": 10**30},
        {"jti": None},
        {"jti": ""},
        {"jti": "j" * 300},
        {"jti": 5},
        {Claim.DEPLOYMENT_ID: "2"},
    ],
)
def test_a_wrong_assertion_gets_no_token(stage: Stage, changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused) as refused:
        stage.platform.token(stage.token_form(assertion(stage, **changes)))
    assert refused.value.error == "invalid_client"


def test_an_assertion_from_the_future_or_too_long_lived_is_refused(stage: Stage) -> None:
    seconds = int(stage.clock.now.timestamp())
    for times in ({"iat": seconds + 120, "exp": seconds + 300}, {"iat": seconds, "exp": seconds + 90_000}):
        with pytest.raises(TokenRefused, match="wrong_times"):
            stage.platform.token(stage.token_form(assertion(stage, **times)))


def test_the_issuer_is_an_audience_too(stage: Stage) -> None:
    assert stage.platform.token(stage.token_form(assertion(stage, aud=[ISSUER]))).access_token


def test_an_assertion_is_used_once(stage: Stage) -> None:
    form = stage.token_form(assertion(stage))
    stage.platform.token(form)
    with pytest.raises(TokenRefused, match="replayed"):
        stage.platform.token(form)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "unsupported_grant_type"),
        ({"client_assertion": "x"}, "invalid_request"),
        ({"client_assertion": "a.b.c"}, "invalid_request"),
        ({"scope": ""}, "invalid_request"),
    ],
)
def test_a_token_request_of_another_shape_is_named(stage: Stage, changes: dict[str, str], error: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        stage.platform.token({**stage.token_form(assertion(stage)), **changes})
    assert refused.value.error == error


def test_an_unknown_client_gets_no_token(stage: Stage) -> None:
    with pytest.raises(TokenRefused) as refused:
        stage.platform.token(stage.token_form(assertion(stage, sub="client-9")))
    assert (refused.value.error, refused.value.reason) == ("invalid_client", "unknown_client")


def test_a_deep_linking_response_is_no_assertion(stage: Stage) -> None:
    token = stage.response(sub=stage.tool.client_id)
    with pytest.raises(TokenRefused):
        stage.platform.token(stage.token_form(token))


def test_leniency_takes_what_moodle_takes_and_refuses_what_it_refuses(tool_key: RSAKey) -> None:
    lenient = Stage(tool_key, moodle_leniency=True)
    seconds = int(lenient.clock.now.timestamp())
    for changes in ({"aud": "x"}, {"iss": "x"}, {"jti": None}, {"exp": None}):
        assert lenient.platform.token(lenient.token_form(assertion(lenient, **changes)))
    for changes in ({"iat": seconds + 5}, {"nbf": seconds + 5}, {"exp": seconds}):
        with pytest.raises(TokenRefused):
            lenient.platform.token(lenient.token_form(assertion(lenient, **changes)))


# Keys.


def test_a_token_signed_with_another_key_is_refused(stage: Stage, other_key: RSAKey) -> None:
    stolen_name = sign(other_key, {"sub": "client-1"}, kid="tool-1")
    for token in (assertion(stage, key=other_key), stolen_name):
        with pytest.raises(TokenRefused):
            stage.platform.token(stage.token_form(token))


def test_no_kid_no_algorithm_but_rs256(stage: Stage, tool_key: RSAKey) -> None:
    public = tool_key.as_pem(private=False)
    claims = {"sub": "client-1", "iss": "client-1"}
    hmac = jwt.encode(
        {"alg": "HS256", "kid": "tool-1"}, claims, OctKey.import_key(base64.urlsafe_b64encode(public).decode())
    )
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"tool-1"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for token in (assertion(stage, header={"kid": None}), hmac, f"{head}.{body}."):
        with pytest.raises(ToolKeyRefused):
            stage.keys.verify(stage.tool, token)


def test_one_broken_or_weak_key_costs_only_itself(tool_key: RSAKey) -> None:
    good = tool_key.as_dict(private=False)
    weak_modulus = base64.urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()
    bad = [
        "text",
        {"kty": "RSA", "kid": "a"},
        {"kty": "RSA", "kid": "b", "n": "!!", "e": "AQAB"},
        {"kty": "RSA", "kid": "weak", "n": weak_modulus, "e": "AQAB"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "ps", "alg": "PS256"},
        {"kty": "EC", "kid": "ec"},
    ]
    assert set(read_keys({"keys": [*bad, good]})) == {"tool-1"}
    for nothing in (None, [], {"keys": "x"}, {}):
        assert read_keys(nothing) == {}


def test_a_new_key_is_fetched_when_its_name_is_unknown(tool_key: RSAKey, other_key: RSAKey) -> None:
    with key_server(tool_key) as server:
        stage = Stage(tool_key, jwks_url=server.url)
        stage.platform.token(stage.token_form(assertion(stage)))
        stage.platform.token(stage.token_form(assertion(stage)))
        assert server.asked == 1
        server.keys.append(other_key)
        stage.platform.token(stage.token_form(assertion(stage, key=other_key)))
        assert server.asked == 2


def test_a_key_replaced_under_the_same_name_is_fetched_again(tool_key: RSAKey) -> None:
    with key_server(tool_key) as server:
        stage = Stage(tool_key, jwks_url=server.url)
        stage.platform.token(stage.token_form(assertion(stage)))
        fresh = RSAKey.generate_key(2048, {"kid": "tool-1"})
        server.keys[:] = [fresh]
        assert stage.platform.token(stage.token_form(assertion(stage, key=fresh)))


def test_unknown_keys_do_not_make_us_ask_without_end(tool_key: RSAKey, other_key: RSAKey) -> None:
    with key_server(tool_key) as server:
        stage = Stage(tool_key, jwks_url=server.url)
        for _ in range(20):
            with pytest.raises(TokenRefused):
                stage.platform.token(stage.token_form(assertion(stage, key=other_key)))
        assert server.asked == 2
        stage.clock.pass_time(seconds=11)
        with pytest.raises(TokenRefused):
            stage.platform.token(stage.token_form(assertion(stage, key=other_key)))
        assert server.asked == 3


@pytest.mark.parametrize(("status", "raw"), [(500, None), (200, b"<html>"), (404, b"{}")])
def test_unreadable_keys_refuse_the_token(tool_key: RSAKey, status: int, raw: bytes | None) -> None:
    with key_server(tool_key) as server:
        server.status, server.raw = status, raw
        stage = Stage(tool_key, jwks_url=server.url)
        with pytest.raises(TokenRefused, match="jwks_unrea"):
            stage.platform.token(stage.token_form(assertion(stage)))


def test_a_huge_token_is_not_even_parsed() -> None:
    assert read_header("a" * 40_000 + ".b.c") is None
    assert read_unverified_claims("only.two") is None


# Service calls.


def bearer(stage: Stage, *scopes: str) -> str:
    return "Bearer " + stage.platform.token(stage.token_form(assertion(stage), *scopes)).access_token


@pytest.mark.parametrize(("service", "method"), sorted(NEEDED))
@pytest.mark.parametrize("scope", sorted(Scope))
def test_each_scope_opens_exactly_its_own_doors(stage: Stage, service: str, method: str, scope: str) -> None:
    header = bearer(stage, scope)
    if scope in NEEDED[service, method]:
        assert stage.platform.grant(header, service, method).tool == stage.tool
    else:
        with pytest.raises(BearerRefused) as refused:
            stage.platform.grant(header, service, method)
        assert (refused.value.status, refused.value.challenge) == (403, 'Bearer error="insufficient_scope"')


def test_a_readonly_scope_covers_nothing_but_get() -> None:
    assert {method for (_, method), scopes in NEEDED.items() if any("readonly" in scope for scope in scopes)} == {"GET"}


def test_an_unlisted_method_is_open_to_nobody(stage: Stage) -> None:
    with pytest.raises(BearerRefused):
        stage.platform.grant(bearer(stage), "scores", "GET")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "Bearer x y"])
def test_a_call_without_a_good_token_is_401(stage: Stage, header: str) -> None:
    with pytest.raises(BearerRefused) as refused:
        stage.platform.grant(header, "scores", "POST")
    assert refused.value.status == 401
    assert refused.value.challenge.startswith("Bearer")


def test_an_id_token_an_old_token_and_a_foreign_one_open_nothing(stage: Stage, tool_key: RSAKey) -> None:
    form = stage.platform.launch_form(stage.authorise(), a_message())
    old = bearer(stage)
    foreign = stage.open(old.removeprefix("Bearer "))
    stage.clock.pass_time(hours=1)
    for header in (f"Bearer {form.fields['id_token']}", old, f"Bearer {sign(tool_key, foreign, typ='at+jwt')}"):
        with pytest.raises(BearerRefused) as refused:
            stage.platform.grant(header, "scores", "POST")
        assert refused.value.status == 401


def test_a_token_dies_with_its_registration_and_shrinks_with_its_grant(stage: Stage) -> None:
    header = bearer(stage)
    stage.register(scopes=frozenset({Scope.RESULT_READONLY}))
    with pytest.raises(BearerRefused):
        stage.platform.grant(header, "scores", "POST")
    stage.register(deployment_id="9")
    with pytest.raises(BearerRefused):
        stage.platform.grant(header, "results", "GET")
    stage.memory.tools.clear()
    with pytest.raises(BearerRefused):
        stage.platform.grant(header, "results", "GET")


# Deep linking.


def test_a_good_response_gives_its_items(stage: Stage) -> None:
    token = stage.response(**{Claim.DL_DATA: "echo", Claim.DL_MSG: "Дайын"})
    chosen = stage.platform.chosen(stage.tool, token, data="echo")
    assert chosen.items == (stage.item,)
    assert chosen.message == "Дайын"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "client-2"},
        {"aud": "https://elsewhere.example"},
        {"aud": [ISSUER, "https://elsewhere.example"]},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nonce": None},
        {"nonce": ""},
        {Claim.DEPLOYMENT_ID: "2"},
        {Claim.MESSAGE_TYPE: "LtiResourceLinkRequest"},
        {Claim.VERSION: "1.1"},
        {Claim.DL_DATA: "another"},
        {Claim.DL_DATA: None},
        {"items": "x"},
        {"items": ["x"]},
        {"items": [{"type": "html", "html": "<script>"}]},
        {"items": [{"type": "ltiResourceLink"}] * 101},
    ],
)
def test_a_wrong_response_is_not_used_at_all(stage: Stage, changes: dict[str, Any]) -> None:
    token = stage.response(**{Claim.DL_DATA: "echo", **changes})
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, token, data="echo")


def test_a_response_is_used_once_and_a_refused_one_spends_nothing(stage: Stage) -> None:
    token = stage.response()
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, token, data="missing")
    stage.platform.chosen(stage.tool, token, data=None)
    with pytest.raises(ResponseRefused, match="replayed"):
        stage.platform.chosen(stage.tool, token, data=None)


def test_several_items_where_one_was_asked_for_are_refused(stage: Stage) -> None:
    token = stage.response(items=[stage.item, stage.item])
    with pytest.raises(ResponseRefused, match="too_many_items"):
        stage.platform.chosen(stage.tool, token, data=None, multiple=False)


def test_choosing_nothing_is_an_answer(stage: Stage) -> None:
    assert stage.platform.chosen(stage.tool, stage.response(items=[]), data=None).items == ()


def test_a_response_of_another_tools_key_is_refused(stage: Stage, other_key: RSAKey) -> None:
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, stage.response(key=other_key), data=None)


# Small parts.


@pytest.mark.parametrize(
    ("aud", "ours"), [("a", True), (["a"], True), (["a", "b"], False), ([], False), (None, False), ({"a": 1}, False)]
)
def test_an_audience_is_us_and_nobody_else(aud: Any, ours: bool) -> None:
    assert audience_is({"aud": aud}, "a") is ours


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text()))
def test_no_value_of_a_time_claim_breaks_the_reader(value: Any) -> None:
    found = instant({"exp": value}, "exp")
    assert found is None or found.tzinfo is not None


def test_the_published_keys_hold_no_private_part(stage: Stage) -> None:
    (key,) = stage.platform.jwks()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


def test_a_key_keeps_its_name_over_restarts() -> None:
    pem = PlatformKey.new_pem()
    assert PlatformKey(pem).kid == PlatformKey(pem).kid


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_refusals_are_told_in_the_readers_language(stage: Stage, language: str) -> None:
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, prompt="login"), SESSION)
    assert translate(refused.value.message, language) != str(refused.value.message)
