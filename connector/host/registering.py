"""An LMS registers itself: preview, agreement, and what is stored of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select

from connector.base.config import Settings
from connector.base.errors import Fatal
from connector.base.i18n import N_, say, translate
from connector.base.log import get_logger
from connector.base.outbound import NetworkPolicy, Outbound
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.registry import registration_request
from connector.host.invitations import Invitation, give_back, invitation_by_id, spend
from connector.host.platforms import private_host
from connector.host.registered import Change, Existing, Stored, changes_of, find_existing, platform_of, store
from connector.host.rotation import KEY_LIFETIME, advance, schedule
from connector.host.runtime import Runtime
from lti.errors import LtiError, RegistrationRefused
from lti.profiles import profile_for
from lti.tool.registration import fetch_configuration, register
from lti.tool.registration_configuration import PlatformConfiguration
from lti.tool.registration_request import Asked, ToolDescription, build_request, what_to_ask

PREVIEW = timedelta(hours=1)
NAME = N_("Tests, labs, portfolio")
DESCRIPTION = N_("Online tests, virtual labs and portfolios; marks come back to the course.")
log = get_logger("host.registering")


@dataclass(frozen=True)
class Preview:
    """What a person is shown before anything is asked.

    Attributes:
        key: The form's key: agrees to exactly this.
        configuration: What the platform says of itself.
        product: The product's name.
        asked: What will be asked of it.
        existing: Registrations of this LMS in this school, the newest first.
        changes: What differs from the newest of them.
    """

    key: str = field(repr=False)
    configuration: PlatformConfiguration
    product: str
    asked: Asked
    existing: tuple[Existing, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Registered:
    """What came of it."""

    stored: Stored
    configuration: PlatformConfiguration
    missing_scopes: tuple[str, ...]
    product: str


def outbound_for(runtime: Runtime, invited: Invitation) -> Outbound:
    """Return a session that may reach what the settings allow and this invitation's hosts, and nothing more."""
    return Outbound(_policy(runtime.settings, invited))


def _policy(settings: Settings, invited: Invitation) -> NetworkPolicy:
    hosts = frozenset(invited.allow_hosts)
    return NetworkPolicy.from_setting(settings.allow_private_networks, lambda: hosts, settings.ca_file)


def http_allowed(settings: Settings, invited: Invitation) -> Callable[[str], bool]:
    """Return what tells whether an address may go without TLS: an administrator allowed its host by name or network."""
    policy = _policy(settings, invited)

    def allowed(url: str) -> bool:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 80
        # 192.0.2.1 is nobody's address (RFC 5737): allowed only where the host itself is.
        return private_host(url) is not None or policy.allows(host, port, "192.0.2.1")

    return allowed


def preview(runtime: Runtime, invited: Invitation, url: str, token: str | None) -> Preview:
    """Fetch the platform's configuration and keep it for the agreement.

    Raises:
        RegistrationRefused, RegistrationUnavailable: As ``fetch_configuration``; also ``private_network``.
    """
    configuration = fetch_configuration(
        outbound_for(runtime, invited), url, token, http_allowed=http_allowed(runtime.settings, invited)
    )
    _check_reachable(runtime, invited, configuration)
    key = _keep(runtime, invited, configuration, token)
    existing = find_existing(runtime, invited.school_id, configuration.issuer)
    changes = changes_of(existing[0], configuration) if existing else ()
    product = product_of(configuration)
    return Preview(key, configuration, product, what_to_ask(configuration), tuple(existing), tuple(changes))


def product_of(configuration: PlatformConfiguration) -> str:
    """Return the product's name and version, as far as they are known."""
    profile = profile_for(configuration.family_code)
    name = configuration.family_code if profile.key == "generic" else profile.title
    # Moodle adds its build in brackets, which says nothing to a person.
    return f"{name} {configuration.version.partition(' (')[0]}".strip()


def _check_reachable(runtime: Runtime, invited: Invitation, configuration: PlatformConfiguration) -> None:
    """Refuse endpoints inside private networks that nobody allowed: a configuration widens no list."""
    policy = _policy(runtime.settings, invited)
    for name, url in configuration.endpoints().items():
        if name == "authorization_endpoint":
            # Only browsers go there.
            continue
        inside = private_host(url)
        if inside is not None and not _reachable(policy, url):
            text = N_("{name} of this LMS is inside a private network ({host}). Make the invitation anew with "
                      "--allow-host {host} if that is meant.")  # fmt: skip
            raise RegistrationRefused("private_network", say(text, name=name, host=inside))


