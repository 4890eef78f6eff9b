"""Settle a conflict: a person says which side's value counts, and the next plan carries it."""

from __future__ import annotations

from typing import Literal

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from sync.reconcile.types import Values
from sync.runs.runtime import SyncRuntime
from sync.store import audit, cells, conflicts, left_out


def resolve(
    runtime: SyncRuntime, school: str, connection_id: str, conflict_id: str, side: Literal["left", "right"], *, who: str
) -> None:
    """Let one side's value count.

    The base becomes "this side changed since, the other did not", so that the next plan writes it where the mapping
    lets values flow that way; where it does not, the two are agreed to differ until somebody edits one.

    Raises:
        Fatal: There is no such open conflict (``no_such_conflict``).
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        found = next((one for one in conflicts.of(db, school, connection_id) if one.id == conflict_id), None)
        if found is None:
            raise Fatal("no_such_conflict", say(N_("This conflict is not open any more.")))
        owner = connection.mapping.file.grades.owner if connection.mapping.file.grades else "manual"
        values = _values(found, side, owner if found.kind == "grade" else "manual")
        known = cells.base_of(db, school, connection_id, [found.key]).get(found.key)
        version = known.mapping_version if known is not None else ""
        before = (None, None) if known is None else (known.left_raw, known.right_raw)
        cells.settle(db, school, connection_id, "", [cells.Settling(found.key, values, version)], now)
        entry = audit.Entry(found.key, "set", before, (values.left, values.right), f"resolved_{side}", version)
        audit.append(db, school, connection_id, "conflict_resolved", who, [entry], now)
        conflicts.close(db, school, connection_id, [found.key], side, who, now)
        left_out.lift(db, school, connection_id, [found.key])


def _values(found: conflicts.ConflictRow, side: str, owner: str) -> Values:
    """Return the base under which only the chosen side has changed, or both stand as they are."""
    if owner in ("left", "right") and owner != side:
        return Values(found.left_raw, found.right_raw)
    if side == "left":
        return Values(found.base_left if found.base_left != found.left_raw else None, found.right_raw)
    return Values(found.left_raw, found.base_right if found.base_right != found.right_raw else None)
