"""A portfolio's entries: the host's results with what was added to them here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from plugins.contract import Progress, ResultSeen, Room
from plugins.portfolio.tables import note, verification

MAX_NOTE = 4000


class Verified(StrEnum):
    """Whether a teacher verified an entry as it stands now."""

    NO = "no"
    YES = "yes"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class Entry:
    """One finished piece of work in a pupil's portfolio."""

    result: ResultSeen
    note: str
    verified: Verified
    verified_at: datetime | None

    @property
    def summary(self) -> str:
        """The work in a line, as the plugin that made it says."""
        return str(self.result.evidence.get("summary", ""))

    @property
    def kind(self) -> str:
        """``test``, ``lab_report`` or another kind the plugin names."""
        return str(self.result.evidence.get("kind", ""))


def fingerprint(result: ResultSeen) -> str:
    """Return a hash of what a teacher sees of a result; a changed score or report changes it."""
    seen = [str(result.score_given), str(result.score_maximum), result.finished_at.isoformat(), dict(result.evidence)]
    return hashlib.sha256(json.dumps(seen, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def entries_of(room: Room, db: Connection, account_id: str) -> list[Entry]:
    """Return a pupil's finished work, newest first; work that is under way or was taken back is not shown."""
    finished = [
        result
        for result in room.results_of(db, account_id)
        if result.progress in (Progress.SUBMITTED, Progress.GRADED) and result.evidence
    ]
    notes = dict(
        db.execute(
            select(note.c.result, note.c.body).where(note.c.school_id == room.school_id, note.c.account == account_id)
        ).all()
    )
    marks = {row.result: row for row in db.execute(_verified(room.school_id, account_id))}
    return [_entry(result, notes.get(result.id, ""), marks.get(result.id)) for result in finished]


def _verified(school_id: str, account_id: str) -> Select[Any]:
    return select(verification).where(verification.c.school_id == school_id, verification.c.account == account_id)


def _entry(result: ResultSeen, text: str, mark: Row[Any] | None) -> Entry:
    if mark is None:
        return Entry(result, text, Verified.NO, None)
    state = Verified.YES if mark.fingerprint == fingerprint(result) else Verified.OUTDATED
    return Entry(result, text, state, mark.verified_at)


def find_entry(entries: Sequence[Entry], result_id: str) -> Entry | None:
    """Return the entry of a result."""
    return next((entry for entry in entries if entry.result.id == result_id), None)
