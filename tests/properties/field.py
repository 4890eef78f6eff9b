"""Fresh worlds for the properties: a school joined already, copied from one file, and what must always hold in it."""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from connector.db.database import Database
from sync.effects.tables import effect
from sync.reconcile.apply import ApplyReport
from sync.store import audit, plans
from sync.store.plans import ChangeRow, StoredPlan
from sync.store.tables.plans import plan_change
from sync.systems.contract import CellWrite, WriteResult
from tests.sync.kit import FILE, MAPPING, Bench, Clock, bench, joined
from tests.sync.memory import MemorySystem, journal, lms

BOTH_WAYS = (
    MAPPING.replace("owner: left\n  kinds", "owner: manual\n  kinds")
    .replace("{from: percent, to: mark10, round: half_up, min: 1}", "{from: mark10, to: mark10}")
    + "approve: {create: auto, update: auto, delete: auto}\nguard: {max_delete: 100, max_change_pct: 100}\n"
)  # fmt: skip
"""Marks of one scale that flow both ways, removals included: everything that could go wrong may."""


class Killed(BaseException):
    """Stands for SIGKILL inside one process: nothing of ours catches it."""


@dataclass
class Watched(MemorySystem):
    """A system that notes what every write replaced, whatever the write said that it expected.

    Attributes:
        found: Writes that were let through: the write, and the value that stood there.
        blind: The planted bug: no comparison before a write.
    """

    found: list[tuple[CellWrite, str | None]] = field(default_factory=list)
    blind: bool = False

    def _write(self, table: dict[tuple[str, str], str], write: CellWrite) -> WriteResult:
        hook, self.before_write = self.before_write, None
        if hook is not None:
            hook(write)
        was = table.get((write.item_id, write.person_id))
        done = len(self.writes)
        try:
            return super()._write(table, replace(write, expect=was) if self.blind else write)
        finally:
            self.before_write = self.before_write or hook
            if len(self.writes) > done:
                self.found.append((write, was))


