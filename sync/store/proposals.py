"""Proposals that a person of the left and a person of the right are one, waiting for somebody's word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from connector.base.ids import new_id
from sync.store.connections import GroupLink, SyncConnection
from sync.store.tables.people import person_link


@dataclass(frozen=True)
class Proposal:
    """One proposal.

    Attributes:
        id: Its id.
        group_link: The group both are in.
        person: The person of the left, by internal id.
        right_id: The right system's id.
        how: The rule that proposed it.
        reason: Why it waits, for one that no rule can settle: ``namesakes``, ….
        state: ``proposed``, ``waiting`` (namesakes: only one by one), ``accepted`` or ``rejected``.
    """

    id: str
    group_link: str
    person: str
    right_id: str
    how: str
    reason: str
    state: str


def _of_row(row: Any) -> Proposal:
    return Proposal(row.id, row.group_link, row.person, row.right_id, row.how, row.reason, row.state)


def of(db: Connection, school: str, connection: str, states: Iterable[str] = ("proposed", "waiting")) -> list[Proposal]:
    """Return the proposals in these states, oldest first."""
    table = person_link
    rows = db.execute(
        select(table)
        .where(table.c.school_id == school, table.c.connection == connection, table.c.state.in_(list(states)))
        .order_by(table.c.id)
    )
    return [_of_row(row) for row in rows]


def replace(db: Connection, school: str, connection: str, link: str, wanted: Sequence[Proposal], now: datetime) -> None:
    """Put a group's open proposals in place of the old ones; what was rejected is not proposed again."""
    table = person_link
    mine = (table.c.school_id == school, table.c.connection == connection)
    decided = {
        (row.person, row.right_id)
        for row in db.execute(select(table).where(*mine, table.c.state.in_(["accepted", "rejected"])))
    }
    open_rows = {
        (row.person, row.right_id): row
        for row in db.execute(
            select(table).where(*mine, table.c.group_link == link, table.c.state.in_(["proposed", "waiting"]))
        )
    }
    keep = set()
    for one in wanted:
        pair = (one.person, one.right_id)
        if pair in decided:
            continue
        keep.add(pair)
        values = {"how": one.how, "reason": one.reason, "state": one.state}
        if pair in open_rows:
            db.execute(update(table).where(*mine, table.c.id == open_rows[pair].id).values(values))
        else:
            own = {"school_id": school, "id": new_id(), "connection": connection, "group_link": link}
            db.execute(insert(table).values(**own, person=one.person, right_id=one.right_id, **values, made_at=now))
    gone = [row.id for pair, row in open_rows.items() if pair not in keep]
    if gone:
        db.execute(delete(table).where(*mine, table.c.id.in_(gone)))


def decide(
    db: Connection, school: str, connection: str, ids: Sequence[str], state: str, who: str, now: datetime
) -> None:
    """Mark proposals as accepted or rejected."""
    table = person_link
    where = (table.c.school_id == school, table.c.connection == connection, table.c.id.in_(list(ids)))
    db.execute(update(table).where(*where).values(state=state, decided_by=who, decided_at=now))


def rejected(db: Connection, school: str, connection: str) -> frozenset[tuple[str, str]]:
    """Return the pairs (person, right id) somebody said no to."""
    table = person_link.c
    where = (table.school_id == school, table.connection == connection, table.state == "rejected")
    return frozenset((row.person, row.right_id) for row in db.execute(select(person_link).where(*where)))


def say_no(
    db: Connection,
    connection: SyncConnection,
    person: str,
    right: str,
    groups: Sequence[GroupLink],
    who: str,
    now: datetime,
) -> None:
    """Remember that two are not one, so that nothing joins or proposes them again until a person says otherwise."""
    table = person_link
    mine = (table.c.school_id == connection.school, table.c.connection == connection.id)
    pair = (*mine, table.c.person == person, table.c.right_id == right)
    decided = {"state": "rejected", "decided_by": who, "decided_at": now}
    if db.execute(update(table).where(*pair).values(decided)).rowcount or not groups:
        return
    own = {"school_id": connection.school, "id": new_id(), "connection": connection.id, "group_link": groups[0].id}
    how = {"how": "person", "reason": "", "made_at": now}
    db.execute(insert(table).values(**own, **how, person=person, right_id=right, **decided))


def forget_no(db: Connection, school: str, connection: str, person: str, right: str) -> None:
    """Forget that somebody said no to a pair."""
    table = person_link.c
    where = (table.school_id == school, table.connection == connection, table.person == person, table.right_id == right)
    db.execute(update(person_link).where(*where, table.state == "rejected").values(state="accepted"))
