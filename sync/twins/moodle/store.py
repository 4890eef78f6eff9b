"""The rehearsal LMS's own SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS person (
  id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, given TEXT NOT NULL, family TEXT NOT NULL,
  middle TEXT NOT NULL, email TEXT NOT NULL, idnumber TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS course (
  id INTEGER PRIMARY KEY, fullname TEXT NOT NULL, shortname TEXT NOT NULL, idnumber TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS course_origin (
  course INTEGER PRIMARY KEY REFERENCES course, origin INTEGER NOT NULL REFERENCES course);
CREATE TABLE IF NOT EXISTS enrolment (
  course INTEGER NOT NULL REFERENCES course, person INTEGER NOT NULL REFERENCES person,
  role TEXT NOT NULL CHECK (role IN ('teacher', 'assistant', 'pupil')), suspended INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (course, person));
CREATE TABLE IF NOT EXISTS tool (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, client_id TEXT NOT NULL UNIQUE, login_url TEXT NOT NULL,
  target_link_uri TEXT NOT NULL, deep_linking_url TEXT, jwks_url TEXT NOT NULL, redirect_uris TEXT NOT NULL,
  scopes TEXT NOT NULL, custom TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pending_tool (tool INTEGER PRIMARY KEY REFERENCES tool);
CREATE TABLE IF NOT EXISTS activity (
  id INTEGER PRIMARY KEY AUTOINCREMENT, cmid INTEGER UNIQUE, course INTEGER NOT NULL REFERENCES course,
  tool INTEGER NOT NULL REFERENCES tool, title TEXT NOT NULL, description TEXT NOT NULL, url TEXT NOT NULL,
  custom TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS line_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, course INTEGER NOT NULL REFERENCES course,
  tool INTEGER NOT NULL REFERENCES tool, kind TEXT NOT NULL CHECK (kind IN ('link', 'manual')),
  label TEXT NOT NULL, maximum TEXT NOT NULL,
  resource_id TEXT NOT NULL, tag TEXT NOT NULL, activity INTEGER REFERENCES activity);
CREATE TABLE IF NOT EXISTS grade (
  item INTEGER NOT NULL REFERENCES line_item ON DELETE CASCADE, person INTEGER NOT NULL REFERENCES person,
  raw TEXT, final TEXT, feedback TEXT NOT NULL DEFAULT '', modified INTEGER,
  overridden INTEGER NOT NULL DEFAULT 0, locked INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (item, person));
CREATE TABLE IF NOT EXISTS session (
  token TEXT PRIMARY KEY, person INTEGER REFERENCES person, sesskey TEXT NOT NULL, language TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spent (
  kind TEXT NOT NULL, value TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (kind, value));
CREATE TABLE IF NOT EXISTS pending (
  id TEXT PRIMARY KEY, session TEXT NOT NULL, course INTEGER NOT NULL, tool INTEGER NOT NULL, items TEXT NOT NULL);
"""


class Store:
    """Open the file anew for each piece of work; writes take the lock at once, so that none is lost."""

    def __init__(self, path: Path) -> None:
        """Make the file and its tables when they are not there."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=20, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        # A rehearsal outlives a killed process, which needs no fsync; it need not outlive a power cut.
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose reads see one moment."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that holds the write lock; commit at the end, roll back on an error."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def setting(self, name: str) -> str | None:
        """Return a stored setting, or None."""
        with self.read() as connection:
            row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row["value"]) if row else None

    def spend(self, kind: str, value: str, until: datetime) -> bool:
        """Use a value up; False when it was used before."""
        with self.write() as connection:
            sql = "INSERT INTO spent (kind, value, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return connection.execute(sql, (kind, value, until.timestamp())).rowcount == 1
