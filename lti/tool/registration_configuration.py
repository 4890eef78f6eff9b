"""A platform's OpenID configuration, read with suspicion (Dynamic Registration 1.0 §2, §3.4 and §3.5.1).

The address comes from a browser and the document from whoever serves that address, so nothing in it is believed
before its issuer was found to own the host it came from.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from connector.base.i18n import N_, say
from lti.errors import RegistrationRefused

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
MAX_URL = 2048
MAX_LIST = 500
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"([a-z0-9]([a-z0-9_.-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint")


@dataclass(frozen=True)
class PlatformMessage:
    """A message the platform launches, and where it can be placed."""

    type: str
    placements: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformConfiguration:
    """What a platform says of itself.

    Attributes:
        issuer: Its ``iss``, exactly as it will send it.
        authorization_endpoint: Where logins are answered.
        token_endpoint: Where access tokens are given.
        jwks_uri: Where its public keys are.
        registration_endpoint: Where tools register.
        authorization_server: Audience of our client assertion, where it is not the token endpoint.
        scopes: Scopes it offers; empty when it lists none.
        claims: Claims it can send.
        messages: Messages it launches.
        variables: Custom variables it fills in.
        family_code: ``product_family_code``.
        version: The product's version.
        notices: Notice types it sends (``notice_types_supported``).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    registration_endpoint: str
    authorization_server: str | None = None
    scopes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    messages: tuple[PlatformMessage, ...] = ()
    variables: tuple[str, ...] = field(default=(), repr=False)
    family_code: str = ""
    version: str = ""
    notices: tuple[str, ...] = ()

    def endpoints(self) -> dict[str, str]:
        """Return every address we will use, by its name in the document."""
        return {name: str(getattr(self, name)) for name in _ENDPOINTS}

    def to_value(self) -> dict[str, Any]:
        """Return the configuration as JSON's kinds, to be kept between preview and confirmation."""
        return asdict(self)

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> PlatformConfiguration:
        """Read what ``to_value`` wrote."""
        # A preview of an earlier version, kept for an hour at most, knows no notices.
        lists = {name: tuple(value.get(name, ())) for name in ("scopes", "claims", "variables", "notices")}
        messages = tuple(PlatformMessage(one["type"], tuple(one["placements"])) for one in value["messages"])
        return cls(**{**value, **lists, "messages": messages})


def check_address(url: str, what: str, http_allowed: Callable[[str], bool]) -> SplitResult:
    """Return an address taken apart, when it is one that may be called at all.

    Args:
        url: The address.
        what: Its name, for the message.
        http_allowed: Tells whether an address may go without TLS, because an administrator allowed its host.

    Raises:
        RegistrationRefused: ``bad_address`` or ``not_https``.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in _DEFAULT_PORTS and _is_host(parts) and parts.port != 0
    except ValueError:
        good = False
    if not good or len(url) > MAX_URL or parts.fragment or _has_control(url):
        raise RegistrationRefused("bad_address", say(N_("{what} is not a web address."), what=what))
    if parts.scheme == "http" and not http_allowed(url):
        text = N_("{what} is not an https address: anybody on the way could pose as this LMS.")
        raise RegistrationRefused("not_https", say(text, what=what))
    return parts


def _has_control(url: str) -> bool:
    return any(ord(letter) <= 32 or ord(letter) == 127 or letter == "\\" for letter in url)


def _is_host(parts: SplitResult) -> bool:
    """Tell whether the authority is a plain host, and a port: it ends up in headers, and must look like what it is.

    Names with letters of other scripts come as ``xn--``: two of them that look alike are told apart then.
    """
    return _AUTHORITY.fullmatch(parts.netloc.lower()) is not None


def host_of(parts: SplitResult) -> str:
    """Return a host in lower case, without the root's dot."""
    return (parts.hostname or "").rstrip(".")


