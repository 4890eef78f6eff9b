"""The grade columns of tools, per tool and course: the activity's own goes on to the LMS, the rest stay here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from connector.base.i18n import N_, say
from connector.base.ids import is_id, new_id
from connector.db.tables.tools import tool_line_item, tool_link
from connector.db.types import canonical
from connector.db.upsert import upsert
from connector.host.tools.records import SchoolTool
from lti.platform.errors import ServiceRefused
from lti.platform.grades import LineItem
from lti.platform.paging import Page

MOST_COLUMNS = 200


@dataclass(frozen=True)
class Column:
    """A column as it is kept. ``goes_on``: its marks are delivered to the LMS; ``link`` is its activity's, if any."""

    id: str
    context: str
    link: str
    goes_on: bool
    item: LineItem


def check_course(db: Connection, tool: SchoolTool, context: str) -> None:
    """Refuse a tool at a course in which nothing of it was placed; whether there is such a course is not told.

    Raises:
        ServiceRefused: 404.
    """
    mine = (tool_link.c.school_id == tool.school_id) & (tool_link.c.tool == tool.id) & (tool_link.c.context == context)
    if not is_id(context) or db.execute(select(tool_link.c.id).where(mine).limit(1)).first() is None:
        raise not_found()


def columns(db: Connection, tool: SchoolTool, context: str, page: Page) -> tuple[list[Column], bool]:
    """Return one page of a tool's columns in a course, and whether more follow."""
    table = tool_line_item.c
    conditions: list[ColumnElement[bool]] = [_place(tool, context), table.id > page.after]
    for name, column in (("resource_link_id", table.link), ("resource_id", table.resource_id), ("tag", table.tag)):
        if name in page.filters:
            conditions.append(column == page.filters[name])
    query = select(tool_line_item).where(*conditions).order_by(table.id).limit(page.limit + 1)
    rows = [_column(row) for row in db.execute(query)]
    return rows[: page.limit], len(rows) > page.limit


def column(db: Connection, tool: SchoolTool, context: str, column_id: str, *, lock: bool = False) -> Column:
    """Return one column; with ``lock``, whoever writes to it next waits.

    Raises:
        ServiceRefused: 404, for another tool's and another course's alike.
    """
    if not is_id(column_id):
        raise not_found()
    query = select(tool_line_item).where(_place(tool, context), tool_line_item.c.id == column_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise not_found()
    return _column(row)


def make_own_column(db: Connection, tool: SchoolTool, link: str, context: str, item: LineItem, now: datetime) -> None:
    """Make the column of an activity itself, once: it carries the id of its link."""
    values = {**_values(item), "goes_on": 1, "link": link, "created_at": now}
    key = {"school_id": tool.school_id, "id": link, "tool": tool.id, "context": context}
    upsert(db, tool_line_item, {**key, **values}, ("school_id", "id"), keep=tuple(values))


def add_column(db: Connection, tool: SchoolTool, context: str, item: LineItem, now: datetime) -> Column:
    """Add a column of the tool's own; its marks stay in Kopir.

    Raises:
        ServiceRefused: 403, the link is not the tool's in this course, or there are too many columns.
    """
    if item.resource_link_id and not _has_link(db, tool, context, item.resource_link_id):
        text = N_("resourceLinkId names no activity of this tool in this course.")
        raise ServiceRefused(403, "access_denied", "foreign_link", say(text))
    if (db.scalar(select(func.count()).select_from(tool_line_item).where(_place(tool, context))) or 0) >= MOST_COLUMNS:
        text = N_("The course has {limit} columns of this tool already.")
        raise ServiceRefused(403, "access_denied", "too_many_columns", say(text, limit=MOST_COLUMNS))
    column_id = new_id()
    values = {
        "school_id": tool.school_id, "id": column_id, "tool": tool.id, "context": context, "goes_on": 0,
        "link": item.resource_link_id or None, "created_at": now, **_values(item),
    }  # fmt: skip
    db.execute(tool_line_item.insert().values(values))
    return column(db, tool, context, column_id)


def change_column(db: Connection, tool: SchoolTool, found: Column, item: LineItem) -> Column:
    """Replace what a column says of itself (AGS 2.0, section 3.2.9: id and link stay)."""
    if item.resource_link_id and item.resource_link_id != found.link:
        text = N_("A line item keeps its resourceLinkId.")
        raise ServiceRefused(400, "invalid_request", "link_changed", say(text))
    mine = (tool_line_item.c.school_id == tool.school_id) & (tool_line_item.c.id == found.id)
    db.execute(tool_line_item.update().where(mine).values(_values(item)))
    return column(db, tool, found.context, found.id)


def remove_column(db: Connection, tool: SchoolTool, found: Column) -> None:
    """Remove a column of the tool's own with its scores; the activity's own column is the teacher's.

    Raises:
        ServiceRefused: 403, it is the activity's own.
    """
    if found.goes_on:
        text = N_("This column belongs to the activity; the teacher removes it with the activity.")
        raise ServiceRefused(403, "access_denied", "own_column", say(text))
    mine = (tool_line_item.c.school_id == tool.school_id) & (tool_line_item.c.id == found.id)
    db.execute(tool_line_item.delete().where(mine))


def not_found() -> ServiceRefused:
    """Say that there is nothing of this tool's."""
    return ServiceRefused(404, "not_found", "not_found", say(N_("There is nothing here of this tool.")))


def _has_link(db: Connection, tool: SchoolTool, context: str, link: str) -> bool:
    query = select(tool_link.c.id).where(
        tool_link.c.school_id == tool.school_id,
        tool_link.c.tool == tool.id,
        tool_link.c.context == context,
        tool_link.c.id == link,
    )
    return db.execute(query).first() is not None


def _place(tool: SchoolTool, context: str) -> ColumnElement[bool]:
    table = tool_line_item.c
    return (table.school_id == tool.school_id) & (table.tool == tool.id) & (table.context == context)


def _values(item: LineItem) -> dict[str, Any]:
    return {
        "label": item.label, "maximum": canonical(item.maximum), "resource_id": item.resource_id, "tag": item.tag,
        "starts_at": item.starts_at, "ends_at": item.ends_at, "released": int(item.grades_released),
    }  # fmt: skip


def _column(row: Any) -> Column:
    item = LineItem(
        label=row.label,
        maximum=Decimal(row.maximum),
        resource_id=row.resource_id,
        tag=row.tag,
        resource_link_id=row.link or "",
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        grades_released=bool(row.released),
    )
    return Column(row.id, row.context, row.link or "", bool(row.goes_on), item)
