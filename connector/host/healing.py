"""Find the activity of a link again after a course or an activity was copied in the LMS.

Sources: LTI Core 1.3, appendix B (``Context.id.history``, ``ResourceLink.id.history``); Platform Notification Service
1.0 (context copy); AGS 2.0 §3.2 (``resourceId``, ``tag``). The reasons are in docs/decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.base.errors import KopirError
from connector.base.ids import is_id, new_id
from connector.base.log import get_logger
from connector.db.tables.launches import activity, context, context_origin, resource_link
from connector.db.upsert import upsert
from connector.host import sources as look
from connector.host.copies import Former, Source, Verdict, decide
from connector.host.launches import Session
from connector.host.rooms import SchoolRoom, to_activity
from connector.host.runtime import Runtime
from lti.tool.ags import AssignmentAndGradeService
from lti.tool.gradebook import LineItem

log = get_logger("host.healing")


@dataclass(frozen=True)
class Question:
    """What only a teacher can say: which of these the link is a copy of, if any."""

    sources: tuple[Source, ...]


def on_context_copy(
    runtime: Runtime, registration_id: str, deployment_id: str, context_id: str, origins: Sequence[str]
) -> bool:
    """Remember that a course was copied (context-copy notice); saying it again changes nothing.

    Args:
        runtime: The process.
        registration_id: The LMS's registration, by our id.
        deployment_id: The deployment the notice came for.
        context_id: The new course, by the LMS's id.
        origins: The courses it was copied from, by the LMS's ids, the nearest first.

    Returns:
        False when the deployment belongs to no school.
    """
    registration = runtime.registry.get(registration_id)
    school = runtime.registry.school_of(registration_id, deployment_id)
    if registration is None or school is None:
        return False
    key = ("school_id", "issuer", "context_id", "origin_id")
    with runtime.database.school(school.id) as db:
        for distance, origin in enumerate(dict.fromkeys(origins)):
            values = {
                "school_id": school.id, "issuer": registration.issuer, "context_id": context_id, "origin_id": origin,
                "distance": distance, "learned_at": runtime.clock(),
            }  # fmt: skip
            if origin != context_id:
                upsert(db, context_origin, values, key, keep=("learned_at", "distance"))
    return True


def heal(runtime: Runtime, session: Session) -> str | Question | None:
    """Find what a link without an activity opens.

    Returns:
        The activity's id, made as a copy where the link is one; a question, which only a teacher may answer; None
        when nothing is known of the link, or it opens something by now.
    """
    link = _link_of(runtime, session)
    if link is None:
        return None
    if link.activity is not None:
        return str(link.activity)
    found = _sources(runtime, session, link)
    if not found:
        return None
    first = found[0]
    former = _former(runtime, link, first) if first.same_course and first.held else Former.UNKNOWN
    verdict = decide(first, former)
    log.info("link_copied", launch=session.launch_id, activity=first.activity_id, proof=first.proof, verdict=verdict)
    match verdict:
        case Verdict.COPY:
            return open_copy(runtime, session, look.nearest(runtime, session, first))
        case Verdict.SAME:
            return take_over(runtime, session, first)
        case Verdict.ASK:
            # Another launch may have made the copy meanwhile, and then it is that copy that was found.
            now = _link_of(runtime, session)
            return str(now.activity) if now is not None and now.activity is not None else Question(found)


def _link_of(runtime: Runtime, session: Session) -> Row[Any] | None:
    query = (
        select(resource_link, context.c.issuer, context.c.registration_id, context.c.deployment_id,
               context.c.context_id, context.c.line_items_url)
        .join(context, (context.c.school_id == resource_link.c.school_id) & (context.c.id == resource_link.c.context))
        .where(resource_link.c.school_id == session.school_id, resource_link.c.id == session.resource_link)
    )  # fmt: skip
    with runtime.database.school(session.school_id, write=False) as db:
        return db.execute(query).one_or_none()


def _sources(runtime: Runtime, session: Session, link: Row[Any]) -> tuple[Source, ...]:
    """Return what the link may be a copy of: the first kind of proof that leads to anything."""
    found = look.by_claim(runtime, link, link.claimed) or look.by_history(runtime, session, link)
    if found:
        return found
    item = _own_column(runtime, link)
    if item is not None and item.resource_id and is_id(item.resource_id):
        found = look.by_claim(runtime, link, item.resource_id, item.tag or "")
    return found or look.by_likeness(runtime, session, link)


def _own_column(runtime: Runtime, link: Row[Any]) -> LineItem | None:
    service = _gradebook(runtime, link)
    if service is None or link.line_item_url is None:
        return None
    try:
        return service.get_line_item(link.line_item_url)
    except KopirError as error:
        log.info("column_unread", reason=error.reason)
        return None


def _former(runtime: Runtime, link: Row[Any], source: Source) -> Former:
    """Ask the LMS whether the link that opens the original still has its column."""
    service = _gradebook(runtime, link)
    if service is None or link.line_items_url is None:
        return Former.UNKNOWN
    held = look.holders(runtime, link.school_id, source.activity_id)
    try:
        columns = [one for name in held for one in service.list_line_items(link.line_items_url, resource_link_id=name)]
    except KopirError as error:
        log.info("columns_unread", reason=error.reason)
        return Former.UNKNOWN
    return Former.THERE if any(one.resource_link_id in held for one in columns) else Former.UNKNOWN


def _gradebook(runtime: Runtime, link: Row[Any]) -> AssignmentAndGradeService | None:
    registration = runtime.registry.get(link.registration_id)
    if registration is None:
        return None
    return AssignmentAndGradeService(runtime.outbound, runtime.token_source, registration, link.deployment_id)


def questioned(runtime: Runtime, session: Session, activity_id: str) -> Source | None:
    """Return one of the sources a teacher is asked about, as it stands now."""
    link = _link_of(runtime, session)
    if link is None or link.activity is not None:
        return None
    return next((one for one in _sources(runtime, session, link) if one.activity_id == activity_id), None)


def open_copy(runtime: Runtime, session: Session, source: Source) -> str | None:
    """Make a copy of an activity for the session's link, once, however many ask at the same moment."""
    plugin = runtime.plugins.get(source.plugin)
    if plugin is None:
        return None
    with runtime.database.school(session.school_id) as db:
        link = _hold(db, session)
        if link is None or link.activity is not None:
            return None if link is None else str(link.activity)
        same = (activity.c.school_id == session.school_id) & (activity.c.id == source.activity_id)
        row = db.execute(select(activity).where(same)).one_or_none()
        if row is None:
            return None
        copy_id = new_id()
        room = SchoolRoom(runtime, session.school_id, source.plugin)
        settings = plugin.copy_activity(room, db, to_activity(row), copy_id)
        values = {
            **row._mapping, "id": copy_id, "context": link.context, "title": link.title or row.title,
            "settings": dict(settings), "created_at": runtime.clock(), "removed_at": None, "copied_from": row.id,
            "root": row.root or row.id,
        }  # fmt: skip
        db.execute(activity.insert().values(values))
        _open(db, session, copy_id)
    log.info("activity_copied", activity=copy_id, original=source.activity_id)
    return copy_id


def take_over(runtime: Runtime, session: Session, source: Source) -> str | None:
    """Let the session's link open an activity of its own course; another link that opened it lets go of it."""
    if not source.may_be_the_same:
        return None
    with runtime.database.school(session.school_id) as db:
        link = _hold(db, session)
        if link is None or link.activity is not None:
            return None if link is None else str(link.activity)
        former = (resource_link.c.school_id == session.school_id) & (resource_link.c.activity == source.activity_id)
        db.execute(resource_link.update().where(former).values(activity=None))
        _open(db, session, source.activity_id)
    return source.activity_id


def _hold(db: Connection, session: Session) -> Row[Any] | None:
    """Hold the link's row until the transaction ends, and return it as it stands."""
    mine = (resource_link.c.school_id == session.school_id) & (resource_link.c.id == session.resource_link)
    held = resource_link.update().where(mine).values(seen_at=resource_link.c.seen_at).returning(resource_link)
    return db.execute(held).one_or_none()


def _open(db: Connection, session: Session, activity_id: str) -> None:
    mine = (resource_link.c.school_id == session.school_id) & (resource_link.c.id == session.resource_link)
    db.execute(resource_link.update().where(mine).values(activity=activity_id))
