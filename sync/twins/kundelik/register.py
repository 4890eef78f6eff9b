"""The one way marks, register entries and works change: by the API, by the pages or by a test.

Every change is checked, written and noted in the list of changes in one transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from connector.base.i18n import N_, Message, say
from sync.twins.kundelik.store import next_id

STATUSES = ("Attend", "Absent", "Ill", "Late", "Pass")

_SIGNED = tuple(f"{number}{sign}" for number in range(1, 6) for sign in ("-", "", "+"))
SCALES: dict[str, tuple[str, ...]] = {
    "mark5": _SIGNED,
    "mark10": tuple(map(str, range(1, 11))),
    "mark12": tuple(map(str, range(1, 13))),
    "mark100": tuple(map(str, range(1, 101))),
    "abcdf": ("A", "B", "C", "D", "F"),
    "text": ("осв", "н/а", "зач", "незач"),
}

Verb = Literal["put", "change", "set"]


@dataclass(frozen=True)
class Author:
    """Who changes something, by which way (``api``, ``page``, ``test``), at which local time of the school."""

    name: str
    via: str
    at: str


@dataclass(frozen=True)
class Cell:
    """One place for one mark: a pupil, a work, and which mark of the work it is, from 1."""

    person: int
    work: int
    number: int = 1


class RefusedError(ValueError):
    """The journal does not take the change.

    Attributes:
        code: ``unknown_cell``, ``bad_value``, ``already_there``, ``nothing_there`` or ``moved``.
        message: The same for a person.
    """

    def __init__(self, code: str, message: Message) -> None:
        """Keep the code and the sentence."""
        super().__init__(code)
        self.code = code
        self.message = message


def mark_in(db: sqlite3.Connection, cell: Cell) -> str | None:
    """Return the mark that stands in a cell, or None."""
    row = db.execute(
        "SELECT value FROM mark WHERE person = ? AND work = ? AND number = ?", (cell.person, cell.work, cell.number)
    ).fetchone()
    return str(row["value"]) if row else None


def write_mark(db: sqlite3.Connection, cell: Cell, value: str, author: Author, verb: Verb = "set") -> int:
    """Put a mark where there is none, change the one that is there, or either; return its id.

    Raises:
        RefusedError: No such cell, a value the scale lacks, or a cell that is taken (put) or empty (change).
    """
    work = _known(db, cell)
    value = value.strip()
    if value not in SCALES[str(work["mark_type"]).lower()] and value not in SCALES["text"]:
        raise RefusedError("bad_value", say(N_("“{value}” is not a mark of this work's scale."), value=value))
    before = mark_in(db, cell)
    if before is not None and verb == "put":
        raise RefusedError("already_there", say(N_("This cell already has a mark.")))
    if before is None and verb == "change":
        raise RefusedError("nothing_there", say(N_("There is no mark in this cell.")))
    key = (cell.person, cell.work, cell.number)
    if before is None:
        db.execute("INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?)", (next_id(db, "mark"), *key, value, author.at))
    else:
        sql = "UPDATE mark SET value = ?, put_at = ? WHERE person = ? AND work = ? AND number = ?"
        db.execute(sql, (value, author.at, *key))
    _note(db, author, (cell.person, cell.work, work["lesson"]), before, value)
    found = db.execute("SELECT id FROM mark WHERE person = ? AND work = ? AND number = ?", key).fetchone()
    return int(found["id"])


def clear_mark(db: sqlite3.Connection, cell: Cell, author: Author) -> None:
    """Take a mark out of its cell; nothing of it stays but the note in the list of changes.

    Raises:
        RefusedError: No such cell, or no mark in it.
    """
    work = _known(db, cell)
    before = mark_in(db, cell)
    if before is None:
        raise RefusedError("nothing_there", say(N_("There is no mark in this cell.")))
    key = (cell.person, cell.work, cell.number)
    db.execute("DELETE FROM mark WHERE person = ? AND work = ? AND number = ?", key)
    _note(db, author, (cell.person, cell.work, work["lesson"]), before, None)


def _known(db: sqlite3.Connection, cell: Cell) -> sqlite3.Row:
    work: sqlite3.Row | None = db.execute("SELECT * FROM work WHERE id = ?", (cell.work,)).fetchone()
    pupil = db.execute("SELECT 1 FROM person WHERE id = ? AND role = 'EduStudent'", (cell.person,)).fetchone()
    if work is None or pupil is None or not 1 <= cell.number <= work["mark_count"]:
        raise RefusedError("unknown_cell", say(N_("The journal has no such cell.")))
    return work


def status_in(db: sqlite3.Connection, lesson: int, person: int) -> str | None:
    """Return the register's entry of a pupil in a lesson, or None."""
    row = db.execute("SELECT status FROM log_entry WHERE lesson = ? AND person = ?", (lesson, person)).fetchone()
    return str(row["status"]) if row else None


