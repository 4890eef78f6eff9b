"""Where an activity's scores go, and which results wait: what delivery reads from the database."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from connector.db.tables.launches import account, activity, context, launch, resource_link, result
from sync.scores.tables import delivery

TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


@dataclass(frozen=True)
class Place:
    """One activity in one link of one course.

    Attributes:
        school_id: The school.
        activity_id: The activity; also the column's resource id.
        link_id: Our id of the resource link, or empty.
        title: The column's name, should one have to be made.
        maximum: The column's maximum then.
        tag: The column's tag then.
        issuer: The LMS.
        registration_id: The registration last used there.
        deployment_id: The deployment.
        line_items_url: Where columns are listed and made; None without that service.
        line_item_url: The link's own column as the last launch named it.
        platform_link_id: The LMS's id of the link.
        lineage: The activities this one was copied from, the nearest first: the columns of a copied course still
            carry their ids.
    """

    school_id: str
    activity_id: str
    link_id: str
    title: str
    maximum: Decimal
    tag: str
    issuer: str
    registration_id: str
    deployment_id: str
    line_items_url: str | None
    line_item_url: str | None
    platform_link_id: str | None
    lineage: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A result whose latest revision was not dealt with yet.

    Attributes:
        result_id: The result.
        revision: Its revision.
        sub: The pupil at the LMS.
        given: The score; None when it was taken back.
        maximum: Its maximum.
        finished_at: When the work was done.
        comment: Plain text for the pupil.
        skip: Why it is not sent: ``not_a_pupil``, ``other_platform``; empty when it is.
    """

    result_id: str
    revision: int
    sub: str
    given: Decimal | None
    maximum: Decimal | None
    finished_at: datetime
    comment: str = field(repr=False)
    skip: str = ""


def find_place(db: Connection, school_id: str, activity_id: str, link_id: str) -> Place | None:
    """Return where an activity's scores go; None when it gives no mark, or is in no course."""
    where = and_(activity.c.school_id == school_id, activity.c.id == activity_id)
    placed = db.execute(select(activity).where(where)).one_or_none()
    if placed is None or placed.score_maximum is None:
        return None
    link = _row(db, resource_link, school_id, link_id) if link_id else None
    course = _row(db, context, school_id, placed.context if link is None else link.context)
    if course is None:
        return None
    return Place(
        school_id=school_id,
        activity_id=activity_id,
        link_id=link_id,
        title=placed.title,
        maximum=Decimal(placed.score_maximum),
        tag=placed.tag,
        issuer=course.issuer,
        registration_id=course.registration_id,
        deployment_id=course.deployment_id,
        line_items_url=course.line_items_url,
        line_item_url=link.line_item_url if link is not None else None,
        platform_link_id=link.link_id if link is not None else None,
        lineage=_lineage(db, placed),
    )


def _lineage(db: Connection, placed: Any) -> tuple[str, ...]:
    found: list[str] = []
    while placed is not None and placed.copied_from is not None and placed.copied_from not in found:
        found.append(placed.copied_from)
        placed = _row(db, activity, placed.school_id, placed.copied_from)
    return tuple(found)


def _row(db: Connection, table: Any, school_id: str, row_id: str | None) -> Any:
    return db.execute(select(table).where(table.c.school_id == school_id, table.c.id == row_id)).one_or_none()


_WANTED = [
    result.c[name]
    for name in ("id", "account", "revision", "progress", "score_given", "score_maximum", "finished_at", "comment")
]


def waiting_results(
    db: Connection, place: Place, limit: int, sent_to: Set[str] = frozenset(), besides: Set[str] = frozenset()
) -> list[Waiting]:
    """Return the results of a place whose latest revision waits, oldest first.

    Args:
        db: A transaction of the school.
        place: The place.
        limit: At most so many.
        sent_to: Pupils to whom a score is on its way: that they are pupils was looked up when it left.
        besides: Results to leave out: they are being sent at this moment, and their turn comes when they have landed.
    """
    same_link = result.c.resource_link == place.link_id if place.link_id else result.c.resource_link.is_(None)
    query = (
        select(*_WANTED, account.c.sub, account.c.issuer)
        .join(account, and_(account.c.school_id == result.c.school_id, account.c.id == result.c.account))
        .outerjoin(delivery, and_(delivery.c.school_id == result.c.school_id, delivery.c.result == result.c.id))
        .where(
            result.c.school_id == place.school_id,
            result.c.activity == place.activity_id,
            same_link,
            result.c.progress.in_(("graded", "cleared")),
            or_(delivery.c.revision.is_(None), delivery.c.revision < result.c.revision),
        )
        .order_by(result.c.finished_at, result.c.id)
        .limit(limit)
    )
    if besides:
        query = query.where(result.c.id.not_in(besides))
    rows = db.execute(query).all()
    others = _not_pupils(db, place.school_id, {row.account for row in rows if row.sub not in sent_to})
    return [_waiting(row, place, others) for row in rows]


def _waiting(row: Any, place: Place, others: set[str]) -> Waiting:
    skip = "not_a_pupil" if row.account in others else "" if row.issuer == place.issuer else "other_platform"
    graded = row.progress == "graded" and row.score_given is not None and row.score_maximum is not None
    return Waiting(
        result_id=row.id,
        revision=row.revision,
        sub=row.sub,
        given=Decimal(row.score_given) if graded else None,
        maximum=Decimal(row.score_maximum) if graded else None,
        finished_at=row.finished_at,
        comment=row.comment,
        skip=skip,
    )


def _not_pupils(db: Connection, school_id: str, accounts: set[str]) -> set[str]:
    """Return who of these was last let in as somebody else than a pupil, or as an LMS's test user."""
    if not accounts:
        return set()
    query = (
        select(launch.c.account, launch.c.role, launch.c.roles)
        .where(launch.c.school_id == school_id, launch.c.account.in_(accounts))
        .order_by(launch.c.created_at, launch.c.id)
    )
    last = {row.account: row for row in db.execute(query)}
    return {row.account for row in last.values() if row.role != "pupil" or TEST_USER in row.roles}
