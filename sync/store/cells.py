"""What each side holds and what both last agreed on, kept so that a plan can be made and explained from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, select, update

from connector.base.ids import new_id
from connector.db.bulk import upsert_values
from connector.db.types import canonical, dump_json
from sync.model import AcademicSession, AttendanceMark, GradeKind, Lesson, LineItem, Person, Result, Role
from sync.reconcile.types import Base, CellKey, Values
from sync.store import connections
from sync.store.sql import batches, upsert
from sync.store.tables.cells import base, scope_read, snapshot
from sync.store.tables.connections import group_link
from sync.systems.contract import Evidence, Read

Record = Person | Lesson | LineItem | Result | AttendanceMark
VALUED = frozenset({"person", "result", "attendance"})
"""Kinds of records whose rows carry a value beside the JSON."""
GONE = 10
"""A record that so many complete reads did not find is gone for every mapping; nobody counts further."""


@dataclass(frozen=True)
class ReadProof:
    """What the last read of one kind of records in one scope proved.

    Attributes:
        side: ``left`` or ``right``.
        kind: ``person``, ``lesson``, ``item``, ``result``, ``attendance`` or ``session``.
        evidence: What absence meant.
        reason: Code for anything but complete.
        found: How many records it gave; of people, how many pupils.
        known: How many the last complete read gave.
        read_at: When it began, by the other side's clock where it gives one.
        complete_at: When the last complete one began; None before the first.
    """

    side: str
    kind: str
    evidence: Evidence
    reason: str
    found: int
    known: int
    read_at: datetime
    complete_at: datetime | None


def to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON values; what a snapshot keeps of a person has no IIN in the clear."""
    if isinstance(record, Person):
        birth = record.birth_date.isoformat() if record.birth_date else None
        return {**vars(record), "role": record.role.value, "birth_date": birth}
    if isinstance(record, Lesson):
        return {**vars(record), "day": record.day.isoformat()}
    if isinstance(record, LineItem):
        return {
            **vars(record),
            "maximum": None if record.maximum is None else canonical(record.maximum),
            "kind": record.kind.value if record.kind else None,
            "due": record.due.isoformat() if record.due else None,
        }
    if isinstance(record, Result):
        return {
            **vars(record),
            "maximum": None if record.maximum is None else canonical(record.maximum),
            "changed_at": record.changed_at.isoformat() if record.changed_at else None,
        }
    return {**vars(record), "day": record.day.isoformat()}


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _person(raw: dict[str, Any]) -> Person:
    return Person(**{**raw, "role": Role(raw["role"]), "birth_date": _day(raw["birth_date"])})


def lesson_of(raw: dict[str, Any]) -> Lesson:
    """Return a lesson from its JSON."""
    return Lesson(**{**raw, "day": date.fromisoformat(raw["day"])})


def item_of(raw: dict[str, Any]) -> LineItem:
    """Return a column from its JSON."""
    return LineItem(
        **{
            **raw,
            "maximum": None if raw["maximum"] is None else Decimal(raw["maximum"]),
            "kind": GradeKind(raw["kind"]) if raw["kind"] else None,
            "due": _day(raw["due"]),
        }
    )


def _result(raw: dict[str, Any]) -> Result:
    return Result(
        **{
            **raw,
            "maximum": None if raw["maximum"] is None else Decimal(raw["maximum"]),
            "changed_at": datetime.fromisoformat(raw["changed_at"]) if raw["changed_at"] else None,
        }
    )


def record_key(record: Record) -> str:
    """Return what a record is kept under: its id, or its cell's two ids as a JSON list."""
    if isinstance(record, Result):
        return dump_json([record.item_id, record.person_id])
    if isinstance(record, AttendanceMark):
        return dump_json([record.lesson_id, record.person_id])
    return record.id


