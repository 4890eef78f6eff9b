"""One job, from its lease to its end: the one way in for threads, Celery workers and tests alike."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.base.clock import Clock, utc_now
from connector.base.errors import Conflict, Fatal, Hold, Record, Retriable
from connector.base.log import get_logger
from connector.db.database import Database
from sync.jobs import lanes, leases, queue
from sync.jobs.backoff import Backoff
from sync.jobs.duties import Duty
from sync.jobs.errors import LaneDown, LeaseLost
from sync.jobs.queue import DEFAULT_LEASE, Leased

log = get_logger("jobs")


class JobContext:
    """What a handler is given: its job, its school's database, and the means to finish with its own effects.

    Attributes:
        database: The database; a handler opens short transactions with ``database.school(school_id)``.
        school_id: The school.
        job: The lease.
        payload: Internal ids.
        now: The clock.
        step: Is told the name of each step the handler passes.
    """

    def __init__(self, runtime: Runtime, job: Leased) -> None:
        """Bind the lease to the runtime."""
        self.database = runtime.database
        self.school_id = job.school_id
        self.job = job
        self.payload: Mapping[str, str] = job.payload
        self.now: Clock = runtime.clock
        self.step = runtime.step
        self._runtime = runtime
        self._held_at = time.monotonic()
        self.finished = False

    @property
    def stopping(self) -> bool:
        """Tell whether the process is shutting down: a long handler raises Retriable soon, and is run elsewhere."""
        return self._runtime.stopping.is_set()

    def finish_in(self, db: Connection, reason: str | None = None) -> None:
        """Mark the job done inside the handler's transaction: effects and completion commit together, or neither.

        Raises:
            LeaseLost: The lease went to another worker; let it pass through, so that the transaction rolls back.
        """
        queue.finish(db, self.job, reason=reason, now=self.now())
        self.finished = True

    def check(self, db: Connection) -> None:
        """Hold the lease until this transaction ends; call it before anything that must not happen twice.

        Raises:
            LeaseLost: The lease went to another worker.
        """
        queue.check(db, self.job)

    def extend(self) -> None:
        """Start the lease's time anew.

        Raises:
            LeaseLost: The lease went to another worker.
        """
        with self.database.school(self.school_id) as db:
            self._extend(db)

    def hold(self) -> None:
        """Make sure that the job is still ours; cheap enough to be called before every remote call.

        The database is asked once a sixth of the lease has passed, by a clock that runs on while the process is
        stopped: a worker that was paused past its lease is told so before it does anything more.

        Raises:
            LeaseLost: The lease went to another worker.
        """
        if self._is_old():
            self.extend()

    def hold_in(self, db: Connection) -> None:
        """Let a transaction commit only while the job is ours, and lengthen an old lease with it.

        Raises:
            LeaseLost: The lease went to another worker.
        """
        if self._is_old():
            self._extend(db)
        else:
            self.check(db)

    def _is_old(self) -> bool:
        return time.monotonic() - self._held_at > self._runtime.lease.total_seconds() / 6

    def _extend(self, db: Connection) -> None:
        queue.extend(db, self.job, self.now() + self._runtime.lease)
        self._held_at = time.monotonic()


Handler = Callable[[JobContext], None]


class Handlers:
    """The handlers by kind of job; the application builds one and every room registers upward into it."""

    def __init__(self) -> None:
        """Start with no kind at all."""
        self._found: dict[str, Handler] = {}

    def add(self, kind: str, handler: Handler) -> None:
        """Register a handler.

        Raises:
            ValueError: The kind has one already.
        """
        if kind in self._found:
            raise ValueError(f"job kind {kind} has a handler already")
        self._found[kind] = handler

    def find(self, kind: str) -> Handler | None:
        """Return the handler of a kind."""
        return self._found.get(kind)

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that are known."""
        return tuple(sorted(self._found))


