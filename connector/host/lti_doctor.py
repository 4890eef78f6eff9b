"""One LMS examined as its marks would meet it: keys both ways, clocks, tokens, columns, roster, each with a remedy.

Nothing is written, here or in the LMS, and nobody is named: a roster is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from connector.base.errors import Fatal, KopirError
from connector.base.i18n import N_, Message, say
from connector.base.outbound import NetworkPolicy, Outbound, Reply
from connector.host.doctor import Finding, Level
from connector.host.lti_doctor_services import Patient, examine_services, moodle_blocks
from connector.host.runtime import Runtime
from lti.errors import KeyUnavailable
from lti.tool.jwks import UnreadableKeySet, parse_key, read_key_set
from lti.tool.ports import Registration
from lti.tool.tokens import TokenSource

SKEW_WARNING = timedelta(seconds=30)


@dataclass(frozen=True)
class Examined:
    """What was found of one LMS."""

    registration: Registration
    deployments: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Tell whether nothing must be mended."""
        return all(found.level is not Level.ERROR for found in self.findings)


def find_registrations(runtime: Runtime, named: str) -> list[Registration]:
    """Return the registrations that a person means by an issuer, a client id or our own id.

    Raises:
        Fatal: There is none (``no_registration``).
    """
    every = {one.id: one for one, _, _ in runtime.registry.all()}
    direct = runtime.registry.get(named)
    if direct is not None:
        return [direct]
    wanted = named.rstrip("/")
    found = [one for one in every.values() if wanted in (one.issuer.rstrip("/"), one.client_id)]
    if not found:
        text = N_("No registered LMS has the issuer, the client id or the id {name}: kopir lti platforms list.")
        raise Fatal("no_registration", say(text, name=named))
    return found


def examine_platform(runtime: Runtime, registration: Registration) -> Examined:
    """Examine one LMS from this server, over the network, as launches and marks would use it."""
    deployments = [deployment for one, deployment, _ in runtime.registry.all() if one.id == registration.id]
    schools = [(one, runtime.registry.school_of(registration.id, one)) for one in deployments]
    places = tuple((deployment, school) for deployment, school in schools if school is not None)
    # Tokens that lie in the store would hide that none is given any more.
    tokens = TokenSource(runtime.outbound, runtime.keys, clock=runtime.clock)
    patient = Patient(runtime, registration, places, tokens)
    findings = [*_our_keys(patient), *_their_keys(patient), *_sign_in(patient), *examine_services(patient)]
    return Examined(registration, tuple(deployments), tuple(findings))


# Our keys, as the LMS reads them.


def _our_keys(patient: Patient) -> Iterator[Finding]:
    url = f"{patient.runtime.settings.public_url}/lti/jwks.json"
    yield from _moodle_blocks(patient)
    try:
        own = _own_way(url, patient.runtime.settings.ca_file)
        reply = own.request("GET", url, headers={"Accept": "application/json"})
        keys = read_key_set(reply.body) if reply.status == 200 else {}
    except (KopirError, UnreadableKeySet):
        text = N_(
            "Our keys cannot be read at {url}, so the LMS cannot either. Check PUBLIC_URL, DNS and the TLS proxy."
        )
        yield Finding(Level.ERROR, "our_keys", say(text, url=url))
        return
    if not keys:
        text = N_("{url} answers {status} instead of our keys: another server stands there. Check PUBLIC_URL.")
        yield Finding(Level.ERROR, "our_keys", say(text, url=url, status=reply.status))
        return
    kid = patient.runtime.keys.for_registration(patient.registration).kid
    if kid not in keys:
        text = N_(
            "The key that signs towards this LMS is not among those at {url}: another installation answers there."
        )
        yield Finding(Level.ERROR, "our_key_missing", say(text, url=url))
        return
    text = N_("Our keys can be read at {url}, as the LMS must be able to.")
    yield Finding(Level.OK, "our_keys", say(text, url=url))


