"""The delivery of scores, wired to this installation's registrations and tokens, and the comparison that follows it."""

from __future__ import annotations

from sqlalchemy import func, select

from connector.db.tables.launches import activity, context, resource_link
from connector.host.runtime import Runtime
from sync.jobs.runner import Handler, JobContext
from sync.schedule.asking import after_score, pairs_of
from sync.scores.deliver import deliver_handler
from sync.scores.gradebook import LtiGradebooks


def score_handler(runtime: Runtime) -> Handler:
    """Return the handler of score deliveries; it holds the limits of each platform, so there is one per process."""
    deliver = deliver_handler(LtiGradebooks(runtime.outbound, runtime.token_source, runtime.registry))

    def handler(job: JobContext) -> None:
        deliver(job)
        _compare_soon(runtime, job)

    return handler


def _compare_soon(runtime: Runtime, job: JobContext) -> None:
    """Ask for a comparison of the pairs this course belongs to; should it be lost, the next hour makes it."""
    school = job.school_id
    with runtime.database.school(school, write=False) as db:
        course = db.scalar(
            select(context.c.context_id)
            .select_from(activity)
            .outerjoin(
                resource_link,
                (resource_link.c.school_id == activity.c.school_id)
                & (resource_link.c.id == job.payload.get("link", "")),
            )
            .join(
                context,
                (context.c.school_id == activity.c.school_id)
                & (context.c.id == func.coalesce(resource_link.c.context, activity.c.context)),
            )
            .where(activity.c.school_id == school, activity.c.id == job.payload["activity"])
        )
        pairs = pairs_of(db, school, course) if course else []
    if pairs:
        with runtime.database.school(school) as db:
            after_score(db, school, pairs, runtime.clock())
