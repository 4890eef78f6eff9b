"""The journal's own SQLite file: write-ahead log, and every writing transaction opened with BEGIN IMMEDIATE."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sync.twins.kundelik import ids

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS person (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL UNIQUE, number INTEGER NOT NULL, place INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('EduStudent', 'EduStaff')), last_name TEXT NOT NULL, first_name TEXT NOT NULL,
    middle_name TEXT NOT NULL, sex TEXT NOT NULL, birthday TEXT NOT NULL, login TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS subject (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, area TEXT NOT NULL, mark_type TEXT NOT NULL,
    teacher INTEGER NOT NULL REFERENCES person (id));
CREATE TABLE IF NOT EXISTS period (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, start TEXT NOT NULL,
    finish TEXT NOT NULL, year INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS holiday (start TEXT PRIMARY KEY, finish TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lesson (
    id INTEGER PRIMARY KEY, subject INTEGER NOT NULL REFERENCES subject (id), date TEXT NOT NULL,
    number INTEGER NOT NULL, title TEXT NOT NULL, UNIQUE (date, number));
CREATE TABLE IF NOT EXISTS work_type (
    id INTEGER PRIMARY KEY, kind_id INTEGER NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, abbr TEXT NOT NULL,
    weight INTEGER NOT NULL, is_final INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS work (
    id INTEGER PRIMARY KEY, lesson INTEGER NOT NULL REFERENCES lesson (id),
    work_type INTEGER NOT NULL REFERENCES work_type (id), mark_type TEXT NOT NULL,
    mark_count INTEGER NOT NULL DEFAULT 1, text TEXT NOT NULL DEFAULT '', created_by INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mark (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id),
    work INTEGER NOT NULL REFERENCES work (id), number INTEGER NOT NULL DEFAULT 1, value TEXT NOT NULL,
    put_at TEXT NOT NULL, UNIQUE (person, work, number));
CREATE INDEX IF NOT EXISTS mark_by_work ON mark (work);
CREATE TABLE IF NOT EXISTS log_entry (
    lesson INTEGER NOT NULL REFERENCES lesson (id), person INTEGER NOT NULL REFERENCES person (id),
    status TEXT NOT NULL CHECK (status IN ('Attend', 'Absent', 'Ill', 'Late', 'Pass')),
    comment TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL, PRIMARY KEY (lesson, person));
CREATE TABLE IF NOT EXISTS section (
    id INTEGER PRIMARY KEY, subject INTEGER NOT NULL, period INTEGER NOT NULL REFERENCES period (id),
    kind TEXT NOT NULL CHECK (kind IN ('Sor', 'Soch')), name TEXT NOT NULL, max_mark INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS criteria_mark (
    id INTEGER PRIMARY KEY, section INTEGER NOT NULL REFERENCES section (id), person INTEGER NOT NULL,
    value TEXT NOT NULL, date TEXT NOT NULL, UNIQUE (section, person));
CREATE TABLE IF NOT EXISTS final_mark (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, subject INTEGER NOT NULL,
    period INTEGER NOT NULL REFERENCES period (id), value TEXT NOT NULL, date TEXT NOT NULL,
    UNIQUE (person, subject, period));
CREATE TABLE IF NOT EXISTS token (
    token TEXT PRIMARY KEY, refresh TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL, scope TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, author TEXT NOT NULL, via TEXT NOT NULL,
    person INTEGER NOT NULL, work INTEGER, lesson INTEGER NOT NULL, before TEXT, after TEXT);
"""


class Store:
    """Short transactions over one file; a connection lives as long as its transaction."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its tables when they are missing."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the file throughout and cannot write."""
        with closing(self._connect()) as db:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a writing transaction; an exception undoes all of it."""
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


_NEXT = {
    "work": "SELECT MAX(id) FROM work",
    "mark": "SELECT MAX(id) FROM mark",
}


def next_id(db: sqlite3.Connection, kind: str) -> int:
    """Return the id a new work or mark gets: ids rise, and the id of a deleted mark is not given again."""
    key = f"last_{kind}"
    row = db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
    highest = db.execute(_NEXT[kind]).fetchone()[0]
    last = max(int(row["value"]) if row else 0, highest or 0, ids.number(kind, 0) - 1)
    db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", (key, str(last + 1)))
    return last + 1