def _reachable(policy: NetworkPolicy, url: str) -> bool:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return True
    return all(policy.allows(host, port, str(info[4][0])) for info in found)


def _keep(runtime: Runtime, invited: Invitation, configuration: PlatformConfiguration, token: str | None) -> str:
    key, now = new_token(), runtime.clock()
    values = {
        "hash": fingerprint(key), "invitation_id": invited.id, "configuration": configuration.to_value(),
        "sealed_token": runtime.vault.seal(token) if token else None, "state": "shown",
        "created_at": now, "expires_at": now + PREVIEW,
    }  # fmt: skip
    mine = registration_request.c.invitation_id == invited.id
    with runtime.database.service() as db:
        # One preview per invitation: opening the page again replaces what was shown before.
        db.execute(registration_request.delete().where(mine & (registration_request.c.state == "shown")))
        db.execute(registration_request.insert().values(values))
    return key


def agree(runtime: Runtime, key: str, replace: str = "") -> Registered:
    """Register with the platform as it was previewed, and store what it answered.

    Args:
        runtime: The process.
        key: The form's key.
        replace: Our id of a registration of this school and issuer that the new one takes the place of, or empty.

    Raises:
        Fatal: The preview is over, or the invitation is not open any more.
        RegistrationRefused, RegistrationUnavailable: The platform said no or nothing; the invitation holds on.
    """
    request = _take(runtime, key)
    invited = invitation_by_id(runtime, request.invitation_id)
    if invited is None:
        raise _over()
    spend(runtime, invited)
    body = build_request(request.configuration, describe(runtime, invited))
    try:
        client = register(outbound_for(runtime, invited), request.configuration, body, request.token)
        platform = platform_of(runtime, invited, request.configuration, client)
        stored = store(runtime, invited, platform, client, replace)
    except (LtiError, Fatal) as error:
        give_back(runtime, invited)
        _close(runtime, key, "refused", error.reason)
        log.warning("registration_refused", reason=error.reason, invitation=invited.id)
        raise
    _close(runtime, key, "registered")
    schedule(runtime, stored.registration_id, advance(runtime, stored.registration_id, KEY_LIFETIME))
    log.info("registered", registration=stored.registration_id, school=invited.school_id, kind=stored.kind)
    missing = what_to_ask(request.configuration).missing_scopes
    if client.scopes is not None:
        wanted = str(body["scope"]).split()
        missing = (*missing, *(scope for scope in wanted if scope not in client.scopes))
    return Registered(stored, request.configuration, missing, product_of(request.configuration))


def describe(runtime: Runtime, invited: Invitation) -> ToolDescription:
    """Return who we are towards this school's LMS, in every language offered."""
    public, school = runtime.settings.public_url, runtime.registry.school(school_id=invited.school_id)
    languages = runtime.settings.languages
    first = school.language if school and school.language in languages else languages[0]
    names = {code: invited.label or translate(say(NAME), code) for code in languages}
    return ToolDescription(
        login_url=f"{public}/lti/login",
        launch_url=runtime.launch_url,
        jwks_url=f"{public}/lti/jwks.json",
        names={first: names[first]} if invited.label else names,
        descriptions={code: translate(say(DESCRIPTION), code) for code in languages},
        language=first,
        home_url=f"{public}/",
    )


@dataclass(frozen=True)
class _Request:
    invitation_id: str
    configuration: PlatformConfiguration
    token: str | None = field(repr=False)


def _take(runtime: Runtime, key: str) -> _Request:
    """Take a preview, once: two clicks on «Register» send one registration."""
    now: datetime = runtime.clock()
    mine = registration_request.c.hash == fingerprint(key)
    usable = mine & (registration_request.c.state == "shown") & (registration_request.c.expires_at > now)
    with runtime.database.service() as db:
        sealed = db.execute(select(registration_request.c.sealed_token).where(usable)).scalar_one_or_none()
        taken = db.execute(
            registration_request.update()
            .where(usable)
            .values(state="sent", sealed_token=None)
            .returning(registration_request.c.invitation_id, registration_request.c.configuration)
        ).first()
    if taken is None:
        raise _over()
    configuration = PlatformConfiguration.from_value(taken.configuration)
    return _Request(taken.invitation_id, configuration, runtime.vault.open(sealed) if sealed else None)


def _over() -> Fatal:
    return Fatal("preview_over", say(N_("This page is over or was sent already. Start again in the LMS.")))


def _close(runtime: Runtime, key: str, state: str, reason: str = "") -> None:
    mine = registration_request.c.hash == fingerprint(key)
    with runtime.database.service() as db:
        db.execute(registration_request.update().where(mine).values(state=state, reason=reason))