def write_status(
    db: sqlite3.Connection,
    place: tuple[int, int],
    status: str,
    author: Author,
    *,
    comment: str = "",
    verb: Verb = "set",
) -> None:
    """Write the register's entry for ``place`` (lesson, pupil).

    Raises:
        RefusedError: No such cell, no such status, or a cell that is taken (put) or empty (change).
    """
    lesson, person = _known_place(db, place)
    if status not in STATUSES:
        raise RefusedError("bad_value", say(N_("“{value}” is not a letter of the register."), value=status))
    before = status_in(db, lesson, person)
    if before is not None and verb == "put":
        raise RefusedError("already_there", say(N_("The register already has an entry here.")))
    if before is None and verb == "change":
        raise RefusedError("nothing_there", say(N_("The register has no entry here.")))
    db.execute(
        "INSERT OR REPLACE INTO log_entry (lesson, person, status, comment, created_at) VALUES (?, ?, ?, ?, ?)",
        (lesson, person, status, comment, author.at),
    )
    _note(db, author, (person, None, lesson), before, status)


def clear_status(db: sqlite3.Connection, place: tuple[int, int], author: Author) -> None:
    """Blank the register's cell.

    Raises:
        RefusedError: No such cell, or nothing in it.
    """
    lesson, person = _known_place(db, place)
    before = status_in(db, lesson, person)
    if before is None:
        raise RefusedError("nothing_there", say(N_("The register has no entry here.")))
    db.execute("DELETE FROM log_entry WHERE lesson = ? AND person = ?", (lesson, person))
    _note(db, author, (person, None, lesson), before, None)


def _known_place(db: sqlite3.Connection, place: tuple[int, int]) -> tuple[int, int]:
    lesson, person = place
    known = db.execute("SELECT 1 FROM lesson WHERE id = ?", (lesson,)).fetchone()
    pupil = db.execute("SELECT 1 FROM person WHERE id = ? AND role = 'EduStudent'", (person,)).fetchone()
    if known is None or pupil is None:
        raise RefusedError("unknown_cell", say(N_("The journal has no such cell.")))
    return lesson, person


def make_work(db: sqlite3.Connection, lesson: int, work_type: int, text: str, author_id: int) -> int:
    """Add a work to a lesson, in the scale of the lesson's subject; return its id.

    Raises:
        RefusedError: No such lesson or work type.
    """
    query = "SELECT mark_type FROM lesson JOIN subject ON subject.id = lesson.subject WHERE lesson.id = ?"
    subject = db.execute(query, (lesson,)).fetchone()
    kind = db.execute("SELECT 1 FROM work_type WHERE id = ? AND is_final = 0", (work_type,)).fetchone()
    if subject is None or kind is None:
        raise RefusedError("unknown_cell", say(N_("The journal has no such lesson or kind of work.")))
    work = next_id(db, "work")
    values = (work, lesson, work_type, subject["mark_type"], 1, text.strip(), author_id)
    db.execute("INSERT INTO work VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return work


def _note(
    db: sqlite3.Connection, author: Author, place: tuple[int, int | None, int], before: str | None, after: str | None
) -> None:
    columns = "at, author, via, person, work, lesson, before, after"
    values = (author.at, author.name, author.via, *place, before, after)
    db.execute(f"INSERT INTO change ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 — constant.


_LETTERS: dict[str, dict[str, str]] = {
    "kk": {"Absent": "ж", "Pass": "д", "Ill": "а", "Late": "к", "Attend": "+"},
    "ru": {"Absent": "н", "Pass": "п", "Ill": "б", "Late": "о", "Attend": "+"},
    "en": {"Absent": "a", "Pass": "e", "Ill": "i", "Late": "l", "Attend": "+"},
}
# Latin letters that look like the wanted Cyrillic one, typed with the wrong keyboard layout.
_LOOK_ALIKE = {"kk": str.maketrans("ak", "ак"), "ru": str.maketrans("ho", "но"), "en": str.maketrans("ае", "ae")}


def letter(status: str | None, language: str) -> str:
    """Return the letter of a status in the language of the teacher's profile; blank for none."""
    return _LETTERS[language].get(status or "", "")


def status_of(text: str, language: str) -> str:
    """Return the status a letter stands for in a language.

    Raises:
        RefusedError: The language has no such letter.
    """
    wanted = text.strip().lower().translate(_LOOK_ALIKE[language])
    for status, sign in _LETTERS[language].items():
        if sign == wanted:
            return status
    raise RefusedError("bad_value", say(N_("“{value}” is not a letter of the register."), value=text))
