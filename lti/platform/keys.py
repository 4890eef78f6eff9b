"""Keys: the platform's own, parsed once, and the tools', fetched and kept.

Signing with joserfc and a parsed key takes about a third of a millisecond; loading the PEM for each token, as
the library does, takes some seventy.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import RSAKey

from connector.base.i18n import N_, say
from lti.errors import KeyUnavailable, LaunchReason
from lti.platform.errors import ToolKeyRefused
from lti.platform.records import RegisteredTool
from lti.tool.jwks import KeySets

MAX_TOKEN = 32_768
MIN_KEY_BITS = 2048


class PlatformKeys(Protocol):
    """The platform's keys: one that signs, and every one whose signatures still hold."""

    @property
    def kid(self) -> str:
        """The name of the key that signs."""
        ...

    def public_jwks(self) -> dict[str, Any]:
        """Return every published key as a JWK set."""
        ...

    def sign(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """Return a compact RS256 token; ``kind`` is its ``typ`` header."""
        ...

    def open(self, token: str, kind: str) -> dict[str, Any] | None:
        """Return the claims of a token of ours, or None when it is not ours or of another kind."""
        ...


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


class KeyRing:
    """Several keys of one platform: the first signs, all are published, and what any of them signed opens.

    A rotation has two phases (Security Framework 1.0, section 6.4): the next key is published while the present one
    signs, so that tools' caches know it before the first token that needs it.
    """

    def __init__(self, signing: PlatformKey, *others: PlatformKey) -> None:
        """Take the key that signs and the others that are published."""
        self._keys = {key.kid: key for key in (signing, *others)}
        self._signing = signing

    @property
    def kid(self) -> str:
        """The name of the key that signs."""
        return self._signing.kid

    def public_jwks(self) -> dict[str, Any]:
        """Return every key's public half as a JWK set."""
        return {"keys": [entry for key in self._keys.values() for entry in key.public_jwks()["keys"]]}

    def sign(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """Return a token signed with the key that signs."""
        return self._signing.sign(claims, kind)

    def open(self, token: str, kind: str) -> dict[str, Any] | None:
        """Return the claims of a token that any of the keys signed."""
        key = self._keys.get(str((read_header(token) or {}).get("kid", "")))
        return key.open(token, kind) if key else None


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
class ToolKeys:
    """The tools' public keys, through the same manager that keeps platforms' keys (`lti.tool.jwks.KeySets`).

    Attributes:
        key_sets: Fetches through the guarded session, honours Cache-Control, asks again at a limited rate.
    """

    key_sets: KeySets

    def verify(self, tool: RegisteredTool, token: str) -> dict[str, Any]:
        """Return the claims of a token the tool signed with RS256.

        Raises:
            ToolKeyRefused: No kid, a kid the tool does not publish, a weak key, or a wrong signature.
        """
        head = read_header(token)
        kid = head.get("kid") if head else None
        if not head or head.get("alg") != "RS256" or not isinstance(kid, str) or not kid:
            raise _refused("no_kid", N_("The tool's token names no key, or is not signed with RS256."))
        claims = self._checked(tool, kid, token)
        if claims is None and tool.jwks is None and tool.jwks_url:
            # Some tools change a key and keep its name; Moodle reads the set once more then, and so do we.
            self.key_sets.renew(tool.jwks_url)
            claims = self._checked(tool, kid, token)
        if claims is None:
            raise _refused("bad_signature", N_("The tool's token is not signed with a key the tool publishes."))
        return claims

    def _checked(self, tool: RegisteredTool, kid: str, token: str) -> dict[str, Any] | None:
        key = self._find(tool, kid)
        return _verified(token, key) if key else None

    def _find(self, tool: RegisteredTool, kid: str) -> RSAKey | None:
        if tool.jwks is not None:
            return read_keys(tool.jwks).get(kid)
        if not tool.jwks_url:
            return None
        try:
            return self.key_sets.key(tool.jwks_url, kid)
        except KeyUnavailable as error:
            if error.reason == LaunchReason.KEYS_UNREACHABLE:
                raise _refused("jwks_unreachable", N_("The tool's keys cannot be read.")) from error
            return None


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
