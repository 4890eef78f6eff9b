"""What every process that runs jobs looks at now and then besides the queue: clocks, and things to tell people."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from connector.base.log import get_logger

log = get_logger("jobs")


@dataclass
class Duty:
    """One thing to look at; several processes do so side by side, so it claims whatever it does in the database.

    Attributes:
        name: For logs.
        look: What is done; quick, and without calls to other machines.
        every: Seconds between two looks of one process.
    """

    name: str
    look: Callable[[], object]
    every: float = 10.0


class Rounds:
    """Look at each duty when its time has come. Not shared between threads."""

    def __init__(self, duties: tuple[Duty, ...], now: Callable[[], float] = time.monotonic) -> None:
        """Take the duties; each is looked at in the first round."""
        self._duties = duties
        self._now = now
        self._done: dict[str, float] = {}

    def go(self) -> None:
        """Look at what is due; a duty that fails is tried again in its next turn and keeps no other from its own."""
        for duty in self._duties:
            now = self._now()
            if now - self._done.get(duty.name, float("-inf")) < duty.every:
                continue
            self._done[duty.name] = now
            try:
                duty.look()
            except Exception as error:  # noqa: BLE001 -- a boundary like a job's: the sweeper must outlive a duty's bug.
                log.warning("duty failed", duty=duty.name, error=type(error).__name__)
