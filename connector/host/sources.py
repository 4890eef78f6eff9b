"""Which activities a link may be a copy of: by the id that was copied with it, by histories, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from connector.db.tables.launches import activity, context, context_origin, resource_link
from connector.host.copies import Proof, Source
from connector.host.launches import Session
from connector.host.runtime import Runtime
from lti.tool.variables import CONTEXT_HISTORY, LINK_HISTORY, MAX_HISTORY, history_of


def by_claim(runtime: Runtime, link: Row[Any], claimed: str | None, tag: str = "") -> tuple[Source, ...]:
    """Return the activity whose id came with the link, or stands on its column.

    Args:
        runtime: The process.
        link: The link with its course.
        claimed: The id; where this course has a copy of that activity already, the copy is meant.
        tag: The column's tag; one that is not the activity's makes it a likeness only.
    """
    if claimed is None:
        return ()
    with runtime.database.school(link.school_id, write=False) as db:
        found = next(iter(_rows(db, link, activity.c.id == claimed)), None)
        if found is None:
            return ()
        row = _in_this_course(db, link, found.root or found.id) or found
    differs = bool(tag and row.tag and row.tag != tag)
    return (_source(runtime, link, row, Proof.LIKENESS if differs else Proof.CLAIM),)


def by_history(runtime: Runtime, session: Session, link: Row[Any]) -> tuple[Source, ...]:
    """Return the activity of the nearest link this one was copied from, as the LMS tells it."""
    former = history_of(_told(session).get(LINK_HISTORY, ""))
    if not former:
        return ()
    with runtime.database.school(link.school_id, write=False) as db:
        there = (context.c.issuer == link.issuer) & (context.c.deployment_id == link.deployment_id)
        found = {row.link: row for row in _rows(db, link, there & _linked(resource_link.c.link_id.in_(former)))}
    named = next((found[name] for name in former if name in found), None)
    return () if named is None else (_source(runtime, link, named, Proof.HISTORY),)


def by_likeness(runtime: Runtime, session: Session, link: Row[Any]) -> tuple[Source, ...]:
    """Return activities under the same name in the courses this one was copied from."""
    if not link.title:
        return ()
    with runtime.database.school(link.school_id, write=False) as db:
        courses = origins(db, session, link)
        there = (context.c.issuer == link.issuer) & context.c.context_id.in_(courses)
        rows = _rows(db, link, there & (func.coalesce(resource_link.c.title, activity.c.title) == link.title))
    ordered = sorted(rows, key=lambda row: (courses.index(row.course_id), row.id))
    return tuple(_source(runtime, link, row, Proof.LIKENESS) for row in ordered)


def _in_this_course(db: Connection, link: Row[Any], root: str) -> Row[Any] | None:
    """Return the copy that this very course has already: a second link for it is a duplicate within the course."""
    family = (activity.c.id == root) | (activity.c.root == root)
    rows = _rows(db, link, family & (activity.c.context == link.context) & activity.c.removed_at.is_(None))
    return min(rows, key=lambda row: (row.link_title != link.title, row.id), default=None)


def nearest(runtime: Runtime, session: Session, source: Source) -> Source:
    """Return what a copy is made from: in a copy of a copy the copy before, not the first original."""
    if source.same_course:
        return source
    with runtime.database.school(session.school_id, write=False) as db:
        link = db.execute(_link_query(session)).one_or_none()
        courses = [] if link is None else origins(db, session, link)
        if link is None or not courses:
            return source
        mine = select(activity.c.root).where(
            activity.c.school_id == session.school_id, activity.c.id == source.activity_id
        )
        root = db.execute(mine).scalar_one_or_none() or source.activity_id
        family = (activity.c.id == root) | (activity.c.root == root)
        there = (context.c.issuer == link.issuer) & context.c.context_id.in_(courses) & activity.c.removed_at.is_(None)
        rows = list(_rows(db, link, family & there))
    if not rows:
        return source
    # Of several in one course, the one under the link's own name; else the first that was made.
    best = min(rows, key=lambda row: (courses.index(row.course_id), row.link_title != link.title, row.id))
    return _source(runtime, link, best, source.proof)


def origins(db: Connection, session: Session, link: Row[Any]) -> list[str]:
    """Return the courses the link's course was copied from, by the LMS's ids, the nearest first."""
    found = list(history_of(_told(session).get(CONTEXT_HISTORY, "")))
    waiting = [link.context_id]
    while waiting and len(found) < MAX_HISTORY:
        query = (
            select(context_origin.c.origin_id)
            .where(
                context_origin.c.school_id == link.school_id,
                context_origin.c.issuer == link.issuer,
                context_origin.c.context_id == waiting.pop(0),
            )
            .order_by(context_origin.c.distance, context_origin.c.origin_id)
        )
        new = [one for one in db.execute(query).scalars() if one not in found and one != link.context_id]
        found += new
        waiting += new
    return found


def holders(runtime: Runtime, school_id: str, activity_id: str) -> list[str]:
    """Return the LMS's ids of the links that open an activity."""
    query = select(resource_link.c.link_id).where(
        resource_link.c.school_id == school_id, resource_link.c.activity == activity_id
    )
    with runtime.database.school(school_id, write=False) as db:
        return list(db.execute(query).scalars())


def _told(session: Session) -> dict[str, str]:
    told: dict[str, str] = session.details.get("variables") or {}
    return told


def _link_query(session: Session) -> Any:
    same = (context.c.school_id == resource_link.c.school_id) & (context.c.id == resource_link.c.context)
    return (
        select(resource_link, context.c.issuer, context.c.deployment_id, context.c.context_id)
        .join(context, same)
        .where(resource_link.c.school_id == session.school_id, resource_link.c.id == session.resource_link)
    )


def _linked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return resource_link.c.id.is_not(None) & condition


def _rows(db: Connection, link: Row[Any], condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Return activities with the link that opens each, if any, and the course of either."""
    school = activity.c.school_id
    opened = (resource_link.c.school_id == school) & (resource_link.c.activity == activity.c.id)
    course = (context.c.school_id == school) & (
        context.c.id == func.coalesce(activity.c.context, resource_link.c.context)
    )
    query = (
        select(
            activity,
            resource_link.c.link_id.label("link"),
            func.coalesce(resource_link.c.title, "").label("link_title"),
            resource_link.c.id.is_not(None).label("held"),
            context.c.id.label("course"),
            context.c.context_id.label("course_id"),
            context.c.title.label("course_title"),
            context.c.issuer,
        )
        .outerjoin(resource_link, opened)
        .outerjoin(context, course)
        .where(school == link.school_id, condition)
        .order_by(activity.c.id, resource_link.c.seen_at.desc())
    )
    rows = {row.id: row for row in reversed(db.execute(query).all())}
    return list(rows.values())


def _source(runtime: Runtime, link: Row[Any], row: Row[Any], proof: Proof) -> Source:
    return Source(
        activity_id=row.id,
        plugin=row.plugin,
        title=row.title,
        course=row.course_title or "",
        proof=proof,
        same_lms=row.issuer in (None, link.issuer),
        same_course=row.course in (None, link.context),
        removed=row.removed_at is not None,
        copyable=row.plugin in runtime.plugins,
        held=bool(row.held),
    )
