"""Half of the LMS's examination: tokens, the services they are good for, and what Moodle blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from connector.base.errors import KopirError
from connector.base.i18n import N_, Message, say
from connector.db.tables.launches import context
from connector.host.directory import School
from connector.host.doctor import Finding, Level
from connector.host.platforms import private_host
from connector.host.runtime import Runtime
from lti.errors import TokenRefused
from lti.tool.ags import AssignmentAndGradeService
from lti.tool.nrps import Member, NamesAndRolesService
from lti.tool.ports import Registration
from lti.tool.tokens import TokenSource
from lti.vocab import Scope

_STANDARD_PORTS = (80, 443)
_KEY_FAULTS = ("token_keys_unreachable", "token_unknown_key", "token_invalid_client")

NEEDED: dict[Scope, str] = {
    Scope.LINEITEM: N_("make a grade column"),
    Scope.LINEITEM_READONLY: N_("find a grade column again"),
    Scope.SCORE: N_("send marks"),
    Scope.RESULT_READONLY: N_("read marks back"),
    Scope.MEMBERSHIP_READONLY: N_("read who is in the course"),
}
"""The scopes Kopir needs, and what for."""


@dataclass(frozen=True)
class Patient:
    """One registration under examination, with a token source that keeps nothing."""

    runtime: Runtime
    registration: Registration
    places: tuple[tuple[str, School], ...]
    tokens: TokenSource = field(repr=False)

    @property
    def is_moodle(self) -> bool:
        """Tell whether Moodle's own settings are what to look at."""
        return self.registration.profile == "moodle"


