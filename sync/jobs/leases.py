"""Whose turn it is: fair among lanes and schools, and never two workers for one job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, null, or_, select, text, update

from connector.db.database import Database
from sync.jobs.queue import DEFAULT_LEASE, Leased, put
from sync.jobs.tables import at, job, job_lane

# One taker at a time on PostgreSQL: a lane's limit could otherwise be passed by two that count together.
_TAKERS = 720011


@dataclass(frozen=True)
class Taken:
    """What one look at the queue brought: leases, and jobs that crashed too often to be tried again."""

    leases: tuple[Leased, ...]
    buried: tuple[str, ...]


def lease(
    database: Database,
    worker: str,
    now: datetime,
    limit: int = 1,
    lane_limit: int = 2,
    *,
    job_id: str | None = None,
    lasting: timedelta = DEFAULT_LEASE,
    max_crashes: int = 8,
) -> Taken:
    """Take due jobs, or the one named when it is due.

    Jobs come by priority, then one of each lane and school in turn, then by age. An expired lease is retaken and
    counts as a crash, so that a job that kills its worker does not do so for ever.

    Args:
        database: The database.
        worker: Who takes them.
        now: The present instant.
        limit: At most so many.
        lane_limit: At most so many running jobs per lane; one, while the lane's last job failed.
        job_id: Take this one only.
        lasting: How long the leases last.
        max_crashes: A job that crashed so often is buried instead.
    """
    with database.service() as db:
        if not database.is_sqlite:
            db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAKERS})
        ids = [row.id for row in db.execute(_due(now, limit, lane_limit, job_id))]
        return _take(db, ids, worker, now, now + lasting, max_crashes) if ids else Taken((), ())


def take(
    db: Connection,
    school_id: str,
    kind: str,
    key: str,
    payload: Mapping[str, str],
    worker: str,
    now: datetime,
    lasting: timedelta = DEFAULT_LEASE,
) -> Leased | None:
    """Put a job and lease it in the caller's transaction; None while another worker runs it.

    For work that a person does at a terminal and that workers may do as well: one of them at a time.
    """
    put(db, school_id, kind, key, payload, run_after=now)
    opened = (job.c.state == "ready") | (job.c.state == "leased")
    mine = (job.c.school_id == school_id, job.c.kind == kind, job.c.key == key, opened)
    found = db.execute(select(job.c.id, job.c.state, job.c.lease_until).where(*mine).with_for_update()).one()
    if found.state == "leased" and found.lease_until > now:
        return None
    db.execute(update(job).where(job.c.id == found.id, job.c.state == "ready").values(run_after=at(now)))
    return _leased(_claim(db, [found.id], worker, now, now + lasting, max_crashes=1_000_000)[0], 0)


def _is_due(now: datetime) -> Any:
    ready = and_(job.c.state == "ready", job.c.run_after <= now)
    expired = and_(job.c.state == "leased", job.c.lease_until <= now)
    return or_(ready, expired)


def _candidates(now: datetime, lane_limit: int, job_id: str | None) -> Any:
    """Number the due jobs inside their lane, and inside their lane and school; leave out lanes that are paused."""
    place = [job.c.priority.desc(), job.c.run_after, job.c.id]
    running = (
        select(job.c.lane, func.count().label("running"))
        .where(job.c.state == "leased", job.c.lease_until > now)
        .group_by(job.c.lane)
        .subquery("busy")
    )
    in_school = func.row_number().over(partition_by=(job.c.lane, job.c.school_id), order_by=place)
    found = (
        select(
            job.c.school_id,
            job.c.id,
            job.c.lane,
            job.c.priority,
            job.c.run_after,
            in_school.label("turn"),
            func.coalesce(running.c.running, 0).label("running"),
            case((job_lane.c.failures > 0, 1), else_=lane_limit).label("room"),
        )
        .select_from(
            job.outerjoin(running, running.c.lane == job.c.lane).outerjoin(job_lane, job_lane.c.lane == job.c.lane)
        )
        .where(_is_due(now), or_(job_lane.c.open_until.is_(None), job_lane.c.open_until <= now))
    )
    return (found.where(job.c.id == job_id) if job_id else found).subquery("found")


def _due(now: datetime, limit: int, lane_limit: int, job_id: str | None) -> Select[Any]:
    found = _candidates(now, lane_limit, job_id)
    order = [found.c.priority.desc(), found.c.turn, found.c.run_after, found.c.id]
    in_lane = func.row_number().over(partition_by=found.c.lane, order_by=order)
    ranked = select(found, in_lane.label("place")).subquery("ranked")
    return (
        select(ranked.c.id)
        .where(ranked.c.place + ranked.c.running <= ranked.c.room)
        .order_by(ranked.c.priority.desc(), ranked.c.place, ranked.c.run_after, ranked.c.id)
        .limit(limit)
    )


def _take(db: Connection, ids: list[str], worker: str, now: datetime, until: datetime, max_crashes: int) -> Taken:
    rows = _claim(db, ids, worker, now, until, max_crashes)
    order = {job_id: place for place, job_id in enumerate(ids)}
    failing = _failing(db, {row.lane for row in rows})
    found = [_leased(row, failing.get(row.lane, 0)) for row in rows if row.state == "leased"]
    leases = sorted(found, key=lambda one: order[one.id])
    return Taken(tuple(leases), tuple(row.id for row in rows if row.state == "dead"))


def _claim(
    db: Connection, ids: list[str], worker: str, now: datetime, until: datetime, max_crashes: int
) -> Sequence[Any]:
    # A row that someone is putting to or finishing right now is skipped; the next look finds it.
    locked = db.scalars(select(job.c.id).where(job.c.id.in_(ids), _is_due(now)).with_for_update(skip_locked=True))
    lost = case((job.c.state == "leased", 1), else_=0)
    hopeless = job.c.crashes + lost >= max_crashes
    statement = (
        update(job)
        .where(job.c.id.in_(list(locked)))
        .values(
            state=case((hopeless, "dead"), else_="leased"),
            finished_at=case((hopeless, at(now)), else_=null()),
            last_reason=case((hopeless, "crashed_too_often"), else_=job.c.last_reason),
            lease_until=case((hopeless, null()), else_=at(until)),
            worker=worker,
            token=job.c.token + 1,
            attempts=job.c.attempts + 1,
            crashes=job.c.crashes + lost,
            # What was asked for during a lost run is served by this one.
            again_after=None,
            updated_at=now,
        )
        .returning(job)
    )
    return db.execute(statement).all()


def _failing(db: Connection, lanes: set[str]) -> dict[str, int]:
    rows = db.execute(select(job_lane.c.lane, job_lane.c.failures).where(job_lane.c.lane.in_(lanes)))
    return {str(lane): int(failures) for lane, failures in rows}


def _leased(row: Any, lane_failures: int) -> Leased:
    return Leased(
        school_id=row.school_id,
        id=row.id,
        kind=row.kind,
        key=row.key,
        payload=row.payload,
        lane=row.lane,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        crashes=row.crashes,
        token=row.token,
        until=row.lease_until,
        lane_failures=lane_failures,
    )


def peek(database: Database, now: datetime, lane_limit: int = 2, limit: int = 1) -> tuple[str, ...]:
    """Return which jobs could be leased at an instant, without taking them."""
    with database.service(write=False) as db:
        return tuple(row.id for row in db.execute(_due(now, limit, lane_limit, None)))


def claim_rings(
    database: Database, now: datetime, quiet: timedelta, lane_limit: int = 2, limit: int = 100
) -> tuple[str, ...]:
    """Return due jobs that nobody rang for since ``now - quiet``; of several sweepers, one gets each."""
    with database.service() as db:
        ids = [row.id for row in db.execute(_due(now, limit, lane_limit, None))]
        stale = or_(job.c.rung_at.is_(None), job.c.rung_at <= now - quiet)
        statement = update(job).where(job.c.id.in_(ids), stale).values(rung_at=now).returning(job.c.id)
        return tuple(db.scalars(statement)) if ids else ()


def next_due(database: Database) -> datetime | None:
    """Return when the next job falls due (lanes not considered), or None when none is open."""
    ready = select(func.min(job.c.run_after)).where(job.c.state == "ready").scalar_subquery()
    expires = select(func.min(job.c.lease_until)).where(job.c.state == "leased").scalar_subquery()
    with database.service(write=False) as db:
        found = db.execute(select(ready, expires)).one()
    instants = [instant for instant in found if instant is not None]
    return min(instants) if instants else None
