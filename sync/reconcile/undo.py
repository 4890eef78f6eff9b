"""Undo a run: the inverse of what it applied, as a plan of its own that a person looks at and approves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from connector.base.errors import Fatal, KopirError
from connector.base.i18n import N_, say
from sync.model import AttendanceMark, Lesson, LineItem, Result
from sync.reconcile.guard import Verdict
from sync.reconcile.inverse import Applied, invert
from sync.reconcile.plan import hash_changes
from sync.reconcile.types import Cell, CellKey, CellKind, CellState, Change, Operation, Side
from sync.runs.compare import Comparison, stamp_of
from sync.runs.planning import counts_of, current_header, settle_rows, stand_all, verdict_to_json
from sync.runs.runtime import Sides, SyncRuntime, scope_of
from sync.store import conflicts, connections, people, plans
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow, NewPlan, StoredPlan
from sync.store.sql import batches
from sync.systems.contract import Evidence, Read, Scope, System


def undo_run(runtime: SyncRuntime, school: str, run_id: str, *, actor: str = "system") -> StoredPlan:
    """Make the plan that takes a run back; values are restored where they are still what the run wrote.

    A cell somebody changed since is a conflict, one that cannot be read now is not compared, and an erased person
    gets nothing back. Works that the run made are named with what is left of them: no system takes one out again.

    Raises:
        Fatal: The run applied nothing (``nothing_to_undo``).
        KopirError: A side cannot be opened.
    """
    with runtime.reading(school) as db:
        run = plans.get_run(db, school, run_id)
        rows = plans.changes(db, school, run.plan or "", ("applied",)) if run.plan else []
        undone = plans.get(db, school, run.plan) if run.plan else None
    written = [row for row in rows if row.side != "none"]
    if not written or undone is None:
        raise Fatal("nothing_to_undo", say(N_("This run wrote nothing that could be taken back.")))
    connection = runtime.connection(school, run.connection)
    sides = runtime.sides(connection)
    now_there = _Now(runtime, connection, sides, written)
    with runtime.reading(school) as db:
        known = people.people(db, school, {row.person for row in written})
    erased = {whom for whom, person in known.items() if person.erased or person.blocked}
    applied = [Applied(row.change, row.written) for row in written]
    closed = {row.key for row in written if row.side == "right" and now_there.closed(row.key)}
    changes = list(invert(applied, now_there.cell, erased=erased, closed=lambda key: key.text in closed))
    with runtime.writing(school) as db:
        new_run = plans.start_run(db, school, connection.id, "undo", actor, runtime.clock())
    works = _works(undone.works, changes, now_there)
    return _store(runtime, connection, new_run, run_id, undone.hash, changes, now_there, works)


def _works(made: Sequence[dict[str, str]], changes: Sequence[Change], now_there: _Now) -> list[dict[str, str]]:
    """Return the works the undone run made, each with what is left of it; no system lets a program take one out."""
    rows = [now_there.rows[one.key] for one in changes if one.operation is Operation.CLEAR]
    cleared = {(row.external_item or "", row.external_person or "") for row in rows}
    told = [{**work, "left": now_there.left_behind(work, cleared)} for work in made]
    return [work for work in told if work["left"]]


class _Now:
    """What the written cells hold now, read once per group, kind and side."""

    def __init__(
        self, runtime: SyncRuntime, connection: SyncConnection, sides: Sides, rows: Sequence[ChangeRow]
    ) -> None:
        self.rows = {row.key: row for row in rows}
        comparison = self._comparison = Comparison(runtime, connection, sides)
        with runtime.reading(connection.school) as db:
            self._links = {link.id: link for link in connections.groups(db, connection.school, connection.id)}
        places: dict[tuple[str, str, str], list[ChangeRow]] = {}
        for row in rows:
            places.setdefault((row.group_link, row.kind, row.side), []).append(row)
        self._reads = {place: self._read(comparison, sides, *place, found) for place, found in places.items()}

    def _read(
        self, comparison: Comparison, sides: Sides, link: str, kind: str, side: str, rows: Sequence[ChangeRow]
    ) -> Read[Result] | Read[AttendanceMark] | None:
        wanted = {row.external_item for row in rows}
        group = comparison.groups.get(link)
        if group is None:
            return None
        try:
            if kind == CellKind.GRADE:
                system: System = sides.left if side == "left" else sides.right
                columns = group.columns.values()
                known: list[LineItem | None] = [column.left if side == "left" else column.right for column in columns]
                items = [item for item in known if item is not None and item.id in wanted]
                return system.read_results(self._scope(link, side), items)
            lessons: list[Lesson] = [one for one in group.lessons.values() if one.id in wanted]
            own = side == "left" and sides.own_register
            system = sides.register if side == "left" else sides.right
            return system.read_attendance(self._scope(link, "right" if own else side), lessons)
        except KopirError:
            return None

    def _scope(self, link: str, side: str) -> Scope:
        found = self._links[link]
        return scope_of(found.right_group, found.right_subject) if side == "right" else scope_of(found.left_group)

    def cell(self, change: Change) -> Cell:
        """Return the written side's cell as it is now."""
        row = self.rows[change.key]
        read = self._reads[(row.group_link, row.kind, row.side)]
        if self._relinked(row):
            return Cell(change.key, None, CellState.UNKNOWN, note="relinked")
        if read is None or read.evidence is not Evidence.COMPLETE:
            return Cell(change.key, None, CellState.UNKNOWN, note="not_read" if read is None else read.reason)
        for record in read.records:
            item = record.item_id if isinstance(record, Result) else record.lesson_id
            if (item, record.person_id) == (row.external_item, row.external_person):
                changed = record.changed_at if isinstance(record, Result) else None
                return Cell(change.key, record.raw, CellState.PRESENT, changed)
        return Cell(change.key, None, CellState.ABSENT)

    def _relinked(self, row: ChangeRow) -> bool:
        """Tell whether the pupil goes by another account there by now."""
        pair = self._comparison.groups[row.group_link].pairs.get(row.person) if self._has(row.group_link) else None
        own = row.kind == CellKind.ATTENDANCE and row.side == "left" and row.external_person == row.person
        return pair is not None and not own and row.external_person != pair[row.side == "right"]

    def _has(self, link: str) -> bool:
        return link in self._comparison.groups

    def left_behind(self, work: dict[str, str], cleared: Collection[tuple[str, str]]) -> str:
        """Tell what becomes of a work that the run made: ``empty``, ``in_use``, or nothing where it was never made.

        Args:
            work: As the undone plan names it.
            cleared: Cells (work, pupil, in the journal's ids) that the undo empties.
        """
        link = work["group_link"]
        column = self._comparison.groups[link].columns.get(work["item"]) if self._has(link) else None
        if column is None or not column.link.right_item:
            return ""
        read = self._reads.get((link, CellKind.GRADE.value, "right"))
        if read is None or read.evidence is not Evidence.COMPLETE:
            return "in_use"
        marks = {(one.item_id, one.person_id) for one in read.records if isinstance(one, Result)}
        rest = {one for one in marks if one[0] == column.link.right_item} - set(cleared)
        return "in_use" if rest else "empty"

    def closed(self, key: str) -> bool:
        """Tell whether a cell of the journal lies in a closed period, as far as the last reads know."""
        return self._comparison.closing(CellKey.parse(key)) == "closed_period"

    def read_at(self, row: ChangeRow) -> datetime:
        """Return when the written side was read."""
        read = self._reads[(row.group_link, row.kind, row.side)]
        return row.read_at if read is None else read.read_at


