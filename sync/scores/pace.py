"""How many calls may be under way to one platform: few at first, more while it keeps up, fewer when it does not.

The number follows the platform's own answer times. While a call takes as long as it did alone, the platform has room
and the number grows; once calls wait for one another (here or there) it stops growing, and every sign of trouble
halves it. So a platform that takes 50 ms gets many calls side by side, and one that is overloaded gets one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

FEWEST_AT_FIRST = 4
MOST_AT_ONCE = 8
# Calls that wait for others, of all that are under way: below the first grow, above the second shrink.
_ROOM, _CROWD = 1.0, 2.0
_FORGET = 0.02


class Pace:
    """The calls under way to one platform; safe to share between threads."""

    def __init__(self, first: int = FEWEST_AT_FIRST, most: int = MOST_AT_ONCE) -> None:
        """Allow ``first`` calls at once, later at most ``most``."""
        self.most = most
        self._allowed = min(first, most)
        self._under_way = 0
        self._doubling = True
        self._best: float | None = None
        self._count, self._sum = 0, 0.0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many calls may be under way now."""
        return self._allowed

    def enter(self, stopped: Callable[[], bool]) -> bool:
        """Wait for a place; False when it was stopped meanwhile, and no place is held."""
        with self._changed:
            self._changed.wait_for(lambda: stopped() or self._under_way < self._allowed)
            if stopped():
                # Woken for a place and not taking it: the next in line may.
                self._changed.notify()
                return False
            self._under_way += 1
            return True

    def leave(self, seconds: float, *, well: bool) -> None:
        """Give the place back, saying how long the call took and whether the platform answered it well."""
        with self._changed:
            self._under_way -= 1
            if well:
                self._answered(seconds)
            else:
                self._trouble()
            # No more than there are places for: each that wakes in vain costs as much as a call's own work.
            self._changed.notify(max(0, self._allowed - self._under_way))

    def wake(self) -> None:
        """Let those who wait look whether they were stopped."""
        with self._changed:
            self._changed.notify_all()

    def _trouble(self) -> None:
        self._allowed = max(1, self._allowed // 2)
        self._doubling = False
        self._count, self._sum = 0, 0.0

    def _answered(self, seconds: float) -> None:
        self._count, self._sum = self._count + 1, self._sum + seconds
        if self._count >= self._allowed:
            self._judge(self._sum / self._count)
            self._count, self._sum = 0, 0.0

    def _judge(self, mean: float) -> None:
        """Change the number after as many answers as may be under way (the gradient of TCP Vegas)."""
        if self._best is None or mean < self._best:
            self._best = mean
        else:
            # A platform may be slower for good: what was best is forgotten slowly.
            self._best += (mean - self._best) * _FORGET
        waiting = self._allowed * (1 - self._best / mean) if mean > 0 else 0.0
        if waiting <= _ROOM:
            self._allowed = min(self.most, self._allowed * 2 if self._doubling else self._allowed + 1)
            return
        self._doubling = False
        if waiting > _CROWD:
            self._allowed = max(1, self._allowed - 1)


class Paces:
    """The pace of each platform, over all jobs of this process."""

    def __init__(self, first: int = FEWEST_AT_FIRST, most: int = MOST_AT_ONCE) -> None:
        """Begin with every platform at ``first``."""
        self._first, self._most = first, most
        self._lanes: dict[str, Pace] = {}
        self._lock = threading.Lock()

    def of(self, lane: str) -> Pace:
        """Return the pace of what is behind a lane."""
        with self._lock:
            return self._lanes.setdefault(lane, Pace(self._first, self._most))
