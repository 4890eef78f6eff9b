"""The school's own record of people: who they are, which ids they go by, and which groups they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.base.ids import new_id
from sync.model import Group, Role
from sync.store.sql import batches, upsert
from sync.store.tables.connections import group_link
from sync.store.tables.people import enrolment, identifier, person

MANY = 5_000
"""Rows that are fetched at a time where all of them are gone through."""
ID_TYPES = {"kundelik": "kundelik_person", "moodle": "lti_sub", "lti_advantage": "lti_sub"}
"""What a system's own id of a person is called, by kind of system."""


def id_type(system_key: str) -> str:
    """Return the identifier type of a system's own person ids: ``kundelik_person``, ``lti_sub``, …."""
    kind = system_key.partition(":")[0]
    return ID_TYPES.get(kind, f"{kind}_person")


@dataclass(frozen=True)
class PersonRow:
    """A person as the school's record has them; names are empty after an erasure."""

    id: str
    family: str = ""
    given: str = ""
    patronymic: str = ""
    erased: bool = False
    blocked: bool = False

    @property
    def name(self) -> str:
        """The name as a class list has it: family, given, patronymic."""
        return " ".join(part for part in (self.family, self.given, self.patronymic) if part)


@dataclass(frozen=True)
class Member:
    """One line of a roster to be saved: the system's id, the role and the place in the system's own order."""

    external_id: str
    role: Role
    position: int
    active: bool
    person: str | None


@dataclass(frozen=True)
class RosterLine:
    """One line of a saved roster; ``person`` is None for somebody of the right side nobody joined yet."""

    external_id: str
    role: Role
    position: int
    active: bool
    person: PersonRow | None


def groups(db: Connection, school: str) -> list[Group]:
    """Return the groups some connection pairs, by id."""
    table = group_link
    rows = db.execute(select(table).where(table.c.school_id == school).order_by(table.c.id))
    return [Group(row.id, row.title, subject_id=row.right_subject) for row in rows]


def _row(found: object) -> PersonRow:
    values = found._mapping  # type: ignore[attr-defined]
    return PersonRow(
        values["person_id"],
        values["family"],
        values["given"],
        values["patronymic"],
        values["erased_at"] is not None,
        values["blocked_at"] is not None,
    )


_PERSON = (
    person.c.id.label("person_id"),
    person.c.family,
    person.c.given,
    person.c.patronymic,
    person.c.erased_at,
    person.c.blocked_at,
)


def roster(db: Connection, school: str, link: str, side: str) -> list[RosterLine]:
    """Return who is in a group on one side now, in that system's own order."""
    joined = enrolment.outerjoin(
        person, (person.c.school_id == enrolment.c.school_id) & (person.c.id == enrolment.c.person)
    )
    rows = db.execute(
        select(enrolment.c.external_id, enrolment.c.role, enrolment.c.position, enrolment.c.active, *_PERSON)
        .select_from(joined)
        .where(enrolment.c.school_id == school, enrolment.c.group_link == link, enrolment.c.side == side)
        .order_by(enrolment.c.position, enrolment.c.external_id)
    )
    return [
        RosterLine(
            row.external_id, Role(row.role), row.position, bool(row.active), _row(row) if row.person_id else None
        )
        for row in rows
    ]


def save_roster(
    db: Connection, school: str, link: str, side: str, members: Sequence[Member], now: datetime, *, complete: bool
) -> None:
    """Keep a roster; those a complete read no longer names stay, as inactive."""
    table = enrolment
    if complete:
        left = (table.c.school_id == school, table.c.group_link == link, table.c.side == side)
        db.execute(update(table).where(*left).values(active=0))
    rows = [
        {
            "school_id": school,
            "group_link": link,
            "side": side,
            "external_id": member.external_id,
            "person": member.person,
            "role": member.role.value,
            "position": member.position,
            "active": int(member.active),
            "first_seen": now,
            "last_seen": now,
        }
        for member in members
    ]
    for batch in batches(rows):
        upsert(db, table, batch, keep=("first_seen",))


def set_enrolled_person(db: Connection, school: str, links: Iterable[str], external_id: str, whom: str | None) -> None:
    """Name the person behind a right-side roster line, or nobody."""
    table = enrolment
    db.execute(
        update(table)
        .where(
            table.c.school_id == school,
            table.c.side == "right",
            table.c.external_id == external_id,
            table.c.group_link.in_(list(links)),
        )
        .values(person=whom)
    )


def add_person(db: Connection, school: str, family: str, given: str, patronymic: str, now: datetime) -> str:
    """Make a person and return the internal id."""
    made = new_id()
    db.execute(
        insert(person).values(
            school_id=school, id=made, family=family, given=given, patronymic=patronymic, created_at=now
        )
    )
    return made


def rename(db: Connection, school: str, whom: str, family: str, given: str, patronymic: str) -> None:
    """Follow a changed name; an erased person stays without one."""
    db.execute(
        update(person)
        .where(person.c.school_id == school, person.c.id == whom, person.c.erased_at.is_(None))
        .values(family=family, given=given, patronymic=patronymic)
    )


