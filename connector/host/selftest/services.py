"""Deep linking, the roster and the gradebook: what the tool sends back, judged as the platform got it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from connector.base.errors import KopirError
from connector.host.links import ACTIVITY_PARAMETER
from connector.host.selftest import jose, messages
from connector.host.selftest.browser import Browser, Page
from connector.host.selftest.cases import BY_ID, DEEP_LINKING, GRADES, ROSTER
from connector.host.selftest.launches import let_in
from connector.host.selftest.lms import Call
from connector.host.selftest.probe import Login, Probe, Seen
from connector.host.selftest.records import Verdict
from connector.host.selftest.redact import token as redacted_token
from lti.tool.nrps import NamesAndRolesService
from lti.vocab import Claim, Media, MessageType, Scope

PLUGIN = "virtual_lab"
DATA = "selftest-data"
DELIVERY_SECONDS = 60.0
EXPECTED_SCORE = Decimal(7)
"""Five readings, the right resistor and the right law, without a prediction: 2 + 4 + 1 of 10 points."""
_VOLTAGES = ("2", "4", "6", "8", "10")
_READING = re.compile(r"<tr><td>\d+</td><td[^>]*>([\d.,]+)</td><td[^>]*>([\d.,]+)</td></tr>")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class Placed:
    """What the deep-linking cases leave for the later ones."""

    custom: dict[str, str] = field(default_factory=dict)

    @property
    def activity(self) -> str:
        """The placed activity's id; empty when nothing was placed."""
        return self.custom.get(ACTIVITY_PARAMETER, "")


def _said(number: int, good: object, seen: str, expected: str, **more: Any) -> Verdict:
    return Verdict(DEEP_LINKING[number - 1], expected, seen, bool(good), **more)


def deep_linking(probe: Probe, placed: Placed) -> Iterator[Verdict]:
    """Place a virtual lab as a teacher does, and judge the answer that reaches the platform."""
    browser = Browser(probe.outbound)
    seen = probe.launch(probe.login(browser), **messages.deep_linking(probe.lms, DATA))
    yield let_in(DEEP_LINKING[0], seen, "teacher")
    answer, status = _answer(probe, browser, seen)
    yield _said(2, answer and status == 200, f"{status} JWT" if answer else f"{status} no JWT", "200 JWT",
               messages=({"answer": redacted_token(answer)},))  # fmt: skip
    claims, signed = _judged(probe, answer)
    kind = claims.get(Claim.MESSAGE_TYPE)
    yield _said(3, kind == MessageType.DEEP_LINKING_RESPONSE, str(kind), str(MessageType.DEEP_LINKING_RESPONSE))
    yield _said(4, _timely(claims), _times(claims), "iat ≤ now < exp ≤ now + 1 h")
    yield _said(5, signed, "RS256, a published kid" if signed else "wrong", "RS256, a published kid")
    missing = _missing(probe, claims)
    yield _said(6, not missing, f"wrong: {', '.join(missing)}" if missing else "all", "all")
    items = claims.get(Claim.DL_CONTENT_ITEMS)
    wrong = _wrong_items(probe, items, claims.get(Claim.DL_DATA))
    yield _said(
        7, not wrong, f"wrong: {', '.join(wrong)}" if wrong else "1 ltiResourceLink, data", "1 ltiResourceLink, data"
    )
    if not wrong and isinstance(items, list):
        placed.custom = dict(items[0]["custom"])
    yield _cancelled(probe)


def _answer(probe: Probe, browser: Browser, seen: Seen) -> tuple[str, int]:
    """Go through the picker and its return page; return the token that reached the platform, and its answer."""
    if seen.landed != "launch":
        return "", seen.status
    picker = browser.get(probe.url(f"/l/{seen.launch_id}/pick/{PLUGIN}/"))
    form = picker.form("/pick")
    if form is None:
        return "", picker.status
    return _returned(probe, browser, browser.submit(form, {"title": messages.TITLE, "tag": "fo"}))


def _returned(probe: Probe, browser: Browser, page: Page) -> tuple[str, int]:
    back, before = page.form("JWT"), len(probe.lms.returned)
    if back is None or back.action != probe.lms.url("return"):
        return "", page.status
    status = browser.post(back.action, back.fields).status
    arrived = probe.lms.returned[before:]
    return (arrived[0] if arrived else ""), status


def _judged(probe: Probe, answer: str) -> tuple[dict[str, Any], bool]:
    """Return the answer's claims, and whether a key of the tool's public key set signed it."""
    try:
        return jose.verify(answer, probe.public_keys()), True
    except jose.BadToken:
        pass
    try:
        return jose.decode(answer)[1], False
    except jose.BadToken:
        return {}, False


