"""The queue: the database keeps the jobs, a lease says whose turn it is, a rising token fences late comers.

A job is put inside the transaction that made it necessary, so that both commit or neither does. Its key makes
requests coalesce: a job that waits serves everything asked before it starts, a job that is running runs once
more for what was asked meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, null, or_, update

from connector.base.clock import utc_now
from connector.base.ids import new_id
from connector.db.database import Database
from sync.jobs.errors import LeaseLost
from sync.jobs.tables import OPEN, at, job, upsert

# With waits of at most a quarter of an hour: about three weeks of a platform that is down.
MAX_ATTEMPTS = 2000
DEFAULT_LEASE = timedelta(seconds=180)


@dataclass(frozen=True)
class Leased:
    """A job this worker may run until ``until``.

    Attributes:
        school_id: Whose job it is.
        id: The job.
        kind: Which handler runs it.
        key: What it coalesces by.
        payload: Internal ids.
        lane: What it must not crowd.
        attempts: Tries including this one.
        max_attempts: Tries after which a retriable error is final.
        crashes: Earlier runs that ended in an unknown exception or a lost lease.
        token: The fencing token of this lease.
        until: When the lease ends (aware, UTC).
        lane_failures: How often in a row the lane had failed when this was leased.
    """

    school_id: str
    id: str
    kind: str
    key: str
    payload: Mapping[str, str]
    lane: str
    attempts: int
    max_attempts: int
    crashes: int
    token: int
    until: datetime
    lane_failures: int = 0


def put(
    db: Connection,
    school_id: str,
    kind: str,
    key: str,
    payload: Mapping[str, str],
    *,
    run_after: datetime | None = None,
    lane: str = "",
    priority: int = 0,
) -> str | None:
    """Ask for a job inside the caller's transaction; ring the dispatcher after it has committed.

    Args:
        db: A writing transaction of this school.
        school_id: The school.
        kind: Which handler runs it.
        key: Open jobs with the same school, kind and key are one job.
        payload: Internal ids, as text. Those of the job that is already open are kept.
        run_after: Not before this instant (aware); now by default.
        lane: What it must not crowd, a registration's id say; by default the school's own lane.
        priority: Higher runs first.

    Returns:
        The id of the new job, or None when an open one serves: one that waits is kept (and moved forward if this
        request is earlier and it has not been tried yet), one that is running will run once more afterwards.
    """
    now = utc_now()
    job_id, due = new_id(), run_after or now
    statement = upsert(db, job).values(
        school_id=school_id,
        id=job_id,
        kind=kind,
        key=key,
        payload=dict(payload),
        lane=lane or f"school:{school_id}",
        priority=priority,
        run_after=due,
        max_attempts=MAX_ATTEMPTS,
        created_at=now,
        updated_at=now,
    )
    leased = job.c.state == "leased"
    again = case((job.c.again_after.is_(None), at(due)), (job.c.again_after > due, at(due)), else_=job.c.again_after)
    earlier = (job.c.attempts == 0) & (job.c.run_after > due)
    merged = statement.on_conflict_do_update(
        index_elements=["school_id", "kind", "key"],
        index_where=OPEN,
        set_={
            "again_after": case((leased, again), else_=job.c.again_after),
            "run_after": case((leased, job.c.run_after), (earlier, at(due)), else_=job.c.run_after),
            "priority": case((job.c.priority < priority, priority), else_=job.c.priority),
            "updated_at": now,
        },
    ).returning(job.c.id)
    return job_id if db.scalar(merged) == job_id else None


def hurry(db: Connection, school_id: str, kind: str, key: str, due: datetime) -> None:
    """Let an open job that waits after a failed try come forward; a lane that is closed holds it all the same."""
    db.execute(
        update(job)
        .where(
            job.c.school_id == school_id,
            job.c.kind == kind,
            job.c.key == key,
            job.c.state == "ready",
            job.c.run_after > due,
        )
        .values(run_after=due)
    )


def finish(db: Connection, leased: Leased, *, reason: str | None = None, now: datetime | None = None) -> None:
    """Mark the job done inside a transaction, with the effects that are committed there; or ready again.

    Raises:
        LeaseLost: Another worker holds it; the caller's transaction must not commit.
    """
    now = now or utc_now()
    again = job.c.again_after.is_not(None)
    _settle(
        db,
        leased,
        state=case((again, "ready"), else_="done"),
        run_after=case((again, job.c.again_after), else_=job.c.run_after),
        attempts=case((again, 0), else_=job.c.attempts),
        crashes=case((again, 0), else_=job.c.crashes),
        finished_at=case((again, null()), else_=at(now)),
        last_reason=reason,
        updated_at=now,
    )


def retry(
    db: Connection,
    leased: Leased,
    run_after: datetime,
    reason: str,
    *,
    crash: bool = False,
    now: datetime | None = None,
) -> None:
    """Give the job back, to be run after an instant; a request that came meanwhile is served by that run.

    Raises:
        LeaseLost: Another worker holds it.
    """
    _settle(
        db,
        leased,
        state="ready",
        run_after=run_after,
        crashes=job.c.crashes + (1 if crash else 0),
        last_reason=reason,
        updated_at=now or utc_now(),
    )


def bury(db: Connection, leased: Leased, reason: str, *, now: datetime | None = None) -> None:
    """Put the job among the dead letters, where a person sees it; a request that came meanwhile makes it ready.

    Raises:
        LeaseLost: Another worker holds it.
    """
    now = now or utc_now()
    again = job.c.again_after.is_not(None)
    _settle(
        db,
        leased,
        state=case((again, "ready"), else_="dead"),
        run_after=case((again, job.c.again_after), else_=job.c.run_after),
        attempts=case((again, 0), else_=job.c.attempts),
        crashes=case((again, 0), else_=job.c.crashes),
        finished_at=case((again, null()), else_=at(now)),
        last_reason=reason,
        updated_at=now,
    )


def _settle(db: Connection, leased: Leased, **values: Any) -> None:
    # The CASEs above read again_after as it was before this statement, so it can be cleared here.
    released = {"lease_until": None, "worker": None, "again_after": None, "rung_at": None}
    _change(db, leased, {**released, **values})


def extend(db: Connection, leased: Leased, until: datetime) -> None:
    """Lengthen the lease; a handler with many steps does so between them.

    Raises:
        LeaseLost: Another worker holds it.
    """
    _change(db, leased, {"lease_until": until})


def check(db: Connection, leased: Leased) -> None:
    """Make sure, and until the transaction ends keep sure, that the lease is still held.

    Raises:
        LeaseLost: Another worker holds it.
    """
    _change(db, leased, {"token": leased.token})


def _change(db: Connection, leased: Leased, values: Mapping[str, Any]) -> None:
    statement = update(job).where(
        job.c.school_id == leased.school_id,
        job.c.id == leased.id,
        job.c.token == bindparam("held_token"),
        job.c.state == "leased",
    )
    if db.execute(statement.values(dict(values)), {"held_token": leased.token}).rowcount != 1:
        raise LeaseLost(leased.id)


def revive(db: Connection, school_id: str, job_id: str, *, now: datetime | None = None) -> bool:
    """Make a dead letter ready again; False when it is not dead, or its key is open once more."""
    now = now or utc_now()
    other = job.alias()
    taken = (
        other.select()
        .where(
            other.c.school_id == job.c.school_id,
            other.c.kind == job.c.kind,
            other.c.key == job.c.key,
            or_(other.c.state == "ready", other.c.state == "leased"),
        )
        .exists()
    )
    statement = (
        update(job)
        .where(job.c.school_id == school_id, job.c.id == job_id, job.c.state == "dead", ~taken)
        .values(state="ready", run_after=now, attempts=0, crashes=0, finished_at=None, updated_at=now)
    )
    return db.execute(statement).rowcount == 1


def forget_finished(database: Database, before: datetime, limit: int = 1000) -> int:
    """Delete done jobs that ended before an instant, at most ``limit``; dead letters stay. Return how many."""
    old = job.select().with_only_columns(job.c.id).where(job.c.state == "done", job.c.finished_at < before).limit(limit)
    with database.service() as db:
        return db.execute(job.delete().where(job.c.id.in_(old))).rowcount


def waiting(database: Database) -> dict[str, int]:
    """Return how many jobs there are in each state, for metrics."""
    with database.service(write=False) as db:
        rows = db.execute(job.select().with_only_columns(job.c.state, func.count()).group_by(job.c.state))
        return {str(state): int(number) for state, number in rows}
