"""Platform Notification Service 1.0: which notices are believed, and asking for them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.wrappers import Response

from lti.errors import NoticeRefused, ServiceForbidden, ServiceUnreadable
from lti.tool.claims import NoticesEndpoint, parse_notices
from lti.tool.notices import NoticeHandlersService, Subscription, read_batch, read_notice
from lti.tool.tokens import TokenSource
from lti.vocab import Claim, FurtherScope
from tests.lti.kit import (
    CLIENT,
    ISSUER,
    NOW,
    Book,
    FixedKeys,
    OneKey,
    SetClock,
    encode,
    encode_hs256,
    key_pair,
    outbound,
    registration,
)

HEAD = {"typ": "JWT", "alg": "RS256", "kid": key_pair().kid}


def claims(**changes) -> dict:
    """A context-copy notice as Canvas documents it; ``None`` removes a claim."""
    value = {
        "iss": ISSUER, "aud": CLIENT, "azp": CLIENT, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600,
        "nonce": "n-1", Claim.VERSION: "1.3.0", Claim.DEPLOYMENT_ID: "1",
        Claim.NOTICE: {"id": "notice-1", "timestamp": "2026-11-21T19:59:59Z", "type": "LtiContextCopyNotice"},
        Claim.CONTEXT: {"id": "copy-7", "title": "Алгебра 7Б"}, Claim.ORIGIN_CONTEXTS: ["origin-2", "origin-1"],
    }  # fmt: skip
    for name, item in changes.items():
        value[Claim[name] if name in Claim.__members__ else name] = item
    return {str(name): item for name, item in value.items() if item is not None}


def read(token: str, *registrations, now: datetime = NOW):
    return read_notice(token, Book(*(registrations or (registration(),))), FixedKeys(), now)


def refusal(token: str, *registrations, now: datetime = NOW) -> str:
    with pytest.raises(NoticeRefused) as caught:
        read(token, *registrations, now=now)
    return caught.value.reason


def test_notices_a_context_copy_is_read():
    notice = read(encode(HEAD, claims()))
    assert (notice.registration.id, notice.deployment_id, notice.id) == ("r1", "1", "notice-1")
    assert (notice.type, notice.context.id, notice.origins) == (
        "LtiContextCopyNotice",
        "copy-7",
        ("origin-2", "origin-1"),
    )
    assert notice.sent_at == datetime(2026, 11, 21, 19, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("origins", "read_as"),
    [([{"id": "o1"}, {"id": 2}, {}, None, ""], ("o1", "2")), (None, ()), ("o1", ()), (["x"] * 500, ("x",) * 100)],
)
def test_notices_origins_may_be_objects_or_missing(origins, read_as):
    assert read(encode(HEAD, claims(ORIGIN_CONTEXTS=origins))).origins == read_as


def test_notices_a_type_nobody_knows_is_read_all_the_same():
    told = {"id": "n", "type": "LtiSomethingNewNotice"}
    assert read(encode(HEAD, claims(NOTICE=told, CONTEXT=None))).type == "LtiSomethingNewNotice"


def test_notices_of_one_issuer_are_told_apart_by_client():
    other = registration(id="r2", client_id="other")
    assert read(encode(HEAD, claims(aud="other", azp=None)), registration(), other).registration.id == "r2"
    assert read(encode(HEAD, claims(aud=[CLIENT])), registration(), other).registration.id == "r1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "http://evil.example"}, "unknown_issuer"),
        ({"aud": "somebody", "azp": None}, "unknown_issuer"),
        ({"aud": None, "azp": None}, "unknown_issuer"),
        ({"aud": [CLIENT, "stranger"]}, "bad_audience"),
        ({"azp": "stranger"}, "unknown_issuer"),
        ({"exp": int(NOW.timestamp()) - 3600}, "expired"),
        ({"iat": int(NOW.timestamp()) + 3600}, "issued_in_future"),
        ({"exp": None}, "missing_claim"),
        ({"VERSION": "1.1"}, "not_a_notice"),
        ({"nonce": None}, "not_a_notice"),
        ({"DEPLOYMENT_ID": None}, "not_a_notice"),
        ({"DEPLOYMENT_ID": ""}, "not_a_notice"),
        ({"NOTICE": None}, "not_a_notice"),
        ({"NOTICE": {"type": "LtiHelloWorldNotice"}}, "not_a_notice"),
        ({"NOTICE": {"id": "n" * 256, "type": "LtiHelloWorldNotice"}}, "not_a_notice"),
    ],
)
def test_notices_that_say_something_else_than_they_must_are_refused(changes, reason):
    assert refusal(encode(HEAD, claims(**changes))) == reason


def test_notices_of_another_key_or_algorithm_are_refused():
    assert refusal(encode(HEAD, claims(), key_pair("other").key)) == "bad_signature"
    assert refusal(encode({**HEAD, "kid": "invented"}, claims())) == "unknown_key"
    assert refusal(encode({"alg": "RS256"}, claims())) == "missing_kid"
    assert refusal(encode({**HEAD, "jku": "https://evil.example"}, claims())) == "bad_header"
    assert refusal(encode_hs256({**HEAD, "alg": "HS256"}, claims(), b"key")) == "bad_algorithm"


def test_notices_changed_on_their_way_are_refused():
    head, payload, signature = encode(HEAD, claims()).split(".")
    told = json.loads(urlsafe_b64decode(payload + "=="))
    told[Claim.CONTEXT] = {"id": "another"}
    forged = urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    assert refusal(f"{head}.{forged}.{signature}") == "bad_signature"


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", f"{encode(HEAD, b'[]')}", f"{encode(HEAD, b'x')}"])
def test_notices_that_are_no_tokens_are_refused(token):
    assert refusal(token) in ("not_a_launch", "not_a_notice")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"notices": []}', b'{"notices": {}}', b'{"notices": [{}]}', b'{"notices": [{"jwt": 1}]}',
     b'{"notices": ["x"]}', json.dumps({"notices": [{"jwt": "x"}] * 101}).encode()],
)  # fmt: skip
def test_notices_come_in_a_list_of_a_hundred_at_most(body):
    with pytest.raises(NoticeRefused) as caught:
        read_batch(body)
    assert caught.value.reason == "not_a_notice"


def test_notices_of_a_delivery_are_taken_apart():
    assert read_batch(b'{"notices": [{"jwt": "a"}, {"jwt": "b"}]}') == ["a", "b"]


def test_notices_claim_of_a_launch_is_read():
    told = {"platform_notification_service_url": "https://lms.kz/pns", "service_versions": ["1.0"],
            "scope": [FurtherScope.NOTICE_HANDLERS], "notice_types_supported": ["LtiContextCopyNotice"]}  # fmt: skip
    assert parse_notices({Claim.NOTICES: told}) == NoticesEndpoint(
        "https://lms.kz/pns", frozenset({FurtherScope.NOTICE_HANDLERS}), ("LtiContextCopyNotice",)
    )
    assert parse_notices({}) is None
    assert parse_notices({Claim.NOTICES: {"platform_notification_service_url": "javascript:x"}}) is None


def handlers(lms) -> NoticeHandlersService:
    http = outbound()
    lms.token_scopes.add(FurtherScope.NOTICE_HANDLERS)
    tokens = TokenSource(http, OneKey(), None, SetClock(NOW))
    return NoticeHandlersService(http, tokens, lms.registration, "1")


def test_notices_are_asked_for_by_put_with_their_own_scope(lms):
    lms.rule("/pns", lambda call: Response("{}", 200))
    handlers(lms).subscribe(lms.base + "/pns", Subscription("LtiContextCopyNotice", "https://kopir.kz/lti/notices"))
    (call,) = lms.seen("/pns")
    assert call.method == "PUT"
    assert call.json() == {"notice_type": "LtiContextCopyNotice", "handler": "https://kopir.kz/lti/notices"}
    assert "noticehandlers" in lms.seen("/token.php")[0].body


def test_notices_that_are_subscribed_are_listed(lms):
    told = {
        "notice_handlers": [{"notice_type": "A", "handler": "https://kopir.kz/n"}, {"notice_type": "B", "handler": ""}]
    }
    lms.rule("/pns", lambda call: Response(json.dumps(told)))
    assert handlers(lms).read(lms.base + "/pns") == [Subscription("A", "https://kopir.kz/n")]
    lms.rules.clear()
    lms.rule("/pns", lambda call: Response("[]"))
    with pytest.raises(ServiceUnreadable):
        handlers(lms).read(lms.base + "/pns")
    lms.rules.clear()
    lms.rule("/pns", lambda call: Response("", 403))
    with pytest.raises(ServiceForbidden):
        handlers(lms).subscribe(lms.base + "/pns", Subscription("A", "x"))


def test_notices_made_long_ago_are_refused_whatever_their_end():
    assert refusal(encode(HEAD, claims(exp=int(NOW.timestamp()) + 10**6)), now=NOW + timedelta(hours=2)) == "expired"
