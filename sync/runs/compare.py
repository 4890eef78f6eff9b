"""What both sides of a group hold, laid cell by cell beside each other, from what the last reads kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection

from sync.model import AcademicSession, Lesson, Role
from sync.reconcile.guard import period_closed
from sync.reconcile.types import (
    Base,
    Cell,
    CellKey,
    CellKind,
    CellState,
    Coverage,
    Rules,
    Side,
    scope_text,
)
from sync.runs import people as joining
from sync.runs.columns import Column, attendance_rules, grade_rules
from sync.runs.places import columns as columns_of
from sync.runs.runtime import Sides, SyncRuntime
from sync.store import cells, connections, people
from sync.store.cells import ReadProof
from sync.store.connections import GroupLink, SyncConnection
from sync.systems.contract import Evidence, Writing

NEEDS: dict[CellKind, dict[Side, tuple[str, ...]]] = {
    CellKind.GRADE: {Side.LEFT: ("person", "item", "result"), Side.RIGHT: ("person", "lesson", "item", "result")},
    CellKind.ATTENDANCE: {Side.LEFT: ("attendance",), Side.RIGHT: ("person", "lesson", "attendance")},
}
"""Which reads a scope's evidence stands on."""
OLDEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ScopeCells:
    """Both sides and the base of one scope, sorted by key."""

    left: list[Cell] = field(default_factory=list)
    right: list[Cell] = field(default_factory=list)
    base: list[Base] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """One group as a plan sees it.

    Attributes:
        link: The pair of groups.
        pairs: Joined pupils in both rosters: internal id → (left id, right id).
        columns: Comparable works by internal id.
        lessons: The lessons on the right by id.
        proofs: The last reads.
        sessions: The journal's reporting periods, as the last complete read of them gave them.
    """

    link: GroupLink
    pairs: dict[str, tuple[str, str]]
    columns: dict[str, Column]
    lessons: dict[str, Lesson]
    proofs: dict[tuple[str, str], ReadProof]
    sessions: tuple[AcademicSession, ...] = ()

    def closing(self, kind: CellKind, item: str) -> str:
        """Return why a work or lesson of the journal must not be written, or an empty text.

        ``closed_period`` where its day lies in a closed period; ``sessions_unknown`` where the periods could not be
        read, or none of them holds the day, so that nobody can tell. A journal that offers no periods closes none.
        """
        proof = self.proofs.get(("right", "session"))
        if proof is not None and proof.evidence is Evidence.GONE and proof.reason == "not_offered":
            return ""
        day = self._day(kind, item)
        if day is None:
            return "" if kind is CellKind.GRADE and self.columns[item].hold else "sessions_unknown"
        if period_closed(day, self.sessions):
            return "closed_period"
        covered = any(session.first <= day <= session.last for session in self.sessions)
        return "" if covered and proof is not None and proof.evidence is Evidence.COMPLETE else "sessions_unknown"

    def _day(self, kind: CellKind, item: str) -> date | None:
        """Return the civil day of a lesson, or of the lesson a work hangs on."""
        if kind is CellKind.ATTENDANCE:
            return self.lessons[item].day
        column = self.columns[item]
        lesson = self.lessons.get(column.right.lesson_id if column.right is not None else column.link.right_lesson)
        if lesson is not None:
            return lesson.day
        return column.right.due if column.right is not None else None

    def evidence(self, kind: CellKind, side: Side) -> tuple[Evidence, str]:
        """Return what the reads of a side prove about one kind of cells: the worst of what they stand on."""
        worst, reason = Evidence.COMPLETE, ""
        for need in NEEDS[kind][side]:
            proof = self.proofs.get((side.value, need))
            found = proof.evidence if proof is not None else Evidence.UNKNOWN
            if found is Evidence.GONE and proof is not None and proof.reason == "not_offered":
                continue
            if found is not Evidence.COMPLETE and worst in (Evidence.COMPLETE, Evidence.PARTIAL):
                worst, reason = found, proof.reason if proof is not None else "never_read"
        return worst, reason

    def read_at(self, kind: CellKind, side: Side) -> datetime:
        """Return when the values of a side were read, by its own clock where it gives one."""
        proof = self.proofs.get((side.value, "result" if kind is CellKind.GRADE else "attendance"))
        return proof.read_at if proof is not None else OLDEST


