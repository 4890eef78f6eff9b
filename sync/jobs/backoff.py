"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Backoff:
    """Doubling waits with jitter, so that jobs that failed together do not come back together.

    Attributes:
        first: Seconds before the second try.
        cap: The longest wait in seconds.
        jitter: Share of the wait that chance adds, 0 to 1.
    """

    first: float = 5.0
    cap: float = 900.0
    jitter: float = 0.25

    def wait(self, attempt: int, asked: timedelta | None = None, chance: float | None = None) -> timedelta:
        """Return the wait after the ``attempt``-th try (from 1); never shorter than what was asked for.

        Args:
            attempt: Tries so far.
            asked: ``Retry-After``, where the other side gave one; at most a day is honoured.
            chance: 0 to 1 instead of a random number (tests).
        """
        # Beyond 32 doublings the cap has long been reached, and a float would overflow.
        seconds = min(self.cap, self.first * 2 ** min(attempt - 1, 32))
        seconds *= 1 + self.jitter * (random.random() if chance is None else chance)  # noqa: S311 -- not a secret.
        least = min(asked, timedelta(days=1)) if asked is not None else timedelta()
        return max(timedelta(seconds=seconds), least)