def _timely(claims: Mapping[str, Any]) -> bool:
    now, issued, expires = time.time(), claims.get("iat"), claims.get("exp")
    return isinstance(issued, int) and isinstance(expires, int) and issued <= now < expires <= now + 3600


def _times(claims: Mapping[str, Any]) -> str:
    now = int(time.time())
    return ", ".join(
        f"{name} {claims[name] - now:+d} s" for name in ("iat", "exp") if isinstance(claims.get(name), int)
    )


def _missing(probe: Probe, claims: Mapping[str, Any]) -> list[str]:
    lms = probe.lms
    right = {
        "iss": claims.get("iss") == lms.client_id,
        "aud": claims.get("aud") in (lms.issuer, [lms.issuer]),
        "nonce": bool(claims.get("nonce")),
        "version": claims.get(Claim.VERSION) == "1.3.0",
        "deployment_id": claims.get(Claim.DEPLOYMENT_ID) == lms.deployment,
    }
    return [name for name, good in right.items() if not good]


def _wrong_items(probe: Probe, items: Any, data: Any) -> list[str]:
    item = items[0] if isinstance(items, list) and len(items) == 1 and isinstance(items[0], dict) else {}
    line = item.get("lineItem") or {}
    right = {
        "data": data == DATA,
        "type": item.get("type") == "ltiResourceLink",
        "title": item.get("title") == messages.TITLE,
        "url": item.get("url") == probe.target.launch_url,
        "custom": bool((item.get("custom") or {}).get(ACTIVITY_PARAMETER)),
        "lineItem.scoreMaximum": line.get("scoreMaximum") == 10,
        "lineItem.resourceId": bool(line.get("resourceId")),
    }
    return [name for name, good in right.items() if not good]


def _cancelled(probe: Probe) -> Verdict:
    browser = Browser(probe.outbound)
    seen = probe.launch(probe.login(browser), **messages.deep_linking(probe.lms, DATA))
    form = probe.enter(seen, browser).form("/cancel") if seen.landed == "launch" else None
    answer, status = _returned(probe, browser, browser.submit(form)) if form else ("", seen.status)
    claims, signed = _judged(probe, answer)
    good = signed and not claims.get(Claim.DL_CONTENT_ITEMS) and claims.get(Claim.DL_DATA) == DATA
    shown = f"{status} {len(claims.get(Claim.DL_CONTENT_ITEMS) or ())} items" if answer else f"{status} no JWT"
    return Verdict(BY_ID["picker-cancel"], "200 0 items", shown, good, messages=({"answer": redacted_token(answer)},))


