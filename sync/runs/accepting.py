"""Accept a smaller class: a person says that a list which came back much shorter than before is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from sync.runs.runtime import SyncRuntime
from sync.store import audit, cells, connections
from sync.store.connections import SyncConnection
from sync.systems.contract import Evidence

DOUBTED = frozenset({"half_list", "empty_list"})
"""Reasons by which a read is doubted for its size alone."""
COUNTED = ("person", "lesson", "item")
"""Kinds of records whose number is a floor for the next read."""


@dataclass(frozen=True)
class Doubted:
    """A list that is not believed because it is so much shorter than the last complete one.

    Attributes:
        group_link: The group.
        title: Its title.
        side: ``left`` or ``right``.
        kind: ``person``, ``lesson`` or ``item``.
        known: How many the last complete read found.
        found: How many there are now.
        reason: ``half_list`` or ``empty_list``.
        read_at: When it was read.
    """

    group_link: str
    title: str
    side: str
    kind: str
    known: int
    found: int
    reason: str
    read_at: datetime


def doubted(runtime: SyncRuntime, school: str, connection_id: str) -> list[Doubted]:
    """Return what the last reads of a connection found too short to believe."""
    connection = runtime.connection(school, connection_id)
    with runtime.reading(school) as db:
        return _doubted(db, connection)


def _doubted(db: Connection, connection: SyncConnection) -> list[Doubted]:
    found = []
    for link in connections.groups(db, connection.school, connection.id):
        proofs = cells.proofs(db, connection.school, link.id)
        for (side, kind), proof in sorted(proofs.items()):
            if kind not in COUNTED or proof.reason not in DOUBTED or proof.found >= proof.known:
                continue
            lessons = proofs.get((side, "lesson"))
            # Works are read lesson by lesson: without all lessons their number says nothing.
            if kind == "item" and lessons is not None and lessons.reason in DOUBTED:
                continue
            if proof.evidence in (Evidence.PARTIAL, Evidence.SUSPICIOUS):
                size = (proof.known, proof.found, proof.reason, proof.read_at)
                found.append(Doubted(link.id, link.title, side, kind, *size))
    return found


def accept(
    runtime: SyncRuntime, school: str, connection_id: str, group: str, side: str, kind: str, size: int, *, who: str
) -> Doubted:
    """Take the size a person saw as right, so that the next read of it is believed; nothing else changes.

    Args:
        runtime: The application's parts.
        school: The school.
        connection_id: The connection.
        group: The group's id or title.
        side: ``left`` or ``right``.
        kind: ``person``, ``lesson`` or ``item``.
        size: What the person saw; the last read must have found exactly as many.
        who: The person, by internal id.

    Raises:
        Fatal: Nothing is doubted there (``nothing_to_accept``), the last read found another number (``other_size``),
            or it is a class without anybody, which is never believed (``nobody_there``).
    """
    connection = runtime.connection(school, connection_id)
    now = runtime.clock()
    with runtime.writing(school) as db:
        fit = [
            one
            for one in _doubted(db, connection)
            if group in (one.group_link, one.title) and (one.side, one.kind) == (side, kind)
        ]
        if len(fit) != 1:
            raise Fatal("nothing_to_accept", say(N_("No read of this kind waits there to be accepted.")))
        [one] = fit
        if one.found != size:
            text = N_("The last read found {found}, not {size}. Look again.")
            raise Fatal("other_size", say(text, found=one.found, size=size))
        if kind == "person" and size == 0:
            raise Fatal("nobody_there", say(N_("A class without anybody is not believed; take it out of the mapping.")))
        cells.accept_size(db, school, one.group_link, side, kind, size)
        action = f"read_accepted:{side}:{kind}:{one.group_link}:{one.known}:{size}"
        audit.append(db, school, connection.id, action, who, [], now)
    return one
