"""A platform's public keys: cached, parsed once, refetched when it rotates, and usable while it is down.

Rules (Security Framework 1.0 §6.3, §6.4; RFC 9111): ``Cache-Control: max-age`` is honoured within bounds; an unknown
``kid`` causes one early fetch, at most one in ten seconds over all processes; one thread fetches and the others wait
for it; a copy that has run out serves on while the platform cannot be reached. A key is called unknown only by a set
that was fetched after it was asked for; until there is one, the answer is to wait (``key_pending``).
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import base64_to_int

from connector.base.clock import Clock, utc_now
from connector.base.errors import KopirError
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound, Reply
from lti.errors import KeyUnavailable, LaunchReason
from lti.tool.ports import KeySetStore, NoKeySetStore, StoredKeySet

MAX_BYTES = 512 * 1024
MIN_AGE = timedelta(seconds=60)
DEFAULT_AGE = timedelta(hours=1)
MAX_AGE = timedelta(hours=24)
STALE_LIMIT = timedelta(days=7)
PAUSE = timedelta(seconds=10)
WAIT_SECONDS = 8.0
MIN_BITS = 2048
MAX_BITS = 8192

_NEVER = datetime.min.replace(tzinfo=UTC)
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class UnreadableKeySet(ValueError):
    """The document is not a JWK Set at all."""


def read_key_set(document: str | bytes) -> dict[str, dict[str, Any]]:
    """Return the usable entries of a JWK Set by ``kid``, unparsed; one broken entry does not spoil the others.

    Raises:
        UnreadableKeySet: The document is not JSON with a list ``keys``.
    """
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise UnreadableKeySet from error
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise UnreadableKeySet
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if isinstance(entry, dict) and _usable(entry):
            found.setdefault(entry["kid"], entry)
    return found


def _usable(entry: dict[str, Any]) -> bool:
    # Brightspace's keys carry no ``alg``; the key type decides then (1EdTech/lti-1-3-php-library#34).
    return (
        isinstance(entry.get("kid"), str)
        and bool(entry["kid"])
        and entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and isinstance(entry.get("n"), str)
        and isinstance(entry.get("e"), str)
    )


def parse_key(entry: dict[str, Any]) -> RSAKey:
    """Parse one RSA public key.

    Raises:
        KeyUnavailable: ``weak_key`` under 2048 bits, ``unknown_key`` when it cannot be read.
    """
    kid = entry["kid"]
    bits = _bits(entry["n"])
    if 0 < bits < MIN_BITS:
        message = say(N_("The LMS's key {kid} has {bits} bits; 2048 are needed."), kid=kid, bits=bits)
        raise KeyUnavailable(LaunchReason.WEAK_KEY, message)
    message = say(N_("The LMS's key {kid} cannot be read."), kid=kid)
    if not 0 < bits <= MAX_BITS:
        raise KeyUnavailable(LaunchReason.UNKNOWN_KEY, message)
    try:
        return RSAKey.import_key({"kty": "RSA", "n": entry["n"], "e": entry["e"], "kid": kid})
    except (ValueError, TypeError, JoseError) as error:
        raise KeyUnavailable(LaunchReason.UNKNOWN_KEY, message) from error


def _bits(modulus: str) -> int:
    try:
        return base64_to_int(modulus).bit_length()
    except ValueError:
        return 0


def freshness(cache_control: str) -> timedelta:
    """Return how long a fetched set is fresh: ``max-age`` within a minute and a day, an hour when nothing is said."""
    lowered = cache_control.lower()
    if "no-store" in lowered or "no-cache" in lowered:
        return MIN_AGE
    found = _MAX_AGE.search(cache_control)
    age = timedelta(seconds=int(found[1])) if found else DEFAULT_AGE
    return min(max(age, MIN_AGE), MAX_AGE)


@dataclass(frozen=True)
class _Snapshot:
    """One fetched set; replaced as a whole, so that a reader never mixes two."""

    raw: dict[str, dict[str, Any]] = field(default_factory=dict)
    parsed: dict[str, RSAKey] = field(default_factory=dict)
    document: str = ""
    fetched_at: datetime = _NEVER

    def find(self, kid: str) -> RSAKey | None:
        """Return the key, parsing it at its first use."""
        if kid not in self.parsed and kid in self.raw:
            self.parsed[kid] = parse_key(self.raw[kid])
        return self.parsed.get(kid)

    def followed_by(self, document: str, raw: dict[str, dict[str, Any]], fetched_at: datetime) -> _Snapshot:
        """Return the next set, keeping parsed keys whose text is the same."""
        kept = {kid: key for kid, key in self.parsed.copy().items() if self.raw.get(kid) == raw.get(kid)}
        return _Snapshot(raw, kept, document, fetched_at)


@dataclass
class _Entry:
    """What is known of one URL; ``lock`` is held by the one thread that fetches."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    current: _Snapshot = field(default_factory=_Snapshot)
    fresh_until: datetime = _NEVER
    tried_at: datetime = _NEVER
    forced_at: datetime = _NEVER
    failed: bool = False


