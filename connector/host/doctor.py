"""What the doctor looks at: what would stop a school on Monday, each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from connector.base.errors import KopirError
from connector.base.i18n import N_, Message, say
from connector.base.outbound import Reply
from connector.db.tables.registry import school
from connector.host.install import migrator
from connector.host.platforms import private_host
from connector.host.runtime import Runtime
from lti.tool.ports import Registration

_SKEW_WARNING_SECONDS = 30
_MOODLE_PORTS = (80, 443)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing the doctor saw."""

    level: Level
    code: str
    message: Message


def examine(runtime: Runtime) -> list[Finding]:
    """Look at the settings, the database, the plugins, and each platform from our side."""
    findings = [*_settings(runtime), *_database(runtime), *_plugins(runtime)]
    if any(found.level is Level.ERROR and found.code.startswith("database") for found in findings):
        return findings
    registrations = {registration.id: registration for registration, _, _ in runtime.registry.all()}
    if not registrations:
        findings.append(
            Finding(Level.WARNING, "no_platform", say(N_("No LMS is registered yet: kopir lti platforms add.")))
        )
    for registration in registrations.values():
        findings += _platform(runtime, registration)
    return findings


def _settings(runtime: Runtime) -> Iterator[Finding]:
    parts = urlsplit(runtime.settings.public_url)
    if parts.scheme == "http":
        text = N_(
            "PUBLIC_URL is http: browsers keep a session inside the LMS's page only over https (on one computer "
            "127.0.0.1 works too). Put a TLS proxy in front and set TRUSTED_PROXIES."
        )
        yield Finding(Level.WARNING, "http", say(text))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port not in _MOODLE_PORTS:
        text = N_(
            "PUBLIC_URL uses port {port}: Moodle's own requests are refused on it until the administrator adds it to "
            "curlsecurityallowedport (Site administration, HTTP security)."
        )
        yield Finding(Level.WARNING, "blocked_port", say(text, port=port))
    if private_host(runtime.settings.public_url):
        text = N_(
            "{host} is an address inside a private network: Moodle cannot read our keys until the administrator takes "
            "its network out of curlsecurityblockedhosts."
        )
        yield Finding(Level.WARNING, "blocked_host", say(text, host=parts.hostname))
    if parts.scheme == "https" and not runtime.settings.trusted_proxies:
        text = N_("TRUSTED_PROXIES is 0 although PUBLIC_URL is https: set it to the number of proxies in front.")
        yield Finding(Level.WARNING, "trusted_proxies", say(text))


def _database(runtime: Runtime) -> Iterator[Finding]:
    try:
        pending = migrator(runtime.settings).pending()
        with runtime.database.service(write=False) as db:
            db.execute(select(school.c.id).limit(1)).all()
    except SQLAlchemyError as error:
        text = N_("The database does not answer or has no tables ({kind}). Check DATABASE_URL and run `kopir init`.")
        yield Finding(Level.ERROR, "database", say(text, kind=type(error).__name__))
        return
    if pending:
        yield Finding(Level.ERROR, "database_old", say(N_("The tables are of another version. Run `kopir upgrade`.")))
    else:
        yield Finding(Level.OK, "database", say(N_("The database answers and is of this version.")))


def _plugins(runtime: Runtime) -> Iterator[Finding]:
    for failure in runtime.plugin_failures:
        text = N_("The plugin {name} is switched off: {error}")
        yield Finding(Level.ERROR, "plugin_off", say(text, name=failure.name, error=failure.error))


def _platform(runtime: Runtime, registration: Registration) -> Iterator[Finding]:
    try:
        reply = runtime.outbound.request("GET", registration.jwks_url, headers={"Accept": "application/json"})
    except KopirError as error:
        text = N_("{issuer}: its keys cannot be read. {why}")
        yield Finding(Level.ERROR, "platform_keys", say(text, issuer=registration.issuer, why=error.message))
        return
    if reply.status != 200 or not _has_keys(reply):
        text = N_("{issuer}: {url} answers {status} instead of its keys. Check the keyset URL.")
        values = {"issuer": registration.issuer, "url": registration.jwks_url, "status": reply.status}
        yield Finding(Level.ERROR, "platform_keys", say(text, **values))
        return
    yield Finding(Level.OK, "platform_keys", say(N_("{issuer}: its keys can be read."), issuer=registration.issuer))
    yield from _skew(reply, registration)


def _has_keys(reply: Reply) -> bool:
    try:
        document = reply.json()
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("keys"), list) and bool(document["keys"])


def _skew(reply: Reply, registration: Registration) -> Iterator[Finding]:
    if "date" not in reply.headers:
        return
    try:
        theirs = parsedate_to_datetime(reply.headers["date"]).replace(tzinfo=UTC)
    except ValueError:
        return
    seconds = round((datetime.fromtimestamp(reply.sent_at, UTC) - theirs).total_seconds())
    if abs(seconds) > _SKEW_WARNING_SECONDS:
        text = N_(
            "{issuer}: the clocks differ by {seconds} seconds. Set both by NTP: launches live for a minute, and marks "
            "with a wrong time are refused."
        )
        yield Finding(Level.ERROR, "clock_skew", say(text, issuer=registration.issuer, seconds=seconds))
