"""Lanes: what is behind one lane fails together, so it waits together and is probed by one job at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, select, update

from connector.db.database import Database
from sync.jobs.backoff import Backoff
from sync.jobs.tables import job, job_lane, upsert


def pause(
    database: Database, lane: str, now: datetime, reason: str, asked: timedelta | None, backoff: Backoff
) -> datetime:
    """Close a lane for a while that grows with each failure in a row; return when it may be probed.

    Jobs that fail while the lane is closed already (they ran side by side) do not lengthen the wait, unless the
    platform asked for more.
    """
    with database.service() as db:
        seen = db.execute(select(job_lane).where(job_lane.c.lane == lane).with_for_update()).one_or_none()
        if seen is not None and seen.open_until > now:
            failures = seen.failures
            until: datetime = max(seen.open_until, now + (asked or timedelta()))
        else:
            failures = (seen.failures if seen is not None else 0) + 1
            until = now + backoff.wait(failures, asked)
        row = {"failures": failures, "open_until": until, "reason": reason, "changed_at": now}
        # Two jobs of a lane may fail at once on PostgreSQL; the second finds the row the first made.
        statement = upsert(db, job_lane).values(lane=lane, **row)
        db.execute(statement.on_conflict_do_update(index_elements=["lane"], set_=row))
    return until


def clear(database: Database, lane: str) -> None:
    """Open a lane: a job of it went through."""
    with database.service() as db:
        db.execute(delete(job_lane).where(job_lane.c.lane == lane))


def paused(database: Database, now: datetime) -> dict[str, tuple[str, datetime]]:
    """Return the closed lanes with the reason and the instant of the next probe."""
    with database.service(write=False) as db:
        rows = db.execute(select(job_lane).where(job_lane.c.open_until > now))
        return {str(row.lane): (str(row.reason), row.open_until) for row in rows}


@dataclass(frozen=True)
class LaneView:
    """A lane and what waits behind it.

    Attributes:
        lane: The lane.
        failures: Failures in a row.
        reason: Why it was closed last.
        open_until: Until when it is, or was, closed; None when it never failed since it last went well.
        state: ``open``, ``closed``, or ``probing``: one job at a time tries whether it is back.
        waiting: Jobs that wait.
        running: Jobs that run.
        dead: Dead letters.
        oldest_due: Since when the oldest due job waits, or None.
    """

    lane: str
    failures: int
    reason: str
    open_until: datetime | None
    state: str
    waiting: int
    running: int
    dead: int
    oldest_due: datetime | None


def overview(
    database: Database, now: datetime, wanted: Sequence[str] | None = None, school_id: str | None = None
) -> list[LaneView]:
    """Return lanes with the number of their jobs.

    Args:
        database: The database.
        now: The present.
        wanted: These lanes, whether anything waits there or not; by default all that failed or have jobs.
        school_id: Count this school's jobs only.
    """
    with database.service(write=False) as db:
        closed = {row.lane: row for row in db.execute(select(job_lane))}
        due = case((and_(job.c.state == "ready", job.c.run_after <= now), job.c.run_after), else_=None)
        query = select(job.c.lane, job.c.state, func.count().label("number"), func.min(due).label("due"))
        query = query.where(job.c.state != "done").group_by(job.c.lane, job.c.state)
        if school_id is not None:
            query = query.where(job.c.school_id == school_id)
        jobs = {(row.lane, row.state): row for row in db.execute(query)}
    names = wanted if wanted is not None else sorted({*closed, *(lane for lane, _ in jobs)})
    return [_view(name, closed.get(name), jobs, now) for name in names]


def _view(name: str, row: Any, jobs: Mapping[tuple[str, str], Any], now: datetime) -> LaneView:
    state = "open" if row is None else "closed" if row.open_until > now else "probing"
    counts = {kind: jobs[name, kind].number if (name, kind) in jobs else 0 for kind in ("ready", "leased", "dead")}
    waits = jobs.get((name, "ready"))
    return LaneView(
        lane=name,
        failures=row.failures if row is not None else 0,
        reason=row.reason if row is not None else "",
        open_until=row.open_until if row is not None else None,
        state=state,
        waiting=counts["ready"],
        running=counts["leased"],
        dead=counts["dead"],
        oldest_due=waits.due if waits is not None else None,
    )


def probe(database: Database, lane: str, school_id: str, now: datetime) -> None:
    """Let a closed lane be tried at once by a school's own job; its failures are remembered, so one job tries."""
    with database.service() as db:
        db.execute(update(job_lane).where(job_lane.c.lane == lane, job_lane.c.open_until > now).values(open_until=now))
        mine = (job.c.lane == lane, job.c.school_id == school_id, job.c.state == "ready", job.c.run_after > now)
        db.execute(update(job).where(*mine).values(run_after=now))
