"""Launches that name no course: the link is where it was placed, else in a course of its own.

Core 1.3 §5.4.1 makes the context optional, and ``resource_link.id`` is unique within a deployment (§5.3.5), so that
a link placed from a course is found again when a later launch leaves the course out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from connector.db.tables.launches import activity, context, resource_link
from lti.tool.claims import Context
from lti.tool.launch import Launch

# One for each link: two links without a course may well stand in two courses, whose people must not see each other
# and whose gradebooks are not one.
NAMELESS = "kopir:link:"


def course_of(db: Connection, school_id: str, launched: Launch, names: Mapping[str, str]) -> Context | None:
    """Return the course a launch belongs to: the one it names, else the one its link or its activity stands in.

    Args:
        db: A transaction of the school.
        school_id: The school.
        launched: The launch.
        names: ``activity`` when the launch asks for one.

    Returns:
        A course of the link's own where nothing tells; None for a message that is about no link.
    """
    if launched.context is not None or launched.resource_link is None:
        return launched.context
    places = _places(db, school_id, launched)
    wanted = names.get("activity")
    fitting = [row for row in places if row.activity is None or wanted in (None, row.activity, row.claimed)]
    # A platform that uses one link id in several courses is not guessed at.
    if len({row.context_id for row in fitting}) == 1:
        return Context(fitting[0].context_id)
    planned = _course_of_activity(db, school_id, launched, wanted) if wanted else None
    return Context(planned or NAMELESS + launched.resource_link.id, title=launched.resource_link.title)


def _places(db: Connection, school_id: str, launched: Launch) -> Sequence[Any]:
    link_id = launched.resource_link.id if launched.resource_link else ""
    query = (
        select(context.c.context_id, resource_link.c.activity, resource_link.c.claimed)
        .join(context, (context.c.school_id == resource_link.c.school_id) & (context.c.id == resource_link.c.context))
        .where(
            resource_link.c.school_id == school_id,
            resource_link.c.link_id == link_id,
            context.c.issuer == launched.registration.issuer,
            context.c.deployment_id == launched.deployment_id,
        )
    )
    rows = db.execute(query).all()
    # The link's own nameless course counts only while no course is known.
    return [row for row in rows if not row.context_id.startswith(NAMELESS)] or rows


def _course_of_activity(db: Connection, school_id: str, launched: Launch, activity_id: str) -> str | None:
    query = (
        select(context.c.context_id)
        .join(activity, (activity.c.school_id == context.c.school_id) & (activity.c.context == context.c.id))
        .where(
            activity.c.school_id == school_id,
            activity.c.id == activity_id,
            context.c.issuer == launched.registration.issuer,
            context.c.deployment_id == launched.deployment_id,
        )
    )
    return db.execute(query).scalar_one_or_none()
