"""Hostile launches: what has broken tools before, each refused with its own code and nothing stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from connector.host.selftest import jose, messages
from connector.host.selftest.browser import Browser
from connector.host.selftest.cases import BY_ID
from connector.host.selftest.launches import let_in, refused
from connector.host.selftest.messages import GONE
from connector.host.selftest.probe import Login, Probe, Seen
from connector.host.selftest.records import Verdict

COPIES = 16
_HOUR = 3600


@dataclass(frozen=True)
class _Claims:
    """A hostile launch that differs by its claims alone."""

    reason: str
    changes: Mapping[str, Any]


def hostile(probe: Probe) -> Iterator[Verdict]:
    """Try what has broken tools before."""
    yield from _by_claims(probe)
    yield from _by_login(probe)
    yield from _by_browser(probe)
    yield from _by_signature(probe)
    yield from _replays(probe)
    big = probe.login()
    seen = probe.post(big, probe.token(big), filling="x" * 1_000_000)
    yield refused(BY_ID["body-1mb"], seen, "too_large", status=413)


def _by_claims(probe: Probe) -> Iterator[Verdict]:
    lms, now = probe.lms, int(time.time())
    mine, stranger = lms.client_id, "another-tool"
    no_return = messages.deep_linking(lms, "", deep_link_return_url=GONE)
    table = {
        "audience-other": _Claims("bad_audience", {"aud": stranger}),
        "audience-extra": _Claims("bad_audience", {"aud": [mine, stranger]}),
        "audience-extra-azp": _Claims("bad_audience", {"aud": [mine, stranger], "azp": stranger}),
        "azp-other": _Claims("bad_audience", {"azp": stranger}),
        "issuer-other": _Claims("bad_issuer", {"iss": "https://stranger.example"}),
        "too-old": _Claims("expired", {"iat": now - 2 * _HOUR, "exp": now + _HOUR}),
        "expired": _Claims("expired", {"iat": now - 660, "exp": now - 600}),
        "future": _Claims("issued_in_future", {"iat": now + 600, "exp": now + 660}),
        "nonce-missing": _Claims("bad_nonce", {"nonce": GONE}),
        "nonce-unbound": _Claims("bad_nonce", {"nonce": probe.login().asked.get("nonce")}),
        "deployment-other": _Claims("deployment_mismatch", {"DEPLOYMENT_ID": "404"}),
        "target-other": _Claims("target_mismatch", {"TARGET_LINK_URI": f"{probe.target.launch_url}?other=1"}),
        "message-other": _Claims("wrong_message_type", {"MESSAGE_TYPE": "LtiStartProctoring"}),
        "picker-without-return": _Claims("missing_claim", no_return),
    }
    for name, one in table.items():
        yield refused(BY_ID[name], probe.launch(**one.changes), one.reason)
    stray = probe.launch(probe.login(lti_deployment_id=None), DEPLOYMENT_ID="404")
    yield refused(BY_ID["deployment-unknown"], stray, "unknown_deployment")
    listed = probe.launch(aud=[mine], azp=mine, **messages.teacher())
    yield let_in(BY_ID["audience-list"], listed, "teacher")


def _by_login(probe: Probe) -> Iterator[Verdict]:
    foreign = "https://stranger.example/lti/launch"
    empty = dict.fromkeys(("iss", "login_hint", "target_link_uri", "client_id", "lti_deployment_id"))
    table: dict[str, tuple[str, dict[str, str | None]]] = {
        "issuer-unknown": ("unknown_issuer", {"iss": "https://stranger.example"}),
        "client-unknown": ("unknown_issuer", {"client_id": "another-tool"}),
        "login-empty": ("missing_parameter", {**empty, "lti_message_hint": None}),
        "target-foreign": ("foreign_target", {"target_link_uri": foreign}),
    }
    for name, (reason, changes) in table.items():
        yield refused(BY_ID[name], probe.login(None, **changes).seen, reason)


def _by_browser(probe: Probe) -> Iterator[Verdict]:
    def after(spoil: Callable[[Login], Seen]) -> Seen:
        return spoil(probe.login())

    def forged(login: Login) -> Seen:
        state = login.asked["state"]
        other = "A" if state[10] != "A" else "B"
        return probe.post(login, probe.token(login), state=f"{state[:10]}{other}{state[11:]}")

    def borrowed(login: Login) -> Seen:
        thief = probe.login().browser
        (secret,) = thief.cookies.values()
        thief.cookies.update(dict.fromkeys(login.browser.cookies, secret))
        return probe.post(login, probe.token(login), thief)

    stranger = Browser(probe.outbound)
    table: dict[str, tuple[str, Callable[[Login], Seen]]] = {
        "state-missing": ("state_missing", lambda login: probe.post(login, probe.token(login), state=None)),
        "state-forged": ("state_invalid", forged),
        "cookie-missing": ("no_cookie", lambda login: probe.post(login, probe.token(login), stranger)),
        "browser-other": ("other_browser", borrowed),
        "platform-error": ("platform_error", lambda login: probe.post(login, None, error="access_denied")),
    }
    for name, (reason, spoil) in table.items():
        yield refused(BY_ID[name], after(spoil), reason)


def _by_signature(probe: Probe) -> Iterator[Verdict]:
    lms = probe.lms

    def signed(sign: Callable[[dict[str, Any]], str]) -> Seen:
        login = probe.login()
        return probe.post(login, sign(messages.launch(lms, probe.target.launch_url, login.asked.get("nonce", ""))))

    stranger = jose.new_pair()
    head = probe.header
    inside, elsewhere = head(jwk=stranger.public_jwk()), head(jku="https://stranger.example/jwks")
    table: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
        "alg-none": ("bad_algorithm", lambda claims: jose.encode_unsigned(head(alg="none"), claims)),
        "alg-hs256": (
            "bad_algorithm", lambda claims: jose.encode_hmac(head(alg="HS256"), claims, lms.pair.public_pem()),
        ),
        "signature-other": ("bad_signature", lambda claims: jose.encode(head(), claims, stranger)),
        # A whole key makes a header longer than any we read, so that it may be refused before its words are looked at.
        "key-inside": ("bad_header", lambda claims: jose.encode(inside, claims, stranger)),
        "key-elsewhere": ("bad_header", lambda claims: jose.encode(elsewhere, claims, stranger)),
    }  # fmt: skip
    for name, (reason, sign) in table.items():
        reasons = (reason, "not_a_launch") if name == "key-inside" else (reason,)
        yield refused(BY_ID[name], signed(sign), *reasons)


def _replays(probe: Probe) -> Iterator[Verdict]:
    login = probe.login()
    token, kept = probe.token(login), dict(login.browser.cookies)
    first = probe.post(login, token)
    # The state's cookie was dropped by the first; whoever replays has kept it.
    login.browser.cookies.update(kept)
    again = probe.post(login, token)
    case = BY_ID["nonce-replayed"]
    verdict = refused(case, again, "replayed")
    yield verdict if first.landed == "launch" else Verdict(case, "303 launch first", first.short(), passed=False)
    yield _copies(probe)


def _copies(probe: Probe) -> Verdict:
    """Post one launch sixteen times at once, each from a connection of its own."""
    login = probe.login()
    token, before = probe.token(login), probe.launches()
    gate = threading.Barrier(COPIES)

    def copy(_number: int) -> int:
        browser = Browser(probe.outbound)
        browser.cookies.update(login.browser.cookies)
        gate.wait(30)
        form = {"id_token": token, "state": login.asked["state"]}
        return browser.post(probe.url("/lti/launch"), form).status

    with ThreadPoolExecutor(COPIES) as pool:
        statuses = sorted(pool.map(copy, range(COPIES)))
    probe.let_in += statuses.count(303)
    stored = probe.launches() - before
    good = statuses == [303] + [400] * (COPIES - 1) and stored == 1
    counts = ", ".join(f"{statuses.count(status)} × {status}" for status in sorted(set(statuses)))
    expected = f"1 × 303, {COPIES - 1} × 400; 1 stored"
    return Verdict(BY_ID["copies"], expected, f"{counts}; {stored} stored", good)
