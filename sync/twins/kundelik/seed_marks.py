"""What the teachers have entered before the rehearsal starts: marks, absences, summatives, quarter marks.

The lessons of the last days and all to come have no marks: that is where a rehearsal writes. Every choice comes
from a hash of lesson and pupil, so two stores made for one day are equal.
"""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import date

from sync.twins.kundelik import ids

# How many of the latest lessons of a subject have no marks yet.
BLANK_LESSONS = 4

# Counted back from the latest lesson: class-list number to status. None stands for a register not taken.
_REGISTER: tuple[dict[int, str] | None, ...] = (
    {3: "Absent", 11: "Late"},
    {3: "Absent", 7: "Ill"},
    None,
    {7: "Ill", 15: "Pass", 22: "Late"},
    {7: "Ill", 28: "Absent"},
    {19: "Late"},
)


def _pick(*parts: object) -> int:
    text = ":".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def seed_marks(db: sqlite3.Connection, today: date) -> None:
    """Write the past of the class up to ``today``."""
    pupils = {row["number"]: row["id"] for row in db.execute("SELECT id, number FROM person WHERE number > 0")}
    for subject in (ids.ALGEBRA, ids.INFORMATICS):
        query = "SELECT lesson.id, lesson.date, work.id AS work FROM lesson JOIN work ON work.lesson = lesson.id"
        query += " WHERE subject = ? AND date <= ? ORDER BY date DESC, lesson.number DESC"
        past = db.execute(query, (subject, today.isoformat())).fetchall()
        for back, lesson in enumerate(past):
            if back >= BLANK_LESSONS:
                _marks(db, lesson, subject, pupils)
            _log_entries(db, lesson, back, pupils)
    _renumber(db)
    _summatives(db, today, pupils)


def _marks(db: sqlite3.Connection, lesson: sqlite3.Row, subject: int, pupils: dict[int, int]) -> None:
    for number, person in pupils.items():
        chance = _pick("mark", lesson["id"], number)
        if chance % 4:
            continue
        best, spread = (10, 6) if subject == ids.ALGEBRA else (5, 3)
        values = [str(best - chance // 7 % spread)]
        if subject == ids.INFORMATICS and chance % 48 == 0:
            values.append(str(max(3, best - chance // 11 % spread)))
        for place, value in enumerate(values, 1):
            put_at = f"{lesson['date']}T1{2 + chance % 5}:{chance % 60:02d}:00"
            row = (person, lesson["work"], place, value, put_at)
            db.execute("INSERT INTO mark (person, work, number, value, put_at) VALUES (?, ?, ?, ?, ?)", row)


def _log_entries(db: sqlite3.Connection, lesson: sqlite3.Row, back: int, pupils: dict[int, int]) -> None:
    entries = _REGISTER[back] if back < len(_REGISTER) else _older(lesson["id"], pupils)
    for number, status in sorted((entries or {}).items()):
        row = (lesson["id"], pupils[number], status, f"{lesson['date']}T09:00:00")
        db.execute("INSERT INTO log_entry (lesson, person, status, created_at) VALUES (?, ?, ?, ?)", row)


def _older(lesson: int, pupils: dict[int, int]) -> dict[int, str]:
    found = {}
    for number in pupils:
        chance = _pick("log", lesson, number)
        if chance % 40 == 0:
            found[number] = ("Absent", "Ill", "Late", "Pass")[chance // 40 % 4]
    return found


def _renumber(db: sqlite3.Connection) -> None:
    """Give the seeded marks the journal's large ids, in the order they were put."""
    rows = db.execute("SELECT id FROM mark ORDER BY put_at, person, work, number").fetchall()
    for index, row in enumerate(rows):
        db.execute("UPDATE mark SET id = ? WHERE id = ?", (ids.number("mark", index), row["id"]))


# Kind, name, most points.
_SECTIONS = (("Sor", "СОР №1", 12), ("Sor", "СОР №2", 15), ("Soch", "СОЧ", 25))


def _summatives(db: sqlite3.Connection, today: date, pupils: dict[int, int]) -> None:
    index = 0
    for period in db.execute("SELECT * FROM period ORDER BY number").fetchall():
        closed = period["finish"] < today.isoformat()
        for kind, name, most in _SECTIONS:
            row = (ids.number("section", index), ids.ALGEBRA, period["id"], kind, name, most)
            db.execute("INSERT INTO section VALUES (?, ?, ?, ?, ?, ?)", row)
            index += 1
            if closed:
                _section_marks(db, row[0], most, period["finish"], pupils)
        if closed:
            _finals(db, period, pupils)


def _section_marks(db: sqlite3.Connection, section: int, most: int, day: str, pupils: dict[int, int]) -> None:
    for number, person in pupils.items():
        chance = _pick("section", section, number)
        if chance % 29 == 0:
            continue
        points = most - chance // 3 % (most // 2 + 1)
        known = db.execute("SELECT COUNT(*) FROM criteria_mark").fetchone()[0]
        row = (ids.number("criteria_mark", known), section, person, str(points), f"{day}T00:00:00")
        db.execute("INSERT INTO criteria_mark VALUES (?, ?, ?, ?, ?)", row)


def _finals(db: sqlite3.Connection, period: sqlite3.Row, pupils: dict[int, int]) -> None:
    for subject in (ids.ALGEBRA, ids.INFORMATICS):
        for number, person in pupils.items():
            value = str(5 - _pick("final", subject, period["number"], number) % 3)
            known = db.execute("SELECT COUNT(*) FROM final_mark").fetchone()[0]
            row = (
                ids.number("final_mark", known),
                person,
                subject,
                period["id"],
                value,
                f"{period['finish']}T00:00:00",
            )
            db.execute("INSERT INTO final_mark VALUES (?, ?, ?, ?, ?, ?)", row)
