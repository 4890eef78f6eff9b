"""Rosters between two reads, sealed, so that an LMS that tells differences is asked for those only."""

from __future__ import annotations

import json

from sqlalchemy import ColumnElement, select

from connector.base.secrets import fingerprint
from connector.db.tables.rosters import roster
from connector.db.upsert import upsert
from connector.host.runtime import Runtime
from lti.tool.rosters import KeptRoster


class Rosters:
    """One school's rosters by membership address; implements ``lti.tool.rosters.RosterStore``."""

    def __init__(self, runtime: Runtime, school_id: str) -> None:
        """Take the process and the school."""
        self._runtime = runtime
        self._school_id = school_id

    def load(self, url: str) -> KeptRoster | None:
        """Return what was kept, or None."""
        query = select(roster.c.sealed).where(*self._mine(url))
        with self._runtime.database.school(self._school_id, write=False) as db:
            sealed = db.execute(query).scalar_one_or_none()
        return None if sealed is None else KeptRoster.from_value(json.loads(self._runtime.vault.open(sealed)))

    def save(self, url: str, kept: KeptRoster) -> None:
        """Replace what was kept."""
        text = json.dumps(kept.to_value(), ensure_ascii=False, separators=(",", ":"))
        values = {
            "school_id": self._school_id, "url_hash": fingerprint(url), "sealed": self._runtime.vault.seal(text),
            "read_at": self._runtime.clock(),
        }  # fmt: skip
        with self._runtime.database.school(self._school_id) as db:
            upsert(db, roster, values, ("school_id", "url_hash"))

    def drop(self, url: str) -> None:
        """Forget it."""
        with self._runtime.database.school(self._school_id) as db:
            db.execute(roster.delete().where(*self._mine(url)))

    def forget_all(self) -> None:
        """Forget every roster of the school: whoever is erased must not stand in one; the next read is whole."""
        with self._runtime.database.school(self._school_id) as db:
            db.execute(roster.delete().where(roster.c.school_id == self._school_id))

    def _mine(self, url: str) -> tuple[ColumnElement[bool], ...]:
        return roster.c.school_id == self._school_id, roster.c.url_hash == fingerprint(url)
