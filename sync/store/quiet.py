"""Scopes that were compared and needed nothing, each with a digest of everything that comparison depended on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sync.reconcile.types import CellKind
from sync.store.sql import batches, tuples, upsert
from sync.store.tables.cells import base, quiet_scope

Scope = tuple[CellKind, str]
"""A kind of cells and a group."""


@dataclass(frozen=True)
class QuietScope:
    """One scope without changes.

    Attributes:
        digest: What the comparison depended on.
        known: How many of its cells had been agreed on before.
        same: How many cells needed nothing.
    """

    digest: str
    known: int
    same: int


def of(db: Connection, school: str, connection: str, since: datetime) -> dict[Scope, QuietScope]:
    """Return the scopes that were found quiet since an instant."""
    table = quiet_scope
    where = (table.c.school_id == school, table.c.connection == connection, table.c.compared_at >= since)
    columns = (table.c.kind, table.c.group_link, table.c.digest, table.c.known, table.c.same)
    rows = tuples(db, select(*columns).where(*where))
    return {(CellKind(kind), link): QuietScope(*facts) for kind, link, *facts in rows}


def keep(
    db: Connection, school: str, connection: str, found: Iterable[tuple[Scope, QuietScope]], now: datetime
) -> None:
    """Keep what was found quiet."""
    own = {"school_id": school, "connection": connection, "compared_at": now}
    rows = [{**own, "kind": kind.value, "group_link": link, **vars(facts)} for (kind, link), facts in found]
    for batch in batches(rows):
        upsert(db, quiet_scope, batch)


def base_sizes(db: Connection, school: str, connection: str) -> dict[Scope, int]:
    """Return how many agreed cells each scope has."""
    table = base
    counted = select(table.c.kind, table.c.group_link, func.count()).where(
        table.c.school_id == school, table.c.connection == connection
    )
    rows = tuples(db, counted.group_by(table.c.kind, table.c.group_link))
    return {(CellKind(kind), link): number for kind, link, number in rows}
