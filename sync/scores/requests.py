"""Asking for a delivery, and telling how far it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from connector.db.tables.launches import activity, context, resource_link, result
from sync.jobs import queue
from sync.scores.tables import delivery, score_column

DELIVER_SCORES = "deliver_scores"


def enqueue_delivery(db: Connection, school_id: str, result_id: str, *, run_after: datetime | None = None) -> None:
    """Have a result's score delivered, in the transaction that wrote it; ring the dispatcher after the commit.

    All results of one activity and link that wait are one job.
    """
    query = (
        select(result.c.activity, result.c.resource_link, context.c.registration_id)
        .select_from(result)
        .join(activity, and_(activity.c.school_id == result.c.school_id, activity.c.id == result.c.activity))
        .outerjoin(
            resource_link,
            and_(resource_link.c.school_id == result.c.school_id, resource_link.c.id == result.c.resource_link),
        )
        .outerjoin(
            context,
            and_(
                context.c.school_id == result.c.school_id,
                context.c.id == func.coalesce(resource_link.c.context, activity.c.context),
            ),
        )
        .where(result.c.school_id == school_id, result.c.id == result_id)
    )
    row = db.execute(query).one_or_none()
    if row is not None:
        enqueue_activity(db, school_id, row.activity, row.resource_link, row.registration_id or "", run_after=run_after)


def enqueue_activity(
    db: Connection,
    school_id: str,
    activity_id: str,
    link_id: str | None,
    lane: str,
    *,
    run_after: datetime | None = None,
) -> None:
    """Have every waiting score of an activity in one link delivered.

    Args:
        db: A writing transaction of the school.
        school_id: The school.
        activity_id: The activity.
        link_id: Our id of the resource link.
        lane: The registration's id: a platform that is down delays its own scores only.
        run_after: Not before this instant; now by default.
    """
    payload = {"activity": activity_id, "link": link_id or ""}
    key = f"{activity_id}:{link_id or ''}"
    queue.put(db, school_id, DELIVER_SCORES, key, payload, lane=lane, run_after=run_after)


def delivery_states(db: Connection, school_id: str, result_ids: Iterable[str]) -> dict[str, str]:
    """Return how far the delivery of each result is, by result.

    ``none``: nothing to send · ``waiting`` · ``delivered``: read back from the LMS · ``kept_by_teacher``: the LMS
    holds another mark, which stays · ``refused``: the LMS or its gradebook does not take it.
    """
    ids = list(result_ids)
    found: dict[str, str] = {}
    for start in range(0, len(ids), 500):
        rows = _states(db, school_id, result.c.id.in_(ids[start : start + 500]))
        found |= {row.id: _word(row) for row in rows}
    return found


def delivery_state(db: Connection, school_id: str, activity_id: str) -> dict[str, str]:
    """Return how far delivery is for everybody with a result in an activity, by account."""
    return {row.account: _word(row) for row in _states(db, school_id, result.c.activity == activity_id)}


def _states(db: Connection, school_id: str, condition: ColumnElement[bool]) -> Any:
    query = (
        select(
            result.c.id,
            result.c.account,
            result.c.progress,
            result.c.revision,
            activity.c.score_maximum,
            delivery.c.revision.label("settled"),
            delivery.c.state,
            score_column.c.state.label("column_state"),
        )
        .join(activity, and_(activity.c.school_id == result.c.school_id, activity.c.id == result.c.activity))
        .outerjoin(delivery, and_(delivery.c.school_id == result.c.school_id, delivery.c.result == result.c.id))
        .outerjoin(
            score_column,
            and_(
                score_column.c.school_id == result.c.school_id,
                score_column.c.activity == result.c.activity,
                score_column.c.link == func.coalesce(result.c.resource_link, ""),
            ),
        )
        .where(result.c.school_id == school_id, condition)
    )
    return db.execute(query)


def _word(row: Any) -> str:
    if row.progress not in ("graded", "cleared") or row.score_maximum is None:
        return "none"
    if row.settled == row.revision:
        return "none" if row.progress == "cleared" and row.state == "delivered" else str(row.state)
    return "refused" if row.column_state == "missing" else "waiting"
