"""Dispatchers: who notices that a job is due. A ring that is lost costs seconds, one too many costs one look."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from connector.base.log import get_logger
from sync.jobs import leases
from sync.jobs.chores import Chores
from sync.jobs.runner import Runtime, execute_job

log = get_logger("jobs")


class Dispatcher(Protocol):
    """Wakes whoever runs jobs."""

    def ring(self, job_id: str | None = None) -> None:
        """Say that a job may be due (this one, where its id is known); call it after the commit. Never raises."""


class SilentDispatcher:
    """Wake nobody: for commands that put jobs which another process will find."""

    def ring(self, job_id: str | None = None) -> None:
        """Do nothing."""


class LocalDispatcher:
    """Run jobs in threads of this process; a sweeper finds what no ring announced.

    Idle, it costs one small read per ``sweep_seconds`` and no write. Start it in the process that is to run the
    jobs, after any fork, and stop it before that process ends.
    """

    def __init__(self, runtime: Runtime, threads: int = 2, sweep_seconds: float = 2.0) -> None:
        """Take the runtime; nothing runs before ``start``.

        Args:
            runtime: What running jobs needs.
            threads: Jobs that run side by side.
            sweep_seconds: A job that fell due unannounced, or whose worker died, waits at most so much longer.
        """
        self._runtime = runtime
        self._count = threads
        self._sweep = sweep_seconds
        self._bell = threading.Condition()
        self._wanted = 0
        self._alarm = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> bool:
        """Tell whether it was started and not stopped."""
        return bool(self._threads)

    def start(self) -> None:
        """Start the threads and the sweeper; a second call does nothing."""
        if self._threads:
            return
        self._runtime.stopping.clear()
        self._threads = [
            threading.Thread(target=self._work, name=f"jobs-{number}", daemon=True) for number in range(self._count)
        ]
        self._threads.append(threading.Thread(target=self._watch, name="jobs-sweeper", daemon=True))
        for thread in self._threads:
            thread.start()

    def ring(self, job_id: str | None = None) -> None:
        """Wake the threads."""
        self._wake_all()
        # The sweeper sleeps until the next job it knew of; a new one may be due sooner.
        self._alarm.set()

    def _wake_all(self) -> None:
        with self._bell:
            self._wanted = self._count
            self._bell.notify_all()

    def stop(self, timeout: float = 30.0) -> bool:
        """Let running jobs end and join every thread; False when one did not end in time (its lease will)."""
        self._runtime.stopping.set()
        with self._bell:
            self._bell.notify_all()
        self._alarm.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        ended = not any(thread.is_alive() for thread in self._threads)
        self._threads = []
        return ended

    def _work(self) -> None:
        stopping = self._runtime.stopping
        while not stopping.is_set():
            with self._bell:
                self._bell.wait_for(lambda: self._wanted > 0 or stopping.is_set())
                self._wanted = max(0, self._wanted - 1)
            try:
                while not stopping.is_set() and execute_job(self._runtime):
                    pass
            except SQLAlchemyError as error:
                # The database is away; the sweeper rings again when it can read it.
                log.warning("queue unreachable", error=type(error).__name__)

    def _watch(self) -> None:
        stopping = self._runtime.stopping
        chores = Chores(self._runtime, self._runtime.clock(), beats=False)
        while not stopping.is_set():
            self._alarm.wait(self._look())
            self._alarm.clear()
            try:
                chores.look()
            except SQLAlchemyError as error:
                log.warning("queue unreachable", error=type(error).__name__)

    def _look(self) -> float:
        """Ring when a job is due; return how many seconds to sleep."""
        try:
            due = leases.next_due(self._runtime.database)
        except SQLAlchemyError as error:
            log.warning("queue unreachable", error=type(error).__name__)
            return self._sweep
        if due is None:
            return self._sweep
        seconds = (due - self._runtime.clock()) / timedelta(seconds=1)
        if seconds > 0:
            return min(seconds, self._sweep)
        self._wake_all()
        return self._sweep