class Comparison:
    """Everything a plan of one connection compares; scopes are loaded one after another, so memory stays flat."""

    def __init__(
        self, runtime: SyncRuntime, connection: SyncConnection, sides: Sides, only: Sequence[str] = ()
    ) -> None:
        """Load the groups.

        Args:
            runtime: The application's parts.
            connection: The connection.
            sides: Its systems.
            only: Group links to compare; all when empty.
        """
        self._runtime = runtime
        self.connection = connection
        self.sides = sides
        school = connection.school
        rights = sides.right.capabilities
        self.could_write_marks = rights.results.write is Writing.YES
        self.writes_marks = self.could_write_marks and connection.may_write("grade")
        makes_works = self.writes_marks and rights.line_items.write is Writing.YES
        with runtime.reading(school) as db:
            self.identity_hash = joining.identity_hash(db, connection)
            joined = joining.links(db, connection)
            stopped = {one.id for one in people.people(db, school, joined).values() if one.erased or one.blocked}
            joined = {whom: pair for whom, pair in joined.items() if whom not in stopped}
            self.groups = {
                link.id: self._group(db, link, joined, writable=makes_works)
                for link in connections.groups(db, school, connection.id)
                if not only or link.id in only
            }
        self._cells = lru_cache(maxsize=4)(self._load)

    def _group(self, db: Connection, link: GroupLink, joined: dict[str, tuple[str, str]], *, writable: bool) -> Group:
        school, which = self.connection.school, self.connection.id
        there = [
            {one.id for one in cells.people(db, school, which, side, link.id) if one.role is Role.PUPIL}
            for side in ("left", "right")
        ]
        pairs = {whom: pair for whom, pair in joined.items() if pair[0] in there[0] and pair[1] in there[1]}
        return Group(
            link,
            pairs,
            columns_of(db, self.connection, link, writable=writable),
            {lesson.id: lesson for lesson in cells.lessons(db, school, which, "right", link.id)},
            cells.proofs(db, school, link.id),
            cells.sessions(db, school, link.id),
        )

    @property
    def kinds(self) -> list[CellKind]:
        """The kinds of cells the mapping carries, in key order."""
        return kinds_of(self.connection)

    def scopes(self) -> list[tuple[CellKind, Group]]:
        """Return the scopes whose reads show anything at all, in key order."""
        pairs = [(kind, group) for kind in self.kinds for group in self.groups.values() if self._seen(kind, group)]
        return sorted(pairs, key=lambda pair: scope_text(pair[0], pair[1].link.id) + "|")

    def _seen(self, kind: CellKind, group: Group) -> bool:
        return all(group.evidence(kind, side)[0] in (Evidence.COMPLETE, Evidence.PARTIAL) for side in Side)

    def coverage(self) -> Coverage:
        """Return what the reads prove, scope by scope."""
        proofs: dict[Side, dict[str, Evidence]] = {Side.LEFT: {}, Side.RIGHT: {}}
        reasons: dict[tuple[Side, str], str] = {}
        for kind in self.kinds:
            for group in self.groups.values():
                text = scope_text(kind, group.link.id)
                for side in Side:
                    proofs[side][text], reason = group.evidence(kind, side)
                    if reason:
                        reasons[(side, text)] = reason
        return Coverage(proofs[Side.LEFT], proofs[Side.RIGHT], reasons)

    def closing(self, key: CellKey) -> str:
        """Return why the journal's period stands in the way of writing a cell; see ``Group.closing``."""
        group = self.groups.get(key.group)
        items = () if group is None else group.columns if key.kind is CellKind.GRADE else group.lessons
        return group.closing(key.kind, key.item) if group is not None and key.item in items else ""

    def closed_columns(self) -> list[CellKey]:
        """Return the columns and lessons of the journal whose period is closed."""
        keys = [
            CellKey(kind, group.link.id, item, "")
            for kind, group in self.scopes()
            for item in (group.columns if kind is CellKind.GRADE else group.lessons)
        ]
        return [key for key in keys if self.closing(key) == "closed_period"]

    def rules(self, key: CellKey) -> Rules:
        """Return the rules of a column."""
        left, right = self.sides.left.capabilities, self.sides.right.capabilities
        if key.kind is CellKind.ATTENDANCE:
            held = self.sides.register.capabilities.attendance
            own = self.sides.own_register
            return attendance_rules(self.connection, held, right.attendance, own=own, closing=self.closing(key))
        column = self.groups[key.group].columns[key.item]
        return grade_rules(self.connection, column, left.results, right.results, self.closing(key))

    def left(self) -> Iterator[Cell]:
        """Yield left's cells in key order."""
        for kind, group in self.scopes():
            yield from self._cells(kind, group.link.id).left

    def right(self) -> Iterator[Cell]:
        """Yield right's cells in key order."""
        for kind, group in self.scopes():
            yield from self._cells(kind, group.link.id).right

    def base(self) -> Iterator[Base]:
        """Yield the bases of the compared cells in key order."""
        for kind, group in self.scopes():
            yield from self._cells(kind, group.link.id).base

    def find(self, key: CellKey) -> tuple[Cell | None, Cell | None, Base | None]:
        """Return both sides and the base of one cell."""
        found = self._cells(key.kind, key.group)
        return (
            next((cell for cell in found.left if cell.key == key.text), None),
            next((cell for cell in found.right if cell.key == key.text), None),
            next((base for base in found.base if base.key == key.text), None),
        )

    def _load(self, kind: CellKind, link: str) -> ScopeCells:
        group = self.groups[link]
        with self._runtime.reading(self.connection.school) as db:
            bases = {
                base.key: base
                for base in cells.bases(db, self.connection.school, self.connection.id, link, kind.value)
                if self._comparable(group, CellKey.parse(base.key))
            }
            found = self._grades(db, group, bases) if kind is CellKind.GRADE else self._attendance(db, group, bases)
        return ScopeCells(
            sorted(found[Side.LEFT]), sorted(found[Side.RIGHT]), sorted(bases.values(), key=lambda base: base.key)
        )

    def _comparable(self, group: Group, key: CellKey) -> bool:
        """Tell whether pupil and column are on both sides: a pupil who moved away takes no mark with them."""
        items = group.columns if key.kind is CellKind.GRADE else group.lessons
        return key.person in group.pairs and key.item in items

    def _grades(self, db: Connection, group: Group, bases: dict[str, Base]) -> dict[Side, list[Cell]]:
        school, which, link = self.connection.school, self.connection.id, group.link.id
        after = self.connection.mapping.file.guard.absent_after
        people_of = (
            {pair[0]: whom for whom, pair in group.pairs.items()},
            {pair[1]: whom for whom, pair in group.pairs.items()},
        )
        items_of = (
            {column.link.left_item: item for item, column in group.columns.items()},
            {column.right.id: item for item, column in group.columns.items() if column.right is not None},
        )
        found: dict[Side, list[Cell]] = {Side.LEFT: [], Side.RIGHT: []}
        for side, whose, items, system in zip(
            Side, people_of, items_of, (self.connection.left, self.connection.right), strict=True
        ):
            for result, missing in cells.results(db, school, which, side.value, link):
                whom, item = whose.get(result.person_id), items.get(result.item_id)
                if whom is None or item is None:
                    continue
                key = CellKey(CellKind.GRADE, link, item, whom).text
                cell = _seen_cell(key, result.raw, result.changed_at, system, missing, bases.get(key), side, after)
                found[side] += [cell] if cell is not None else []
        return found

    def _attendance(self, db: Connection, group: Group, bases: dict[str, Base]) -> dict[Side, list[Cell]]:
        school, which, link = self.connection.school, self.connection.id, group.link.id
        own = self.sides.own_register
        after = self.connection.mapping.file.guard.absent_after
        people_of = (
            {whom if own else pair[0]: whom for whom, pair in group.pairs.items()},
            {pair[1]: whom for whom, pair in group.pairs.items()},
        )
        found: dict[Side, list[Cell]] = {Side.LEFT: [], Side.RIGHT: []}
        taken: set[str] = set()
        for side, whose in zip(Side, people_of, strict=True):
            for entry, missing in cells.attendance(db, school, which, side.value, link):
                if side is Side.RIGHT and not missing:
                    taken.add(entry.lesson_id)
                whom = whose.get(entry.person_id)
                if whom is None or entry.lesson_id not in group.lessons:
                    continue
                key = CellKey(CellKind.ATTENDANCE, link, entry.lesson_id, whom).text
                cell = _seen_cell(key, entry.raw, None, "", missing, bases.get(key), side, after)
                found[side] += [cell] if cell is not None else []
        rules = self.connection.mapping.file.attendance
        if rules is not None and rules.blank_is == "present":
            _add_blanks(group, taken, found)
        return found


