"""How often somebody may ask: a bucket of tokens for each name, refilled evenly; one process counts its own share."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_NAMES = 10_000


class Throttle:
    """Let a name ask ``burst`` times at once and ``per_minute`` times a minute; safe to share between threads."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the rates and a clock in seconds."""
        self._rate = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, name: str) -> int:
        """Take one token; return 0, or how many whole seconds the name has to wait for the next."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(name, (float(self._burst), now))
            left = min(self._burst, left + (now - at) * self._rate)
            allowed = left >= 1
            self._left[name] = (left - 1 if allowed else left, now)
            # Names come from outside: the longest unseen is forgotten, so that they cannot fill the memory.
            while len(self._left) > MOST_NAMES:
                self._left.popitem(last=False)
        return 0 if allowed else int((1 - left) / self._rate) + 1
