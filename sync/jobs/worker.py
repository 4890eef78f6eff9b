"""The worker process of a larger installation: a Celery consumer, a sweeper, and a watchdog over both."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta

from celery import Celery
from celery.signals import setup_logging, worker_ready, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from connector.base.log import get_logger
from sync.jobs import leases
from sync.jobs.celery_app import QUEUE, RUN_JOB, CeleryDispatcher, make_celery
from sync.jobs.chores import Chores
from sync.jobs.health import stalled
from sync.jobs.runner import Runtime, execute_job

# A supervisor sees "software failure" (sysexits.h) and starts the worker anew.
STALLED = 70
_DRAIN_SECONDS = 20.0

log = get_logger("jobs")


def run_worker(
    runtime: Runtime,
    broker_url: str,
    *,
    queue: str = QUEUE,
    threads: int = 4,
    sweep_seconds: float = 2.0,
    stall_seconds: float = 300.0,
) -> int:
    """Consume until a signal ends it; return the exit status. Call it in the main thread, once per process.

    Jobs run in threads: they wait for other machines most of their time, every call out has a time limit, and a
    worker that is one process dies whole.

    Args:
        runtime: What running jobs needs.
        broker_url: Redis or AMQP.
        queue: As for ``make_celery``.
        threads: Jobs that run side by side.
        sweep_seconds: How often due jobs are looked for that no message announced.
        stall_seconds: The process exits with 70 when jobs were due so long and it took none.
    """
    app = make_celery(broker_url, queue)
    serve(app, runtime)
    sweeper = Sweeper(runtime, CeleryDispatcher(broker_url, queue), sweep_seconds, stall_seconds)
    worker_ready.connect(sweeper.start, weak=False)
    worker_shutting_down.connect(sweeper.stop, weak=False)
    # Celery leaves logging alone when someone listens here.
    setup_logging.connect(_keep_logging, weak=False)
    worker = app.Worker(pool="threads", concurrency=threads, without_gossip=True, without_mingle=True, queues=[queue])
    worker.start()
    runtime.stopping.set()
    return int(worker.exitcode or 0)


def _keep_logging(**_: object) -> None:
    return


def serve(app: Celery, runtime: Runtime) -> None:
    """Register the one task: run the job named, then what else is due, so that throughput needs no further ring."""

    @app.task(name=RUN_JOB)
    def run_job(job_id: str) -> None:
        until = time.monotonic() + _DRAIN_SECONDS
        execute_job(runtime, job_id or None)
        while time.monotonic() < until and not runtime.stopping.is_set() and execute_job(runtime):
            pass


class Sweeper:
    """Ring for due jobs that nobody rang for, write the heartbeat, and end the process when it is deaf."""

    def __init__(self, runtime: Runtime, bell: CeleryDispatcher, sweep_seconds: float, stall_seconds: float) -> None:
        """Take what it watches; nothing runs before ``start``."""
        self._runtime = runtime
        self._bell = bell
        self._sweep = sweep_seconds
        self._patience = timedelta(seconds=stall_seconds)
        self._started_at: datetime = runtime.clock()
        self._thread = threading.Thread(target=self._run, name="jobs-sweeper", daemon=True)

    def start(self, **_: object) -> None:
        """Start the thread (connected to Celery's ``worker_ready``)."""
        self._started_at = self._runtime.clock()
        self._thread.start()

    def stop(self, **_: object) -> None:
        """Stop sweeping (connected to Celery's ``worker_shutting_down``)."""
        self._runtime.stopping.set()

    def _run(self) -> None:
        chores = Chores(self._runtime, self._started_at, beats=True)
        while not self._runtime.stopping.wait(self._sweep):
            try:
                self.sweep()
                chores.look()
            except SQLAlchemyError as error:
                log.warning("queue unreachable", error=type(error).__name__)

    def sweep(self) -> int:
        """Look once; return how many jobs were rung for."""
        runtime = self._runtime
        quiet = timedelta(seconds=max(5 * self._sweep, 10))
        due = leases.claim_rings(runtime.database, runtime.clock(), quiet, runtime.lane_limit)
        for job_id in due:
            self._bell.ring(job_id)
        if stalled(runtime, self._started_at, self._patience):
            log.error("worker stalled", seconds=self._patience.total_seconds())
            # Threads that hang cannot be joined, and their leases expire anyway.
            os._exit(STALLED)
        return len(due)