def moodle_blocks(public_url: str) -> list[tuple[str, Message]]:
    """Return what of our address Moodle refuses by default: code and remedy of each."""
    parts = urlsplit(public_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = []
    if private_host(public_url):
        text = N_(
            "{host} is inside a private network: Moodle reads nothing there until its administrator takes that network "
            "out of «cURL blocked hosts list» (Site administration > Security > HTTP security)."
        )
        found.append(("blocked_host", say(text, host=parts.hostname)))
    if port not in _STANDARD_PORTS:
        text = N_(
            "Port {port}: Moodle asks nothing on it until its administrator adds it to «cURL allowed ports list» (Site "
            "administration > Security > HTTP security)."
        )
        found.append(("blocked_port", say(text, port=port)))
    return found


def examine_services(patient: Patient) -> Iterator[Finding]:
    """Ask for tokens for each deployment, and use them on the course that launched last."""
    if not patient.places:
        text = N_("No deployment of this LMS belongs to a school: kopir lti platforms approve.")
        yield Finding(Level.ERROR, "no_deployment", say(text))
    for deployment, school in patient.places:
        granted: set[Scope] = set()
        yield from _tokens(patient, deployment, granted)
        if granted:
            yield from _course(patient, deployment, school, granted)


def _tokens(patient: Patient, deployment: str, granted: set[Scope]) -> Iterator[Finding]:
    """Ask for each scope alone: what is asked together may be refused together."""
    for scope, purpose in NEEDED.items():
        try:
            patient.tokens.bearer(patient.registration, deployment, (scope,))
        except TokenRefused as error:
            yield from _refused(patient, error, scope, purpose)
            if error.reason in _KEY_FAULTS or error.reason == "token_clock":
                return
        except KopirError as error:
            text = N_("The LMS gives no token at {url}. {why}")
            yield Finding(Level.ERROR, "token", say(text, url=patient.registration.token_url, why=error.message))
            return
        else:
            granted.add(scope)
    names = ", ".join(scope.rpartition("/")[2] for scope in NEEDED if scope in granted)
    if granted:
        level = Level.OK if len(granted) == len(NEEDED) else Level.WARNING
        text = N_("Deployment {deployment} is granted {count} of {needed} services: {names}.")
        values = {"deployment": deployment, "count": len(granted), "needed": len(NEEDED), "names": names}
        yield Finding(level, "scopes", say(text, **values))


def _refused(patient: Patient, error: TokenRefused, scope: Scope, purpose: str) -> Iterator[Finding]:
    if error.reason in ("token_invalid_scope", "token_scope_not_granted"):
        text = N_("Not granted: {scope}, so Kopir cannot {purpose}. {how}")
        how = say(_MOODLE_SERVICES if patient.is_moodle else _OTHER_SERVICES)
        values = {"scope": scope.rpartition("/")[2], "purpose": say(purpose), "how": how}
        yield Finding(Level.ERROR, "scope_missing", say(text, **values))
        return
    if error.reason == "token_keys_unreachable" and patient.is_moodle:
        yield from _moodle_cannot_read(patient)
        return
    yield Finding(Level.ERROR, error.reason, error.message)


_MOODLE_SERVICES = N_(
    "In Moodle: Site administration > Plugins > External tool > Manage tools, the tool's card, Services: «Use this "
    "service for grade sync and column management» and «Use this service to retrieve members' information»."
)
_OTHER_SERVICES = N_("Allow it in the tool's settings in the LMS.")


def _moodle_cannot_read(patient: Patient) -> Iterator[Finding]:
    """Explain Moodle's 404 with a page in place of a token: it could not read our keys."""
    public = patient.runtime.settings.public_url
    text = N_("Moodle answers with a page (404) in place of a token: it could not read our keys at {url}. {first}")
    blocks = [message for _, message in moodle_blocks(public)] or [_not_blocked(public)]
    url = f"{public}/lti/jwks.json"
    for first in blocks:
        yield Finding(Level.ERROR, "token_keys_unreachable", say(text, url=url, first=first))


def _not_blocked(public_url: str) -> Message:
    text = N_(
        "{host} and its port are not what Moodle blocks by default. On Moodle's server try curl with that address: "
        "DNS, a firewall or an unknown certificate authority may be in the way. Then look at «cURL blocked hosts list» "
        "(Site administration > Security > HTTP security)."
    )
    return say(text, host=urlsplit(public_url).hostname)


def _course(patient: Patient, deployment: str, school: School, granted: set[Scope]) -> Iterator[Finding]:
    row = _latest_course(patient, deployment, school)
    if row is None:
        text = N_(
            "No course of deployment {deployment} is known yet. Open an activity of Kopir in one, then look again."
        )
        yield Finding(Level.WARNING, "no_course", say(text, deployment=deployment))
        return
    if Scope.LINEITEM_READONLY in granted:
        yield from _columns(patient, deployment, row.line_items_url)
    if Scope.MEMBERSHIP_READONLY in granted:
        yield from _roster(patient, deployment, row.memberships_url)


def _latest_course(patient: Patient, deployment: str, school: School) -> Any:
    columns = context.c
    query = (
        select(columns.line_items_url, columns.memberships_url)
        .where(columns.school_id == school.id, columns.issuer == patient.registration.issuer)
        .where(columns.deployment_id == deployment)
        .order_by(columns.seen_at.desc(), columns.id)
        .limit(1)
    )
    with patient.runtime.database.school(school.id, write=False) as db:
        return db.execute(query).first()


def _columns(patient: Patient, deployment: str, url: str | None) -> Iterator[Finding]:
    if url is None:
        text = N_("The last launch brought no gradebook. In the LMS, let the tool send marks for its activities.")
        yield Finding(Level.ERROR, "line_items", say(text))
        return
    book = AssignmentAndGradeService(patient.runtime.outbound, patient.tokens, patient.registration, deployment)
    try:
        count = len(book.list_line_items(url))
    except KopirError as error:
        yield Finding(
            Level.ERROR, "line_items", say(N_("The grade columns cannot be listed. {why}"), why=error.message)
        )
        return
    yield Finding(Level.OK, "line_items", say(N_("The grade columns can be listed: {count} of Kopir's."), count=count))


def _roster(patient: Patient, deployment: str, url: str | None) -> Iterator[Finding]:
    if url is None:
        text = N_("The last launch brought no roster. In the LMS, let the tool retrieve the course's members.")
        yield Finding(Level.ERROR, "roster", say(text))
        return
    service = NamesAndRolesService(patient.runtime.outbound, patient.tokens, patient.registration, deployment)
    try:
        read = service.read_members(url)
    except KopirError as error:
        yield Finding(Level.ERROR, "roster", say(N_("The roster cannot be read. {why}"), why=error.message))
        return
    count = len(read.members)
    if not read.complete:
        text = N_("The roster came in part only ({count} people): absence would prove nothing.")
        yield Finding(Level.ERROR, "roster", say(text, count=count))
        return
    yield Finding(Level.OK, "roster", say(N_("The roster can be read whole: {count} people."), count=count))
    yield from _nameless(read.members)


def _nameless(members: Iterable[Member]) -> Iterator[Finding]:
    """Warn when nobody has a name: pages would show teachers empty rows."""
    if any(member.names.full or member.names.family for member in members):
        return
    text = N_("The roster holds no names. In the LMS, let the tool have the launcher's name; e-mail is not needed.")
    yield Finding(Level.WARNING, "no_names", say(text))
