"""Access tokens for the Advantage services: asked for once, shared, renewed in time.

Source: Security Framework 1.0 §4.1.1 (client credentials with a signed assertion), §7.1 (renewing), RFC 7523, and
the errata's ``deployment_id`` in the assertion.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from connector.base.clock import Clock, utc_now
from connector.base.errors import Retriable
from connector.base.i18n import N_, Message, say
from connector.base.ids import new_id
from connector.base.outbound import Outbound, Reply
from lti.errors import TokenRefused, TokenUnavailable
from lti.profiles import profile_for
from lti.tool.ports import AccessToken, NoTokenStore, Registration, SigningKeys, TokenKey, TokenStore
from lti.tool.signature import sign
from lti.tool.wire import from_json, number
from lti.vocab import CLIENT_ASSERTION_TYPE, Claim, Scope

BACKDATED = timedelta(seconds=60)
ASSERTION_LIFETIME = timedelta(minutes=5)
EXPIRY_SKEW = timedelta(seconds=60)
DEFAULT_LIFETIME = 300
LONGEST_LIFETIME = 24 * 3600
MAX_BYTES = 64 * 1024
WAIT_SECONDS = 35.0

# Moodle writes the error's text unescaped into the JSON, which breaks it: {"error" : ""kid" invalid, …"}.
_ERROR = re.compile(r'"error"\s*:\s*"+(?P<text>[^}]*)', re.DOTALL)
_COVERS: dict[str, str] = {Scope.LINEITEM_READONLY: Scope.LINEITEM}


class TokenSource:
    """Gives access tokens, cached per (token URL, client, deployment, scopes); safe to share between threads."""

    def __init__(
        self, http: Outbound, keys: SigningKeys, store: TokenStore | None = None, clock: Clock = utc_now
    ) -> None:
        """Take the outbound session, our keys, where processes share tokens, and the clock."""
        self._http = http
        self._keys = keys
        self._store = store or NoTokenStore()
        self._clock = clock
        self._tokens: dict[TokenKey, AccessToken] = {}
        self._locks: dict[TokenKey, threading.Lock] = {}
        self._lock = threading.Lock()

    def bearer(self, registration: Registration, deployment_id: str, scopes: Iterable[str]) -> AccessToken:
        """Return a token that holds every asked scope and lives a minute more at least.

        Raises:
            TokenRefused: The platform gives none; the reason says why (``token_invalid_client``,
                ``token_invalid_scope``, ``token_scope_not_granted``, ``token_clock``, ``token_unknown_key``,
                ``token_keys_unreachable``, ``token_refused``).
            TokenUnavailable: The endpoint is down or answers with a page (``token_unavailable``).
        """
        key = TokenKey(registration.token_url, registration.client_id, deployment_id, frozenset(map(str, scopes)))
        token = self._alive(self._tokens.get(key))
        if token is not None:
            return token
        lock = self._lock_of(key)
        if not lock.acquire(timeout=WAIT_SECONDS):
            raise TokenUnavailable("token_unavailable", say(N_("The LMS's token endpoint does not answer.")))
        try:
            token = self._alive(self._tokens.get(key)) or self._alive(self._store.load(key))
            if token is None:
                token = self._fetch(registration, key)
                self._store.save(key, token)
            self._tokens[key] = token
            return token
        finally:
            lock.release()

    def drop(self, registration: Registration, deployment_id: str, scopes: Iterable[str], token: AccessToken) -> None:
        """Forget a token the platform answered 401 to; one that was renewed meanwhile stays."""
        key = TokenKey(registration.token_url, registration.client_id, deployment_id, frozenset(map(str, scopes)))
        with self._lock:
            held = self._tokens.get(key)
            if held is not None and held.value == token.value:
                del self._tokens[key]
        self._store.drop(key, token)

    def _alive(self, token: AccessToken | None) -> AccessToken | None:
        return token if token is not None and token.expires_at - self._clock() > EXPIRY_SKEW else None

    def _lock_of(self, key: TokenKey) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _fetch(self, registration: Registration, key: TokenKey) -> AccessToken:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": self._assertion(registration, key.deployment_id),
            "scope": " ".join(sorted(key.scopes)),
        }
        try:
            reply = self._http.request(
                "POST", key.token_url, form=form, headers={"Accept": "application/json"}, max_bytes=MAX_BYTES
            )
        except Retriable as error:
            # A score's caller must be able to tell this from a score that was sent and got no answer.
            raise TokenUnavailable("token_unavailable", error.message, error.retry_after) from error
        return self._read(reply, key)

    def _assertion(self, registration: Registration, deployment_id: str) -> str:
        now = self._clock()
        claims = {
            "iss": registration.client_id,
            "sub": registration.client_id,
            "aud": _audience(registration),
            "iat": int((now - BACKDATED).timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
            "jti": new_id(),
            Claim.DEPLOYMENT_ID: deployment_id,
        }
        return sign(claims, self._keys.for_registration(registration))

    def _read(self, reply: Reply, key: TokenKey) -> AccessToken:
        value = _json_object(reply)
        secret = value.get("access_token") if value and reply.status in (200, 201) else None
        if value is None or not isinstance(secret, str) or not secret:
            raise explain_refusal(reply)
        scope = value.get("scope")
        granted = frozenset(scope.split()) if isinstance(scope, str) else key.scopes
        missing = {wanted for wanted in key.scopes - granted if _COVERS.get(wanted) not in granted}
        if missing:
            names = ", ".join(sorted(name.rsplit("/", 1)[-1] for name in missing))
            message = say(N_("The LMS does not let this tool use: {scopes}. Allow it in the tool's settings."),
                          scopes=names)  # fmt: skip
            raise TokenRefused("token_scope_not_granted", message)
        return AccessToken(secret, granted, self._clock() + timedelta(seconds=_lifetime(value.get("expires_in"))))


def _audience(registration: Registration) -> str:
    return registration.token_audience or profile_for(registration.profile).token_audience or registration.token_url


def _lifetime(value: object) -> int:
    seconds = number(value)
    return DEFAULT_LIFETIME if seconds is None or seconds <= 0 else min(int(seconds), LONGEST_LIFETIME)


def _json_object(reply: Reply) -> dict[str, Any] | None:
    # Moodle labels its JSON text/html, so the label is not asked.
    try:
        value = from_json(reply.body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def explain_refusal(reply: Reply) -> TokenRefused | TokenUnavailable:
    """Return the typed error of an answer without a token; its text never holds the assertion."""
    if reply.status == 404 and _json_object(reply) is None:
        return TokenRefused("token_keys_unreachable", say(_KEYS_UNREACHABLE))
    if reply.status == 429 or reply.status >= 500 or reply.status < 400:
        message = say(N_("The LMS gives no token now (HTTP {status}); it may be in maintenance."), status=reply.status)
        return TokenUnavailable("token_unavailable", message, reply.retry_after)
    found = _ERROR.search(reply.text)
    text = found["text"].lower() if found else ""
    for piece, reason, message_id in _REFUSALS:
        if piece in text:
            return TokenRefused(reason, say(message_id))
    return TokenRefused("token_refused", _refused(reply.status))


def _refused(status: int) -> Message:
    return say(N_("The LMS refuses to give a token (HTTP {status})."), status=status)


_KEYS_UNREACHABLE = N_(
    "The LMS cannot fetch this tool's public keys. In Moodle, take this server's host off "
    "«cURL blocked hosts list» and add its port to «cURL allowed ports list» (Site administration > Security > HTTP "
    "security)."
)
_REFUSALS = (
    ("invalid_scope", "token_invalid_scope",
     N_("The LMS grants none of the services asked for. Switch them on in the tool's settings.")),
    ("iat prior", "token_clock",
     N_("The LMS's clock is more than a minute behind this server's. Set both clocks.")),
    ("expired token", "token_clock",
     N_("The LMS's clock is more than five minutes ahead of this server's. Set both clocks.")),
    ("kid", "token_unknown_key",
     N_("The LMS does not know this tool's key. Check the tool's public keyset URL in the LMS.")),
    ("invalid_client", "token_invalid_client",
     N_("The LMS does not accept this tool's signature. Check client id and public keyset URL in the LMS.")),
)  # fmt: skip
