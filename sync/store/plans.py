"""Stored runs and plans, and every change of a plan on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.ids import new_id
from connector.db.bulk import insert_many
from sync.reconcile.types import Change, PlanHeader
from sync.store.sql import batches
from sync.store.tables.plans import plan, plan_change, run

PAGE = 2_000
"""Changes that are in memory at a time where all of a plan are gone through."""
OPEN_STATES = ("approved", "sent", "written", "retry", "unknown")
"""Changes that an apply still has to bring to an end."""


@dataclass(frozen=True)
class RunRow:
    """One run: what started it, how far it got, what it counted and what it could not compare."""

    id: str
    connection: str
    trigger: str
    actor: str
    state: str
    counts: dict[str, int]
    phases: list[dict[str, Any]]
    not_compared: list[dict[str, str]]
    reason: str
    plan: str | None
    started_at: datetime
    finished_at: datetime | None
    progress: dict[str, Any] = field(default_factory=dict)
    cancelled_by: str = ""


@dataclass(frozen=True)
class StoredPlan:
    """A plan as it is stored.

    Attributes:
        id: Its id.
        connection: Whose it is.
        run: The run that made it.
        kind: ``sync``, ``impact`` or ``undo``.
        hash: What is approved is exactly this.
        header: What it was made from.
        works: Works that applying it makes.
        state: ``empty``, ``planned``, ``approved``, ``applying``, ``applied``, ``stale`` or ``discarded``.
        reason: Why it is stale.
        counts: Changes by state and by action.
        undoes: The run it takes back.
        made_at: When it was made.
        approved_by: Who approved it.
        verdict: The guard's word.
    """

    id: str
    connection: str
    run: str
    kind: str
    hash: str
    header: PlanHeader
    works: list[dict[str, str]]
    state: str
    reason: str
    counts: dict[str, int]
    undoes: str | None
    made_at: datetime
    approved_by: str | None
    verdict: dict[str, Any] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        """How many values would be written: those that may flow and those that wait for a person."""
        return self.counts.get("ready", 0) + self.counts.get("held", 0)


@dataclass(frozen=True)
class ChangeRow:
    """One change of a stored plan, with where it is written and how far it got."""

    plan: str
    seq: int
    change: Change
    side: str
    group_link: str
    item: str
    person: str
    external_item: str | None
    external_person: str | None
    maximum: str | None
    read_at: datetime
    stamp: datetime
    state: str
    held_by: str = ""
    reason: str = ""
    written: str | None = None
    applied_at: datetime | None = None

    @property
    def key(self) -> str:
        """The cell."""
        return self.change.key

    @property
    def kind(self) -> str:
        """``grade`` or ``attendance``."""
        return self.change.kind.value


def start_run(db: Connection, school: str, connection: str, trigger: str, actor: str, now: datetime) -> str:
    """Open a run and return its id."""
    made = new_id()
    db.execute(
        insert(run).values(
            school_id=school,
            id=made,
            connection=connection,
            trigger=trigger,
            actor=actor,
            state="reading",
            counts={},
            phases=[],
            not_compared=[],
            started_at=now,
        )
    )
    return made


def update_run(db: Connection, school: str, which: str, **values: Any) -> None:
    """Change a run's columns."""
    db.execute(update(run).where(run.c.school_id == school, run.c.id == which).values(**values))


def get_run(db: Connection, school: str, which: str) -> RunRow:
    """Return a run.

    Raises:
        Fatal: This school has none with this id (``no_such_run``).
    """
    row = db.execute(select(run).where(run.c.school_id == school, run.c.id == which)).first()
    if row is None:
        raise Fatal("no_such_run", say(N_("This school has no such run.")))
    return RunRow(**{name: getattr(row, name) for name in RunRow.__dataclass_fields__})


def runs(db: Connection, school: str, connection: str, limit: int = 50) -> list[RunRow]:
    """Return a connection's runs, newest first."""
    rows = db.execute(
        select(run)
        .where(run.c.school_id == school, run.c.connection == connection)
        .order_by(run.c.id.desc())
        .limit(limit)
    )
    return [RunRow(**{name: getattr(row, name) for name in RunRow.__dataclass_fields__}) for row in rows]


@dataclass(frozen=True)
class NewPlan:
    """A plan about to be stored."""

    connection: str
    run: str
    kind: str
    hash: str
    header: PlanHeader
    state: str
    counts: Mapping[str, int]
    works: Sequence[Mapping[str, str]] = field(default_factory=list)
    undoes: str | None = None


def add_plan(db: Connection, school: str, new: NewPlan, now: datetime) -> str:
    """Store a plan's header and return its id; its changes follow in batches."""
    made = new_id()
    header = {
        "school": new.header.school,
        "pair": new.header.pair,
        "scopes": list(new.header.scopes),
        "inputs": dict(new.header.inputs),
        "first": new.header.first,
        "undoes": new.header.undoes,
    }
    db.execute(
        insert(plan).values(
            school_id=school,
            id=made,
            connection=new.connection,
            run=new.run,
            kind=new.kind,
            hash=new.hash,
            header=header,
            works=[dict(work) for work in new.works],
            state=new.state,
            counts=dict(new.counts),
            undoes=new.undoes,
            made_at=now,
        )
    )
    return made


def add_changes(db: Connection, school: str, rows: Iterable[ChangeRow]) -> None:
    """Store changes of a plan; the caller keeps each transaction under 1,000."""
    values = [
        {
            "school_id": school,
            "plan": row.plan,
            "seq": row.seq,
            "key": row.key,
            "group_link": row.group_link,
            "kind": row.kind,
            "action": row.change.action.value,
            "side": row.side,
            "item": row.item,
            "person": row.person,
            "change": row.change.to_dict(),
            "external_item": row.external_item,
            "external_person": row.external_person,
            "maximum": row.maximum,
            "read_at": row.read_at,
            "stamp": row.stamp,
            "state": row.state,
            "held_by": row.held_by,
            "reason": row.reason,
        }
        for row in rows
    ]
    for batch in batches(values):
        insert_many(db, plan_change, batch)


