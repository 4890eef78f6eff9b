"""Lanes: what is behind one lane fails together, so it waits together and is probed by one job at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from connector.db.database import Database
from sync.jobs.backoff import Backoff
from sync.jobs.tables import job_lane, upsert


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
