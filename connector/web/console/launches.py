"""The launch inspector: a school's launches, let in and refused, and each one's checks with the specification's clause.

Nobody is named here: what a launch was checked for does not depend on who launched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import abort, request
from sqlalchemy import Connection, Select, select
from werkzeug.wrappers import Response

from connector.base.i18n import N_, Message, say
from connector.base.ids import is_id
from connector.db.tables.launches import context, launch
from connector.db.tables.registry import registration
from connector.host.launch_refusals import Refused, find_refusal, refusals
from connector.web.console.common import page
from connector.web.console.rungs import rung_words
from connector.web.console.session import blueprint, id_or_404, operator
from connector.web.console.words import said
from connector.web.state import runtime
from lti.errors import LaunchReason, Outcome
from lti.tool.refusals import REFUSALS
from lti.vocab import MessageType

A_PAGE = 50
Trace = tuple[tuple[str, str, str], ...]

KINDS: dict[str, str] = {
    MessageType.RESOURCE_LINK: N_("An activity was opened"),
    MessageType.DEEP_LINKING: N_("Something was to be placed in a course"),
    MessageType.SUBMISSION_REVIEW: N_("A pupil's work was to be reviewed"),
}
ROLES: dict[str, str] = {"teacher": N_("Teacher"), "pupil": N_("Pupil"), "other": N_("Neither teacher nor pupil")}
OUTCOMES: dict[str, str] = {
    Outcome.PASSED: N_("passed"),
    Outcome.FAILED: N_("failed"),
    Outcome.ABSENT: N_("not sent, and need not be"),
    Outcome.IGNORED: N_("passed over"),
}
_TIMES, _STATE, _TOKEN = N_("The token's times"), N_("The login it belongs to"), N_("The token's form and header")
CHECKS: dict[str, str] = {
    "body_size": N_("The launch's size"),
    "state": _STATE,
    "state_age": _STATE,
    "platform_error": N_("The LMS's own answer"),
    "browser": N_("The browser that began the login"),
    "registration": N_("The LMS's registration"),
    "token_form": _TOKEN,
    "header": _TOKEN,
    "alg": _TOKEN,
    "kid": _TOKEN,
    "key": N_("The LMS's key"),
    "payload": _TOKEN,
    "signature": N_("The signature"),
    "iss": N_("Who issued the token"),
    "aud": N_("Whom the token is for"),
    "times": _TIMES,
    "iat": _TIMES,
    "exp": _TIMES,
    "nonce": N_("The token answers this login"),
    "replayed": N_("It is the first time"),
    "version": N_("The LTI version"),
    "message_type": N_("The kind of message"),
    "deployment_id": N_("The deployment"),
    "target_link_uri": N_("The target link"),
    "sub": N_("The person's id"),
    "roles": N_("The roles"),
    "resource_link": N_("The resource link"),
    "deep_linking_settings": N_("What may be placed"),
}
"""The checks of a launch by their stable codes."""


@dataclass(frozen=True)
class Line:
    """One row of the list; ``path`` leads to its checks."""

    id: str
    path: str
    at: datetime
    platform: str
    kind: Message | str
    role: Message | str
    reason: str


@dataclass(frozen=True)
class Step:
    """One check, in words."""

    name: Message | str
    outcome: Message | str
    clause: str
    code: str
    failed: bool


@blueprint.get("/launches/")
def launch_list() -> Response:
    """Show the latest launches, let in and refused; ``?show=refused`` shows the refused ones alone."""
    school = operator().school_id
    before = request.args.get("before", "")
    before = before if is_id(before) else ""
    only_refused = request.args.get("show") == "refused"
    lines = [_refused_line(one) for one in refusals(runtime(), school, A_PAGE + 1, before)]
    if not only_refused:
        with runtime().database.school(school, write=False) as db:
            lines += _let_in(db, school, before)
    # Ids are made in the order of time, in either table.
    lines.sort(key=lambda line: line.id, reverse=True)
    older = lines[A_PAGE - 1].id if len(lines) > A_PAGE else None
    return page("console/launches.html", lines=lines[:A_PAGE], older=older, only_refused=only_refused)


def _let_in(db: Connection, school: str, before: str) -> list[Line]:
    columns = launch.c
    query = select(columns.id, columns.registration_id, columns.message_type, columns.role, columns.created_at)
    query = query.where(columns.school_id == school).order_by(columns.id.desc()).limit(A_PAGE + 1)
    rows = db.execute(query.where(columns.id < before) if before else query).all()
    issuers = _issuers({row.registration_id for row in rows})
    return [
        Line(
            row.id, f"launches/{row.id}", row.created_at, _host(issuers.get(row.registration_id, "")),
            said(KINDS, row.message_type), said(ROLES, row.role), "",
        )
        for row in rows
    ]  # fmt: skip


def _issuers(ids: set[str]) -> dict[str, str]:
    query = select(registration.c.id, registration.c.issuer).where(registration.c.id.in_(ids))
    with runtime().database.service(write=False) as db:
        return {row.id: row.issuer for row in db.execute(query)}


def _host(issuer: str) -> str:
    return urlsplit(issuer).netloc or issuer or "–"


def _refused_line(one: Refused) -> Line:
    return Line(one.id, f"launches/refused/{one.id}", one.created_at, _host(one.issuer), "–", "–", one.reason)


@blueprint.get("/launches/<launch_id>")
def launch_page(launch_id: str) -> Response:
    """Show what one launch that was let in was checked for."""
    school = operator().school_id
    with runtime().database.school(school, write=False) as db:
        row = db.execute(_one(school, id_or_404(launch_id))).first()
    if row is None:
        abort(404)
    facts: list[tuple[Message | str, Message | str]] = [
        (say(N_("What")), said(KINDS, row.message_type)),
        (say(N_("Role")), said(ROLES, row.role)),
        (say(N_("Roles as sent")), ", ".join(_short(role) for role in row.roles) or "–"),
        (say(N_("Course")), row.course or "–"),
        (say(N_("Deployment")), str(row.details.get("deployment_id", "–"))),
        (say(N_("Language")), row.language),
        (say(N_("How the browser was recognised")), rung_words(row.rung)),
        (say(N_("Services that came with the course")), ", ".join(_short(scope) for scope in row.scopes or ()) or "–"),
    ]
    issuer = _issuers({row.registration_id}).get(row.registration_id, "")
    return _show(row.created_at, issuer, facts, tuple(map(tuple, row.trace)))


def _one(school: str, launch_id: str) -> Select[Any]:
    joined = (context.c.school_id == launch.c.school_id) & (context.c.id == launch.c.context)
    return (
        select(launch, context.c.label.label("course"), context.c.scopes)
        .outerjoin(context, joined)
        .where(launch.c.school_id == school, launch.c.id == launch_id)
    )


def _short(uri: str) -> str:
    """Return the last word of a role or scope: ``Instructor``, ``score``."""
    return uri.rpartition("#")[2].rpartition("/")[2]


@blueprint.get("/launches/refused/<refusal_id>")
def refused_page(refusal_id: str) -> Response:
    """Show why one launch was refused, check by check, and what to do."""
    found = find_refusal(runtime(), operator().school_id, refusal_id)
    if found is None:
        abort(404)
    trace = found.trace or (
        ("replayed" if found.reason == LaunchReason.REPLAYED else found.reason, found.clause, "failed"),
    )
    advice = _advice(found.reason, found.details)
    return _show(found.created_at, found.issuer, [], trace, reason=found.reason, clause=found.clause, advice=advice)


def _advice(reason: str, details: Mapping[str, Any]) -> Message | str:
    """Return the administrator's sentence; a code of another version of Kopir is shown as it is."""
    if reason not in set(LaunchReason):
        return reason
    return say(REFUSALS[LaunchReason(reason)].admin, **details)


def _show(
    at: datetime, issuer: str, facts: list[tuple[Message | str, Message | str]], trace: Trace, **refused: Any
) -> Response:
    steps = [
        Step(said(CHECKS, name), said(OUTCOMES, outcome), clause, name, outcome == Outcome.FAILED)
        for name, clause, outcome in trace
    ]
    values = {"reason": "", "clause": "", "advice": "", **refused}
    return page("console/launch.html", at=at, issuer=issuer or "–", facts=facts, steps=steps, **values)
