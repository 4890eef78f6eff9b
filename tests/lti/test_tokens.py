"""Access tokens: Security Framework 1.0 §4.1.1 and §7.1, RFC 7523, and Moodle's token.php."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from werkzeug.wrappers import Response

from connector.base.i18n import translate
from lti.errors import TokenRefused, TokenUnavailable
from lti.tool.ports import AccessToken, TokenKey
from lti.tool.signature import read_header, verify
from lti.tool.tokens import TokenSource
from lti.vocab import Claim, Scope
from tests.lti.kit import CLIENT, NOW, OneKey, SetClock, key_pair, outbound, page

TOKEN = "/token.php"


def source(clock=None, store=None) -> TokenSource:
    return TokenSource(outbound(), OneKey(), store, clock or SetClock())


def assertion(call) -> dict:
    return verify(parse_qs(call.body)["client_assertion"][0], key_pair("tool").key)


def test_the_request_is_a_signed_assertion_as_the_specification_has_it(lms):
    source().bearer(lms.registration, "1", [Scope.SCORE, Scope.LINEITEM])
    call = lms.seen(TOKEN)[0]
    form = {name: values[0] for name, values in parse_qs(call.body).items()}
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["scope"].split() == sorted([Scope.SCORE, Scope.LINEITEM])
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert read_header(form["client_assertion"])["kid"] == key_pair("tool").kid
    claims = assertion(call)
    assert claims["iss"] == claims["sub"] == CLIENT
    assert claims["aud"] == lms.registration.token_url
    assert claims["iat"] == NOW.timestamp() - 60, "Moodle refuses a time even a second ahead of its own"
    assert claims["exp"] == NOW.timestamp() + 300
    assert claims[Claim.DEPLOYMENT_ID] == "1"


def test_every_assertion_has_its_own_jti(lms):
    tokens = source()
    for deployment in "123":
        tokens.bearer(lms.registration, deployment, [Scope.SCORE])
    assert len({assertion(call)["jti"] for call in lms.seen(TOKEN)}) == 3


def test_brightspace_wants_its_own_audience(lms):
    audience = "https://api.brightspace.com/auth/token"
    source().bearer(replace(lms.registration, token_audience=audience), "1", [Scope.SCORE])
    assert assertion(lms.seen(TOKEN)[0])["aud"] == audience


def test_brightspaces_audience_is_known_without_being_typed_in(lms):
    source().bearer(replace(lms.registration, profile="d2l"), "1", [Scope.SCORE])
    assert assertion(lms.seen(TOKEN)[0])["aud"] == "https://api.brightspace.com/auth/token"


def test_moodles_token_labelled_text_html_is_read(lms):
    token = source().bearer(lms.registration, "1", [Scope.SCORE])
    assert token.value == "t1"
    assert token.scopes == {Scope.SCORE}
    assert token.expires_at == NOW + timedelta(seconds=3600)
    assert "t1" not in repr(token)


def test_a_token_is_asked_for_once_and_renewed_a_minute_before_its_end(lms):
    clock = SetClock()
    tokens = source(clock)
    for _ in range(5):
        tokens.bearer(lms.registration, "1", [Scope.SCORE])
    clock.tick(seconds=3539)
    tokens.bearer(lms.registration, "1", [Scope.SCORE])
    assert lms.count(TOKEN) == 1
    clock.tick(seconds=2)
    tokens.bearer(lms.registration, "1", [Scope.SCORE])
    assert lms.count(TOKEN) == 2


def test_tokens_of_different_clients_deployments_and_scopes_never_mix(lms):
    tokens, ours = source(), lms.registration
    asked = [(ours, "1", [Scope.SCORE]), (ours, "2", [Scope.SCORE]), (ours, "1", [Scope.LINEITEM]),
             (replace(ours, client_id="other"), "1", [Scope.SCORE])]  # fmt: skip
    assert len({tokens.bearer(*key).value for key in asked}) == 4
    assert len({tokens.bearer(*key).value for key in asked}) == 4
    assert lms.count(TOKEN) == 4
    assert tokens.bearer(ours, "1", [Scope.SCORE, Scope.LINEITEM]).value == "t5"
    assert tokens.bearer(ours, "1", [Scope.LINEITEM, Scope.SCORE]).value == "t5", "the order of scopes is nothing"


def test_one_thread_asks_and_the_others_wait(lms):
    lms.delay = 0.2
    tokens, found, barrier = source(), [], threading.Barrier(12)

    def ask():
        barrier.wait()
        found.append(tokens.bearer(lms.registration, "1", [Scope.SCORE]).value)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == ["t1"] * 12
    assert lms.count(TOKEN) == 1


class Cupboard:
    def __init__(self):
        self.kept: dict[TokenKey, AccessToken] = {}

    def load(self, key):
        return self.kept.get(key)

    def save(self, key, token):
        self.kept[key] = token

    def drop(self, key, token):
        if self.kept.get(key) == token:
            del self.kept[key]


def test_processes_share_tokens_through_the_store(lms):
    cupboard = Cupboard()
    first = source(store=cupboard).bearer(lms.registration, "1", [Scope.SCORE])
    assert source(store=cupboard).bearer(lms.registration, "1", [Scope.SCORE]) == first
    assert lms.count(TOKEN) == 1
    late = source(SetClock(NOW + timedelta(hours=2)), cupboard)
    assert late.bearer(lms.registration, "1", [Scope.SCORE]) != first


def test_a_dropped_token_is_asked_for_anew_but_a_renewed_one_stays(lms):
    cupboard = Cupboard()
    tokens = source(store=cupboard)
    first = tokens.bearer(lms.registration, "1", [Scope.SCORE])
    tokens.drop(lms.registration, "1", [Scope.SCORE], first)
    second = tokens.bearer(lms.registration, "1", [Scope.SCORE])
    assert second.value != first.value
    tokens.drop(lms.registration, "1", [Scope.SCORE], first)
    assert tokens.bearer(lms.registration, "1", [Scope.SCORE]) == second
    assert lms.count(TOKEN) == 2


def test_a_late_401_does_not_drop_the_token_another_thread_renewed(lms):
    tokens = source()
    first = tokens.bearer(lms.registration, "1", [Scope.SCORE])
    tokens.drop(lms.registration, "1", [Scope.SCORE], first)
    tokens.bearer(lms.registration, "1", [Scope.SCORE])
    tokens.drop(lms.registration, "1", [Scope.SCORE], first)
    tokens.bearer(lms.registration, "1", [Scope.SCORE])
    assert lms.count(TOKEN) == 2


def test_a_token_without_one_of_the_scopes_is_refused_and_the_scope_named(lms):
    lms.token_scopes = {str(Scope.LINEITEM)}
    with pytest.raises(TokenRefused) as caught:
        source().bearer(lms.registration, "1", [Scope.LINEITEM, Scope.SCORE])
    assert caught.value.reason == "token_scope_not_granted"
    assert "score" in str(caught.value.message)
    assert "lineitem" not in str(caught.value.message)


def test_writing_columns_covers_reading_them(lms):
    lms.rule(TOKEN, lambda call: answer(scope=Scope.LINEITEM))
    assert source().bearer(lms.registration, "1", [Scope.LINEITEM_READONLY]).value == "v"


def test_an_unknown_scope_can_be_asked_for(lms):
    lms.rule(TOKEN, lambda call: answer(scope="https://example.org/own"))
    assert source().bearer(lms.registration, "1", ["https://example.org/own"]).value == "v"
    with pytest.raises(TokenRefused):
        source().bearer(lms.registration, "1", ["https://example.org/other"])


def answer(**changes) -> Response:
    import json

    body = {"access_token": "v", "token_type": "bearer", "expires_in": 3600, **changes}
    return Response(json.dumps({name: item for name, item in body.items() if item is not None}), mimetype="text/html")


def test_an_answer_without_scope_grants_what_was_asked(lms):
    lms.rule(TOKEN, lambda call: answer())
    assert source().bearer(lms.registration, "1", [Scope.SCORE]).scopes == {Scope.SCORE}


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(None, 300), ("3600", 3600), (10**9, 86400), (0, 300), (-5, 300), ("x", 300), (90.5, 90)],
)
def test_a_lifetime_is_kept_within_reason(lms, expires_in, seconds):
    lms.rule(TOKEN, lambda call: answer(expires_in=expires_in))
    assert source().bearer(lms.registration, "1", [Scope.SCORE]).expires_at == NOW + timedelta(seconds=seconds)


def html(text: str, status: int = 400):
    return lambda call: Response(text, status, mimetype="text/html")


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        (html('{"error": "invalid_scope"}'), TokenRefused, "token_invalid_scope"),
        (html('{"error": "invalid_client"}', 401), TokenRefused, "token_invalid_client"),
        (html('{\n    "error" : ""kid" invalid, unable to lookup correct key"\n}'), TokenRefused, "token_unknown_key"),
        (
            html('{"error":"Cannot handle token with iat prior to 2026-11-21T21:00:00+0000"}'),
            TokenRefused,
            "token_clock",
        ),
        (html('{"error":"Expired token"}'), TokenRefused, "token_clock"),
        (html("<!DOCTYPE html><html>Not Found", 404), TokenRefused, "token_keys_unreachable"),
        (html('{"error": "invalid_request"}'), TokenRefused, "token_refused"),
        (html("no", 403), TokenRefused, "token_refused"),
        (html("", 400), TokenRefused, "token_refused"),
        (lambda call: page(503), TokenUnavailable, "token_unavailable"),
        (lambda call: page(200), TokenUnavailable, "token_unavailable"),
        (html("[]", 200), TokenUnavailable, "token_unavailable"),
        (html("{}", 200), TokenUnavailable, "token_unavailable"),
        (html('{"access_token": 5}', 200), TokenUnavailable, "token_unavailable"),
        (html("", 302), TokenUnavailable, "token_unavailable"),
        (html("{}", 500), TokenUnavailable, "token_unavailable"),
    ],
)
def test_every_refusal_of_the_token_endpoint_has_its_type(lms, fault, error, reason):
    lms.rule(TOKEN, fault)
    with pytest.raises(error) as caught:
        source().bearer(lms.registration, "1", [Scope.SCORE])
    assert caught.value.reason == reason
    assert translate(caught.value.message, "kk") != str(caught.value.message)
    assert translate(caught.value.message, "ru") != str(caught.value.message)


def test_moodle_that_cannot_fetch_our_keys_is_told_by_its_404_page(lms):
    lms.rule(TOKEN, html("<!DOCTYPE html>", 404))
    with pytest.raises(TokenRefused) as caught:
        source().bearer(lms.registration, "1", [Scope.SCORE])
    assert "cURL blocked hosts list" in str(caught.value.message)
    assert "cURL allowed ports list" in str(caught.value.message)


def test_the_wait_the_platform_asks_for_is_kept(lms):
    lms.rule(TOKEN, lambda call: Response("", 429, headers={"Retry-After": "17"}))
    with pytest.raises(TokenUnavailable) as caught:
        source().bearer(lms.registration, "1", [Scope.SCORE])
    assert caught.value.retry_after == timedelta(seconds=17)


def test_a_failure_is_not_remembered(lms):
    tokens = source()
    lms.rule(TOKEN, lambda call: page(503))
    with pytest.raises(TokenUnavailable):
        tokens.bearer(lms.registration, "1", [Scope.SCORE])
    lms.rules.clear()
    assert tokens.bearer(lms.registration, "1", [Scope.SCORE]).value == "t1"
