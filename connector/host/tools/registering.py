"""A tool registers itself by a one-time invitation, and waits until a person of the school approves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import select

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.outbound import NetworkPolicy
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.tools import tool_invitation
from connector.host.platforms import private_host
from connector.host.runtime import Runtime
from connector.host.tools.platform import BASE, facts
from connector.host.tools.records import DEPLOYMENT, USUAL, SchoolTool, State, add_tool
from lti.platform.errors import RegistrationRefused
from lti.platform.records import RegisteredTool
from lti.platform.registration import TOOL, ToolDescription, is_tool_address, openid_configuration, read_registration
from lti.vocab import MessageType

LASTING = timedelta(hours=24)


def configuration(runtime: Runtime, version: str) -> dict[str, Any]:
    """Return what the platform says of itself."""
    return openid_configuration(facts(runtime), f"{runtime.settings.public_url}{BASE}/register", version)


def invite_tool(
    runtime: Runtime, school_id: str, *, allow_hosts: tuple[str, ...] = (), lasting: timedelta = LASTING
) -> tuple[str, datetime]:
    """Make a one-time permission for a tool to register; return the secret and until when it holds."""
    now, token = runtime.clock(), new_token()
    values = {
        "hash": fingerprint(token), "school_id": school_id, "created_at": now, "expires_at": now + lasting,
        "allow_hosts": sorted({host.lower() for host in allow_hosts}),
    }  # fmt: skip
    with runtime.database.service() as db:
        db.execute(tool_invitation.delete().where(tool_invitation.c.expires_at < now - timedelta(days=30)))
        db.execute(tool_invitation.insert().values(values))
    return token, now + lasting


def registration_address(runtime: Runtime, tool_url: str, token: str) -> str:
    """Return the address to open: the tool's registration page, told where we are and what lets it in.

    Raises:
        Fatal: The tool's address is no http or https address (``bad_address``).
    """
    parts = urlsplit(tool_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise Fatal("bad_address", say(N_("{url} is not an http or https address."), url=tool_url[:200]))
    where = f"{runtime.settings.public_url}{BASE}/openid-configuration"
    query = urlencode({"openid_configuration": where, "registration_token": token})
    return f"{tool_url}{'&' if parts.query else '?'}{query}"


def register(runtime: Runtime, token: str, body: bytes) -> dict[str, Any]:
    """Take a tool's description; it is kept, switched off, until a person approves it.

    Returns:
        The client as RFC 7591, section 3.2.1 answers it.

    Raises:
        RegistrationRefused: ``invalid_token`` for a permission that is not open, else what is wrong with the body.
    """
    school_id, hosts = _open(runtime, token)
    described = read_registration(body, may_be_http(runtime, hosts))
    _spend(runtime, token)
    private = tuple(host for host in hosts if host in {private_host(described.jwks_url)})
    tool = add_tool(
        runtime, school_id, _registered(described), state=State.PENDING, told=USUAL, custom=described.custom,
        private_hosts=private,
    )  # fmt: skip
    return _client(tool, described)


def _open(runtime: Runtime, token: str) -> tuple[str, tuple[str, ...]]:
    with runtime.database.service(write=False) as db:
        row = db.execute(select(tool_invitation).where(tool_invitation.c.hash == fingerprint(token))).first()
    if not token or row is None or row.used_at is not None or row.expires_at <= runtime.clock():
        raise _closed()
    return row.school_id, tuple(row.allow_hosts)


def _spend(runtime: Runtime, token: str) -> None:
    open_ = (tool_invitation.c.hash == fingerprint(token)) & tool_invitation.c.used_at.is_(None)
    with runtime.database.service() as db:
        if db.execute(tool_invitation.update().where(open_).values(used_at=runtime.clock())).rowcount != 1:
            raise _closed()


def _closed() -> RegistrationRefused:
    text = N_("This permission to register is over, was used, or never was. Ask the school for a new one.")
    return RegistrationRefused("invalid_token", "invitation_closed", say(text))


def may_be_http(runtime: Runtime, hosts: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether a ``host:port`` may be spoken to without TLS: one an administrator named."""
    policy = NetworkPolicy.from_setting(runtime.settings.allow_private_networks)
    return lambda host: policy.everything or host in hosts or host.partition(":")[0] in hosts


def check_tool(tool: RegisteredTool, may: Callable[[str], bool]) -> None:
    """Refuse a tool typed in by hand whose addresses are not ones a browser may be sent to.

    Raises:
        Fatal: Names the address.
    """
    addresses = (tool.login_url, tool.target_link_uri, tool.jwks_url or "", *tool.redirect_uris)
    for url in (*addresses, *((tool.deep_linking_url,) if tool.deep_linking_url else ())):
        if not is_tool_address(url, may):
            text = N_("{url} is no address of a tool: it must begin with https://, without spaces, user or #.")
            raise Fatal("bad_address", say(text, url=url[:200]))


def _registered(described: ToolDescription) -> RegisteredTool:
    return RegisteredTool(
        client_id="",
        deployment_id=DEPLOYMENT,
        name=described.name,
        login_url=described.login_url,
        redirect_uris=described.redirect_uris,
        target_link_uri=described.target_link_uri,
        deep_linking_url=described.deep_linking_url,
        jwks_url=described.jwks_url,
        scopes=described.scopes,
    )


def _client(tool: SchoolTool, described: ToolDescription) -> dict[str, Any]:
    messages = [{"type": str(MessageType.RESOURCE_LINK)}]
    if tool.deep_linking_url:
        messages.append({"type": str(MessageType.DEEP_LINKING), "target_link_uri": tool.deep_linking_url})
    return {
        "client_id": tool.client_id,
        "client_name": tool.name,
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "initiate_login_uri": tool.login_url,
        "redirect_uris": list(tool.redirect_uris),
        "jwks_uri": tool.jwks_url,
        "scope": " ".join(sorted(tool.scopes)),
        TOOL: {
            "deployment_id": tool.deployment_id,
            "target_link_uri": tool.target_link_uri,
            "domain": urlsplit(tool.target_link_uri).netloc,
            "claims": ["iss", "sub"],
            "custom_parameters": dict(described.custom or {}),
            "messages": messages,
        },
    }
