"""Keys: the platform's own, parsed once, and the tools', fetched and kept.

Signing with joserfc and a parsed key takes about a third of a millisecond; loading the PEM for each token, as
the library does, takes some seventy.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import RSAKey

from connector.base.clock import Clock
from connector.base.errors import KopirError
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from lti.platform.errors import ToolKeyRefused
from lti.platform.records import RegisteredTool

MAX_TOKEN = 32_768
MAX_JWKS_BYTES = 512 * 1024
MIN_KEY_BITS = 2048


class PlatformKey:
    """The platform's RSA signing key, loaded once per process."""

    def __init__(self, pem: str) -> None:
        """Load a private key in PEM; its ``kid`` is the RFC 7638 thumbprint."""
        key = RSAKey.import_key(pem)
        self.kid = key.thumbprint()
        self._key = RSAKey.import_key(pem, {"kid": self.kid, "use": "sig", "alg": "RS256"})

    @staticmethod
    def new_pem() -> str:
        """Make a new 2048-bit private key in PEM."""
        return RSAKey.generate_key(MIN_KEY_BITS).as_pem(private=True).decode()

    def public_jwks(self) -> dict[str, Any]:
        """Return the public half as a JWK set."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """Return a compact RS256 token with our ``kid``; ``kind`` is its ``typ`` header."""
        header = {"typ": kind, "alg": "RS256", "kid": self.kid}
        return jwt.encode(header, dict(claims), self._key, algorithms=["RS256"])

    def open(self, token: str, kind: str) -> dict[str, Any] | None:
        """Return the claims of a token of ours, or None when it is not ours or of another kind."""
        head = read_header(token)
        if head is None or head.get("typ") != kind or head.get("kid") != self.kid:
            return None
        return _verified(token, self._key)


def read_header(token: str) -> dict[str, Any] | None:
    """Return a compact token's header, unverified, or None when there is none to read."""
    return _part(token, 0)


def read_unverified_claims(token: str) -> dict[str, Any] | None:
    """Return a compact token's claims, unverified: good for nothing but finding whose key to check with."""
    return _part(token, 1)


def _part(token: str, index: int) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        return None
    try:
        raw = base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4))
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _verified(token: str, key: RSAKey) -> dict[str, Any] | None:
    try:
        return dict(jwt.decode(token, key, algorithms=["RS256"]).claims)
    except BadSignatureError:
        return None
    except (JoseError, ValueError):
        return None


@dataclass
class _Kept:
    keys: dict[str, RSAKey]
    fetched: datetime
    forced: datetime | None = None


@dataclass
class ToolKeys:
    """The tools' public keys: fetched through the guarded session, kept an hour, asked again on an unknown kid.

    Attributes:
        outbound: The guarded outbound session.
        clock: The present.
        lifetime: How long a fetched set is good.
        cooldown: How soon an unknown kid may make us ask again.
    """

    outbound: Outbound
    clock: Clock
    lifetime: timedelta = timedelta(hours=1)
    cooldown: timedelta = timedelta(seconds=10)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def verify(self, tool: RegisteredTool, token: str) -> dict[str, Any]:
        """Return the claims of a token the tool signed with RS256.

        Raises:
            ToolKeyRefused: No kid, a kid the tool does not publish, a weak key, or a wrong signature.
        """
        head = read_header(token)
        kid = head.get("kid") if head else None
        if not head or head.get("alg") != "RS256" or not isinstance(kid, str) or not kid:
            raise _refused("no_kid", N_("The tool's token names no key, or is not signed with RS256."))
        for force in (False, True):
            key = self._find(tool, kid, force)
            claims = _verified(token, key) if key else None
            if claims is not None:
                return claims
        raise _refused("bad_signature", N_("The tool's token is not signed with a key the tool publishes."))

    def _find(self, tool: RegisteredTool, kid: str, force: bool) -> RSAKey | None:
        if tool.jwks is not None:
            return read_keys(tool.jwks).get(kid)
        with self._lock:
            kept = self._kept.get(tool.client_id)
        now = self.clock()
        stale = kept is None or now - kept.fetched > self.lifetime
        if kept and force and not stale:
            stale = kept.forced is None or now - kept.forced > self.cooldown
        if stale:
            kept = self._fetch(tool, now, force)
        return kept.keys.get(kid) if kept else None

    def _fetch(self, tool: RegisteredTool, now: datetime, force: bool) -> _Kept | None:
        if not tool.jwks_url:
            return None
        headers = {"Accept": "application/json"}
        try:
            reply = self.outbound.request("GET", tool.jwks_url, headers=headers, max_bytes=MAX_JWKS_BYTES)
        except KopirError as error:
            raise _refused("jwks_unreachable", N_("The tool's keys cannot be read.")) from error
        if reply.status != 200:
            raise _refused("jwks_unreachable", N_("The tool's keys cannot be read."))
        try:
            keys = read_keys(reply.json())
        except ValueError as error:
            raise _refused("jwks_unreadable", N_("The tool's keys are not a JSON web key set.")) from error
        kept = _Kept(keys, now, now if force else None)
        with self._lock:
            self._kept[tool.client_id] = kept
        return kept


def read_keys(jwks: Any) -> dict[str, RSAKey]:
    """Return the usable RSA keys of a set by kid; one broken or weak key costs only itself."""
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    found: dict[str, RSAKey] = {}
    for entry in listed if isinstance(listed, list) else []:
        if not _usable(entry):
            continue
        try:
            found[entry["kid"]] = RSAKey.import_key({name: entry[name] for name in ("kty", "n", "e", "kid")})
        except (JoseError, ValueError, TypeError):
            continue
    return found


def _usable(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA" or not isinstance(entry.get("kid"), str):
        return False
    modulus = entry.get("n")
    if not isinstance(modulus, str) or not isinstance(entry.get("e"), str):
        return False
    strong = len(modulus.rstrip("=")) * 6 // 8 * 8 >= MIN_KEY_BITS
    return strong and entry.get("use", "sig") == "sig" and entry.get("alg", "RS256") == "RS256"


def _refused(reason: str, text: str) -> ToolKeyRefused:
    return ToolKeyRefused("invalid_client", reason, say(text))
