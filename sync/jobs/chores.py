"""What a sweeper does now and then besides looking for jobs: the heartbeat, the duties, forgetting what is done."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from connector.base.log import get_logger
from sync.jobs import queue
from sync.jobs.duties import Rounds
from sync.jobs.health import beat
from sync.jobs.runner import Runtime

KEPT = timedelta(days=7)
"""How long a job that is done is kept; dead letters stay until a person deals with them."""
_BEAT_SECONDS = 20.0
_FORGET_SECONDS = 3600.0
_FIRST_FORGET = 300.0
_AT_ONCE = 1000

log = get_logger("jobs")


class Chores:
    """One process's chores; call ``look`` as often as you like."""

    def __init__(self, runtime: Runtime, started_at: datetime, *, beats: bool) -> None:
        """Take the runtime and when the process began to run jobs.

        Args:
            runtime: What running jobs needs.
            started_at: When this process began.
            beats: Write a heartbeat; threads inside the server have none, they live as long as it answers.
        """
        self._runtime = runtime
        self._started_at = started_at
        now = time.monotonic()
        self._beat_at = now if beats else float("inf")
        self._forget_at = now + _FIRST_FORGET
        self._rounds = Rounds(runtime.duties)

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + _BEAT_SECONDS
            beat(self._runtime, self._started_at)
        self._rounds.go()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_SECONDS
            self.forget()

    def forget(self) -> int:
        """Delete jobs that were done a week ago, some at a time, so that nobody waits long behind it."""
        gone = 0
        while not self._runtime.stopping.is_set():
            some = queue.forget_finished(self._runtime.database, self._runtime.clock() - KEPT, _AT_ONCE)
            gone += some
            if some < _AT_ONCE:
                break
        if gone:
            log.info("jobs forgotten", count=gone)
        return gone
