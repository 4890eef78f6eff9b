"""A school with one connection between two systems, and the words a test says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import insert

from connector.base.ids import new_id
from connector.base.secrets import Vault, new_key
from connector.db.database import Database
from connector.db.tables.registry import school as school_table
from sync.entry_sheet import EntrySheet
from sync.reconcile.apply import ApplyReport, apply_plan
from sync.reconcile.undo import undo_run
from sync.runs import entries
from sync.runs import people as joining
from sync.runs.approving import approve
from sync.runs.identity_file import JoinPreview, join_by_file
from sync.runs.planning import plan_connection
from sync.runs.runtime import SyncRuntime
from sync.store import audit, cells, conflicts, connections, plans, register
from sync.store.conflicts import ConflictRow
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow, StoredPlan
from sync.systems.contract import System
from tests.sync.memory import NOW, MemorySystem, journal, lms

MAPPING = """
version: 1
pair: {left: "moodle:gym", right: "kundelik:1000001234567"}
identity: {join: [linked_id, iin, idnumber], propose: [name+class]}
groups: [{left: {course: "7А-ALG"}, right: {edu_group: "2244", subject: алгебра}}]
grades:
  owner: left
  kinds: {"*": fo}
  scale: {fo: {from: percent, to: mark10, round: half_up, min: 1}}
items: {find: [linked, tag, title+date], place: lesson_on_due_date, create_work: auto}
attendance:
  owner: right
  codes: {P: Attend, A: Absent, L: Late, I: Ill, E: Pass}
"""
FILE = "idnumber;kundelik\n" + "".join(f"N{n};9000000000000000{n}\n" for n in range(1, 5))


@dataclass
class TwoSystems:
    """A factory that always opens the same two systems."""

    left: System
    right: System

    def open(self, connection: SyncConnection) -> tuple[System, System]:
        return self.left, self.right


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now


@dataclass
class Bench:
    """One school, one connection, two systems in memory."""

    database: Database
    left: MemorySystem
    right: MemorySystem
    vault: Vault
    school: str
    connection: str
    clock: Clock
    step: Callable[[str], None] = field(default=lambda _name: None)

    @property
    def runtime(self) -> SyncRuntime:
        return SyncRuntime(
            self.database, self.vault, TwoSystems(self.left, self.right), clock=self.clock, step=lambda n: self.step(n)
        )

    def plan(self, **options: object) -> StoredPlan:
        self.clock.now += timedelta(minutes=1)
        return plan_connection(self.runtime, self.school, self.connection, **options)  # type: ignore[arg-type]

    def approve(self, plan: StoredPlan, **options: object) -> StoredPlan:
        return approve(self.runtime, self.school, plan.id, plan.hash, "person-1", **options)  # type: ignore[arg-type]

    def apply(self, plan: StoredPlan) -> ApplyReport:
        return apply_plan(self.runtime, self.school, plan.id, actor="person-1")

    def sync(self) -> ApplyReport:
        plan = self.plan()
        self.approve(plan)
        return self.apply(plan)

    def undo(self, run: str) -> StoredPlan:
        self.clock.now += timedelta(minutes=1)
        return undo_run(self.runtime, self.school, run, actor="person-1")

    def join(self, text: str = FILE) -> JoinPreview:
        return join_by_file(self.runtime, self.school, self.connection, text.encode(), who="person-1", apply=True)

    def changes(self, plan: StoredPlan, *states: str) -> list[ChangeRow]:
        with self.database.school(self.school, write=False) as db:
            return plans.changes(db, self.school, plan.id, states or None)

    def run(self, plan: StoredPlan) -> plans.RunRow:
        with self.database.school(self.school, write=False) as db:
            return plans.get_run(db, self.school, plan.run)

    def conflicts(self, state: str = "open") -> list[ConflictRow]:
        with self.database.school(self.school, write=False) as db:
            return conflicts.of(db, self.school, self.connection, state)

    def base(self) -> dict[str, tuple[str | None, str | None, str]]:
        with self.database.school(self.school, write=False) as db:
            return dict(cells.all_bases(db, self.school, self.connection))

    def audit(self) -> list[audit.Link]:
        with self.database.school(self.school, write=False) as db:
            return audit.links(db, self.school, self.connection)

    def register(self) -> dict[tuple[str, str], str]:
        with self.database.school(self.school, write=False) as db:
            return {(e.lesson, e.person): e.code for e in register.entries_of(db, self.school, ["L1", "L2"])}

    def sheet(self) -> EntrySheet:
        with self.database.school(self.school, write=False) as db:
            return entries.sheet(db, connections.get(db, self.school, self.connection))

    def person(self, left_id: str) -> str:
        with self.database.school(self.school, write=False) as db:
            found = joining.links(db, connections.get(db, self.school, self.connection))
        return next(whom for whom, pair in found.items() if pair[0] == left_id)


def bench(
    database: Database,
    *,
    left: MemorySystem | None = None,
    right: MemorySystem | None = None,
    mapping: str = MAPPING,
    read_only: bool = False,
) -> Bench:
    vault, clock, school = Vault([new_key()]), Clock(), new_id()
    with database.service() as db:
        values = {"code": school, "name": "№5 гимназия", "sealed_key": vault.seal(new_key()), "created_at": NOW}
        db.execute(insert(school_table).values(id=school, **values))
    with database.school(school) as db:
        connection = connections.add(
            db,
            school,
            mapping,
            NOW,
            settings={},
            credentials={"right": {"token": "t"}},
            vault=vault,
            read_only=read_only,
        )
    mine, theirs = left or lms(), right or journal()
    mine.clock = theirs.clock = lambda: clock.now
    return Bench(database, mine, theirs, vault, school, connection, clock)


def joined(database: Database, **options: object) -> Bench:
    """Make a bench whose people were joined by the identity file."""
    made = bench(database, **options)  # type: ignore[arg-type]
    made.plan()
    preview = made.join()
    assert preview.applied, preview.findings
    return made