def is_issuers_own(configuration_url: str, issuer: str) -> bool:
    """Tell whether the configuration's address belongs to the issuer (Dynamic Registration 1.0 §3.5.1).

    The host is the issuer's own or a sub-domain of it, compared label by label; scheme and port are the same.
    Whoever controls a host controls its sub-domains, never the other way round.
    """
    ours, theirs = urlsplit(configuration_url), urlsplit(issuer)
    if ours.scheme != theirs.scheme or _port(ours) != _port(theirs):
        return False
    host, owner = host_of(ours), host_of(theirs)
    if host == owner:
        return True
    # A name of one label is a top-level domain or a machine of one's own network: it owns no other machine.
    return not _is_ip(owner) and "." in owner and host.endswith("." + owner)


def _port(parts: SplitResult) -> int | None:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def read_configuration(
    document: object, configuration_url: str, http_allowed: Callable[[str], bool]
) -> PlatformConfiguration:
    """Check a configuration document and return what it says.

    Raises:
        RegistrationRefused: ``configuration_unreadable``, ``configuration_incomplete``, ``issuer_mismatch``,
            ``mixed_security``, ``unsupported_platform``, or as ``check_address``.
    """
    if not isinstance(document, dict):
        raise unreadable()
    values = {name: _text(document, name) for name in ("issuer", *_ENDPOINTS)}
    for name, url in values.items():
        check_address(url, name, http_allowed)
    issuer = values["issuer"]
    if urlsplit(issuer).query or not is_issuers_own(configuration_url, issuer):
        text = N_("The configuration at {host} claims to be of {issuer}, which it does not belong to.")
        host = urlsplit(configuration_url).hostname
        raise RegistrationRefused("issuer_mismatch", say(text, host=host, issuer=issuer))
    if issuer.startswith("https:") and any(url.startswith("http:") for url in values.values()):
        text = N_("The LMS has https and yet names an address without it; nothing secret is sent there.")
        raise RegistrationRefused("mixed_security", say(text))
    _check_abilities(document)
    platform = document.get(PLATFORM)
    described = platform if isinstance(platform, dict) else {}
    server = document.get("authorization_server")
    return PlatformConfiguration(
        **values,
        authorization_server=server if isinstance(server, str) and 0 < len(server) <= MAX_URL else None,
        scopes=_texts(document.get("scopes_supported")),
        claims=_texts(document.get("claims_supported")),
        messages=tuple(_messages(described.get("messages_supported"))),
        variables=_texts(described.get("variables")),
        family_code=_short(described.get("product_family_code")),
        version=_short(described.get("version")),
        notices=_texts(described.get("notice_types_supported")),
    )


def unreadable() -> RegistrationRefused:
    """Return the error for a document that is no configuration."""
    text = N_("The LMS's configuration cannot be read: it is not the document LTI asks for.")
    return RegistrationRefused("configuration_unreadable", say(text))


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        text = N_("The LMS's configuration has no {name}.")
        raise RegistrationRefused("configuration_incomplete", say(text, name=name))
    return value


_NEEDED = (
    ("response_types_supported", "id_token"),
    ("id_token_signing_alg_values_supported", "RS256"),
    ("token_endpoint_auth_methods_supported", "private_key_jwt"),
)


def _check_abilities(document: Mapping[str, Any]) -> None:
    for name, wanted in _NEEDED:
        listed = _texts(document.get(name))
        if listed and wanted not in listed:
            text = N_("This LMS cannot be connected: among its {name} there is no {wanted}.")
            raise RegistrationRefused("unsupported_platform", say(text, name=name, wanted=wanted))


def _texts(value: object) -> tuple[str, ...]:
    items: Iterable[object] = value[:MAX_LIST] if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str) and 0 < len(item) <= MAX_LIST)


def _short(value: object) -> str:
    return value.strip()[:100] if isinstance(value, str) else ""


def _messages(value: object) -> Iterable[PlatformMessage]:
    for item in value[:MAX_LIST] if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("type"), str):
            yield PlatformMessage(item["type"][:MAX_LIST], _texts(item.get("placements")))
