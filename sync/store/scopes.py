"""What many groups hold, read in a few statements: a plan of thousands of classes cannot ask each one by one.

Rows come as the driver's own tuples wherever no value needs a conversion; a row of an older version, which has no
``value`` beside its JSON, brings the JSON instead.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, select

from sync.model import AcademicSession, Lesson, LineItem, Role
from sync.reconcile.types import CellKind, scope_text
from sync.store import cells, identity
from sync.store.cells import ReadProof
from sync.store.connections import GroupLink, ItemLink, SyncConnection, item_link_of
from sync.store.people import id_type
from sync.store.sql import batches, tuples
from sync.store.tables.cells import base, scope_read, snapshot
from sync.store.tables.connections import group_link, item_link
from sync.store.tables.people import identifier
from sync.systems.contract import Evidence

KINDS = {CellKind.GRADE: "result", CellKind.ATTENDANCE: "attendance"}
"""What a kind of cells is kept as."""


class Kept(NamedTuple):
    """One mark or register entry as the last reads left it; plain tuples of this shape are what the database gives.

    Attributes:
        link: The group.
        key: The two ids of the system, as ``cells.record_key`` writes them.
        value: The raw value.
        missing: How many complete reads in a row did not find it.
        changed: The system's own time of its last change, ISO 8601.
    """

    link: str
    key: str
    value: str
    missing: int
    changed: str | None


@dataclass(frozen=True)
class Shelf:
    """What is kept of one group besides its marks.

    Attributes:
        link: The pair of groups.
        lefts: Left's columns by id.
        works: Right's works by id.
        lessons: Right's lessons by day and number.
        item_links: The works that were found on both sides, or placed.
        proofs: The last reads.
        sessions: The journal's reporting periods.
    """

    link: GroupLink
    lefts: list[LineItem] = field(default_factory=list)
    works: list[LineItem] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    item_links: list[ItemLink] = field(default_factory=list)
    proofs: dict[tuple[str, str], ReadProof] = field(default_factory=dict)
    sessions: tuple[AcademicSession, ...] = ()


def shelves(db: Connection, school: str, connection: str, links: Iterable[GroupLink]) -> dict[str, Shelf]:
    """Return what is kept of these groups, by link, in their order."""
    found = {link.id: Shelf(link) for link in links}
    _courses(db, school, connection, found)
    links_of = select(item_link).where(item_link.c.school_id == school, item_link.c.group_link.in_(found))
    for row in db.execute(links_of.order_by(item_link.c.id)):
        found[row.group_link].item_links.append(item_link_of(row))
    for link, proof in proofs(db, school, found):
        found[link].proofs[(proof.side, proof.kind)] = proof
    return {link: _with_sessions(shelf, kept) for link, (shelf, kept) in _sessions(db, school, found).items()}


def _sessions(db: Connection, school: str, found: dict[str, Shelf]) -> dict[str, tuple[Shelf, Any]]:
    where = (group_link.c.school_id == school, group_link.c.id.in_(found))
    kept = dict(tuples(db, select(group_link.c.id, group_link.c.sessions).where(*where)))
    return {link: (shelf, kept.get(link)) for link, shelf in found.items()}


def _with_sessions(shelf: Shelf, text: str | None) -> Shelf:
    sessions = cells.sessions_of(json.loads(text)) if text and text != "[]" else ()
    return Shelf(**{**vars(shelf), "sessions": sessions})


def pairs(db: Connection, connection: SyncConnection, links: Collection[str]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the joined pupils who are in both rosters: by group, internal id → (left id, right id), by internal id.

    Second accounts, and pupils whom two sources link differently, are not among them.
    """
    stopped = {*identity.merges(db, connection.school), *identity.doubts(db, connection.school, connection.id)}
    table, mine, theirs = snapshot.c, identifier.alias(), identifier.alias()
    known = _known_as(mine, connection, connection.left) & (mine.c.value == table.key)
    joined = _known_as(theirs, connection, connection.right) & (theirs.c.person == mine.c.person)
    raw = case((table.value.is_(None), table.raw))
    rows = (
        select(table.group_link, mine.c.person, table.key, theirs.c.value, table.value, raw)
        .select_from(snapshot.join(mine, known).join(theirs, joined))
        .where(*_where(connection.school, connection.id, "left", links, "person"), table.missing == 0)
    )
    there = _roster(db, connection, links)
    found: dict[str, dict[str, tuple[str, str]]] = {link: {} for link in links}
    for link, whom, left, right, value, whole in sorted(tuples(db, rows), key=itemgetter(0, 1)):
        if whom not in stopped and (link, right) in there and _is_pupil(value, whole):
            found[link][whom] = (left, right)
    return found


def _known_as(table: Any, connection: SyncConnection, system: str) -> ColumnElement[bool]:
    return and_(
        table.c.school_id == connection.school,
        table.c.type == id_type(system),
        table.c.issuer == system,
        table.c.ended_at.is_(None),
    )


