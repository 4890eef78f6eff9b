"""How far each result's delivery is, written down beside the effect that tells why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Executable, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.db.tables.launches import result
from sync.effects.rows import chunks
from sync.scores.tables import delivery


@dataclass(frozen=True)
class Note:
    """What became of one revision of a result: a state and a reason of the table ``delivery``."""

    result_id: str
    revision: int
    state: str
    reason: str
    effect_id: str | None = None


def write_notes(db: Connection, school_id: str, notes: Sequence[Note], now: datetime) -> None:
    """Write notes; those of results that were erased while their score was on its way are dropped."""
    there: set[str] = set()
    for some in chunks([note.result_id for note in notes]):
        query = select(result.c.id).where(result.c.school_id == school_id, result.c.id.in_(some))
        there |= set(db.scalars(query).all())
    rows = [
        {
            "school_id": school_id,
            "result": note.result_id,
            "revision": note.revision,
            "state": note.state,
            "reason": note.reason,
            "effect": note.effect_id,
            "updated_at": now,
        }
        for note in notes
        if note.result_id in there
    ]
    if rows:
        db.execute(_statement(db.dialect.name), rows)


@cache
def _statement(dialect: str) -> Executable:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(delivery)
    changed = {name: insert.excluded[name] for name in ("revision", "state", "reason", "effect", "updated_at")}
    statement: Executable = insert.on_conflict_do_update(index_elements=["school_id", "result"], set_=changed)
    return statement
