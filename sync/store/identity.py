"""Merges, pins and doubts about who is who, and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from connector.base.ids import new_id
from sync.store.sql import upsert
from sync.store.tables.identity import person_doubt, person_event, person_merge, person_pin


class Merge(NamedTuple):
    """A second account: its person, whose it is, and the ids (type, issuer, value) that went over."""

    person: str
    kept: str
    moved: tuple[tuple[str, str, str], ...]
    at: datetime


class Doubt(NamedTuple):
    """A person two sources link differently.

    Attributes:
        person: The person.
        group_link: The group in which it was seen.
        reason: Code (``match.explain_match``).
        candidates: The right side's ids in question.
        since: When it was first seen.
    """

    person: str
    group_link: str
    reason: str
    candidates: tuple[str, ...]
    since: datetime


@dataclass(frozen=True)
class Event:
    """One line of a person's history.

    Attributes:
        person: Whom it is about.
        action: ``joined``, ``parted``, ``merged``, ``split``, ``pinned``, ``unpinned``, ``renamed``, ``id_changed``.
        who: Who did it; ``system`` for what a read showed.
        at: When.
        connection: The pair of systems, where one is meant.
        other: The other person of a merge or split.
        external_id: The journal's id it is about.
        how: The rule or kind: ``idnumber``, ``iin``, ``name+class``, ``spelling``, ….
        note: What the person typed as the reason.
    """

    person: str
    action: str
    who: str
    at: datetime
    connection: str | None = None
    other: str | None = None
    external_id: str = ""
    how: str = ""
    note: str = ""


def note(db: Connection, school: str, events: Iterable[Event]) -> None:
    """Write events down."""
    rows = [{"school_id": school, "id": new_id(), **vars(event)} for event in events]
    if rows:
        db.execute(insert(person_event), rows)


def events(db: Connection, school: str, person: str) -> list[Event]:
    """Return a person's history, oldest first; merges show on both people."""
    table = person_event
    whose = (table.c.person == person) | (table.c.other == person)
    rows = db.execute(select(table).where(table.c.school_id == school, whose).order_by(table.c.at, table.c.id))
    return [Event(**{name: getattr(row, name) for name in Event.__dataclass_fields__}) for row in rows]


def merges(db: Connection, school: str) -> dict[str, Merge]:
    """Return all merges by the person of the second account."""
    rows = db.execute(select(person_merge).where(person_merge.c.school_id == school))
    return {
        row.person: Merge(row.person, row.kept, tuple((a, b, c) for a, b, c in row.moved), row.merged_at)
        for row in rows
    }


def add_merge(db: Connection, school: str, merge: Merge, who: str) -> None:
    """Remember that a person is a second account of another."""
    values = {"moved": [list(one) for one in merge.moved], "merged_by": who, "merged_at": merge.at}
    db.execute(insert(person_merge).values(school_id=school, person=merge.person, kept=merge.kept, **values))


def drop_merge(db: Connection, school: str, person: str) -> None:
    """Forget that a person is a second account."""
    db.execute(delete(person_merge).where(person_merge.c.school_id == school, person_merge.c.person == person))


def pins(db: Connection, school: str, connection: str) -> frozenset[str]:
    """Return the people whose link is pinned."""
    where = (person_pin.c.school_id == school, person_pin.c.connection == connection)
    return frozenset(db.scalars(select(person_pin.c.person).where(*where)))


def pinned_anywhere(db: Connection, school: str, people: Sequence[str]) -> frozenset[str]:
    """Return who of these is pinned in any connection."""
    where = (person_pin.c.school_id == school, person_pin.c.person.in_(list(people)))
    return frozenset(db.scalars(select(person_pin.c.person).where(*where)))


def set_pin(db: Connection, school: str, connection: str, person: str, who: str, now: datetime) -> None:
    """Pin a person's link."""
    row = {"school_id": school, "connection": connection, "person": person, "pinned_by": who, "pinned_at": now}
    upsert(db, person_pin, [row], keep=("pinned_by", "pinned_at"))


def drop_pin(db: Connection, school: str, connection: str, person: str) -> None:
    """Unpin a person's link."""
    table = person_pin.c
    where = (table.school_id == school, table.connection == connection, table.person == person)
    db.execute(delete(person_pin).where(*where))


def doubts(db: Connection, school: str, connection: str) -> Mapping[str, Doubt]:
    """Return the people in doubt."""
    where = (person_doubt.c.school_id == school, person_doubt.c.connection == connection)
    rows = db.execute(select(person_doubt).where(*where))
    return {row.person: Doubt(row.person, row.group_link, row.reason, tuple(row.candidates), row.since) for row in rows}


def save_doubts(
    db: Connection, school: str, connection: str, link: str, here: Iterable[str], found: Sequence[Doubt]
) -> None:
    """Put what was found about the people of a group in place of what was known; the rest of the school stays.

    Args:
        db: A writing transaction.
        school: The school.
        connection: The connection.
        link: The group that was matched.
        here: The people the group was matched with.
        found: Who of them is in doubt.
    """
    known = doubts(db, school, connection)
    doubted = {doubt.person for doubt in found}
    over = [one.person for one in known.values() if one.person not in doubted and (one.person in set(here))]
    if over:
        table = person_doubt.c
        where = (table.school_id == school, table.connection == connection, table.person.in_(over))
        db.execute(delete(person_doubt).where(*where))
    rows = [
        {"school_id": school, "connection": connection, "person": one.person, "group_link": link,
         "reason": one.reason, "candidates": list(one.candidates), "since": one.since}
        for one in found
    ]  # fmt: skip
    if rows:
        upsert(db, person_doubt, rows, keep=("since",))
