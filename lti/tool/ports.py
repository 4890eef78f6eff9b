"""What the tool must be given: registrations, key sets, signing keys and tokens, each behind a small Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from joserfc.jwk import RSAKey


@dataclass(frozen=True)
class Registration:
    """One LMS that knows us under one client id.

    Attributes:
        id: Our own id of the registration.
        issuer: The platform's ``iss``, compared as an exact string.
        client_id: What the platform calls us.
        auth_url: OIDC authorisation endpoint; a query in it is kept.
        token_url: OAuth 2 token endpoint.
        jwks_url: Where the platform publishes its public keys.
        token_audience: ``aud`` of our client assertion where it is not the token URL (D2L Brightspace).
        profile: Key of ``lti.profiles``: what this platform does differently.
        allow_anonymous: Serve launches without ``sub`` (Core 1.3 §5.3.6.1); off by default.
        rung: The rung of the launch ladder its logins begin at (``lti.tool.ladder``); empty while nothing is known.
        rung_at: When that was learnt.
    """

    id: str
    issuer: str
    client_id: str
    auth_url: str
    token_url: str
    jwks_url: str
    token_audience: str | None = None
    profile: str = "generic"
    allow_anonymous: bool = False
    rung: str = ""
    rung_at: datetime | None = None


class Registrations(Protocol):
    """Finds registrations; they stand above schools."""

    def find(self, issuer: str, client_id: str | None) -> Sequence[Registration]:
        """Return the active registrations of an issuer, of one client when it is named."""

    def get(self, registration_id: str) -> Registration | None:
        """Return an active registration by our id."""


@dataclass(frozen=True)
class StoredKeySet:
    """The last good JWKS of a platform.

    Attributes:
        document: The JSON text as it was served.
        fetched_at: When it was fetched (aware, UTC).
    """

    document: str
    fetched_at: datetime


class KeySetStore(Protocol):
    """Keeps the last good JWKS per URL, so that a restart does not need the platform up."""

    def load(self, jwks_url: str) -> StoredKeySet | None:
        """Return the last good document, or None."""

    def save(self, jwks_url: str, stored: StoredKeySet) -> None:
        """Replace the last good document."""

    def claim(self, jwks_url: str, now: datetime, pause: timedelta) -> timedelta:
        """Return no wait to the one, of all that ask within a pause, who may fetch early; else what is left of it."""


class KeySource(Protocol):
    """Gives a platform's public key; ``lti.tool.jwks.KeySets`` is the real one."""

    def key(self, jwks_url: str, kid: str) -> RSAKey:
        """Return the parsed key.

        Raises:
            KeyUnavailable: ``unknown_key``, ``key_pending``, ``weak_key`` or ``keys_unreachable``.
        """


@dataclass(frozen=True)
class SigningKey:
    """One of our key pairs, parsed once."""

    kid: str
    key: RSAKey = field(repr=False)


class SigningKeys(Protocol):
    """Gives the key pair we sign with towards one registration."""

    def for_registration(self, registration: Registration) -> SigningKey:
        """Return the active key pair, parsed once per process."""


@dataclass(frozen=True)
class TokenKey:
    """What an access token is good for; two of them never share a token."""

    token_url: str
    client_id: str
    deployment_id: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class AccessToken:
    """A bearer token.

    Attributes:
        value: The secret; never logged, and not in ``repr``.
        scopes: What the platform granted, which may be less than was asked.
        expires_at: When it ends (aware, UTC).
    """

    value: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime


class TokenStore(Protocol):
    """Shares tokens between processes; an implementation seals the value at rest."""

    def load(self, key: TokenKey) -> AccessToken | None:
        """Return the stored token, or None."""

    def save(self, key: TokenKey, token: AccessToken) -> None:
        """Replace the stored token."""

    def drop(self, key: TokenKey, token: AccessToken) -> None:
        """Forget the token if it is still the stored one."""


class NoKeySetStore:
    """Keep nothing: key sets live in this process only."""

    def load(self, jwks_url: str) -> StoredKeySet | None:
        """Return None."""

    def save(self, jwks_url: str, stored: StoredKeySet) -> None:
        """Do nothing."""

    def claim(self, jwks_url: str, now: datetime, pause: timedelta) -> timedelta:
        """Return no wait: there is no other process to ask."""
        return timedelta()


class NoTokenStore:
    """Keep nothing: tokens live in this process only."""

    def load(self, key: TokenKey) -> AccessToken | None:
        """Return None."""

    def save(self, key: TokenKey, token: AccessToken) -> None:
        """Do nothing."""

    def drop(self, key: TokenKey, token: AccessToken) -> None:
        """Do nothing."""
