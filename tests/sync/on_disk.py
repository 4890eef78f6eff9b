"""The same two systems, the journal's marks kept in a file so that several processes see one journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from sync.model import LineItem
from sync.systems.contract import CellWrite, Scope, WriteResult
from tests.sync.memory import MemorySystem, journal, lms


class FileMarks(MutableMapping[tuple[str, str], str]):
    """Marks in an SQLite table, every one of them committed at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as db:
            db.execute("CREATE TABLE IF NOT EXISTS mark (item TEXT, person TEXT, raw TEXT, PRIMARY KEY (item, person))")
            db.execute("CREATE TABLE IF NOT EXISTS written (item TEXT, person TEXT, raw TEXT)")
            db.execute("CREATE TABLE IF NOT EXISTS work (id TEXT PRIMARY KEY, title TEXT, lesson TEXT)")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)

    def __getitem__(self, cell: tuple[str, str]) -> str:
        with self._open() as db:
            row = db.execute("SELECT raw FROM mark WHERE item = ? AND person = ?", cell).fetchone()
        if row is None:
            raise KeyError(cell)
        return str(row[0])

    def __setitem__(self, cell: tuple[str, str], raw: str) -> None:
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (*cell, raw))
            db.execute("INSERT INTO written VALUES (?, ?, ?)", (*cell, raw))

    def __delitem__(self, cell: tuple[str, str]) -> None:
        with self._open() as db:
            db.execute("DELETE FROM mark WHERE item = ? AND person = ?", cell)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        with self._open() as db:
            return iter(db.execute("SELECT item, person FROM mark").fetchall())

    def __len__(self) -> int:
        with self._open() as db:
            return int(db.execute("SELECT count(*) FROM mark").fetchone()[0])


class FileJournal(MemorySystem):
    """A journal whose works and marks outlive the process that wrote them."""

    path: Path

    def load(self) -> None:
        with sqlite3.connect(self.path) as db:
            for number, title, lesson in db.execute("SELECT id, title, lesson FROM work"):
                if number not in {item.id for item in self.items}:
                    day = next(one.day for one in self.lessons if one.id == lesson)
                    self.items.append(LineItem(number, title, scale="mark10", due=day, lesson_id=lesson))

    def read_line_items(self, scope: Scope):  # type: ignore[no-untyped-def]
        self.load()
        return super().read_line_items(scope)

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        self.load()
        made = super().create_line_item(scope, item)
        with sqlite3.connect(self.path) as db:
            db.execute("INSERT OR IGNORE INTO work VALUES (?, ?, ?)", (made.id, made.title, made.lesson_id))
        return made

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        self.load()
        return super().write_result(scope, write)


def open_systems(path: Path) -> tuple[MemorySystem, MemorySystem]:
    """Open the LMS in memory and the journal over its file."""
    right = FileJournal(**vars(journal()))
    right.path = path
    right.marks = FileMarks(path)  # type: ignore[assignment]
    return lms(), right


def writes(path: Path) -> list[tuple[str, str, str]]:
    """Return every write the journal ever took."""
    with sqlite3.connect(path) as db:
        return [tuple(row) for row in db.execute("SELECT item, person, raw FROM written")]


def dumped(path: Path) -> str:
    """Return the journal's marks as text, for a failing test's message."""
    return json.dumps(writes(path))
