"""The column an activity's scores go to: the link's own, else one found by our id, else one that is made, once.

A platform makes a second column when it is asked a second time, and a process can die between asking and noting
the answer. So what is wanted is written down first, the platform is looked at before each asking, and our id on
the column is what is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from connector.base.errors import Hold
from connector.base.i18n import N_, say
from connector.db.tables.launches import resource_link
from connector.db.upsert import upsert
from lti.tool.gradebook import LineItem
from sync.jobs.runner import JobContext
from sync.scores.gradebook import Gradebook
from sync.scores.places import Place
from sync.scores.tables import score_column


def ensure_column(context: JobContext, place: Place, book: Gradebook) -> str:
    """Return the address of the place's column, making one where the LMS has none.

    Raises:
        Hold: The LMS offers no way to one (``no_gradebook``), or a teacher deleted it (``column_deleted``).
        KopirError: What the gradebook raises.
        LeaseLost: Another worker has the job.
    """
    with context.database.school(place.school_id, write=False) as db:
        known = _load(db, place)
    if place.line_item_url is not None:
        # The platform's own word at the last launch beats what we remember.
        if known != (place.line_item_url, "ready"):
            _note(context, place, place.line_item_url, "ready")
        return place.line_item_url
    if known is not None and known[0] is not None:
        return known[0]
    return _find_or_make(context, place, book)


def _find_or_make(context: JobContext, place: Place, book: Gradebook) -> str:
    if place.line_items_url is None:
        _note(context, place, None, "missing", "no_gradebook")
        raise Hold("no_gradebook", say(N_("The LMS gave this course no gradebook service, so scores stay in Kopir.")))
    _note(context, place, None, "wanted")
    context.step("column.wanted")
    url = _look(context, place, book)
    context.step("column.looked")
    if url is None:
        # Whoever lost the lease meanwhile must not ask: the new holder may be asking right now.
        with context.database.school(place.school_id) as db:
            context.check(db)
        made = book.create_line_item(place.line_items_url, _wish(place))
        context.step("column.made")
        url = made.id or _look(context, place, book)
    _note(context, place, url, "ready")
    context.step("column.noted")
    if url is None:
        raise Hold("no_gradebook", say(N_("The LMS gave this course no gradebook service, so scores stay in Kopir.")))
    return url


def find_again(context: JobContext, place: Place, book: Gradebook, gone: str) -> str:
    """Return another column with our id after one has gone.

    Raises:
        Hold: There is none: a teacher deleted it, and making it anew is a person's decision (``column_deleted``).
    """
    found = _look(context, place, book) if place.line_items_url is not None else None
    if found is None or found == gone:
        _note(context, place, gone, "missing", "column_deleted")
        raise Hold("column_deleted", say(N_("The grade column was deleted in the LMS; its scores stay in Kopir.")))
    _note(context, place, found, "ready")
    return found


def _look(context: JobContext, place: Place, book: Gradebook) -> str | None:
    """Return the place's column: under our id, else the one that a copied link brought along under its original's."""
    url = _best(place, book.list_line_items(place.line_items_url or "", resource_id=place.activity_id))
    if url is not None or not place.lineage:
        return url
    brought: list[LineItem] = []
    if place.platform_link_id is not None:
        listed = book.list_line_items(place.line_items_url or "", resource_link_id=place.platform_link_id)
        brought = [item for item in listed if item.resource_link_id == place.platform_link_id]
    for name in place.lineage:
        # A column without a link, made for the original, came along with the whole course; in one course it stays
        # the original's.
        listed = book.list_line_items(place.line_items_url or "", resource_id=name)
        brought += [item for item in listed if item.resource_link_id is None]
    named = [item for item in brought if item.resource_id in (None, "", *place.lineage)]
    with context.database.school(place.school_id, write=False) as db:
        taken = _taken(db, place, {item.id for item in named if item.id is not None})
    return _best(place, [item for item in named if item.id not in taken])


def _best(place: Place, found: Sequence[LineItem]) -> str | None:
    """Return the link's own column, else one of no link; of several the one with our tag; else always the same."""
    own = [item for item in found if item.resource_link_id == place.platform_link_id]
    free = [item for item in found if item.resource_link_id is None or place.platform_link_id is None]
    ranked = sorted((item.tag != place.tag, item.id) for item in own or free if item.id is not None)
    return ranked[0][1] if ranked else None


def _taken(db: Connection, place: Place, urls: set[str]) -> set[str]:
    """Return the columns that another activity or link sends to."""
    same = (score_column.c.activity == place.activity_id) & (score_column.c.link == place.link_id)
    others = select(score_column.c.url).where(
        score_column.c.school_id == place.school_id, score_column.c.url.in_(urls), ~same
    )
    named = select(resource_link.c.line_item_url).where(
        resource_link.c.school_id == place.school_id,
        resource_link.c.line_item_url.in_(urls),
        resource_link.c.id != place.link_id,
    )
    return {url for query in (others, named) for url in db.execute(query).scalars()}


def _wish(place: Place) -> LineItem:
    return LineItem(
        label=place.title.strip() or place.activity_id,
        score_maximum=place.maximum,
        resource_link_id=place.platform_link_id,
        resource_id=place.activity_id,
        tag=place.tag or None,
    )


def _load(db: Connection, place: Place) -> tuple[str | None, str] | None:
    query = select(score_column.c.url, score_column.c.state).where(
        score_column.c.school_id == place.school_id,
        score_column.c.activity == place.activity_id,
        score_column.c.link == place.link_id,
    )
    row = db.execute(query).one_or_none()
    return None if row is None else (row.url, row.state)


def _note(context: JobContext, place: Place, url: str | None, state: str, reason: str = "") -> None:
    now: datetime = context.now()
    values = {
        "school_id": place.school_id,
        "activity": place.activity_id,
        "link": place.link_id,
        "url": url,
        "state": state,
        "reason": reason,
        "updated_at": now,
    }
    with context.database.school(place.school_id) as db:
        context.check(db)
        upsert(db, score_column, values, ("school_id", "activity", "link"))


def mark_ready(db: Connection, place: Place, url: str, now: datetime) -> None:
    """Note that a column answers, in the caller's transaction."""
    values = {"url": url, "state": "ready", "reason": "", "updated_at": now}
    where = (
        score_column.c.school_id == place.school_id,
        score_column.c.activity == place.activity_id,
        score_column.c.link == place.link_id,
        score_column.c.state != "ready",
    )
    db.execute(score_column.update().where(*where).values(**values))