def worker_name() -> str:
    """Return a name for this process that no other has at the same time."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _unwatched(_name: str) -> None:
    return


@dataclass
class Runtime:
    """What running jobs needs; one per process.

    Attributes:
        database: The database.
        handlers: The handlers by kind.
        worker: This process's name.
        clock: The clock.
        lease: How long a job may take between two ``extend``.
        lane_limit: Running jobs per lane at most, over all processes.
        max_crashes: Crashes after which a job is buried.
        backoff: Waits of a job that failed by itself.
        lane_backoff: Waits of a lane whose platform is down.
        step: Is told each step's name; metrics and fault tests listen here.
        stopping: Set when the process shuts down.
        last_lease_at: When this process last took a job.
        duties: What the process's sweeper looks at besides the queue.
    """

    database: Database
    handlers: Handlers
    worker: str = field(default_factory=worker_name)
    clock: Clock = utc_now
    lease: timedelta = DEFAULT_LEASE
    lane_limit: int = 2
    max_crashes: int = 8
    backoff: Backoff = field(default_factory=Backoff)
    lane_backoff: Backoff = field(default_factory=lambda: Backoff(first=5.0, cap=300.0))
    step: Callable[[str], None] = _unwatched
    stopping: threading.Event = field(default_factory=threading.Event)
    last_lease_at: datetime | None = None
    duties: tuple[Duty, ...] = ()


def execute_job(runtime: Runtime, job_id: str | None = None) -> bool:
    """Lease the job named, or the next in turn, and run it; False when there was none to lease.

    Never raises for what a handler does: the five families of errors say what becomes of the job, and an unknown
    exception counts as a crash.
    """
    taken = leases.lease(
        runtime.database,
        runtime.worker,
        runtime.clock(),
        1,
        runtime.lane_limit,
        job_id=job_id,
        lasting=runtime.lease,
        max_crashes=runtime.max_crashes,
    )
    for buried in taken.buried:
        log.error("job buried", job=buried, reason="crashed_too_often")
    for leased in taken.leases:
        runtime.last_lease_at = runtime.clock()
        runtime.step("job.leased")
        _run(runtime, leased)
    return bool(taken.leases or taken.buried)


def _run(runtime: Runtime, leased: Leased) -> None:
    context = JobContext(runtime, leased)
    try:
        _handle(runtime, context)
    except LeaseLost:
        log.warning("lease lost", job=leased.id, kind=leased.kind)


def _handle(runtime: Runtime, context: JobContext) -> None:
    job = context.job
    handler = runtime.handlers.find(job.kind)
    try:
        if handler is None:
            # A newer process may know it, so it is not thrown away at once.
            _again(runtime, job, "no_handler", crash=True)
            return
        handler(context)
    except LeaseLost:
        raise
    except LaneDown as error:
        until = lanes.pause(
            runtime.database, job.lane, runtime.clock(), error.reason, error.retry_after, runtime.lane_backoff
        )
        _again(runtime, job, error.reason, until=until)
    except Retriable as error:
        _again(runtime, job, error.reason, asked=error.retry_after)
    except (Record, Conflict, Hold) as error:
        _end(runtime, context, error.reason)
    except Fatal as error:
        _bury(runtime, job, error.reason)
    except Exception as error:  # noqa: BLE001 -- the one boundary: a handler's bug must not take the worker down.
        log.warning("job crashed", job=job.id, kind=job.kind, error=type(error).__name__, where=_where(error))
        _again(runtime, job, f"crash:{type(error).__name__}", crash=True)
    else:
        _end(runtime, context, None)


def _where(error: BaseException) -> str:
    """Return file and line of the innermost frame; the text of an unknown exception may hold a name."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""


def _end(runtime: Runtime, context: JobContext, reason: str | None) -> None:
    job = context.job
    if not context.finished:
        with runtime.database.school(job.school_id) as db:
            queue.finish(db, job, reason=reason, now=runtime.clock())
    if job.lane_failures:
        lanes.clear(runtime.database, job.lane)


def _again(
    runtime: Runtime,
    job: Leased,
    reason: str,
    *,
    asked: timedelta | None = None,
    until: datetime | None = None,
    crash: bool = False,
) -> None:
    if (crash and job.crashes + 1 >= runtime.max_crashes) or job.attempts >= job.max_attempts:
        _bury(runtime, job, reason)
        return
    now = runtime.clock()
    with runtime.database.school(job.school_id) as db:
        after = until or now + runtime.backoff.wait(job.attempts, asked)
        queue.retry(db, job, after, reason, crash=crash, now=now)


def _bury(runtime: Runtime, job: Leased, reason: str) -> None:
    log.error("job buried", job=job.id, kind=job.kind, reason=reason)
    with runtime.database.school(job.school_id) as db:
        queue.bury(db, job, reason, now=runtime.clock())