def _own_way(url: str, ca_file: str) -> Outbound:
    """Return a session that may reach our own address, wherever it stands, and no other private one."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Outbound(NetworkPolicy.from_setting((f"{parts.hostname}:{port}",), ca_file=ca_file))


def _moodle_blocks(patient: Patient) -> Iterator[Finding]:
    """Name Moodle's blocked hosts and ports first: a school inside its own network meets them first."""
    blocks = moodle_blocks(patient.runtime.settings.public_url) if patient.is_moodle else []
    for code, message in blocks:
        yield Finding(Level.WARNING, code, message)


# The LMS's keys, as launches read them.


def _their_keys(patient: Patient) -> Iterator[Finding]:
    url = patient.registration.jwks_url
    try:
        reply = patient.runtime.outbound.request("GET", url, headers={"Accept": "application/json"})
    except KopirError as error:
        text = N_("The LMS's keys at {url} cannot be read. {why}")
        yield Finding(Level.ERROR, "platform_keys", say(text, url=url, why=error.message))
        return
    yield from clock_findings(reply)
    if reply.status in (301, 302, 303, 307, 308):
        text = N_("{url} sends elsewhere, which is not followed. Register the address where the keys really are.")
        yield Finding(Level.ERROR, "platform_keys", say(text, url=url))
        return
    yield _judge_keys(url, reply)


def _judge_keys(url: str, reply: Reply) -> Finding:
    try:
        raw = read_key_set(reply.body) if reply.status == 200 else {}
    except UnreadableKeySet:
        raw = {}
    faults = [fault for entry in raw.values() if (fault := _fault_of(entry))]
    if raw and len(faults) < len(raw):
        text = N_("The LMS's keys can be read: {good} fit to be used.")
        return Finding(Level.OK, "platform_keys", say(text, good=len(raw) - len(faults)))
    if faults:
        return Finding(Level.ERROR, "platform_keys", faults[0])
    text = N_("{url} answers {status} without any key. Compare the keyset URL with the LMS's own page.")
    return Finding(Level.ERROR, "platform_keys", say(text, url=url, status=reply.status))


def _fault_of(entry: dict[str, object]) -> Message | None:
    try:
        parse_key(entry)
    except KeyUnavailable as error:
        return error.message
    return None


def clock_findings(reply: Reply) -> Iterator[Finding]:
    """Compare the two clocks by the answer's ``Date`` (whole seconds, so a second's difference is none)."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    ahead = theirs - datetime.fromtimestamp(reply.sent_at, UTC)
    seconds = round(ahead.total_seconds())
    if abs(ahead) <= SKEW_WARNING:
        yield Finding(
            Level.OK, "clock", say(N_("The clocks agree within {seconds} seconds."), seconds=abs(seconds) + 1)
        )
        return
    text = N_("The LMS's clock is {seconds} seconds ahead of ours. Set both by NTP: a launch lives for a minute.")
    behind = N_("The LMS's clock is {seconds} seconds behind ours. Set both by NTP: it refuses what is dated ahead.")
    yield Finding(Level.ERROR, "clock_skew", say(text if seconds > 0 else behind, seconds=abs(seconds)))


def _sign_in(patient: Patient) -> Iterator[Finding]:
    """Look whether anything stands at the authorisation endpoint; asked without parameters it may well complain."""
    url = patient.registration.auth_url
    try:
        status = patient.runtime.outbound.request("GET", url).status
    except KopirError as error:
        # Browsers go there, not this server: what cannot be reached from here may be reached from a classroom.
        text = N_("{url} cannot be reached from this server; only browsers need it. {why}")
        yield Finding(Level.WARNING, "sign_in", say(text, url=url, why=error.message))
        return
    if status in (404, 405, 410):
        text = N_("{url} answers {status}: compare the authentication request URL with the LMS's own page.")
        yield Finding(Level.ERROR, "sign_in", say(text, url=url, status=status))
        return
    yield Finding(Level.OK, "sign_in", say(N_("The LMS's sign-in address answers.")))