def save_read(
    opened: Callable[[], AbstractContextManager[Connection]],
    school: str,
    connection: str,
    side: str,
    link: str,
    kind: str,
    read: Read[Any],
) -> None:
    """Keep what a read found and what it proved, in short transactions.

    A complete read marks what it did not name as missing once more; any other read only adds. Only what differs from
    what is kept is written, so a read that finds nothing new costs one look. A process that dies in the middle leaves
    records of both reads and the older proof: nothing more is missing than before.

    Args:
        opened: Opens a writing transaction.
        school: The school.
        connection: The connection.
        side: ``left`` or ``right``.
        link: The group.
        kind: ``person``, ``lesson``, ``item``, ``result`` or ``attendance``.
        read: What was read.
    """
    this = new_id()
    where = _scope(school, connection, side, link, kind)
    known: dict[str, tuple[str, int]] = {}
    found: list[dict[str, Any]] = []
    if read.evidence in (Evidence.COMPLETE, Evidence.PARTIAL):
        with opened() as db:
            known = _hashes(db, where)
        found = [_snapshot_row(school, connection, side, link, kind, one, read.read_at, this) for one in read.records]
        fresh = (row for row in found if known.get(row["key"]) != (row["hash"], 0))
        for batch in batches(fresh):
            with opened() as db:
                upsert(db, snapshot, batch)
                connections.touch(db, school, [link])
    with opened() as db:
        if read.complete:
            gone = known.keys() - {row["key"] for row in found}
            _miss(db, school, link, where, [key for key in gone if known[key][1] < GONE])
        _save_proof(db, school, link, side, kind, read)


def _hashes(db: Connection, where: Sequence[Any]) -> dict[str, tuple[str, int]]:
    """Return hash and missing reads of what is kept; a row of an older version, without its value, has no hash."""
    columns = (snapshot.c.key, snapshot.c.hash, snapshot.c.missing, snapshot.c.value, snapshot.c.kind)
    rows = db.execute(select(*columns).where(*where))
    return {row.key: ("" if row.value is None and row.kind in VALUED else row.hash, row.missing) for row in rows}


def _miss(db: Connection, school: str, link: str, where: Sequence[Any], keys: Sequence[str]) -> None:
    for batch in batches(sorted(keys)):
        more = update(snapshot).where(*where, snapshot.c.key.in_(batch))
        db.execute(more.values(missing=snapshot.c.missing + 1))
    if keys:
        connections.touch(db, school, [link])


def _scope(school: str, connection: str, side: str, link: str, kind: str) -> tuple[Any, ...]:
    table = snapshot.c
    return (
        table.school_id == school,
        table.connection == connection,
        table.side == side,
        table.group_link == link,
        table.kind == kind,
    )


def _snapshot_row(
    school: str,
    connection: str,
    side: str,
    link: str,
    kind: str,
    record: Record,
    read_at: datetime,
    this: str,
) -> dict[str, Any]:
    raw = to_json(record)
    return {
        "school_id": school,
        "connection": connection,
        "side": side,
        "group_link": link,
        "kind": kind,
        "key": record_key(record),
        "raw": raw,
        "value": _value_of(record),
        "changed": raw.get("changed_at"),
        "hash": hashlib.sha256(dump_json(raw).encode()).hexdigest(),
        "seen_at": read_at,
        "read": this,
        "missing": 0,
    }


def _value_of(record: Record) -> str | None:
    """Return what a comparison asks of a record before all else."""
    if isinstance(record, Person):
        return record.role.value
    return record.raw if isinstance(record, Result | AttendanceMark) else None


def size_of(records: Sequence[Record | AcademicSession]) -> int:
    """Return how many records a read is judged by; of people only the pupils, for every teacher may see a class."""
    return sum(not isinstance(one, Person) or one.role is Role.PUPIL for one in records)


