"""The self-test's own parts: its judge, its platform and its evidence, so that a pass means something."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connector.base.outbound import NetworkPolicy, Outbound, Reply
from connector.host.selftest import jose
from connector.host.selftest.browser import Browser, Page
from connector.host.selftest.cases import BY_ID, CASES
from connector.host.selftest.launches import let_in, refused
from connector.host.selftest.lms import SelftestLms
from connector.host.selftest.messages import GONE, launch
from connector.host.selftest.probe import Seen
from connector.host.selftest.records import Group, Report, Verdict, in_order
from connector.host.selftest.redact import HIDDEN, redacted
from lti.tool.keys import new_signing_key, public_jwk
from lti.tool.signature import sign
from lti.vocab import CLIENT_ASSERTION_TYPE, Claim, Media, Scope
from tests.support.kopir_site import key_pair

PAIR = jose.new_pair()
CASE = BY_ID["bad-03"]


# Cases


def test_cases_are_the_certification_s_43_and_no_two_share_an_id() -> None:
    counts = {group: sum(case.group is group for case in CASES) for group in Group}
    assert [counts[group] for group in list(Group)[:6]] == [12, 9, 9, 7, 5, 1]
    assert sum(case.certification for case in CASES) == 43
    assert len(BY_ID) == len(CASES)


def test_case_that_was_not_tried_has_failed() -> None:
    tried = [Verdict(case, "a", "a", passed=True) for case in CASES[1:]]
    verdicts = in_order(CASES, tried)
    assert [verdict.case for verdict in verdicts] == list(CASES)
    report = Report("http://127.0.0.1", "shipped", "2026-11-21", 1.0, verdicts)
    assert not report.passed
    assert report.counts()["cases_passed"] == len(CASES) - 1
    assert report.as_json("en")["results"][0]["seen"] == "not tried"


def test_report_without_any_case_has_not_passed() -> None:
    assert not Report("http://127.0.0.1", "shipped", "2026-11-21", 1.0, ()).passed


# Judging


GOOD_REFUSAL: dict[str, Any] = {
    "status": 400,
    "landed": "refusal",
    "reason": "wrong_version",
    "clause": "LTI Core 1.3 §5.3.2",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 500}, {"status": 200}, {"landed": "page"}, {"reason": "bad_nonce"}, {"clause": ""}, {"stored": 1},
        {"cookies": ("kopir_launch=x",)},
    ],
)  # fmt: skip
def test_refusal_passes_only_with_its_status_page_code_clause_and_nothing_stored(changes: dict[str, Any]) -> None:
    assert refused(CASE, Seen(**GOOD_REFUSAL), "wrong_version").passed
    assert not refused(CASE, Seen(**{**GOOD_REFUSAL, **changes}), "wrong_version").passed


GOOD_LAUNCH: dict[str, Any] = {
    "status": 303,
    "landed": "launch",
    "role": "pupil",
    "stored": 1,
    "cookies": ("kopir_launch=x",),
    "page": 200,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 200},
        {"landed": "page"},
        {"role": "teacher"},
        {"stored": 0},
        {"stored": 2},
        {"cookies": ()},
        {"page": 403},
    ],
)  # fmt: skip
def test_launch_passes_only_when_it_is_let_in_once_in_its_role_with_a_page_that_opens(changes: dict[str, Any]) -> None:
    assert let_in(CASE, Seen(**GOOD_LAUNCH), "pupil").passed
    assert not let_in(CASE, Seen(**{**GOOD_LAUNCH, **changes}), "pupil").passed


# Tokens


def test_judge_believes_the_tool_s_signature_and_no_other() -> None:
    key = key_pair()
    token = sign({"a": 1}, key)
    assert jose.verify(token, [public_jwk(key)]) == {"a": 1}
    with pytest.raises(jose.BadToken):
        jose.verify(token, [{**public_jwk(new_signing_key()), "kid": key.kid}])
    with pytest.raises(jose.BadToken):
        jose.verify(token, [{**public_jwk(key), "kid": "another"}])


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "W10.W10.x", "..", "é.é.é"])
def test_judge_calls_what_is_no_token_bad(token: str) -> None:
    with pytest.raises(jose.BadToken):
        jose.decode(token)


def test_hostile_tokens_say_what_they_are_said_to_say() -> None:
    head = {"alg": "none"}
    assert jose.encode_unsigned(head, {}).endswith(".")
    assert jose.decode(jose.encode_hmac({"alg": "HS256"}, {"x": "ә"}, b"k"))[1] == {"x": "ә"}
    with pytest.raises(jose.BadToken):
        jose.verify(jose.encode({"alg": "none", "kid": PAIR.kid}, {}, PAIR), [PAIR.public_jwk()])


# Evidence


def test_evidence_names_nobody_and_opens_nothing() -> None:
    claims = {"iss": "https://lms.kz", "name": "Айгерім", "email": "a@b.kz", "nonce": "n" * 40, Claim.VERSION: "11.3"}
    sent = {
        "form": {"id_token": jose.encode({"alg": "RS256", "kid": PAIR.kid}, claims, PAIR), "state": "s" * 40},
        "cookie": "secret", "list": [{"lis_person_sourcedid": "2026010001"}], "long": "x" * 5000,
    }  # fmt: skip
    text = json.dumps(redacted(sent), ensure_ascii=False)
    for hidden in ("Айгерім", "a@b.kz", "n" * 40, "s" * 40, "secret", "2026010001", "eyJ", "x" * 500):
        assert hidden not in text
    for kept in ("https://lms.kz", "11.3", PAIR.kid, HIDDEN):
        assert kept in text


def test_what_was_left_empty_stays_readable_as_empty() -> None:
    assert redacted({"name": "", "email": None}) == {"name": "", "email": None}


# The browser


def page(cookie: str = "", html: str = "") -> Page:
    return Page(Reply(200, {"set-cookie": cookie}, html.encode(), "https://kopir.kz/l/1/"))


def test_browser_sends_a_cookie_below_its_path_only_and_drops_what_is_taken_back() -> None:
    browser = Browser(Outbound(NetworkPolicy()))
    browser._keep(
        page("kopir_launch=a.b; Path=/l/1/; Max-Age=9; Secure, kopir_state_1=x; Path=/lti/launch; Max-Age=9").reply
    )
    assert browser._headers("https://kopir.kz/l/1/p/")["Cookie"] == "kopir_launch=a.b"
    assert browser._headers("https://kopir.kz/lti/launch")["Cookie"] == "kopir_state_1=x"
    assert "Cookie" not in browser._headers("https://kopir.kz/l/2/")
    browser._keep(page("kopir_state_1=; Path=/lti/launch; Max-Age=0; Secure").reply)
    assert "Cookie" not in browser._headers("https://kopir.kz/lti/launch")


def test_browser_reads_forms_as_they_would_be_sent() -> None:
    html = """<form action="/l/1/p/pick" method="post"><input type="hidden" name="t" value="1&amp;2">
    <input type="radio" name="tag" value="fo" checked><input type="radio" name="tag" value="sor"></form>
    <input name="out">"""
    form = page(html=html).form("/pick")
    assert form is not None
    assert form.action == "https://kopir.kz/l/1/p/pick"
    assert form.fields == {"t": "1&2", "tag": "fo"}
    assert page(html=html).form("/none") is None


# The platform


@pytest.fixture
def lms() -> Iterator[SelftestLms]:
    made = SelftestLms()
    made.trust(lambda: [public_jwk(key_pair())])
    yield made
    made.close()


@pytest.fixture
def http() -> Outbound:
    return Outbound(NetworkPolicy(everything=True))


def assertion(lms: SelftestLms, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": lms.client_id, "sub": lms.client_id, "aud": lms.url("token"), "iat": now - 60, "exp": now + 300,
        "jti": changes.pop("jti", "j1"), Claim.DEPLOYMENT_ID: lms.deployment, **changes,
    }  # fmt: skip
    return sign(claims, key_pair())


def ask(http: Outbound, lms: SelftestLms, scope: str, **changes: Any) -> Reply:
    form = {
        "grant_type": "client_credentials", "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": changes.pop("token", None) or assertion(lms, **changes), "scope": scope,
    }  # fmt: skip
    return http.request("POST", lms.url("token"), form=form)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "x"},
        {"sub": "x"},
        {"aud": "https://x"},
        {"exp": 1},
        {"iat": 9_999_999_999},
        {"jti": ""},
        {"token": "a.b.c"},
    ],
)
def test_platform_gives_no_token_for_a_wrong_assertion(
    lms: SelftestLms, http: Outbound, changes: dict[str, Any]
) -> None:
    reply = ask(http, lms, Scope.SCORE, **changes)
    assert (reply.status, reply.json()["error"]) == (400, "invalid_client")


def test_platform_takes_an_assertion_once(lms: SelftestLms, http: Outbound) -> None:
    once = assertion(lms)
    assert ask(http, lms, Scope.SCORE, token=once).status == 200
    assert ask(http, lms, Scope.SCORE, token=once).status == 400


def call(http: Outbound, lms: SelftestLms, method: str, path: str, scope: Scope, **headers: str) -> int:
    token = ask(http, lms, scope, jti=f"{method}{path}{scope}{headers}").json()["access_token"]
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    body = json.dumps({"userId": "5", "timestamp": "2026-11-21T10:00:00Z"}) if method == "POST" else None
    return http.request(method, lms.url(path), headers=sent, body=body).status


def test_platform_wants_a_token_its_scope_and_the_exact_media_type(lms: SelftestLms, http: Outbound) -> None:
    assert http.request("GET", lms.url("members")).status == 401
    assert call(http, lms, "GET", "members", Scope.SCORE, Accept=Media.MEMBERS) == 403
    assert call(http, lms, "GET", "members", Scope.MEMBERSHIP_READONLY, Accept="application/json") == 406
    assert call(http, lms, "GET", "members", Scope.MEMBERSHIP_READONLY, Accept=Media.MEMBERS) == 200
    assert call(http, lms, "POST", "lineitems", Scope.LINEITEM_READONLY, Content_Type=Media.LINE_ITEM) == 403
    assert call(http, lms, "POST", "lineitems", Scope.LINEITEM, Content_Type=Media.LINE_ITEM) == 201
    scores = "lineitems/1/lineitem/scores"
    assert call(http, lms, "POST", scores, Scope.LINEITEM, Content_Type=Media.SCORE) == 403
    assert call(http, lms, "POST", scores, Scope.SCORE, Content_Type="application/json") == 415
    assert call(http, lms, "POST", scores, Scope.SCORE, Content_Type=Media.SCORE) == 204
    assert call(http, lms, "POST", scores, Scope.SCORE, Content_Type=f"{Media.SCORE}; charset=utf-8") == 409
    assert call(http, lms, "GET", "lineitems/1/lineitem/results", Scope.SCORE, Accept=Media.RESULTS) == 403
    assert call(http, lms, "GET", "lineitems/9/lineitem/results", Scope.RESULT_READONLY, Accept=Media.RESULTS) == 404
    assert [seen.status for seen in lms.seen("/members")] == [401, 403, 406, 200]


def test_claims_can_be_changed_and_left_out(lms: SelftestLms) -> None:
    claims = launch(lms, "https://kopir.kz/lti/launch", "n", VERSION="11.3", ROLES=GONE, sub="")
    assert claims[Claim.VERSION] == "11.3"
    assert Claim.ROLES not in claims
    assert claims["sub"] == ""
