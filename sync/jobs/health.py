"""Whether the queue moves: what health pages, metrics and the worker's own watchdog ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from connector.db.database import Database
from sync.jobs import leases
from sync.jobs.runner import Runtime
from sync.jobs.tables import job, job_lane, job_worker, upsert


@dataclass(frozen=True)
class QueueHealth:
    """The state of the queue.

    Attributes:
        ready: Jobs that wait, due or not.
        leased: Jobs that run.
        dead: Dead letters.
        expired: Leases that ended with nobody finishing the job.
        oldest_due: How long the oldest due job has waited, those behind closed lanes apart: they wait for an LMS.
        closed: Lanes that are closed.
        workers: Processes that were heard of in the last minute.
    """

    ready: int
    leased: int
    dead: int
    expired: int
    oldest_due: timedelta
    closed: int
    workers: int


def queue_health(database: Database, now: datetime) -> QueueHealth:
    """Look at the queue as a whole."""
    with database.service(write=False) as db:
        states = {
            str(state): int(n) for state, n in db.execute(select(job.c.state, func.count()).group_by(job.c.state))
        }
        expired = db.scalar(select(func.count()).where(job.c.state == "leased", job.c.lease_until <= now)) or 0
        shut = select(job_lane.c.lane).where(job_lane.c.open_until > now)
        waits = (job.c.state == "ready", job.c.run_after <= now, job.c.lane.not_in(shut))
        oldest = db.scalar(select(func.min(job.c.run_after)).where(*waits))
        closed = db.scalar(select(func.count()).select_from(shut.subquery())) or 0
        heard = select(func.count()).where(job_worker.c.seen_at > now - timedelta(minutes=1))
        workers = db.scalar(heard) or 0
    return QueueHealth(
        ready=states.get("ready", 0),
        leased=states.get("leased", 0),
        dead=states.get("dead", 0),
        expired=expired,
        oldest_due=now - oldest if oldest is not None else timedelta(),
        closed=closed,
        workers=workers,
    )


def beat(runtime: Runtime, started_at: datetime) -> None:
    """Write this process's heartbeat, and forget those that have been silent for a day."""
    now = runtime.clock()
    row = {"started_at": started_at, "seen_at": now, "leased_at": runtime.last_lease_at}
    with runtime.database.service() as db:
        statement = upsert(db, job_worker).values(worker=runtime.worker, **row)
        db.execute(statement.on_conflict_do_update(index_elements=["worker"], set_=row))
        db.execute(delete(job_worker).where(job_worker.c.seen_at < now - timedelta(days=1)))


def stalled(runtime: Runtime, started_at: datetime, patience: timedelta) -> bool:
    """Tell whether jobs have been due for longer than ``patience`` while this process took none.

    A process can be up, connected and deaf: after a broker's restart Celery workers were seen to consume nothing
    (celery issues 8030, 8091 and 10205). Only taking jobs counts as living.
    """
    now = runtime.clock()
    last = runtime.last_lease_at or started_at
    if now - last < patience:
        return False
    return bool(leases.peek(runtime.database, now - patience, runtime.lane_limit))
