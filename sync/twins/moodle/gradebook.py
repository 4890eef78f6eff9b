"""The gradebook: how Moodle 4.5 takes a score, and what then stands in the column.

Measured on Moodle 4.5.6 where the sentence says "seen"; read in its code otherwise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connector.base.clock import Clock
from sync.twins.moodle import records
from sync.twins.moodle.records import Column, Grade, LineItem
from sync.twins.moodle.registry import Registry
from sync.twins.moodle.store import Store

_FIVE_PLACES = Decimal("0.00001")


class EarlierTimestampError(Exception):
    """The stored grade is as new as the score, in whole seconds (HTTP 409)."""


class LockedGradeError(Exception):
    """The grade is locked; Moodle says so with HTTP 500."""


@dataclass(frozen=True)
class Score:
    """A score as it came: its instant in whole seconds, no mark when it clears the grade."""

    person: str
    given: Decimal | None
    maximum: Decimal
    seconds: int
    comment: str


class Gradebook:
    """Grades of the course."""

    def __init__(self, store: Store, registry: Registry, clock: Clock) -> None:
        """Take the store, the records beside it and the clock."""
        self._store = store
        self._registry = registry
        self._clock = clock

    def put_score(self, item: LineItem, score: Score) -> None:
        """Take a score from a tool.

        Seen: an overridden grade keeps the teacher's mark and the call succeeds all the same; a score without a mark
        clears the grade. From the code: a grade cleared without a comment has no time of its own left.

        Raises:
            EarlierTimestampError: The stored grade's whole second is not before the score's.
            LockedGradeError: The grade is locked.
        """
        with self._store.write() as connection:
            held = _find(connection, item.id, score.person)
            if held and held.modified and held.modified >= score.seconds:
                raise EarlierTimestampError
            if held and held.locked:
                raise LockedGradeError
            raw = rescale(score.given, score.maximum, item.maximum)
            overridden = held is not None and held.overridden
            empty = raw is None and not score.comment
            modified = held.modified if held and overridden else (None if empty else score.seconds)
            final = held.final if held and overridden else clip(raw, item.maximum)
            values = {"raw": raw, "final": final, "feedback": score.comment, "modified": modified}
            _save(connection, item.id, score.person, values)

    def override(self, item_id: str, user_id: str, mark: Decimal | None) -> None:
        """Put in a teacher's mark, which tools cannot change afterwards; None lifts the override.

        Raises:
            KeyError: No such column.
        """
        item = self._item(item_id)
        with self._store.write() as connection:
            held = _find(connection, item_id, user_id)
            if mark is None:
                final = clip(held.raw, item.maximum) if held else None
                _save(connection, item_id, user_id, {"final": final, "overridden": 0, "modified": self._seconds()})
            else:
                values = {"final": clip(mark, item.maximum), "overridden": 1, "modified": self._seconds()}
                _save(connection, item_id, user_id, values)

    def lock(self, item_id: str, user_id: str, locked: bool) -> None:
        """Lock a grade, or unlock it.

        Raises:
            KeyError: No such column.
        """
        self._item(item_id)
        with self._store.write() as connection:
            _save(connection, item_id, user_id, {"locked": int(locked)})

    def change_column(self, item: LineItem, body: Mapping[str, Any], maximum: Decimal, link: str) -> None:
        """Replace a column's fields; a new maximum rescales its grades so that percentages stay."""
        row = (str(body["label"]), str(maximum), str(body.get("resourceId") or ""), str(body.get("tag") or ""))
        with self._store.write() as connection:
            sql = "UPDATE line_item SET label = ?, maximum = ?, resource_id = ?, tag = ?, activity = ? WHERE id = ?"
            connection.execute(sql, (*row, int(link) if link else None, int(item.id)))
            if maximum == item.maximum:
                return
            for grade in _grades(connection, item.id):
                values = {
                    "raw": rescale(grade.raw, item.maximum, maximum),
                    "final": rescale(grade.final, item.maximum, maximum),
                }
                _save(connection, item.id, grade.person, values)

    def grades(self, item_id: str) -> list[Grade]:
        """Return a column's cells in the order of the people's ids."""
        with self._store.read() as connection:
            return _grades(connection, item_id)

    def columns(self, course_id: str | None = None) -> list[Column]:
        """Return every column with its cells, of one course or of all."""
        items = self._registry.line_items(course_id=course_id)
        return [Column(item, {grade.person: grade for grade in self.grades(item.id)}) for item in items]

    def _item(self, item_id: str) -> LineItem:
        item = self._registry.line_item(item_id)
        if item is None:
            raise KeyError(item_id)
        return item

    def _seconds(self) -> int:
        return int(self._clock().timestamp())


def rescale(mark: Decimal | None, given_of: Decimal, wanted_of: Decimal) -> Decimal | None:
    """Return a mark of one maximum as a mark of another, to five places; a maximum of 0 rescales nothing."""
    if mark is None:
        return None
    if given_of and given_of != wanted_of:
        mark = mark * wanted_of / given_of
    return mark.quantize(_FIVE_PLACES, ROUND_HALF_UP)


def clip(mark: Decimal | None, maximum: Decimal) -> Decimal | None:
    """Return the mark within 0 and the column's maximum."""
    return None if mark is None else max(Decimal(0), min(mark, maximum)).quantize(_FIVE_PLACES, ROUND_HALF_UP)


def _find(connection: sqlite3.Connection, item_id: str, user_id: str) -> Grade | None:
    sql = "SELECT * FROM grade WHERE item = ? AND person = ?"
    row = connection.execute(sql, (int(item_id), int(user_id))).fetchone()
    return records.grade_of(row) if row else None


def _grades(connection: sqlite3.Connection, item_id: str) -> list[Grade]:
    rows = connection.execute("SELECT * FROM grade WHERE item = ? ORDER BY person", (int(item_id),))
    return [records.grade_of(row) for row in rows]


def _save(connection: sqlite3.Connection, item_id: str, user_id: str, values: Mapping[str, Any]) -> None:
    stored = {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    key = (int(item_id), int(user_id))
    connection.execute("INSERT INTO grade (item, person) VALUES (?, ?) ON CONFLICT DO NOTHING", key)
    changes = ", ".join(f"{name} = ?" for name in stored)
    sql = f"UPDATE grade SET {changes} WHERE item = ? AND person = ?"  # noqa: S608 - our own column names.
    connection.execute(sql, (*stored.values(), *key))


def mark_text(mark: Decimal | None) -> str:
    """Return a mark without needless zeros, or an empty text."""
    if mark is None:
        return ""
    text = f"{mark:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def local_time(seconds: int, clock_zone: Any) -> str:
    """Return an instant in the site's zone, as ``date('c')`` writes it."""
    return datetime.fromtimestamp(seconds, clock_zone).isoformat(timespec="seconds")
