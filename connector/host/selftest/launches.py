"""Launches that must be refused and launches that must be let in: the certification's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from connector.host.selftest import jose, messages
from connector.host.selftest.cases import BAD, STUDENT, TEACHER
from connector.host.selftest.messages import GONE
from connector.host.selftest.probe import Probe, Seen
from connector.host.selftest.records import Case, Verdict


def refused(case: Case, seen: Seen, *reasons: str, status: int = 400) -> Verdict:
    """Judge a launch that must be refused: the page, one of the codes, no session, nothing stored."""
    good = (
        seen.status == status and seen.landed == "refusal" and seen.reason in reasons and bool(seen.clause)
        and not seen.stored and not seen.cookies
    )  # fmt: skip
    expected = f"{status} refusal {' or '.join(reasons)}"
    return Verdict(case, expected, seen.short(), good, seen.clause, seen.messages)


def let_in(case: Case, seen: Seen, role: str, page: int = 200) -> Verdict:
    """Judge a launch that must be let in: an address of its own, a session, one row, and a page that opens."""
    good = (
        seen.status == 303 and seen.landed == "launch" and seen.role == role and seen.stored == 1
        and len(seen.cookies) == 1 and seen.page == page
    )  # fmt: skip
    return Verdict(case, f"303 launch as {role} (page {page})", seen.short(), good, seen.clause, seen.messages)


def bad(probe: Probe) -> Iterator[Verdict]:
    """Try the certification's twelve bad payloads."""
    missing = ("missing_claim",)
    tried: tuple[tuple[Callable[[], Seen], tuple[str, ...]], ...] = (
        (partial(_with_header, probe, kid=GONE), ("missing_kid",)),
        (partial(_with_header, probe, kid="imstester_66067"), ("unknown_key",)),
        (partial(probe.launch, VERSION="11.3"), ("wrong_version",)),
        (partial(probe.launch, VERSION=GONE), missing),
        (partial(_payload, probe, {"name": "badltilaunch"}), ("bad_issuer", "missing_claim", "not_a_launch")),
        (partial(_payload, probe, _only_oidc(probe)), missing),
        (partial(probe.launch, iat=11111, exp=22222), ("expired",)),
        (partial(probe.launch, MESSAGE_TYPE=GONE), missing),
        (partial(probe.launch, ROLES=GONE), missing),
        (partial(probe.launch, DEPLOYMENT_ID=GONE), missing),
        (partial(probe.launch, RESOURCE_LINK={"title": messages.TITLE}), missing),
        (partial(probe.launch, sub=""), missing),
    )
    for case, (attempt, reasons) in zip(BAD, tried, strict=True):
        yield refused(case, attempt(), *reasons)


def _with_header(probe: Probe, **changes: Any) -> Seen:
    login = probe.login()
    return probe.post(login, probe.token(login, probe.header(**changes)))


def _payload(probe: Probe, payload: Mapping[str, Any]) -> Seen:
    login = probe.login()
    nonce = {"nonce": login.asked["nonce"]} if "iss" in payload else {}
    return probe.post(login, jose.encode(probe.header(), {**payload, **nonce}, probe.lms.pair))


def _only_oidc(probe: Probe) -> dict[str, Any]:
    now = int(time.time())
    lms = probe.lms
    return {"iss": lms.issuer, "aud": lms.client_id, "sub": messages.PUPIL_SUB, "iat": now, "exp": now + 60}


def valid(probe: Probe, custom: Mapping[str, str]) -> Iterator[Verdict]:
    """Try the certification's nine launches of a teacher and nine of a student, on a placed activity."""
    for cases, number, role_uri, role in (
        (TEACHER, "1", messages.INSTRUCTOR, "teacher"),
        (STUDENT, "2", messages.LEARNER, "pupil"),
    ):
        person = {**messages.names(number), **messages.email(number), "sub": f"person-{number}", "ROLES": [role_uri]}
        nobody = {**person, **messages.nobody()}
        several = [role_uri, f"{messages.INSTRUCTOR.partition('#')[0]}#Mentor"]
        no_course = {**nobody, **messages.email(number), "CONTEXT": GONE}
        changes: tuple[tuple[dict[str, Any], str], ...] = (
            (person, role),
            ({**person, "ROLES": several}, role),
            ({**person, "ROLES": [role_uri.rpartition("#")[2]]}, role),
            ({**person, "ROLES": [messages.UNKNOWN_ROLE]}, "other"),
            ({**person, "ROLES": [""]}, "other"),
            ({**nobody, **messages.email(number)}, role),
            ({**nobody, **messages.names(number)}, role),
            (nobody, role),
            (no_course, role),
        )
        for case, (claims, expected) in zip(cases, changes, strict=True):
            seen = probe.launch(CUSTOM=dict(custom), **claims)
            yield let_in(case, seen, expected, 200)
