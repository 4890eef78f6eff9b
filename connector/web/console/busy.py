"""What the workers are doing for a connection now, what waits to be tried again, and what stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from connector.web.console.words import SETTLED
from sync.jobs.tables import job
from sync.runs.handlers import APPLY_JOB
from sync.runs.progress import OPEN_RUNS, Progress
from sync.schedule.asking import PLAN_JOB
from sync.store import plans
from sync.store.plans import StoredPlan
from sync.store.tables.plans import plan_change


@dataclass(frozen=True)
class Busy:
    """The work that is under way.

    Attributes:
        doing: ``comparing``, ``writing`` or an empty text.
        done: Marks that came to an end.
        total: Marks that were approved.
        next_at: When the next comparison is due, where one waits.
        stopped: Why an approved plan is not being applied although nobody works on it.
        left: The time that is left, once the pace can be told.
    """

    doing: str = ""
    done: int = 0
    total: int = 0
    next_at: datetime | None = None
    stopped: str = ""
    left: timedelta | None = None


def busy_with(db: Connection, school: str, connection: str, plan: StoredPlan | None, now: datetime) -> Busy:
    """Look at the queue and at the plan."""
    compare = _newest(db, school, PLAN_JOB, connection)
    waits = compare is not None and compare.state == "ready" and compare.run_after > now
    next_at = compare.run_after if compare is not None and waits else None
    if plan is not None and plan.state in ("approved", "applying"):
        done, total = _progress(db, school, plan.id)
        write = _newest(db, school, APPLY_JOB, plan.id)
        open_ = write is not None and write.state in ("ready", "leased")
        reason = "" if open_ or write is None else (write.last_reason or "not_started")
        if open_:
            return Busy("writing", done, total, next_at, left=_far(db, school, connection).left(now))
        return Busy("", done, total, next_at, reason or "not_started")
    if compare is None or compare.state not in ("ready", "leased") or waits:
        return Busy(next_at=next_at)
    far = _far(db, school, connection)
    return Busy("comparing", far.done, far.total, next_at, left=far.left(now))


def _far(db: Connection, school: str, connection: str) -> Progress:
    """Return how far the newest run is, while it is under way."""
    newest = plans.runs(db, school, connection, 1)
    return Progress.of(newest[0].progress) if newest and newest[0].state in OPEN_RUNS else Progress()


def _newest(db: Connection, school: str, kind: str, key: str) -> _Job | None:
    query = (
        select(job.c.state, job.c.run_after, job.c.last_reason)
        .where(job.c.school_id == school, job.c.kind == kind, job.c.key == key)
        .order_by(job.c.id.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    return None if row is None else _Job(row.state, row.run_after, row.last_reason)


@dataclass(frozen=True)
class _Job:
    state: str
    run_after: datetime
    last_reason: str | None


def _progress(db: Connection, school: str, plan: str) -> tuple[int, int]:
    query = (
        select(plan_change.c.state, func.count())
        .where(plan_change.c.school_id == school, plan_change.c.plan == plan, plan_change.c.side != "none")
        .group_by(plan_change.c.state)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in db.execute(query)}
    done = sum(counts.get(state, 0) for state in SETTLED)
    return done, done + sum(counts.get(state, 0) for state in ("approved", "sent", "written"))