def kinds_of(connection: SyncConnection) -> list[CellKind]:
    """Return the kinds of cells a connection's mapping carries, in key order."""
    file = connection.mapping.file
    carried = {CellKind.ATTENDANCE: file.attendance, CellKind.GRADE: file.grades}
    return sorted((kind for kind, rules in carried.items() if rules is not None), key=lambda kind: kind.value)


def _seen_cell(
    key: str, raw: str, changed_at: datetime | None, clock: str, missing: int, base: Base | None, side: Side, after: int
) -> Cell | None:
    """Return a kept value as a cell; what fewer than ``after`` complete reads did not find is not believed gone."""
    if not missing:
        return Cell(key, raw, CellState.PRESENT, changed_at, clock)
    agreed = None if base is None else base.left_raw if side is Side.LEFT else base.right_raw
    if missing < after and agreed is not None:
        return Cell(key, None, CellState.UNKNOWN, note="awaits_second_read")
    return None


def _add_blanks(group: Group, taken: set[str], found: dict[Side, list[Cell]]) -> None:
    """Put an empty value where a register that was taken says nothing of a pupil: the mapping calls that present."""
    there = {cell.key for cell in found[Side.RIGHT]}
    for lesson in taken & group.lessons.keys():
        for whom in group.pairs:
            key = CellKey(CellKind.ATTENDANCE, group.link.id, lesson, whom).text
            if key not in there:
                found[Side.RIGHT].append(Cell(key, ""))


def stamp_of(change_left_at: datetime | None, read_at: datetime) -> datetime:
    """Return the frozen instant of a write to the left: the LMS's own time of our read, later than the mark there."""
    stamp = read_at.replace(microsecond=0)
    if change_left_at is not None and change_left_at >= stamp:
        stamp = change_left_at.replace(microsecond=0) + timedelta(seconds=1)
    return stamp