@dataclass
class World:
    """One school with two systems, driven through production code alone.

    Attributes:
        made: The bench.
        faults: What went against a rule that must always hold, in words.
    """

    made: Bench
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for side in ("left", "right"):
            system = self.system(side)
            system.before_write = self._judge(side)

    def system(self, side: str) -> Watched:
        found = self.made.left if side == "left" else self.made.right
        assert isinstance(found, Watched)
        return found

    def _judge(self, side: str) -> Callable[[CellWrite], None]:
        """Before each write lands: what it is about to replace must be what was last agreed there, or it is lost."""

        def look(write: CellWrite) -> None:
            table = self.system(side).marks
            here = table.get((write.item_id, write.person_id))
            if here == write.after or (here != write.expect and not self.system(side).blind):
                return  # The system itself turns this one away.
            agreed = self.agreed(side, write)
            if here != agreed:
                self.faults.append(f"{side}: {here!r} was replaced by {write.after!r}, agreed was {agreed!r}")

        return look

    def agreed(self, side: str, write: CellWrite) -> str | None:
        with self.made.database.school(self.made.school, write=False) as db:
            rows = db.execute(
                select(plan_change.c.key, plan_change.c.external_item)
                .where(plan_change.c.side == side, plan_change.c.external_person == write.person_id)
                .order_by(plan_change.c.plan.desc())
            ).all()
        keys = [row.key for row in rows if row.external_item == write.item_id]
        found = self.made.base().get(keys[0]) if keys else None
        return None if found is None else found[0 if side == "left" else 1]

    def cell(self, side: str, number: int) -> tuple[str, str]:
        if side == "left":
            return ("li-1", f"u{number}")
        items = self.made.right.items
        return (items[0].id if items else "work-1", f"9000000000000000{number}")

    def type(self, side: str, number: int, raw: str | None) -> None:
        """Let a person type a mark, or take it out."""
        marks = self.system(side).marks
        if raw is None:
            marks.pop(self.cell(side, number), None)
        else:
            marks[self.cell(side, number)] = raw

    def value(self, side: str, number: int) -> str | None:
        return self.system(side).marks.get(self.cell(side, number))

    def plan(self) -> StoredPlan:
        return self.made.plan()

    def waiting(self) -> StoredPlan:
        """Return the newest plan, made already."""
        with self.made.database.school(self.made.school, write=False) as db:
            found = plans.latest(db, self.made.school, self.made.connection)
        assert found is not None
        return found

    def go(self, plan: StoredPlan, **options: Any) -> ApplyReport | None:
        """Approve and apply a plan, if it holds anything."""
        if plan.state != "planned":
            return None
        self.made.approve(plan, **options)
        return self.made.apply(plan)

    def sync(self, **options: Any) -> StoredPlan:
        plan = self.plan()
        self.go(plan, **options)
        return plan

    def rows(self, plan: StoredPlan, *states: str) -> list[ChangeRow]:
        return [row for row in self.made.changes(plan, *states) if row.kind == "grade"]

    @contextmanager
    def killed_at(self, number: int) -> Iterator[None]:
        """Kill what runs inside at its n-th step."""
        left = [number]

        def step(_name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        self.made.step = step
        try:
            with suppress(Killed):
                yield
        finally:
            self.made.step = lambda _name: None

    # what must always hold

    def check(self) -> None:
        """Check every rule that must hold after any step."""
        assert self.faults == []
        self.audit_is_the_base()
        self.every_write_is_in_the_ledger()
        self.stamps_rise()
        self.holds_are_not_applied()

    def audit_is_the_base(self) -> None:
        chain = self.made.audit()
        audit.verify(chain)
        assert audit.replay(chain) == self.made.base(), "replaying the audit does not give the base"

    def effects(self) -> list[Any]:
        with self.made.database.school(self.made.school, write=False) as db:
            return list(db.execute(select(effect).order_by(effect.c.id)))

    def every_write_is_in_the_ledger(self) -> None:
        known = Counter((row.system, row.item, row.person, row.after) for row in self.effects())
        for side in ("left", "right"):
            system = self.system(side)
            for (item, person, after), number in Counter(
                (write.item_id, write.person_id, write.after) for write in system.writes
            ).items():
                assert known[system.key, item, person, after] >= number, "a write is not in the ledger of effects"

    def stamps_rise(self) -> None:
        cells = defaultdict(list)
        for row in self.effects():
            if row.sent_at is not None:
                cells[row.system, row.item, row.person].append(row.stamp.astimezone(UTC))
        for stamps in cells.values():
            assert all(one < two for one, two in pairwise(stamps)), "a cell's stamps do not rise"

    def holds_are_not_applied(self) -> None:
        with self.made.database.school(self.made.school, write=False) as db:
            written = db.execute(
                select(plan_change.c.seq).where(
                    plan_change.c.held_by != "", plan_change.c.state.in_(["sent", "written", "applied"])
                )
            ).all()
        assert written == [], "a held change was applied"

    def settles(self) -> None:
        """Check that without edits and faults two rounds are enough, and that then nothing is written any more."""
        for _ in range(2):
            self.sync(releases=RELEASES)
        done = [len(self.system(side).writes) for side in ("left", "right")]
        plan = self.sync(releases=RELEASES)
        assert plan.pending == 0, [(row.change.rule, row.held_by) for row in self.rows(plan, "ready", "held")]
        assert done == [len(self.system(side).writes) for side in ("left", "right")]
        self.check()


RELEASES = ("over_percent", "over_count", "impact", "left_out", "hidden_value", "base_corrupt", "create_work")


class Fields:
    """Makes worlds: everything up to the joined people is done once and copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Bench] = {}
        self._open: list[Database] = []
        self._count = 0

    def world(self, mapping: str = BOTH_WAYS, *, agreed: bool = True, approved: bool = False) -> World:
        """Return a fresh world; ``agreed`` has gone through its first sync, ``approved`` has a first plan approved."""
        name = json.dumps([mapping, agreed, approved])
        if name not in self._kept:
            self._kept[name] = self._prepare(len(self._kept), mapping, agreed=agreed, approved=approved)
        kept = self._kept[name]
        self._count += 1
        path = self._folder / f"world-{self._count}.sqlite3"
        shutil.copyfile(str(kept.database.engine.url.database), path)
        database = self._opened(path)
        left, right = copy.deepcopy((_still(kept.left), _still(kept.right)))
        clock = Clock(kept.clock.now)
        left.clock = right.clock = lambda: clock.now
        return World(Bench(database, left, right, kept.vault, kept.school, kept.connection, clock))

    def _prepare(self, number: int, mapping: str, *, agreed: bool, approved: bool) -> Bench:
        path = self._folder / f"kept-{number}.sqlite3"
        database = self._opened(path)
        database.create_all()
        marks = {("li-1", "u1"): "8", ("li-1", "u2"): "5", ("li-1", "u3"): "10"}
        left = Watched(**vars(lms(marks=marks if "from: mark10" in mapping else lms().marks)))
        made = joined(database, left=left, right=Watched(**vars(journal())), mapping=mapping)
        if approved:
            made.approve(made.plan())
        elif agreed:
            made.sync()
        database.close()
        return made

    def _opened(self, path: Path) -> Database:
        database = Database(f"sqlite:///{path}")
        event.listen(database.engine, "connect", _forget_the_disk)
        self._open.append(database)
        return database

    def tidy(self) -> None:
        """Close and remove the worlds made so far."""
        for database in self._open:
            database.close()
        self._open.clear()
        for path in self._folder.glob("world-*"):
            path.unlink()


def _still(system: MemorySystem) -> MemorySystem:
    """Return a system without its hooks, which belong to another world."""
    return replace(system, before_write=None, outcome=None, clock=_no_clock)


def _no_clock() -> Any:
    raise AssertionError("a copied system asks a clock of another world")


def _forget_the_disk(dbapi: Any, _record: object) -> None:
    """Skip the disk: the properties speak of killed processes, not of power cuts."""
    dbapi.execute("PRAGMA synchronous=OFF")


def finds(check: Callable[..., None], *arguments: Any) -> None:
    """Check that a check fails: the same check, with a bug planted by the caller."""
    with pytest.raises((AssertionError, StopIteration)):
        check(*arguments)


__all__ = ["BOTH_WAYS", "FILE", "RELEASES", "Fields", "Killed", "Watched", "World", "bench", "finds"]
