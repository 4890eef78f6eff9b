"""Dynamic registration, the platform's half: what we say of ourselves, and a tool's own description, checked.

LTI Dynamic Registration 1.0, sections 2 and 3; errors by RFC 7591, section 3.2.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connector.base.i18n import N_, say
from lti.platform.errors import RegistrationRefused
from lti.platform.records import PlatformFacts
from lti.vocab import MessageType, Scope

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "locale")
MAX_ADDRESSES = 20
MAX_CUSTOM = 50


@dataclass(frozen=True)
class ToolDescription:
    """What a tool says of itself; nothing of it works before a person of the school agrees.

    Attributes:
        name: What it calls itself.
        login_url: Where a launch begins.
        redirect_uris: Where an id_token may go.
        target_link_uri: What is launched when a link names nothing.
        deep_linking_url: What is launched to choose content; None when it offers no choosing.
        jwks_url: Its public keys.
        scopes: The service scopes it asks for, known ones only.
        claims: The personal claims it asks for.
        custom: Parameters it wants back with each launch.
    """

    name: str
    login_url: str
    redirect_uris: tuple[str, ...]
    target_link_uri: str
    jwks_url: str
    deep_linking_url: str | None = None
    scopes: frozenset[str] = frozenset()
    claims: frozenset[str] = frozenset()
    custom: Mapping[str, str] | None = None


def openid_configuration(facts: PlatformFacts, register_url: str, version: str) -> dict[str, Any]:
    """Return the platform's configuration document (OpenID Connect Discovery 1.0; Dynamic Registration 1.0, 2.1)."""
    messages: list[dict[str, Any]] = [{"type": str(MessageType.RESOURCE_LINK)}, {"type": str(MessageType.DEEP_LINKING)}]
    return {
        "issuer": facts.issuer,
        "authorization_endpoint": facts.auth_url,
        "token_endpoint": facts.token_url,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "jwks_uri": facts.jwks_url,
        "registration_endpoint": register_url,
        "scopes_supported": ["openid", *(str(scope) for scope in Scope)],
        "response_types_supported": ["id_token"],
        "response_modes_supported": ["form_post"],
        "grant_types_supported": ["implicit", "client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": list(CLAIMS),
        "authorization_server": facts.token_url,
        PLATFORM: {
            "product_family_code": "kopir",
            "version": version,
            "messages_supported": messages,
            "variables": [],
        },
    }


def read_registration(body: bytes, may_be_http: Callable[[str], bool]) -> ToolDescription:
    """Read a tool's description.

    Args:
        body: The JSON it posted.
        may_be_http: Whether a ``host:port`` may be reached without TLS (inside the school's own network).

    Raises:
        RegistrationRefused: Something is missing, or an address is not one a browser or we may be sent to.
    """
    value = _object(body)
    tool = _dict(value, TOOL)
    _check_kinds(value)
    check = _Addresses(may_be_http, tool)
    target = check.read(tool.get("target_link_uri"), "target_link_uri")
    redirects = value.get("redirect_uris")
    if not isinstance(redirects, list) or not 0 < len(redirects) <= MAX_ADDRESSES:
        raise _bad("invalid_redirect_uri", "redirect_uris")
    picker = _picker(tool)
    return ToolDescription(
        name=_text(value, "client_name"),
        login_url=check.read(value.get("initiate_login_uri"), "initiate_login_uri"),
        redirect_uris=tuple(dict.fromkeys(check.read(one, "redirect_uris") for one in redirects)),
        target_link_uri=target,
        jwks_url=check.read(value.get("jwks_uri"), "jwks_uri", ours=False),
        deep_linking_url=None
        if picker is None
        else check.read(picker.get("target_link_uri", target), "target_link_uri"),
        scopes=frozenset(str(value.get("scope") or "").split()) & frozenset(str(scope) for scope in Scope),
        claims=_listed(tool, "claims") & frozenset(CLAIMS),
        custom=_custom(tool),
    )


class _Addresses:
    """Reads addresses of one registration: absolute, TLS, and on the domains the tool named as its own."""

    def __init__(self, may_be_http: Callable[[str], bool], tool: Mapping[str, Any]) -> None:
        self._may_be_http = may_be_http
        names = [tool.get("domain"), *_listed(tool, "secondary_domains")]
        self._domains = [name.lower() for name in names if isinstance(name, str) and name]
        if not self._domains:
            raise _bad("invalid_client_metadata", "domain")

    def read(self, value: Any, field: str, *, ours: bool = True) -> str:
        """Return an address; ``ours`` demands one of the tool's domains."""
        error = "invalid_redirect_uri" if field == "redirect_uris" else "invalid_client_metadata"
        if not isinstance(value, str) or not is_tool_address(value, self._may_be_http):
            raise _bad(error, field)
        if ours and not any(_belongs(urlsplit(value).netloc.lower(), domain) for domain in self._domains):
            raise _bad(error, field)
        return value


def is_tool_address(url: str, may_be_http: Callable[[str], bool]) -> bool:
    """Tell whether a browser may be sent to a tool's address: absolute, https, no user, no fragment.

    Plain http is let through only for the ``host:port`` that ``may_be_http`` agrees to.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if len(url) > 2000 or not url.isascii() or any(mark in url for mark in " \t\r\n\\\"<>;,'"):
        return False
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or may_be_http(f"{parts.hostname}:{port or 80}")


def _belongs(netloc: str, domain: str) -> bool:
    host = netloc if ":" in domain else netloc.partition(":")[0]
    return host == domain or host.endswith("." + domain)


def _check_kinds(value: Mapping[str, Any]) -> None:
    if value.get("token_endpoint_auth_method", "private_key_jwt") != "private_key_jwt":
        raise _bad("invalid_client_metadata", "token_endpoint_auth_method")
    if "id_token" not in _listed(value, "response_types"):
        raise _bad("invalid_client_metadata", "response_types")


def _picker(tool: Mapping[str, Any]) -> Mapping[str, Any] | None:
    messages = tool.get("messages")
    for one in messages[:50] if isinstance(messages, list) else []:
        if isinstance(one, dict) and one.get("type") == MessageType.DEEP_LINKING:
            return one
    return None


def _custom(tool: Mapping[str, Any]) -> dict[str, str]:
    found = tool.get("custom_parameters") or {}
    if not isinstance(found, dict) or len(found) > MAX_CUSTOM:
        raise _bad("invalid_client_metadata", "custom_parameters")
    # A substitution variable would ask for what nobody agreed to: it goes back as it came, unfilled.
    return {str(name)[:255]: value[:1000] for name, value in found.items() if isinstance(value, str)}


def _listed(value: Mapping[str, Any], name: str) -> frozenset[str]:
    found = value.get(name)
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()


def _dict(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise _bad("invalid_client_metadata", name.rsplit("/", 1)[-1])
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found.strip() or len(found) > 200:
        raise _bad("invalid_client_metadata", name)
    return found.strip()


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RegistrationRefused("invalid_client_metadata", "not_json", say(N_("The body is not a JSON object.")))
    return value


def _bad(error: str, field: str) -> RegistrationRefused:
    text = N_("“{field}” is missing, is not an https address, or is not on the tool's own domain.")
    return RegistrationRefused(error, "bad_registration", say(text, field=field))
