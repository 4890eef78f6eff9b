"""Which works both sides have, and where a work that only the left has lands on the right."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.db.tables.launches import activity
from mappings.grade_kinds import ItemFacts, Kind
from sync.model import LineItem
from sync.reconcile.match import Link, Place, Placement, place_item
from sync.runs.columns import Column
from sync.runs.runtime import zone_of
from sync.store import cells, connections
from sync.store.connections import GroupLink, ItemLink, SyncConnection

CERTAIN = {"linked_id": "linked", "tag:resource_id": "tag", "tag": "tag", "title+date": "title+date"}
"""What a rule of ``match`` is kept as."""


@dataclass(frozen=True)
class _Activity:
    plugin: str
    tag: str
    settings: AnyMapping[str, Any]


def _activity(db: Connection, school: str, resource_id: str) -> _Activity | None:
    row = db.execute(
        select(activity.c.plugin, activity.c.tag, activity.c.settings).where(
            activity.c.school_id == school, activity.c.id == resource_id
        )
    ).first()
    return None if row is None else _Activity(row.plugin, row.tag, row.settings)


def kind_of(db: Connection, connection: SyncConnection, item: LineItem) -> Kind | None:
    """Return what the marks of a left column count as; None for a column that is not carried."""
    known = _activity(db, connection.school, item.resource_id) if item.resource_id else None
    kind = known.plugin if known else item.tag or "line_item"
    tag = item.tag or (known.tag if known else "")
    return connection.mapping.kind_of(ItemFacts(kind, tag, item.resource_id, item.title))


def candidates(works: Sequence[LineItem], column: Column, taken: frozenset[str]) -> list[LineItem]:
    """Return the works of a column's lesson that stand for no other column."""
    lesson = column.link.right_lesson
    return [work for work in works if lesson and work.lesson_id == lesson and work.id not in taken]


def free_work(db: Connection, connection: SyncConnection, link: GroupLink, column: Column) -> LineItem | None:
    """Return the one work of a column's lesson that is nobody's and holds no mark yet: where a person types.

    Only for a journal that programs may not write: the entry sheet names this column, and the next read looks there.
    """
    school, which = connection.school, connection.id
    links = connections.item_links(db, school, link.id)
    taken = frozenset(one.right_item for one in links if one.right_item)
    works = cells.items(db, school, which, "right", link.id)
    marked = {result.item_id for result, missing in cells.results(db, school, which, "right", link.id) if not missing}
    found = candidates(works, column, taken)
    return found[0] if len(found) == 1 and found[0].id not in marked else None


def keep_places(db: Connection, connection: SyncConnection, link: GroupLink, now: datetime) -> list[LineItem]:
    """Find or place every carried work of a group, keep where it stands, and return the right side's works to read.

    A work's day is its due date, else the due date of the activity behind it, else the day of its first mark.
    """
    columns = _place_all(db, connection, link)
    for column in columns:
        connections.save_item_link(db, connection.school, column.link, now)
    works = cells.items(db, connection.school, connection.id, "right", link.id)
    found = {column.right.id: column.right for column in columns if column.right is not None}
    taken = frozenset(found)
    for column in columns:
        if column.right is None and not column.hold:
            found |= {work.id: work for work in candidates(works, column, taken)}
    return [found[key] for key in sorted(found)]


def columns(db: Connection, connection: SyncConnection, link: GroupLink, *, writable: bool) -> dict[str, Column]:
    """Return the comparable works of a group by internal id, each with why a write to it would wait.

    Args:
        db: A transaction.
        connection: The connection.
        link: The group.
        writable: Marks can be written on the right; else a missing work is a person's to make while typing.
    """
    known = {one.left_item: one.id for one in connections.item_links(db, connection.school, link.id)}
    found: dict[str, Column] = {}
    for column in _place_all(db, connection, link):
        item = known.get(column.link.left_item)
        if item is None or column.hold == "counterpart_not_here":
            continue
        hold = column.hold
        if not hold and column.right is None and writable:
            wish = connection.mapping.file.items.create_work
            hold = {"auto": "", "ask": "create_work", "never": "no_new_work"}[wish]
        found[item] = replace(column, link=replace(column.link, id=item), hold=hold)
    return found


def _place_all(db: Connection, connection: SyncConnection, link: GroupLink) -> list[Column]:
    school = connection.school
    lefts = cells.items(db, school, connection.id, "left", link.id)
    works = cells.items(db, school, connection.id, "right", link.id)
    lessons = cells.lessons(db, school, connection.id, "right", link.id)
    linked = {one.left_item: one for one in connections.item_links(db, school, link.id)}
    known = [Link(one.left_item, one.right_item) for one in linked.values() if one.right_item]
    first_marks = _first_marks(db, connection, link)
    rules = connection.mapping.file.items
    by_id = {work.id: work for work in works}
    placed = []
    for item in lefts:
        kind = kind_of(db, connection, item)
        if kind is None:
            continue
        dated = replace(item, due=_day_of(db, school, item, first_marks))
        place = place_item(dated, lessons, works, Place(rules.place), known, rules.find)
        placed.append(_column(link, dated, kind, place, by_id.get(place.work), linked.get(item.id)))
    return _without_doubles(placed)


def _column(
    link: GroupLink, item: LineItem, kind: str, place: Placement, work: LineItem | None, known: ItemLink | None
) -> Column:
    lesson = work.lesson_id if work is not None else place.lesson
    right = place.work
    if place.hold and known is not None:
        # What was linked stays linked while its counterpart is out of sight.
        right, lesson = known.right_item, known.right_lesson
    how = CERTAIN.get(place.rule, "placed")
    return Column(ItemLink("", link.id, item.id, right, lesson, kind, how), item, work, place.hold)


def _without_doubles(placed: list[Column]) -> list[Column]:
    """Hold works that would share one work of the journal: two columns never write into one cell."""
    taken: dict[str, int] = {}
    for column in placed:
        if column.right is not None:
            taken[column.right.id] = taken.get(column.right.id, 0) + 1
    return [
        replace(column, right=None, hold="several_works", link=replace(column.link, right_item=""))
        if column.right is not None and taken[column.right.id] > 1
        else column
        for column in placed
    ]


def _first_marks(db: Connection, connection: SyncConnection, link: GroupLink) -> dict[str, date]:
    zone = zone_of(db, connection.school)
    found: dict[str, date] = {}
    for result, missing in cells.results(db, connection.school, connection.id, "left", link.id):
        if missing or result.changed_at is None:
            continue
        day = result.changed_at.astimezone(zone).date()
        found[result.item_id] = min(found.get(result.item_id, day), day)
    return found


def _day_of(db: Connection, school: str, item: LineItem, first_marks: dict[str, date]) -> date | None:
    if item.due is not None:
        return item.due
    known = _activity(db, school, item.resource_id) if item.resource_id else None
    said = known.settings.get("due") if known else None
    if isinstance(said, str) and len(said) >= 10:
        return date.fromisoformat(said[:10])
    return first_marks.get(item.id)
