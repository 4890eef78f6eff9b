from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from connector.base.i18n import translate
from lti.platform.claims import audience_is, instant
from lti.platform.errors import AuthorisationRefused, TokenRefused, ToolKeyRefused
from lti.platform.keys import PlatformKey, read_header, read_keys, read_unverified_claims
from tests.lti_platform.kit import (
    SESSION,
    Stage,
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