def _save_proof(db: Connection, school: str, link: str, side: str, kind: str, read: Read[Any]) -> None:
    row = {
        "school_id": school,
        "group_link": link,
        "side": side,
        "kind": kind,
        "evidence": read.evidence.value,
        "reason": read.reason,
        "found": size_of(read.records),
        "read_at": read.read_at,
    }
    if read.complete:
        upsert(db, scope_read, [{**row, "known": size_of(read.records), "complete_at": read.read_at}])
    else:
        upsert(db, scope_read, [{**row, "known": 0, "complete_at": None}], keep=("known", "complete_at"))


def proofs(db: Connection, school: str, link: str) -> dict[tuple[str, str], ReadProof]:
    """Return the last read of every kind in a scope, by (side, kind)."""
    table = scope_read
    rows = db.execute(select(table).where(table.c.school_id == school, table.c.group_link == link))
    return {
        (row.side, row.kind): ReadProof(
            row.side, row.kind, Evidence(row.evidence), row.reason, row.found, row.known, row.read_at, row.complete_at
        )
        for row in rows
    }


def save_sessions(
    opened: Callable[[], AbstractContextManager[Connection]], school: str, link: str, read: Read[AcademicSession]
) -> None:
    """Keep a group's reporting periods, and what the read of them proved; only a complete one replaces the others."""
    rows = [{**vars(one), "first": one.first.isoformat(), "last": one.last.isoformat()} for one in read.records]
    with opened() as db:
        if read.complete:
            where = (group_link.c.school_id == school, group_link.c.id == link)
            if db.scalar(select(group_link.c.sessions).where(*where)) != rows:
                db.execute(update(group_link).where(*where).values(sessions=rows))
                connections.touch(db, school, [link])
        _save_proof(db, school, link, "right", "session", read)


def sessions(db: Connection, school: str, link: str) -> tuple[AcademicSession, ...]:
    """Return a group's reporting periods as the last complete read gave them."""
    where = (group_link.c.school_id == school, group_link.c.id == link)
    kept = db.scalar(select(group_link.c.sessions).where(*where)) or []
    return sessions_of(kept)


def sessions_of(kept: Sequence[dict[str, Any]]) -> tuple[AcademicSession, ...]:
    """Return reporting periods from their JSON."""
    days = [{**one, "first": date.fromisoformat(one["first"]), "last": date.fromisoformat(one["last"])} for one in kept]
    return tuple(AcademicSession(**one) for one in days)


def accept_size(db: Connection, school: str, link: str, side: str, kind: str, size: int) -> None:
    """Make a number of records the floor of the next read."""
    table = scope_read.c
    where = (table.school_id == school, table.group_link == link, table.side == side, table.kind == kind)
    db.execute(update(scope_read).where(*where).values(known=size))


@dataclass(frozen=True)
class Kept:
    """One kept record, when it was last seen, and how many complete reads since then did not find it."""

    raw: dict[str, Any]
    seen_at: datetime
    missing: int


def _load(db: Connection, school: str, connection: str, side: str, link: str, kind: str) -> list[Kept]:
    where = _scope(school, connection, side, link, kind)
    rows = db.execute(
        select(snapshot.c.raw, snapshot.c.seen_at, snapshot.c.missing).where(*where).order_by(snapshot.c.key)
    )
    return [Kept(row.raw, row.seen_at, row.missing) for row in rows]


def keys_seen(
    db: Connection, school: str, connection: str, side: str, link: str, kind: str, keys: Iterable[str]
) -> list[str]:
    """Return which of these records the last complete read of a scope still found."""
    where = (*_scope(school, connection, side, link, kind), snapshot.c.key.in_(list(keys)), snapshot.c.missing == 0)
    return list(db.scalars(select(snapshot.c.key).where(*where)))


def people(db: Connection, school: str, connection: str, side: str, link: str) -> list[Person]:
    """Return the people of the last reads that are still there."""
    return [_person(kept.raw) for kept in _load(db, school, connection, side, link, "person") if not kept.missing]