def _plan_of(row: Any) -> StoredPlan:
    return StoredPlan(
        row.id,
        row.connection,
        row.run,
        row.kind,
        row.hash,
        PlanHeader.of(
            row.header["school"],
            row.header["pair"],
            row.header["scopes"],
            row.header["inputs"],
            first=row.header["first"],
            undoes=row.header["undoes"],
        ),
        row.works,
        row.state,
        row.reason,
        row.counts,
        row.undoes,
        row.made_at,
        row.approved_by,
        row.verdict or {},
    )


def get(db: Connection, school: str, which: str) -> StoredPlan:
    """Return a plan.

    Raises:
        Fatal: This school has none with this id (``no_such_plan``).
    """
    row = db.execute(select(plan).where(plan.c.school_id == school, plan.c.id == which)).first()
    if row is None:
        raise Fatal("no_such_plan", say(N_("This school has no such plan.")))
    return _plan_of(row)


def latest(db: Connection, school: str, connection: str) -> StoredPlan | None:
    """Return a connection's newest plan."""
    row = db.execute(
        select(plan)
        .where(plan.c.school_id == school, plan.c.connection == connection)
        .order_by(plan.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _plan_of(row)


def update_plan(db: Connection, school: str, which: str, *, states: Sequence[str] = (), **values: Any) -> bool:
    """Change a plan's columns if it is in one of these states; tell whether it was."""
    where = [plan.c.school_id == school, plan.c.id == which]
    if states:
        where.append(plan.c.state.in_(list(states)))
    return db.execute(update(plan).where(*where).values(**values)).rowcount == 1


def _change_of(row: Any) -> ChangeRow:
    return ChangeRow(
        row.plan,
        row.seq,
        Change.from_dict(row.change),
        row.side,
        row.group_link,
        row.item,
        row.person,
        row.external_item,
        row.external_person,
        row.maximum,
        row.read_at,
        row.stamp,
        row.state,
        row.held_by,
        row.reason,
        row.written,
        row.applied_at,
    )


def changes(
    db: Connection, school: str, which: str, states: Iterable[str] | None = None, limit: int | None = None
) -> list[ChangeRow]:
    """Return a plan's changes in order, all or those in some states."""
    where = [plan_change.c.school_id == school, plan_change.c.plan == which]
    if states is not None:
        where.append(plan_change.c.state.in_(list(states)))
    statement = select(plan_change).where(*where).order_by(plan_change.c.seq)
    return [_change_of(row) for row in db.execute(statement.limit(limit) if limit else statement)]


def pages(
    opened: Callable[[], AbstractContextManager[Connection]], school: str, which: str, states: Sequence[str]
) -> Iterator[list[ChangeRow]]:
    """Yield a plan's changes in some states in order, a page at a time; what was yielded may be changed meanwhile.

    Args:
        opened: Opens a reading transaction.
        school: The school.
        which: The plan.
        states: The states.
    """
    last = 0
    while True:
        where = [plan_change.c.school_id == school, plan_change.c.plan == which, plan_change.c.seq > last]
        where.append(plan_change.c.state.in_(list(states)))
        with opened() as db:
            page = db.execute(select(plan_change).where(*where).order_by(plan_change.c.seq).limit(PAGE)).all()
        if not page:
            return
        yield [_change_of(row) for row in page]
        last = page[-1].seq


def changes_of(db: Connection, school: str, which: str, keys: Iterable[str]) -> list[ChangeRow]:
    """Return a plan's changes of these cells."""
    found: list[ChangeRow] = []
    for batch in batches(sorted(set(keys))):
        where = (plan_change.c.school_id == school, plan_change.c.plan == which, plan_change.c.key.in_(batch))
        found += [_change_of(row) for row in db.execute(select(plan_change).where(*where))]
    return found


def without_place(db: Connection, school: str, which: str) -> list[ChangeRow]:
    """Return the pending changes of marks whose work on the right is not made yet."""
    where = (
        plan_change.c.school_id == school,
        plan_change.c.plan == which,
        plan_change.c.state.in_(["ready", "held"]),
        plan_change.c.side == "right",
        plan_change.c.kind == "grade",
        plan_change.c.external_item.is_(None) | (plan_change.c.external_item == ""),
    )
    return [_change_of(row) for row in db.execute(select(plan_change).where(*where).order_by(plan_change.c.seq))]


def set_change(db: Connection, school: str, which: str, seq: int, **values: Any) -> None:
    """Change the columns of one change."""
    where = (plan_change.c.school_id == school, plan_change.c.plan == which, plan_change.c.seq == seq)
    db.execute(update(plan_change).where(*where).values(**values))


def set_changes(db: Connection, school: str, which: str, seqs: Sequence[int], **values: Any) -> None:
    """Change the columns of several changes alike."""
    for batch in batches(seqs):
        where = (plan_change.c.school_id == school, plan_change.c.plan == which, plan_change.c.seq.in_(batch))
        db.execute(update(plan_change).where(*where).values(**values))


def set_external_item(db: Connection, school: str, which: str, item: str, external: str) -> None:
    """Name the work that was made for an item in every change that waits for it."""
    where = (
        plan_change.c.school_id == school,
        plan_change.c.plan == which,
        plan_change.c.item == item,
        plan_change.c.side == "right",
    )
    db.execute(update(plan_change).where(*where).values(external_item=external))
