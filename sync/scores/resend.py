"""Sending again what a person asks for: one score, some, or all that came to an end without being in the gradebook.

Sending again forces nothing: the column is read first, and a mark somebody else put there stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, update

from connector.db.tables.launches import activity, context, resource_link, result
from sync.effects.rows import chunks
from sync.jobs import queue
from sync.jobs.tables import job
from sync.scores import view
from sync.scores.requests import delivery_key, enqueue_activity
from sync.scores.tables import DELIVER_SCORES, delivery, score_column
from sync.scores.view import ScoreLine


def resend(db: Connection, school_id: str, found: Sequence[ScoreLine], now: datetime) -> list[str]:
    """Have scores delivered anew, in the caller's transaction; ring the dispatcher after the commit.

    Args:
        db: A writing transaction of the school.
        school_id: The school.
        found: The scores, as they were looked at; those that sending again cannot change are left.
        now: The present.

    Returns:
        The results that will be sent again.
    """
    ids = [line.result_id for line in found if line.may_resend]
    for some in chunks(ids):
        # A revision before every real one: the score waits again, and its next effect gets the next key.
        here = (delivery.c.school_id == school_id, delivery.c.result.in_(some))
        db.execute(update(delivery).where(*here).values(revision=0, updated_at=now))
    for activity_id, link_id, lane in _places(db, school_id, ids):
        _open(db, school_id, activity_id, link_id, lane, now)
    return ids


def resend_all(db: Connection, school_id: str, now: datetime, activity_id: str | None = None) -> list[str]:
    """Send again every score that came to an end without being in the gradebook; of one activity where it is named."""
    condition = result.c.school_id == school_id
    if activity_id is not None:
        condition = and_(condition, result.c.activity == activity_id)
    return resend(db, school_id, view.lines(db, school_id, condition), now)


def _places(db: Connection, school_id: str, ids: Sequence[str]) -> list[tuple[str, str | None, str]]:
    """Return the activities and links of these results, with the lane they go through."""
    link = and_(resource_link.c.school_id == result.c.school_id, resource_link.c.id == result.c.resource_link)
    found: set[tuple[str, str | None, str]] = set()
    for some in chunks(ids):
        query = (
            select(result.c.activity, result.c.resource_link, context.c.registration_id)
            .join(activity, and_(activity.c.school_id == result.c.school_id, activity.c.id == result.c.activity))
            .outerjoin(resource_link, link)
            .outerjoin(
                context,
                and_(
                    context.c.school_id == result.c.school_id,
                    context.c.id == func.coalesce(resource_link.c.context, activity.c.context),
                ),
            )
            .where(result.c.school_id == school_id, result.c.id.in_(some))
            .distinct()
        )
        found |= {(row.activity, row.resource_link, row.registration_id or "") for row in db.execute(query)}
    return sorted(found, key=lambda place: (place[0], place[1] or ""))


def _open(db: Connection, school_id: str, activity_id: str, link_id: str | None, lane: str, now: datetime) -> None:
    """Let a place be tried again: its column is looked for anew, its dead letter lives, or a new job is put."""
    here = (
        score_column.c.school_id == school_id,
        score_column.c.activity == activity_id,
        score_column.c.link == (link_id or ""),
        score_column.c.state == "missing",
    )
    db.execute(update(score_column).where(*here).values(state="wanted", url=None, reason="", updated_at=now))
    dead = select(job.c.id).where(
        job.c.school_id == school_id,
        job.c.kind == DELIVER_SCORES,
        job.c.key == delivery_key(activity_id, link_id),
        job.c.state == "dead",
    )
    lives = [one for one in db.scalars(dead.order_by(job.c.id.desc())) if queue.revive(db, school_id, one, now=now)]
    if not lives:
        enqueue_activity(db, school_id, activity_id, link_id, lane)
    # An older dead letter of the same place has nothing left to say.
    db.execute(job.delete().where(job.c.id.in_(dead)))
