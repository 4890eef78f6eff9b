"""Messages as they may be shown: who is in them and what opens doors is left out, what was asked stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.host.selftest.jose import BadToken, decode

HIDDEN = "[redacted]"
_PERSONAL = frozenset(
    {"name", "given_name", "family_name", "middle_name", "email", "picture", "person_sourcedid",
     "lis_person_sourcedid", "comment"}
)  # fmt: skip
_SECRET = frozenset(
    {"state", "nonce", "access_token", "jti", "login_hint", "lti_message_hint", "cookie", "set-cookie",
     "authorization", "kopir_token"}
)  # fmt: skip
_TOKENS = frozenset({"id_token", "jwt", "client_assertion"})
_LONGEST = 400


def redacted(value: Any, name: str = "") -> Any:
    """Return a JSON value with people's data, secrets and signatures replaced."""
    plain = name.lower()
    if plain in _PERSONAL | _SECRET:
        return HIDDEN if value not in (None, "") else value
    if plain in _TOKENS and isinstance(value, str):
        return token(value)
    if isinstance(value, Mapping):
        return {str(key): redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value if not isinstance(value, str) or len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value)})"


def token(text: str) -> Any:
    """Return a token's header and claims, redacted and without its signature."""
    try:
        header, claims = decode(text)
    except BadToken:
        return f"[not a token, {len(text)} characters]"
    return {"header": redacted(header), "claims": redacted(claims)}


def address(url: str) -> Any:
    """Return an address with its query redacted; a launch's own id is no secret."""
    parts = urlsplit(url)
    return {"url": url.partition("?")[0], "query": redacted(dict(parse_qsl(parts.query, keep_blank_values=True)))}
