"""Canary records: what the mapping names must stand in every read unchanged, or the read is not believed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from connector.db.types import dump_json
from mappings.names import normalise_name
from mappings.schema import Canary
from sync.model import LineItem, Person, Result
from sync.store import cells, connections
from sync.store.connections import SyncConnection
from sync.systems.contract import Evidence, Read

MISSING = "canary_missing"
CHANGED = "canary_changed"
NEVER_SEEN = "canary_never_seen"
BROKEN = frozenset({MISSING, CHANGED, NEVER_SEEN})
"""Reasons by which a read, or a whole run, is doubted for its canaries."""


def kind_and_key(canary: Canary) -> tuple[str, str]:
    """Return the kind of records a canary is of, and the key it is kept under."""
    if canary.person is not None and canary.item is not None:
        return "result", dump_json([canary.item, canary.person])
    if canary.item is not None:
        return "item", canary.item
    return "person", canary.person or ""


def _says(record: object) -> tuple[str, ...]:
    """Return the texts a canary's ``says`` may be: a name in either order of its parts, a title, a mark."""
    if isinstance(record, Person):
        parts = (record.family, record.given, record.patronymic)
        return record.full_name, " ".join(part for part in parts if part), f"{record.given} {record.family}"
    if isinstance(record, LineItem):
        return (record.title,)
    return (record.raw,) if isinstance(record, Result) else ()


def stands(canary: Canary, record: object) -> bool:
    """Tell whether a record says what its canary should; names and titles but for case and spaces, marks exactly."""
    if canary.says is None:
        return True
    if isinstance(record, Result):
        return record.raw == canary.says
    return normalise_name(canary.says) in {normalise_name(text) for text in _says(record)}


def judge(
    read: Read[Any], canaries: Iterable[Canary], known: Callable[[Collection[str]], Collection[str]]
) -> Read[Any]:
    """Return a read as far as its canaries let it be believed.

    Args:
        read: What one system gave of one kind of records of one group.
        canaries: The mapping's canaries of that side and kind.
        known: Returns which of some keys earlier reads of this very group and kind found.

    Returns:
        The read; SUSPICIOUS and without records where a canary that belongs here is missing or says something else.
    """
    wanted = {kind_and_key(canary)[1]: canary for canary in canaries}
    if not wanted or read.evidence not in (Evidence.COMPLETE, Evidence.PARTIAL):
        return read
    found = {cells.record_key(record): record for record in read.records}
    if any(key in found and not stands(canary, found[key]) for key, canary in wanted.items()):
        return replace(read, records=(), evidence=Evidence.SUSPICIOUS, reason=CHANGED)
    missing = [key for key in wanted if key not in found]
    if read.complete and missing and known(missing):
        return replace(read, records=(), evidence=Evidence.SUSPICIOUS, reason=MISSING)
    return read


def of(connection: SyncConnection, side: str, kind: str) -> list[Canary]:
    """Return the canaries of one side and kind of records."""
    named = connection.mapping.file.guard.canaries
    return [canary for canary in named if canary.side == side and kind_and_key(canary)[0] == kind]


def broken(db: Connection, connection: SyncConnection) -> tuple[str, str]:
    """Return why the canaries as a whole forbid to write anything and on which side, or two empty texts.

    One canary that is missing or changed in the class it belongs to, or one that no class ever showed, is enough.
    """
    named = connection.mapping.file.guard.canaries
    links = [link.id for link in connections.groups(db, connection.school, connection.id)] if named else []
    for link in links:
        for proof in cells.proofs(db, connection.school, link).values():
            if proof.reason in BROKEN:
                return proof.reason, proof.side
    for canary in named:
        kind, key = kind_and_key(canary)
        where = [(connection.school, connection.id, canary.side, link, kind) for link in links]
        if not any(cells.keys_seen(db, *scope, [key]) for scope in where):
            return NEVER_SEEN, canary.side
    return "", ""