def people(db: Connection, school: str, ids: Iterable[str]) -> dict[str, PersonRow]:
    """Return people by internal id."""
    found: dict[str, PersonRow] = {}
    for batch in batches(sorted(set(ids))):
        rows = db.execute(select(*_PERSON).where(person.c.school_id == school, person.c.id.in_(batch)))
        found |= {row.person_id: _row(row) for row in rows}
    return found


def by_identifier(db: Connection, school: str, kind: str, issuer: str) -> dict[str, str]:
    """Return internal ids by live identifier value, for one type and issuer."""
    table = identifier
    rows = db.execute(
        select(table.c.value, table.c.person).where(
            table.c.school_id == school, table.c.type == kind, table.c.issuer == issuer, table.c.ended_at.is_(None)
        )
    )
    return {row.value: row.person for row in rows}


def joined(
    db: Connection, school: str, left: tuple[str, str], right: tuple[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (internal id, left id, right id) of everybody who has a live id of both types and issuers, by id."""
    mine, theirs = identifier.alias(), identifier.alias()
    on = (theirs.c.school_id == mine.c.school_id) & (theirs.c.person == mine.c.person)
    where = [
        condition
        for table, (kind, issuer) in ((mine, left), (theirs, right))
        for condition in (
            table.c.school_id == school, table.c.type == kind, table.c.issuer == issuer, table.c.ended_at.is_(None)
        )
    ]  # fmt: skip
    rows = select(mine.c.person, mine.c.value, theirs.c.value).select_from(mine.join(theirs, on)).where(*where)
    for row in db.execute(rows.order_by(mine.c.person), execution_options={"yield_per": MANY}):
        yield row[0], row[1], row[2]


def stopped(db: Connection, school: str) -> frozenset[str]:
    """Return everybody whose data was erased or may not be processed."""
    gone = person.c.erased_at.is_not(None) | person.c.blocked_at.is_not(None)
    return frozenset(db.scalars(select(person.c.id).where(person.c.school_id == school, gone)))


def identifiers(db: Connection, school: str, ids: Iterable[str]) -> dict[str, dict[tuple[str, str], str]]:
    """Return live identifiers per person: (type, issuer) → value."""
    table = identifier
    found: dict[str, dict[tuple[str, str], str]] = {}
    for batch in batches(sorted(set(ids))):
        rows = db.execute(
            select(table).where(table.c.school_id == school, table.c.person.in_(batch), table.c.ended_at.is_(None))
        )
        for row in rows:
            found.setdefault(row.person, {})[(row.type, row.issuer)] = row.value
    return found


def confidence_of(db: Connection, school: str, kind: str, issuer: str) -> Mapping[str, str]:
    """Return how surely each live id of a type and issuer belongs to its person: id → ``linked``, ``proven``."""
    table = identifier
    rows = db.execute(
        select(table.c.value, table.c.confidence).where(
            table.c.school_id == school, table.c.type == kind, table.c.issuer == issuer, table.c.ended_at.is_(None)
        )
    )
    return {row.value: row.confidence for row in rows}


def give_identifier(
    db: Connection, school: str, whom: str, kind: str, issuer: str, value: str, confidence: str, now: datetime
) -> bool:
    """Let a person go by an id; False, and nothing changed, when it or its place is taken by another.

    Seeing the same id again moves its ``last_seen`` only.
    """
    table = identifier
    live = (table.c.school_id == school, table.c.type == kind, table.c.issuer == issuer, table.c.ended_at.is_(None))
    rows = list(
        db.execute(
            select(table.c.id, table.c.person, table.c.value).where(
                *live, (table.c.value == value) | (table.c.person == whom)
            )
        )
    )
    if not rows:
        own = {"school_id": school, "id": new_id(), "person": whom, "type": kind, "issuer": issuer, "value": value}
        db.execute(insert(table).values(**own, confidence=confidence, first_seen=now, last_seen=now))
        return True
    if len(rows) == 1 and (rows[0].person, rows[0].value) == (whom, value):
        db.execute(update(table).where(table.c.school_id == school, table.c.id == rows[0].id).values(last_seen=now))
        return True
    return False


def follow_identifier(
    db: Connection, school: str, whom: str, kind: str, issuer: str, value: str, confidence: str, now: datetime
) -> bool:
    """Let a person go by an id a system gives now; True when it came in place of another one, which ends.

    An id that is somebody else's stays theirs: a mistyped number must not take it away.
    """
    if give_identifier(db, school, whom, kind, issuer, value, confidence, now):
        return False
    table = identifier.c
    live = (table.school_id == school, table.type == kind, table.issuer == issuer, table.ended_at.is_(None))
    if db.scalar(select(table.id).where(*live, table.value == value)) is not None:
        return False
    db.execute(update(identifier).where(*live, table.person == whom).values(ended_at=now))
    return give_identifier(db, school, whom, kind, issuer, value, confidence, now)


def end_identifier(db: Connection, school: str, kind: str, issuer: str, value: str, now: datetime) -> str | None:
    """Stop an id from meaning anybody; return whom it meant."""
    table = identifier
    where = (
        table.c.school_id == school,
        table.c.type == kind,
        table.c.issuer == issuer,
        table.c.value == value,
        table.c.ended_at.is_(None),
    )
    whom: str | None = db.scalar(select(table.c.person).where(*where))
    db.execute(update(table).where(*where).values(ended_at=now))
    return whom
