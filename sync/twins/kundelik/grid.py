"""What the pages show: one subject and quarter as a grid, one lesson as a list, the latest changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sync.twins.kundelik.register import letter


@dataclass(frozen=True)
class WorkColumn:
    """A work of a lesson."""

    id: int
    label: str
    abbr: str
    scale: str


@dataclass(frozen=True)
class LessonColumn:
    """A lesson with its works."""

    id: int
    day: date
    number: int
    title: str
    works: tuple[WorkColumn, ...]


@dataclass(frozen=True)
class Pupil:
    """One line of the class, in the journal's order."""

    id: int
    place: int
    name: str
    short: str


@dataclass(frozen=True)
class Grid:
    """One subject in one quarter.

    Attributes:
        lessons: Columns by time.
        pupils: Lines in the journal's order.
        marks: Text by (person, work); a pair is parted by a slash.
        letters: Register letter by (person, lesson), in the page's language.
        finals: Quarter mark by person.
    """

    lessons: tuple[LessonColumn, ...]
    pupils: tuple[Pupil, ...]
    marks: dict[tuple[int, int], str]
    letters: dict[tuple[int, int], str]
    finals: dict[int, str]


@dataclass(frozen=True)
class Change:
    """One line of the list of changes."""

    at: datetime
    author: str
    via: str
    pupil: str
    place: str
    before: str
    after: str


def pupils(db: sqlite3.Connection) -> tuple[Pupil, ...]:
    """Return the class in the journal's order."""
    found = db.execute("SELECT * FROM person WHERE role = 'EduStudent' ORDER BY place")
    return tuple(
        Pupil(row["id"], row["place"], _full(row), f"{row['last_name']} {row['first_name'][0]}.") for row in found
    )


def _full(row: sqlite3.Row) -> str:
    return " ".join(part for part in (row["last_name"], row["first_name"], row["middle_name"]) if part)


def read_grid(db: sqlite3.Connection, subject: int, quarter: int, language: str) -> Grid:
    """Return a subject's grid for a quarter."""
    where = """lesson.subject = ? AND lesson.date BETWEEN
    (SELECT start FROM period WHERE number = ?) AND (SELECT finish FROM period WHERE number = ?)"""
    lessons = _lessons(db, where, (subject, quarter, quarter))
    finals = db.execute(
        "SELECT person, value FROM final_mark JOIN period ON period.id = period WHERE subject = ? AND number = ?",
        (subject, quarter),
    )
    return Grid(
        lessons,
        pupils(db),
        marks_of(db, [work.id for lesson in lessons for work in lesson.works]),
        letters_of(db, [lesson.id for lesson in lessons], language),
        {row["person"]: row["value"] for row in finals},
    )


def read_lesson(db: sqlite3.Connection, lesson: int) -> LessonColumn | None:
    """Return one lesson, or None."""
    found = _lessons(db, "lesson.id = ?", (lesson,))
    return found[0] if found else None


def _lessons(db: sqlite3.Connection, where: str, values: tuple[int, ...]) -> tuple[LessonColumn, ...]:
    query = f"""SELECT lesson.*, work.id AS work, work.text, work.mark_type, work_type.title AS kind, abbr FROM lesson
    JOIN work ON work.lesson = lesson.id JOIN work_type ON work_type.id = work.work_type
    WHERE {where} ORDER BY lesson.date, lesson.number, work.id"""  # noqa: S608 — the conditions are written here.
    hung: dict[int, list[sqlite3.Row]] = {}
    for row in db.execute(query, values):
        hung.setdefault(row["id"], []).append(row)
    return tuple(_lesson(rows) for rows in hung.values())


def _lesson(rows: list[sqlite3.Row]) -> LessonColumn:
    first = rows[0]
    works = tuple(WorkColumn(row["work"], row["text"] or row["kind"], row["abbr"], row["mark_type"]) for row in rows)
    return LessonColumn(first["id"], date.fromisoformat(first["date"]), first["number"], first["title"], works)


def _questions(keys: list[int]) -> str:
    return ", ".join("?" * len(keys))


def marks_of(db: sqlite3.Connection, works: list[int]) -> dict[tuple[int, int], str]:
    """Return the text of every cell of these works that has a mark."""
    query = f"SELECT * FROM mark WHERE work IN ({_questions(works)}) ORDER BY number"  # noqa: S608 — question marks.
    found: dict[tuple[int, int], str] = {}
    for row in db.execute(query, works):
        key = (row["person"], row["work"])
        found[key] = f"{found[key]}/{row['value']}" if key in found else row["value"]
    return found


def letters_of(db: sqlite3.Connection, lessons: list[int], language: str) -> dict[tuple[int, int], str]:
    """Return the register's letters of these lessons."""
    query = f"SELECT * FROM log_entry WHERE lesson IN ({_questions(lessons)})"  # noqa: S608 — question marks.
    return {(row["person"], row["lesson"]): letter(row["status"], language) for row in db.execute(query, lessons)}


def read_changes(db: sqlite3.Connection, language: str, most: int = 200) -> tuple[Change, ...]:
    """Return the latest changes, newest first."""
    query = """SELECT change.*, person.last_name, person.first_name, person.middle_name, lesson.date, subject.name
    FROM change JOIN person ON person.id = change.person JOIN lesson ON lesson.id = change.lesson
    JOIN subject ON subject.id = lesson.subject ORDER BY change.id DESC LIMIT ?"""
    return tuple(_changes(db.execute(query, (most,)), language))


def _changes(rows: Iterable[sqlite3.Row], language: str) -> Iterable[Change]:
    for row in rows:
        before, after = (
            row[side] if row["work"] is not None else letter(row[side], language) for side in ("before", "after")
        )
        place = f"{row['name']}, {date.fromisoformat(row['date']):%d.%m}"
        at = datetime.fromisoformat(row["at"])
        yield Change(at, row["author"], row["via"], _full(row), place, before or "", after or "")
