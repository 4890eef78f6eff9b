from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from lti.platform.bearer import NEEDED
from lti.platform.errors import BearerRefused, TokenRefused
from lti.platform.keys import read_header
from lti.vocab import Claim, Scope
from tests.lti_platform.kit import (
    ISSUER,
    TOKEN_URL,
    Stage,
    a_message,
    assertion,
    sign,
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
