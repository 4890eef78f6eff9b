"""Our own limit of calls, because the vendor publishes none: one bucket for everything that asks one host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sync.systems.kundelik.quirks import BURST, CALLS_PER_SECOND


class TokenBucket:
    """Let ``rate`` calls a second through, ``burst`` at once; safe to share between threads."""

    def __init__(
        self,
        rate: float = CALLS_PER_SECOND,
        burst: int = BURST,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start full."""
        self._rate, self._burst = rate, float(burst)
        self._now, self._sleep = now, sleep
        self._tokens, self._at = float(burst), now()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until one more call may leave."""
        wait = self._reserve()
        if wait > 0:
            self._sleep(wait)

    def _reserve(self) -> float:
        with self._lock:
            now = self._now()
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
            self._at = max(self._at, now)
            self._tokens -= 1
            return self._at - now + max(0.0, -self._tokens / self._rate)

    def pause(self, wait: timedelta) -> None:
        """Let nothing through for a while: the journal said that its limit is reached."""
        with self._lock:
            self._tokens = min(self._tokens, 0.0)
            self._at = max(self._at, self._now() + wait.total_seconds())


_buckets: dict[str, TokenBucket] = {}
_lock = threading.Lock()


def bucket_for(host: str) -> TokenBucket:
    """Return the process's bucket of a host."""
    with _lock:
        return _buckets.setdefault(host, TokenBucket())
