"""Which works both sides have, and where a work that only the left has lands on the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from connector.db.tables.launches import activity
from mappings.grade_kinds import ItemFacts, Kind
from sync.model import LineItem
from sync.reconcile.match import Link
from sync.reconcile.match_items import Place, Placement, place_item
from sync.runs.columns import Column
from sync.runs.runtime import zone_of
from sync.store import cells, connections
from sync.store.connections import GroupLink, ItemLink, SyncConnection
from sync.store.scopes import Shelf, first_marks, shelves
from sync.store.sql import batches

CERTAIN = {"linked_id": "linked", "tag:resource_id": "tag", "tag": "tag", "title+date": "title+date"}
"""What a rule of ``match`` is kept as."""


@dataclass(frozen=True)
class _Activity:
    plugin: str
    tag: str
    settings: AnyMapping[str, Any]


class Activities:
    """What Kopir knows of the works behind left columns, each asked for once."""

    def __init__(self, db: Connection, school: str) -> None:
        """Take a transaction and the school."""
        self._db = db
        self._school = school
        self._known: dict[str, _Activity | None] = {"": None}

    def fetch(self, ids: Iterable[str]) -> None:
        """Ask for several at once."""
        for batch in batches(sorted(set(ids) - self._known.keys())):
            where = (activity.c.school_id == self._school, activity.c.id.in_(batch))
            columns = (activity.c.id, activity.c.plugin, activity.c.tag, activity.c.settings)
            rows = self._db.execute(select(*columns).where(*where))
            self._known |= dict.fromkeys(batch)
            self._known |= {row.id: _Activity(row.plugin, row.tag, row.settings) for row in rows}

    def get(self, resource_id: str) -> _Activity | None:
        """Return one, if it is ours."""
        if resource_id not in self._known:
            self.fetch([resource_id])
        return self._known[resource_id]


def kind_of(db: Connection, connection: SyncConnection, item: LineItem) -> Kind | None:
    """Return what the marks of a left column count as; None for a column that is not carried."""
    return _kind_of(Activities(db, connection.school), connection, item)


def _kind_of(activities: Activities, connection: SyncConnection, item: LineItem) -> Kind | None:
    known = activities.get(item.resource_id)
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
    shelf = shelves(db, connection.school, connection.id, [link])[link.id]
    columns = _place_all(db, connection, shelf, Activities(db, connection.school))
    for column in columns:
        connections.save_item_link(db, connection.school, column.link, now)
    works = shelf.works
    found = {column.right.id: column.right for column in columns if column.right is not None}
    taken = frozenset(found)
    for column in columns:
        if column.right is None and not column.hold:
            found |= {work.id: work for work in candidates(works, column, taken)}
    return [found[key] for key in sorted(found)]


def columns(
    db: Connection, connection: SyncConnection, shelf: Shelf, activities: Activities, *, writable: bool
) -> dict[str, Column]:
    """Return the comparable works of a group by internal id, each with why a write to it would wait.

    Args:
        db: A transaction.
        connection: The connection.
        shelf: What is kept of the group.
        activities: What Kopir knows of the works.
        writable: Marks can be written on the right; else a missing work is a person's to make while typing.
    """
    known = {one.left_item: one.id for one in shelf.item_links}
    found: dict[str, Column] = {}
    for column in _place_all(db, connection, shelf, activities):
        item = known.get(column.link.left_item)
        if item is None or column.hold == "counterpart_not_here":
            continue
        hold = column.hold
        if not hold and column.right is None and writable:
            wish = connection.mapping.file.items.create_work
            hold = {"auto": "", "ask": "create_work", "never": "no_new_work"}[wish]
        found[item] = replace(column, link=replace(column.link, id=item), hold=hold)
    return found


def _place_all(db: Connection, connection: SyncConnection, shelf: Shelf, activities: Activities) -> list[Column]:
    linked = {one.left_item: one for one in shelf.item_links}
    known = [Link(one.left_item, one.right_item) for one in linked.values() if one.right_item]
    rules = connection.mapping.file.items
    by_id = {work.id: work for work in shelf.works}
    dates = _Dates(db, connection, shelf.link, activities)
    placed = []
    for item in shelf.lefts:
        kind = _kind_of(activities, connection, item)
        if kind is None:
            continue
        day = dates.of(item)
        dated = item if day == item.due else replace(item, due=day)
        place = place_item(dated, shelf.lessons, shelf.works, Place(rules.place), known, rules.find)
        placed.append(_column(shelf.link, dated, kind, place, by_id.get(place.work), linked.get(item.id)))
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


class _Dates:
    """The day of each column of a group; its marks are looked at only when nothing else tells."""

    def __init__(self, db: Connection, connection: SyncConnection, link: GroupLink, activities: Activities) -> None:
        self._db = db
        self._connection = connection
        self._link = link
        self._activities = activities

    def of(self, item: LineItem) -> date | None:
        if item.due is not None:
            return item.due
        known = self._activities.get(item.resource_id)
        said = known.settings.get("due") if known else None
        if isinstance(said, str) and len(said) >= 10:
            return date.fromisoformat(said[:10])
        return self._first_marks.get(item.id)

    @cached_property
    def _first_marks(self) -> dict[str, date]:
        school = self._connection.school
        zone = zone_of(self._db, school)
        found = first_marks(self._db, school, self._connection.id, self._link.id)
        return {item: at.astimezone(zone).date() for item, at in found.items()}