class KeySets:
    """The process's cache of platforms' keys, by (URL, kid); safe to share between threads."""

    def __init__(self, http: Outbound, store: KeySetStore | None = None, clock: Clock = utc_now) -> None:
        """Take the outbound session, where the last good copies are kept, and the clock."""
        self._http = http
        self._store = store or NoKeySetStore()
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def key(self, jwks_url: str, kid: str, since: datetime | None = None) -> RSAKey:
        """Return the platform's key, parsed once per process.

        Args:
            jwks_url: Where the platform's keys are.
            kid: Which one.
            since: When it was first asked for, if that was earlier than now.

        Raises:
            KeyUnavailable: ``unknown_key`` when a set fetched since does not have it, ``key_pending`` when there is
                no such set yet, ``weak_key`` under 2048 bits, ``keys_unreachable`` when there is no usable copy and
                none can be fetched.
        """
        entry = self._entry(jwks_url)
        seen = entry.current
        now = self._clock()
        if now >= entry.fresh_until or kid not in seen.raw:
            self._refresh(jwks_url, entry, kid, seen)
        found = entry.current.find(kid)
        if found is None:
            raise self._missing(entry, jwks_url, since or now)
        return found

    def _missing(self, entry: _Entry, url: str, since: datetime) -> KeyUnavailable:
        if entry.failed:
            message = say(N_("The LMS's keys at {url} cannot be read."), url=url)
            return KeyUnavailable(LaunchReason.KEYS_UNREACHABLE, message)
        if entry.current.fetched_at >= since:
            message = say(N_("The LMS publishes no such key at {url}."), url=url)
            return KeyUnavailable(LaunchReason.UNKNOWN_KEY, message)
        wait = min(max(entry.forced_at + PAUSE - self._clock(), timedelta(seconds=1)), PAUSE)
        message = say(N_("The LMS's keys at {url} are being read anew."), url=url)
        return KeyUnavailable(LaunchReason.KEY_PENDING, message, retry_after=wait)

    def renew(self, jwks_url: str) -> None:
        """Fetch a set early, at the limited rate: a signature failed, and the owner may have changed a key's text."""
        entry = self._entry(jwks_url)
        with entry.lock:
            now = self._clock()
            if now - max(entry.forced_at, entry.tried_at if entry.failed else _NEVER) < PAUSE:
                return
            entry.forced_at = now
            if self._allowed(jwks_url, entry, now):
                self._fetch(jwks_url, entry)

    def forget(self, jwks_url: str) -> None:
        """Drop this process's copy (an administrator changed the registration)."""
        with self._lock:
            self._entries.pop(jwks_url, None)

    def _entry(self, url: str) -> _Entry:
        entry = self._entries.get(url)
        if entry is None:
            with self._lock:
                entry = self._entries.setdefault(url, _Entry())
        return entry

    def _refresh(self, url: str, entry: _Entry, kid: str, seen: _Snapshot) -> None:
        usable = kid in seen.raw
        # A thread that already has a usable copy does not queue behind the one that renews it.
        if not entry.lock.acquire(blocking=not usable, timeout=-1 if usable else WAIT_SECONDS):
            return
        try:
            if self._wanted(url, entry, kid, seen):
                self._fetch(url, entry)
        finally:
            entry.lock.release()

    def _wanted(self, url: str, entry: _Entry, kid: str, seen: _Snapshot) -> bool:
        now = self._clock()
        if entry.failed and now - entry.tried_at < PAUSE:
            return False
        if now >= entry.fresh_until:
            return True
        # Fresh, but without this kid: whoever waited for a fetch already has its answer, the rest may force one.
        if kid in entry.current.raw or entry.current is not seen or now - entry.forced_at < PAUSE:
            return False
        entry.forced_at = now
        return self._allowed(url, entry, now)

    def _allowed(self, url: str, entry: _Entry, now: datetime) -> bool:
        """Tell whether this process may force a fetch; when another did lately, take over what it found."""
        left = self._store.claim(url, now, PAUSE)
        if not left:
            return True
        stored = self._store.load(url)
        if stored is not None and stored.fetched_at > entry.current.fetched_at:
            raw = read_key_set(stored.document)
            entry.current, entry.failed = entry.current.followed_by(stored.document, raw, stored.fetched_at), False
        done = stored is not None and stored.fetched_at >= now + left - PAUSE
        # While the other process is still at it, look again soon instead of after the whole pause.
        entry.forced_at = now - PAUSE + (left if done else timedelta(seconds=1))
        return False

    def _fetch(self, url: str, entry: _Entry) -> None:
        now = entry.tried_at = self._clock()
        try:
            reply = self._http.request("GET", url, headers={"Accept": "application/json"}, max_bytes=MAX_BYTES)
            raw = read_key_set(reply.body) if reply.status == 200 else None
        except (KopirError, UnreadableKeySet):
            raw = None
        if raw is None:
            self._fall_back(url, entry, now)
            return
        before = entry.current
        entry.current, entry.failed = before.followed_by(reply.text, raw, now), False
        entry.fresh_until = now + freshness(_cache_control(reply))
        # What was fetched early is what other processes wait for.
        forced = now - entry.forced_at < PAUSE
        if forced or before.document != reply.text or now - before.fetched_at > DEFAULT_AGE:
            self._store.save(url, StoredKeySet(reply.text, now))

    def _fall_back(self, url: str, entry: _Entry, now: datetime) -> None:
        entry.failed = True
        stored = self._store.load(url) if not entry.current.raw else None
        if stored is not None:
            entry.current = _Snapshot(read_key_set(stored.document), {}, stored.document, stored.fetched_at)
        if now - entry.current.fetched_at > STALE_LIMIT:
            entry.current = _Snapshot()


class AskedEarlier:
    """The same keys for somebody who asked before and was told to wait; implements ``KeySource``."""

    def __init__(self, key_sets: KeySets, since: datetime | None) -> None:
        """Take the keys and when they were first asked for one; None for just now."""
        self._key_sets = key_sets
        self._since = since

    def key(self, jwks_url: str, kid: str) -> RSAKey:
        """Return the platform's key, as ``KeySets.key``."""
        return self._key_sets.key(jwks_url, kid, self._since)


def _cache_control(reply: Reply) -> str:
    return reply.headers.get("cache-control", "")
