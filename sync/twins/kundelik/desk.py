"""What every request of one journal shares: its store, clock, language and planned faults."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from connector.base.clock import Clock
from sync.twins.kundelik import calendar
from sync.twins.kundelik.faults import FaultPlan
from sync.twins.kundelik.register import Author
from sync.twins.kundelik.store import Store

_KEY = "rehearsal-journal"


@dataclass
class Desk:
    """One journal behind its addresses."""

    store: Store
    clock: Clock
    language: str
    faults: FaultPlan = field(default_factory=FaultPlan)

    def now(self) -> str:
        """Return the school's local time without a zone, as the journal notes it."""
        return self.clock().astimezone(calendar.SCHOOL_ZONE).replace(tzinfo=None).isoformat(timespec="milliseconds")

    def author(self, name: str, via: str) -> Author:
        """Return the author of a change made now."""
        return Author(name, via, self.now())

    @property
    def writable(self) -> bool:
        """Whether the API takes writes."""
        with self.store.reading() as db:
            return setting(db, "writable", "yes") == "yes"

    @writable.setter
    def writable(self, value: bool) -> None:
        with self.store.writing() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES ('writable', ?)", ("yes" if value else "no",))


def setting(db: sqlite3.Connection, key: str, default: str) -> str:
    """Return a setting of the store."""
    row = db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
    return str(row["value"]) if row else default


def keep(extensions: dict[str, object], desk: Desk) -> None:
    """Hang the desk on an application."""
    extensions[_KEY] = desk


def desk() -> Desk:
    """Return the desk of the application that serves this request."""
    return cast(Desk, current_app.extensions[_KEY])