def roster(probe: Probe, placed: Placed) -> Iterator[Verdict]:
    """Launch as a teacher with the roster's claim, let the tool read the roster, and judge its request."""
    seen = probe.launch(CUSTOM=placed.custom, **messages.teacher())
    yield let_in(ROSTER[0], seen, "teacher")
    since = len(probe.lms.calls)
    problem = _read_roster(probe)
    found = probe.lms.seen("/members", "GET", since)
    wanted = -(-len(probe.lms.members) // 5)
    told = tuple(call.message() for call in found)
    yield Verdict(ROSTER[1], f"{wanted} pages", f"{len(found)} pages {problem}".strip(),
                  len(found) == wanted and not problem, messages=told)  # fmt: skip
    accepts = sorted({call.accept for call in found})
    yield Verdict(ROSTER[2], Media.MEMBERS, ", ".join(accepts) or "nothing", accepts == [Media.MEMBERS])
    scopes = {call.scopes for call in found}
    yield Verdict(
        ROSTER[3], "Bearer, issued here", "yes" if scopes and all(scopes) else "no", bool(scopes) and all(scopes)
    )
    names = ", ".join(sorted(scope.rpartition("/")[2] for one in scopes for scope in one))
    alone = scopes == {frozenset({str(Scope.MEMBERSHIP_READONLY)})}
    yield Verdict(ROSTER[4], "contextmembership.readonly", names or "nothing", alone)


def _read_roster(probe: Probe) -> str:
    """Read the roster as the sync does; return why it was not whole, or an empty text."""
    runtime = probe.target.runtime
    registration = runtime.registry.get(probe.target.registration_id)
    if registration is None:
        return "no registration"
    service = NamesAndRolesService(runtime.outbound, runtime.token_source, registration, probe.lms.deployment)
    try:
        read = service.read_members(probe.lms.url("members"))
    except KopirError as error:
        return error.reason
    return "" if read.complete and len(read.members) == len(probe.lms.members) else "incomplete"


def grades(probe: Probe, placed: Placed) -> Iterator[Verdict]:
    """Do a lab as a pupil; the server's own worker makes the column, posts the score and reads it back."""
    browser, since = Browser(probe.outbound), len(probe.lms.calls)
    login = probe.login(browser)
    seen = probe.launch(login, CUSTOM=placed.custom)
    if seen.landed == "launch":
        _do_the_lab(probe, login, seen)
    score = _wait_for_score(probe, placed)
    calls = probe.lms.calls[since:]
    told = tuple(call.message() for call in calls if call.path.startswith(("/lineitems", "/token")))
    shown = f"{seen.short()}, score {score.get('scoreGiven')}/{score.get('scoreMaximum')}" if score else seen.short()
    right = score is not None and _decimal(score.get("scoreGiven")) == EXPECTED_SCORE
    expected = f"303 launch as pupil (page 200), score {EXPECTED_SCORE}/10"
    good = right and let_in(GRADES[0], seen, "pupil").passed
    yield Verdict(GRADES[0], expected, shown, good, messages=(*seen.messages, *told))
    yield _column(calls)
    yield _whole(score)
    yield _read_back(probe, since)
    yield _scopes(calls)


def _do_the_lab(probe: Probe, login: Login, seen: Seen) -> None:
    browser = login.browser
    page = probe.enter(seen, browser)
    start = page.form("/start")
    page = browser.submit(start) if start else page
    for voltage in _VOLTAGES:
        form = page.form("/measure")
        page = browser.submit(form, {"voltage": voltage}) if form else page
    report, readings = page.form("/report"), _READING.findall(page.reply.text)
    if report is None or not readings:
        return
    volts, amperes = (Decimal(text.replace(",", ".")) for text in readings[-1])
    answers = {"resistance": str(round(volts / amperes, 2)), "current": "0", "law": "direct"}
    browser.submit(report, answers)


def _wait_for_score(probe: Probe, placed: Placed) -> dict[str, Any] | None:
    """Wait until a score has come and was read back, or the time is over."""
    until = time.monotonic() + DELIVERY_SECONDS
    score: dict[str, Any] | None = None
    while placed.activity and time.monotonic() < until:
        score = probe.lms.latest_score(placed.activity, messages.PUPIL_SUB)
        if score is not None and _read_after(probe, 0):
            return score
        time.sleep(0.2)
    return score


def _read_after(probe: Probe, since: int) -> bool:
    """Tell whether results were read after the last score was posted."""
    posted = [number for number, call in enumerate(probe.lms.calls) if call.path.endswith("/scores")]
    read = [number for number, call in enumerate(probe.lms.calls) if call.path.endswith("/results")]
    return bool(posted) and bool(read) and read[-1] > posted[-1] >= since


def _column(calls: Sequence[Call]) -> Verdict:
    listed = [number for number, call in enumerate(calls) if (call.method, call.path) == ("GET", "/lineitems")]
    made = [number for number, call in enumerate(calls) if (call.method, call.path) == ("POST", "/lineitems")]
    good = len(made) == 1 and bool(listed) and listed[0] < made[0] and calls[made[0]].status == 201
    return Verdict(BY_ID["grades-column"], "looked, then 1 made", f"{len(listed)} × looked, {len(made)} made", good)


def _whole(score: Mapping[str, Any] | None) -> Verdict:
    given = score or {}
    right = {
        "userId": given.get("userId") == messages.PUPIL_SUB,
        "timestamp": bool(_TIMESTAMP.fullmatch(str(given.get("timestamp", "")))),
        "activityProgress": given.get("activityProgress") == "Completed",
        "gradingProgress": given.get("gradingProgress") == "FullyGraded",
        "scoreMaximum": _decimal(given.get("scoreMaximum")) == 10,
    }
    wrong = [name for name, good in right.items() if not good]
    return Verdict(BY_ID["grades-score"], "whole", f"wrong: {', '.join(wrong)}" if wrong else "whole", not wrong)


def _read_back(probe: Probe, since: int) -> Verdict:
    good = _read_after(probe, since)
    return Verdict(BY_ID["grades-read-back"], "GET results after the score", "yes" if good else "no", good)


def _scopes(calls: Sequence[Call]) -> Verdict:
    needed = {"scores": {Scope.SCORE}, "results": {Scope.RESULT_READONLY}}
    wide = []
    for call in calls:
        if not call.path.startswith("/lineitems"):
            continue
        last = urlsplit(call.path).path.rpartition("/")[2]
        allowed = needed.get(last, {Scope.LINEITEM if call.method == "POST" else Scope.LINEITEM_READONLY})
        if set(call.scopes) - {str(scope) for scope in allowed} or call.status in (401, 403):
            wide.append(f"{call.method} {call.path}")
    used = [call for call in calls if call.path.startswith("/lineitems")]
    shown = f"too wide: {', '.join(wide)}" if wide else f"{len(used)} calls"
    return Verdict(BY_ID["grades-scopes"], "one scope per call", shown, bool(used) and not wide)


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