def lessons(db: Connection, school: str, connection: str, side: str, link: str) -> list[Lesson]:
    """Return the lessons that are still there, by day and number."""
    found = [lesson_of(kept.raw) for kept in _load(db, school, connection, side, link, "lesson") if not kept.missing]
    return sorted(found, key=lambda lesson: (lesson.day, lesson.number, lesson.id))


def items(db: Connection, school: str, connection: str, side: str, link: str) -> list[LineItem]:
    """Return the columns that are still there, by id."""
    return [item_of(kept.raw) for kept in _load(db, school, connection, side, link, "item") if not kept.missing]


def results(db: Connection, school: str, connection: str, side: str, link: str) -> list[tuple[Result, int]]:
    """Return marks, each with the number of complete reads that no longer found it."""
    return [(_result(kept.raw), kept.missing) for kept in _load(db, school, connection, side, link, "result")]


def put(
    db: Connection, school: str, connection: str, side: str, link: str, records: Sequence[Record], at: datetime
) -> None:
    """Keep single records that were read back after a write."""
    for batch in batches(records):
        rows = [_snapshot_row(school, connection, side, link, _kind(record), record, at, "") for record in batch]
        upsert(db, snapshot, rows)
        connections.touch(db, school, [link])


def take_out(
    db: Connection, school: str, connection: str, side: str, link: str, kind: str, keys: Iterable[str]
) -> None:
    """Forget cells that a read after our own write proved empty."""
    where = _scope(school, connection, side, link, kind)
    for batch in batches(sorted(set(keys))):
        db.execute(delete(snapshot).where(*where, snapshot.c.key.in_(batch)))
        connections.touch(db, school, [link])


def _kind(record: Record) -> str:
    return {
        Person: "person", Lesson: "lesson", LineItem: "item", Result: "result", AttendanceMark: "attendance"
    }[type(record)]  # fmt: skip


def base_of(db: Connection, school: str, connection: str, keys: Iterable[str]) -> dict[str, Base]:
    """Return the bases of these cells by key."""
    table = base
    found: dict[str, Base] = {}
    for batch in batches(sorted(set(keys))):
        rows = db.execute(
            select(table).where(table.c.school_id == school, table.c.connection == connection, table.c.key.in_(batch))
        )
        found |= {row.key: Base(row.key, row.left_raw, row.right_raw, row.mapping_version) for row in rows}
    return found


@dataclass(frozen=True)
class Settling:
    """What one cell's base becomes; ``values`` None forgets it."""

    key: str
    values: Values | None
    mapping_version: str


_BASE = (
    "school_id", "connection", "key", "group_link", "kind", "item", "person", "left_raw", "right_raw",
    "mapping_version", "run", "agreed_at",
)  # fmt: skip


def settle(
    db: Connection, school: str, connection: str, run: str, settlings: Sequence[Settling], now: datetime
) -> None:
    """Set or forget bases; the caller writes the audit link in the same transaction."""
    rows = []
    for one in settlings:
        if one.values is not None:
            kind, group, item, person = CellKey.parse(one.key)
            left, right = one.values
            rows.append(
                (
                    school,
                    connection,
                    one.key,
                    group,
                    kind.value,
                    item,
                    person,
                    left,
                    right,
                    one.mapping_version,
                    run,
                    now,
                )
            )
    for batch in batches(rows):
        upsert_values(db, base, _BASE, batch, ("school_id", "connection", "key"), _BASE[3:])
    for keys in batches([one.key for one in settlings if one.values is None]):
        db.execute(
            delete(base).where(base.c.school_id == school, base.c.connection == connection, base.c.key.in_(keys))
        )
    connections.touch(db, school, {CellKey.parse(one.key).group for one in settlings})


def all_bases(db: Connection, school: str, connection: str) -> Mapping[str, tuple[str | None, str | None, str]]:
    """Return every base of a connection: key → (left, right, mapping version)."""
    rows = db.execute(select(base).where(base.c.school_id == school, base.c.connection == connection))
    return {row.key: (row.left_raw, row.right_raw, row.mapping_version) for row in rows}