def _store(
    runtime: SyncRuntime,
    connection: SyncConnection,
    run: str,
    undone_run: str,
    undone_hash: str,
    changes: Sequence[Change],
    now_there: _Now,
    works: Sequence[dict[str, str]],
) -> StoredPlan:
    school, now = connection.school, runtime.clock()
    header = current_header(runtime, connection, undoes=undone_hash)
    changes = sorted(changes, key=lambda change: change.key)
    digest = hash_changes(header, changes)
    with runtime.writing(school) as db:
        new = NewPlan(connection.id, run, "undo", digest, header, "discarded", {}, undoes=undone_run)
        stored = plans.add_plan(db, school, new, now)
    rows = [_row(stored, seq, change, now_there) for seq, change in enumerate(changes, 1)]
    for batch in batches(rows):
        with runtime.writing(school) as db:
            plans.add_changes(db, school, batch)
    waiting = [row for row in rows if row.state in ("ready", "held")]
    stand_all(runtime, connection, waiting, Verdict(), first=True)
    with runtime.writing(school) as db:
        silent = [row for row in rows if row.state == "silent"]
        for batch in batches(silent, 200):
            settle_rows(db, connection, run, "agreed", "system", batch, now)
        conflicts.keep(db, school, connection.id, run, [row.change for row in rows if row.state == "conflict"], now)
        counts = counts_of(db, school, stored)
        plans.update_plan(
            db,
            school,
            stored,
            counts=counts,
            works=list(works),
            verdict=verdict_to_json(Verdict()),
            state="planned" if waiting else "empty",
        )
        plans.update_run(db, school, run, state="planned", plan=stored, counts=counts, finished_at=now)
        return plans.get(db, school, stored)


def _row(stored: str, seq: int, change: Change, now_there: _Now) -> ChangeRow:
    """Return a row of the undo: the same cell, the same ids, with the time of this read."""
    done = now_there.rows[change.key]
    read_at = now_there.read_at(done)
    cell = now_there.cell(change)
    side: Side | None = change.side
    stamp = stamp_of(cell.changed_at if side is Side.LEFT else None, read_at)
    return replace(
        done,
        plan=stored,
        seq=seq,
        change=change,
        side=side.value if side is not None else "none",
        read_at=read_at,
        stamp=stamp,
        state=change.state.value,
        held_by=change.held_by,
        reason=change.reason,
        written=None,
        applied_at=None,
    )
