"""Kopir's own attendance register: lessons as the journal numbers them, one canonical code per pupil and lesson."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, insert, select, update

from sync.model import Lesson
from sync.store.sql import batches, upsert
from sync.store.tables.register import register_entry, register_lesson


@dataclass(frozen=True)
class Entry:
    """One entry of the register.

    Attributes:
        lesson: The lesson's id.
        person: The pupil, by internal id.
        day: Civil date of the lesson.
        code: Canonical code: ``present``, ``absent_ill``, ….
        changed_at: When Kopir wrote it.
    """

    lesson: str
    person: str
    day: date
    code: str
    changed_at: datetime


def save_lessons(db: Connection, school: str, lessons: Iterable[Lesson], now: datetime) -> None:
    """Keep the journal's lessons, so that an entry has something to hang on; at most 500 at a time."""
    rows = [
        {
            "school_id": school,
            "lesson": lesson.id,
            "group_id": lesson.group_id,
            "subject_id": lesson.subject_id,
            "day": lesson.day.isoformat(),
            "number": lesson.number,
            "title": lesson.title,
            "seen_at": now,
        }
        for lesson in lessons
    ]
    for batch in batches(rows):
        upsert(db, register_lesson, batch)


def lessons_of(db: Connection, school: str, group: str, subject: str, first: date, last: date) -> list[Lesson]:
    """Return the register's lessons of a group and subject (any subject when empty), days included."""
    table = register_lesson
    wanted = [
        table.c.school_id == school,
        table.c.group_id == group,
        table.c.day >= first.isoformat(),
        table.c.day <= last.isoformat(),
    ]
    if subject:
        wanted.append(table.c.subject_id == subject)
    rows = db.execute(select(table).where(*wanted).order_by(table.c.day, table.c.number, table.c.lesson))
    return [
        Lesson(row.lesson, row.group_id, row.subject_id, date.fromisoformat(row.day), row.number, row.title)
        for row in rows
    ]


def entries_of(db: Connection, school: str, lessons: Sequence[str]) -> list[Entry]:
    """Return the entries of these lessons, by lesson and person."""
    table = register_entry
    found: list[Entry] = []
    for batch in batches(lessons):
        rows = db.execute(
            select(table)
            .where(table.c.school_id == school, table.c.lesson.in_(batch))
            .order_by(table.c.lesson, table.c.person)
        )
        found += [Entry(row.lesson, row.person, date.fromisoformat(row.day), row.code, row.changed_at) for row in rows]
    return found


def code_of(db: Connection, school: str, lesson: str, person: str) -> str | None:
    """Return the code in one cell, or None for an empty one."""
    table = register_entry
    where = (table.c.school_id == school, table.c.lesson == lesson, table.c.person == person)
    code: str | None = db.scalar(select(table.c.code).where(*where))
    return code


def day_of(db: Connection, school: str, lesson: str) -> str | None:
    """Return a lesson's civil date as ISO text, or None for a lesson the register does not hold."""
    table = register_lesson
    day: str | None = db.scalar(select(table.c.day).where(table.c.school_id == school, table.c.lesson == lesson))
    return day


def set_code(
    db: Connection, school: str, lesson: str, person: str, *, expect: str | None, after: str | None, now: datetime
) -> bool:
    """Write or clear one cell if it still holds what was expected; tell whether it did.

    The lesson must be in the register; the caller looks with ``day_of``.
    """
    table = register_entry
    cell = (table.c.school_id == school, table.c.lesson == lesson, table.c.person == person)
    if expect is None:
        return code_of(db, school, lesson, person) is None and _add(db, school, lesson, person, after, now)
    if after is None:
        return db.execute(delete(table).where(*cell, table.c.code == expect)).rowcount == 1
    changed = db.execute(update(table).where(*cell, table.c.code == expect).values(code=after, changed_at=now))
    return changed.rowcount == 1


def _add(db: Connection, school: str, lesson: str, person: str, after: str | None, now: datetime) -> bool:
    if after is None:
        return True
    day = day_of(db, school, lesson)
    row = {"school_id": school, "lesson": lesson, "person": person, "day": day, "code": after}
    db.execute(insert(register_entry).values(**row, changed_at=now))
    return True