def _roster(db: Connection, connection: SyncConnection, links: Collection[str]) -> set[tuple[str, str]]:
    """Return the pupils of the right side: (group, right id)."""
    table = snapshot.c
    rows = select(table.group_link, table.key, table.value, case((table.value.is_(None), table.raw))).where(
        *_where(connection.school, connection.id, "right", links, "person"), table.missing == 0
    )
    return {(link, key) for link, key, value, whole in tuples(db, rows) if _is_pupil(value, whole)}


def _is_pupil(role: str | None, whole: str | None) -> bool:
    return (role or json.loads(whole or "{}").get("role")) == Role.PUPIL


def _courses(db: Connection, school: str, connection: str, found: dict[str, Shelf]) -> None:
    table = snapshot.c
    for side, kind in (("left", "item"), ("right", "item"), ("right", "lesson")):
        where = (*_where(school, connection, side, found, kind), table.missing == 0)
        rows = select(table.group_link, table.raw).where(*where).order_by(table.group_link, table.key)
        for link, raw in tuples(db, rows):
            shelf = found[link]
            if kind == "lesson":
                shelf.lessons.append(cells.lesson_of(json.loads(raw)))
            else:
                (shelf.lefts if side == "left" else shelf.works).append(cells.item_of(json.loads(raw)))
    for shelf in found.values():
        shelf.lessons.sort(key=lambda lesson: (lesson.day, lesson.number, lesson.id))


def _where(school: str, connection: str, side: str, links: Collection[str], kind: str) -> tuple[Any, ...]:
    table = snapshot.c
    return (
        table.school_id == school,
        table.connection == connection,
        table.side == side,
        table.group_link.in_(list(links)),
        table.kind == kind,
    )


def proofs(db: Connection, school: str, links: Collection[str]) -> Iterator[tuple[str, ReadProof]]:
    """Yield the last reads of these groups, each with its group."""
    table = scope_read
    for row in db.execute(select(table).where(table.c.school_id == school, table.c.group_link.in_(list(links)))):
        yield (
            row.group_link,
            ReadProof(
                row.side, row.kind, Evidence(row.evidence), row.reason, row.found, row.known, row.read_at,
                row.complete_at,
            ),
        )  # fmt: skip


class Told(NamedTuple):
    """What the last read of one kind of records proved, in short.

    Attributes:
        evidence: What absence meant.
        reason: Code for anything but complete.
        found: How many records it gave.
    """

    evidence: Evidence
    reason: str
    found: int


def told(
    db: Connection, school: str, links: Sequence[GroupLink]
) -> Iterator[tuple[GroupLink, dict[tuple[str, str], Told]]]:
    """Yield what the last reads of each group proved, in the groups' order; only a few groups' are held at a time."""
    table = scope_read.c
    columns = (table.group_link, table.side, table.kind, table.evidence, table.reason, table.found)
    for batch in batches(links):
        found: dict[str, dict[tuple[str, str], Told]] = {link.id: {} for link in batch}
        rows = select(*columns).where(table.school_id == school, table.group_link.in_(found))
        for link, side, kind, evidence, reason, number in tuples(db, rows):
            found[link][(side, kind)] = Told(Evidence(evidence), reason, number)
        yield from ((one, found[one.id]) for one in batch)


def values(
    db: Connection, school: str, connection: str, side: str, links: Collection[str], kind: CellKind
) -> dict[str, dict[str, Kept]]:
    """Return the marks or entries of one side by group and by key, those that were not found again included."""
    table = snapshot.c
    raw = case((table.value.is_(None), table.raw))
    columns = (table.group_link, table.key, table.value, table.missing, table.changed, raw)
    rows = select(*columns).where(*_where(school, connection, side, links, KINDS[kind]))
    found: Sequence[Any] = tuples(db, rows.order_by(table.group_link, table.key))
    return {
        link: {row[1]: row if row[5] is None else _older(row) for row in part}
        for link, part in groupby(found, itemgetter(0))
    }


def _older(row: Any) -> Any:
    raw = json.loads(row[5])
    return (row[0], row[1], raw["raw"], row[3], raw.get("changed_at"))


def bases(db: Connection, school: str, connection: str, links: Collection[str], kind: CellKind) -> dict[str, Any]:
    """Return what was last agreed in these groups by cell: (key, left's value, right's value, mapping version)."""
    table = base.c
    prefixes = sorted(scope_text(kind, link) + "|" for link in links)
    columns = (table.key, table.left_raw, table.right_raw, table.mapping_version)
    mine = (table.school_id == school, table.connection == connection, table.group_link.in_(list(links)))
    # One range of the key holds the groups: "}" comes right after the "|" that ends a scope.
    rows = select(*columns).where(*mine, table.key >= prefixes[0], table.key < prefixes[-1][:-1] + "}")
    return {row[0]: row for row in tuples(db, rows)}


def first_marks(db: Connection, school: str, connection: str, link: str) -> dict[str, datetime]:
    """Return when the first mark of each left column that is there was given, as far as the left says."""
    kept = values(db, school, connection, "left", [link], CellKind.GRADE).get(link, {})
    found: dict[str, datetime] = {}
    for _link, key, _value, missing, changed, *_ in kept.values():
        if not missing and changed is not None:
            item, at = json.loads(key)[0], datetime.fromisoformat(changed)
            found[item] = min(found.get(item, at), at)
    return found
