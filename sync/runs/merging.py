"""Two accounts of one person: bring their ids together, and apart again; no base outlives its pair of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select, update

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from sync.store import audit, cells, connections, identity, people
from sync.store.identity import Event, Merge
from sync.store.tables.cells import base
from sync.store.tables.people import identifier


def forget_bases(db: Connection, school: str, whom: Iterable[str], action: str, who: str, now: datetime) -> None:
    """Forget what was agreed for people whose pair of accounts is another one from now on.

    What two accounts agreed on says nothing about two others: without a base nothing is removed and nothing unequal
    is overwritten, equal values are taken over and the rest is shown.
    """
    wanted = sorted(set(whom))
    for connection in connections.every(db, school):
        where = (base.c.school_id == school, base.c.connection == connection.id, base.c.person.in_(wanted))
        rows = list(db.execute(select(base).where(*where).order_by(base.c.key)))
        if not rows:
            continue
        gone = [cells.Settling(row.key, None, row.mapping_version) for row in rows]
        cells.settle(db, school, connection.id, "", gone, now)
        entries = [
            audit.Entry(row.key, "forget", (row.left_raw, row.right_raw), (None, None), action, row.mapping_version)
            for row in rows
        ]
        audit.append(db, school, connection.id, action, who, entries, now)


def merge_rows(
    db: Connection, school: str, kept: str, gone: str, *, who: str, now: datetime, note: str = "", how: str = "person"
) -> Merge:
    """Make one person's record the second account of another's.

    The kept person's own ids hold; what they lack goes over. The other's account stays known, so that the next read
    makes nobody new of it, and carries no values.

    Raises:
        Fatal: They are one (``same_person``), one of them is not known or erased (``no_such_person``), one is merged
            already (``merged_already``) or the second is pinned (``pinned``).
    """
    _mergeable(db, school, kept, gone)
    known = people.identifiers(db, school, [kept, gone])
    mine = known.get(kept, {})
    moved = tuple(
        (kind, issuer, value) for (kind, issuer), value in sorted(known.get(gone, {}).items())
        if (kind, issuer) not in mine
    )  # fmt: skip
    _move(db, school, moved, gone, kept)
    merge = Merge(gone, kept, moved, now)
    identity.add_merge(db, school, merge, who)
    forget_bases(db, school, [kept, gone], "people_merged", who, now)
    identity.note(db, school, [Event(gone, "merged", who, now, other=kept, how=how, note=note)])
    return merge


def _mergeable(db: Connection, school: str, kept: str, gone: str) -> None:
    if kept == gone:
        raise Fatal("same_person", say(N_("These are one and the same person already.")))
    found = people.people(db, school, [kept, gone])
    if len(found) != 2 or any(one.erased for one in found.values()):
        raise Fatal("no_such_person", say(N_("The school's record has no such person.")))
    merges = identity.merges(db, school)
    if merges.keys() & {kept, gone} or gone in {merge.kept for merge in merges.values()}:
        raise Fatal("merged_already", say(N_("One of the two is merged already; split it first.")))
    if identity.pinned_anywhere(db, school, [gone]):
        raise Fatal("pinned", say(N_("The link of this person is pinned; unpin it first.")))


def split_rows(db: Connection, school: str, gone: str, *, who: str, now: datetime, note: str = "") -> Merge:
    """Take a merge back: the ids that went over return, as far as the kept person still has them.

    Raises:
        Fatal: The person is not merged (``not_merged``), or its ids went to one whose link is pinned (``pinned``).
    """
    merge = identity.merges(db, school).get(gone)
    if merge is None:
        raise Fatal("not_merged", say(N_("This person is not merged into another.")))
    if merge.moved and identity.pinned_anywhere(db, school, [merge.kept]):
        raise Fatal("pinned", say(N_("The link of this person is pinned; unpin it first.")))
    _move(db, school, merge.moved, merge.kept, gone)
    identity.drop_merge(db, school, gone)
    forget_bases(db, school, [merge.kept, gone], "people_split", who, now)
    identity.note(db, school, [Event(gone, "split", who, now, other=merge.kept, note=note)])
    return merge


def _move(db: Connection, school: str, ids: Iterable[tuple[str, str, str]], source: str, target: str) -> None:
    links = [link.id for one in connections.every(db, school) for link in connections.groups(db, school, one.id)]
    table = identifier.c
    for kind, issuer, value in ids:
        live = (table.school_id == school, table.type == kind, table.issuer == issuer, table.ended_at.is_(None))
        if db.scalar(select(table.id).where(*live, table.person == target)) is not None:
            continue
        mine = (*live, table.person == source, table.value == value)
        if db.execute(update(identifier).where(*mine).values(person=target)).rowcount:
            people.set_enrolled_person(db, school, links, value, target)
