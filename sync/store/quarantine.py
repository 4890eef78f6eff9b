"""Records a system refuses: each waits alone, is tried with some more plans, and keeps no other from being written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update

from sync.store.plans import ChangeRow
from sync.store.sql import upsert
from sync.store.tables.plans import quarantine

TRIES = 5
"""Refusals of one and the same change after which it waits for a person, or for other values."""


@dataclass(frozen=True)
class Quarantined:
    """One record kept apart.

    Attributes:
        key: The cell.
        side: The side that refuses it.
        reason: Its code.
        wanted: Which change was wanted, as a hash.
        attempts: Refusals so far.
        muted: A person wants to hear nothing of it until the values change.
        since: When it was first refused.
        last_at: When it was last.
    """

    key: str
    side: str
    reason: str
    wanted: str
    attempts: int
    muted: bool
    since: datetime
    last_at: datetime

    @property
    def waits(self) -> bool:
        """Tell whether it is tried no more by itself."""
        return self.muted or self.attempts >= TRIES


def wanted_of(row: ChangeRow) -> str:
    """Return what tells one wanted change of a cell from another."""
    change = row.change
    return hashlib.sha256(json.dumps([row.side, change.before, change.after]).encode()).hexdigest()[:32]


def of(db: Connection, school: str, connection: str) -> dict[str, Quarantined]:
    """Return what is kept apart, by cell, the oldest first."""
    where = (quarantine.c.school_id == school, quarantine.c.connection == connection)
    rows = db.execute(select(quarantine).where(*where).order_by(quarantine.c.since, quarantine.c.key))
    return {
        row.key: Quarantined(
            row.key, row.side, row.reason, row.wanted, row.attempts, bool(row.muted), row.since, row.last_at
        )
        for row in rows
    }


def settle(
    db: Connection, school: str, connection: str, row: ChangeRow, state: str, reason: str, now: datetime
) -> None:
    """Keep a record apart whose write ended as ``refused``; forget one whose write was taken."""
    if state == "refused":
        note(db, school, connection, row, reason, now)
    elif state == "written":
        clear(db, school, connection, row.key)


def note(db: Connection, school: str, connection: str, row: ChangeRow, reason: str, now: datetime) -> None:
    """Count a refusal; another change of the cell starts anew."""
    known, wanted = of(db, school, connection).get(row.key), wanted_of(row)
    again = known is not None and known.wanted == wanted
    values = {
        "school_id": school,
        "connection": connection,
        "key": row.key,
        "side": row.side,
        "reason": reason,
        "wanted": wanted,
        "attempts": known.attempts + 1 if again and known is not None else 1,
        "muted": int(again and known is not None and known.muted),
        "since": known.since if again and known is not None else now,
        "last_at": now,
    }
    upsert(db, quarantine, [values])


def clear(db: Connection, school: str, connection: str, key: str) -> None:
    """Forget a record: it was taken."""
    db.execute(delete(quarantine).where(*_mine(school, connection, key)))


def mute(db: Connection, school: str, connection: str, key: str) -> bool:
    """Keep a record apart until its values change; tell whether it was there."""
    return db.execute(update(quarantine).where(*_mine(school, connection, key)).values(muted=1)).rowcount == 1


def again(db: Connection, school: str, connection: str, key: str) -> bool:
    """Let the next plan try a record anew; tell whether it was there."""
    values = {"muted": 0, "attempts": 0}
    return db.execute(update(quarantine).where(*_mine(school, connection, key)).values(**values)).rowcount == 1


def _mine(school: str, connection: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return quarantine.c.school_id == school, quarantine.c.connection == connection, quarantine.c.key == key
