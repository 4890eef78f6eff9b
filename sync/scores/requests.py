"""Asking for a delivery, and telling how far it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from connector.base.clock import utc_now
from connector.db.tables.launches import activity, context, resource_link, result
from sync.jobs import queue
from sync.scores import view
from sync.scores.tables import DELIVER_SCORES
from sync.scores.words import Standing


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
    key = delivery_key(activity_id, link_id)
    queue.put(db, school_id, DELIVER_SCORES, key, payload, lane=lane, run_after=run_after)
    # One score without an answer must not hold up the others of its column until its next try.
    queue.hurry(db, school_id, DELIVER_SCORES, key, run_after or utc_now())


def delivery_key(activity_id: str, link_id: str | None) -> str:
    """Return the key of the job that delivers an activity's scores in one link."""
    return f"{activity_id}:{link_id or ''}"


def delivery_states(db: Connection, school_id: str, result_ids: Iterable[str]) -> dict[str, str]:
    """Return how far the delivery of each result is, by result.

    ``none``: nothing to send · ``waiting`` · ``delivered``: read back from the LMS · ``kept_by_teacher``: the LMS
    holds another mark, which stays · ``refused``: the LMS or its gradebook does not take it, or the delivery stopped.
    """
    return {one.result_id: state_word(one.standing) for one in view.of_results(db, school_id, result_ids).values()}


def delivery_state(db: Connection, school_id: str, activity_id: str) -> dict[str, str]:
    """Return how far delivery is for everybody with a result in an activity, by account."""
    return {one.account_id: state_word(one.standing) for one in view.of_activity(db, school_id, activity_id)}


def state_word(standing: Standing) -> str:
    """Return a state as plugins know it."""
    return _WORDS.get(standing, str(standing))


_WORDS = {Standing.KEPT: "kept_by_teacher", Standing.STOPPED: "refused"}
