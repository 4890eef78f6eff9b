"""What both sides of a group hold, laid cell by cell beside each other, from what the last reads kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import repeat
from json.encoder import encode_basestring as quoted
from typing import Any

from sqlalchemy import Connection

from sync.reconcile.plan import Beside
from sync.reconcile.types import Base, Cell, CellKey, CellKind, CellState, Coverage, Rules, Side, escaped, scope_text
from sync.runs.columns import ColumnFacts, attendance_rules, grade_rules
from sync.runs.groups import Group as Group
from sync.runs.groups import Groups, evidence_of, load_groups
from sync.runs.runtime import Sides, SyncRuntime
from sync.store import connections, people, scopes
from sync.store.connections import GroupLink, SyncConnection
from sync.store.quiet import Scope
from sync.store.scopes import Kept
from sync.systems.contract import Evidence, Writing

LOT_CELLS = 16_000
"""About how many cells are in memory at a time."""
LOT_GROUPS = 128


class Comparison:
    """Everything a plan of one connection compares; groups are loaded a lot at a time, so memory stays flat."""

    def __init__(
        self, runtime: SyncRuntime, connection: SyncConnection, sides: Sides, only: Sequence[str] = ()
    ) -> None:
        """Look at which groups there are and what their reads prove.

        Args:
            runtime: The application's parts.
            connection: The connection.
            sides: Its systems.
            only: Group links to compare; all when empty.
        """
        self._runtime = runtime
        self.connection = connection
        self.sides = sides
        rights = sides.right.capabilities
        self.could_write_marks = rights.results.write is Writing.YES
        self.writes_marks = self.could_write_marks and connection.may_write("grade")
        self.makes_works = self.writes_marks and rights.line_items.write is Writing.YES
        with runtime.reading(connection.school) as db:
            self.stopped = people.stopped(db, connection.school)
            found = connections.groups(db, connection.school, connection.id)
            links = sorted((link for link in found if not only or link.id in only), key=_order)
            self._touched = {link.id: link.touched for link in links}
            self._lots = self._look(db, links)
        self.groups = Groups(self._lots, self._load)
        self._rules = lru_cache(maxsize=1024)(self._make_rules)

    def _look(self, db: Connection, links: Sequence[GroupLink]) -> list[list[GroupLink]]:
        """Learn what the reads of each group prove, and cut the groups into lots of about one size."""
        self._evidence: dict[Scope, tuple[tuple[Evidence, str], ...]] = {}
        lots: list[list[GroupLink]] = []
        size = LOT_CELLS
        for link, proofs in scopes.told(db, self.connection.school, links):
            for kind in self.kinds:
                self._evidence[(kind, link.id)] = tuple(evidence_of(proofs, kind, side) for side in Side)
            more = sum(proof.found for (side, what), proof in proofs.items() if what in ("result", "attendance")) // 2
            if size + more > LOT_CELLS or len(lots[-1]) >= LOT_GROUPS:
                lots.append([])
                size = 0
            lots[-1].append(link)
            size += more
        return lots

    def _load(self, lot: Sequence[GroupLink]) -> list[Group]:
        with self._runtime.reading(self.connection.school) as db:
            return load_groups(db, self.connection, lot, stopped=self.stopped, writable=self.makes_works)

    @property
    def kinds(self) -> list[CellKind]:
        """The kinds of cells the mapping carries, in key order."""
        return kinds_of(self.connection)

    def scopes(self) -> list[Scope]:
        """Return the scopes whose reads show anything at all, in key order."""
        return [(kind, link) for kind in self.kinds for link in self.groups if self._seen(kind, link)]

    def _seen(self, kind: CellKind, link: str) -> bool:
        return all(found[0] in (Evidence.COMPLETE, Evidence.PARTIAL) for found in self._evidence[(kind, link)])

    def coverage(self) -> Coverage:
        """Return what the reads prove, scope by scope."""
        proofs: dict[Side, dict[str, Evidence]] = {Side.LEFT: {}, Side.RIGHT: {}}
        reasons: dict[tuple[Side, str], str] = {}
        for (kind, link), evidences in self._evidence.items():
            text = scope_text(kind, link)
            for side, (evidence, reason) in zip(Side, evidences, strict=True):
                proofs[side][text] = evidence
                if reason:
                    reasons[(side, text)] = reason
        return Coverage(proofs[Side.LEFT], proofs[Side.RIGHT], reasons)

    def closing(self, key: CellKey) -> str:
        """Return why the journal's period stands in the way of writing a cell; see ``Group.closing``."""
        group = self.groups.get(key.group)
        known = group is not None and key.item in _items(key.kind, group)
        return group.closing(key.kind, key.item) if group is not None and known else ""

    def closed_columns(self) -> list[CellKey]:
        """Return the columns and lessons of the journal whose period is closed."""
        return [
            CellKey(kind, link, item, "")
            for kind, link in self.scopes()
            for item in _items(kind, self.groups[link])
            if self.groups[link].closing(kind, item) == "closed_period"
        ]

    def rules(self, key: CellKey) -> Rules:
        """Return the rules of a column."""
        column = None if key.kind is CellKind.ATTENDANCE else self.groups[key.group].columns[key.item]
        return self._rules(None if column is None else column.facts, self.closing(key))

    def _make_rules(self, work: ColumnFacts | None, closing: str) -> Rules:
        """Make the rules that all columns share which are alike in this; a year has thousands of columns."""
        lefts, rights = self.sides.left.capabilities, self.sides.right.capabilities
        if work is None:
            held = self.sides.register.capabilities.attendance
            own = self.sides.own_register
            return attendance_rules(self.connection, held, rights.attendance, own=own, closing=closing)
        return grade_rules(self.connection, work, lefts.results, rights.results, closing)

    def state(self, scope: Scope) -> list[str]:
        """Return what a scope's comparison depends on besides what all scopes share, as it was before it was read."""
        told = [part for evidence, reason in self._evidence[scope] for part in (evidence.value, reason)]
        return [scope[0].value, scope[1], self._touched[scope[1]], *told]

    def columns(self, skip: Collection[Scope] = ()) -> Iterator[Beside]:
        """Yield every column of every scope in key order, both sides and the base beside each other.

        Args:
            skip: Scopes that are known to need nothing.
        """
        for kind in self.kinds:
            for lot in self._lots:
                links = [link.id for link in lot if self._seen(kind, link.id) and (kind, link.id) not in skip]
                if links:
                    yield from self._columns_of(kind, links)

    def find(self, key: CellKey) -> tuple[Cell | None, Cell | None, Base | None]:
        """Return both sides and the base of one cell."""
        if key.group not in self.groups:
            return None, None, None
        prefix = key._replace(person="").text
        column = next((one for one in self._columns_of(key.kind, [key.group]) if one.prefix == prefix), None)
        return (None, None, None) if column is None else column.find(key.text)

    def _columns_of(self, kind: CellKind, links: Sequence[str]) -> Iterator[Beside]:
        school, which = self.connection.school, self.connection.id
        with self._runtime.reading(school) as db:
            lefts = scopes.values(db, school, which, "left", links, kind)
            rights = scopes.values(db, school, which, "right", links, kind)
            bases = scopes.bases(db, school, which, links, kind)
        for link in links:
            laid = _Laid(self, kind, self.groups[link], lefts.get(link, {}), rights.get(link, {}), bases)
            yield from laid.columns()


class _Laid:
    """One scope, laid out column by column in the pair's own ids."""

    def __init__(
        self,
        comparison: Comparison,
        kind: CellKind,
        group: Group,
        lefts: dict[str, Kept],
        rights: dict[str, Kept],
        bases: dict[str, Any],
    ) -> None:
        self._kind = kind
        self._group = group
        self._lefts, self._rights, self._bases = lefts, rights, bases
        grades = kind is CellKind.GRADE
        connection = comparison.connection
        self._clocks = (connection.left, connection.right) if grades else ("", "")
        self._after = connection.mapping.file.guard.absent_after
        own = not grades and comparison.sides.own_register
        # A pupil's part of the cell's key, and of each side's own key.
        parts = [
            (escaped(whom), quoted(whom if own else left), quoted(right)) for whom, (left, right) in group.pairs.items()
        ]
        self._people = sorted(parts)
        rules = connection.mapping.file.attendance
        self._taken = self._lessons_taken() if not grades and rules and rules.blank_is == "present" else frozenset()

    def _lessons_taken(self) -> frozenset[str]:
        """Return the lessons whose register was taken: it says something of somebody."""
        return frozenset(json.loads(row[1])[0] for row in self._rights.values() if not row[3])

    def columns(self) -> Iterator[Beside]:
        """Yield the columns in key order; a group without a joined pupil has none."""
        if not self._people:
            return
        scope = scope_text(self._kind, self._group.link.id)
        for prefix, item in sorted((f"{scope}|{escaped(item)}|", item) for item in _items(self._kind, self._group)):
            yield self._column(prefix, item)

    def _column(self, prefix: str, item: str) -> Beside:
        left, right = self._ids(item)
        keys = [prefix + whom for whom, _, _ in self._people]
        lefts = [f"[{left},{whom}]" for _, whom, _ in self._people]
        theirs: Iterator[Any] = repeat(None, len(keys))
        blank = item in self._taken
        if right is not None:
            found: Callable[[str], Any] = self._rights.get
            theirs = map(
                partial(_or_blank, found) if blank else found, [f"[{right},{who}]" for *_, who in self._people]
            )
        address = CellKey(self._kind, self._group.link.id, item, "")
        return Beside(
            address,
            prefix,
            keys,
            map(self._lefts.get, lefts),
            theirs,
            map(self._bases.get, keys),
            partial(self._cells, blank),
        )

    def _ids(self, item: str) -> tuple[str, str | None]:
        """Return both systems' own ids of a column, as their keys have them."""
        if self._kind is CellKind.ATTENDANCE:
            return quoted(item), quoted(item)
        column = self._group.columns[item]
        return quoted(column.link.left_item), None if column.right is None else quoted(column.right.id)

    def _cells(
        self, blank: bool, key: str, left: Any, right: Any, base: Any
    ) -> tuple[Cell | None, Cell | None, Base | None]:
        """Make the objects of one cell that is not simply as it was agreed."""
        agreed = None if base is None else Base(*base)
        mine = _seen_cell(key, left, self._clocks[0], agreed and agreed.left_raw, self._after)
        theirs = _seen_cell(key, right, self._clocks[1], agreed and agreed.right_raw, self._after)
        if theirs is None and blank:
            theirs = Cell(key, "")
        return mine, theirs, agreed


_BLANK: Any = ("", "", "", 0, None)


def _or_blank(found: Callable[[str], Any], key: str) -> Any:
    """Put an empty value where a register that was taken says nothing of a pupil: the mapping calls that present."""
    return found(key) or _BLANK


def _items(kind: CellKind, group: Group) -> dict[str, Any]:
    return group.columns if kind is CellKind.GRADE else group.lessons


def _order(link: GroupLink) -> str:
    return scope_text(CellKind.GRADE, link.id) + "|"


def kinds_of(connection: SyncConnection) -> list[CellKind]:
    """Return the kinds of cells a connection's mapping carries, in key order."""
    file = connection.mapping.file
    carried = {CellKind.ATTENDANCE: file.attendance, CellKind.GRADE: file.grades}
    return sorted((kind for kind, rules in carried.items() if rules is not None), key=lambda kind: kind.value)


def _seen_cell(key: str, row: Kept | None, clock: str, agreed: str | None, after: int) -> Cell | None:
    """Return a kept value as a cell; what fewer than ``after`` complete reads did not find is not believed gone."""
    if row is None:
        return None
    _link, _key, value, missing, changed, *_ = row
    if not missing:
        changed_at = datetime.fromisoformat(changed) if changed and clock else None
        return Cell(key, value, CellState.PRESENT, changed_at, clock)
    if missing < after and agreed is not None:
        return Cell(key, None, CellState.UNKNOWN, note="awaits_second_read")
    return None


def stamp_of(change_left_at: datetime | None, read_at: datetime) -> datetime:
    """Return the frozen instant of a write to the left: the LMS's own time of our read, later than the mark there."""
    stamp = read_at.replace(microsecond=0)
    if change_left_at is not None and change_left_at >= stamp:
        stamp = change_left_at.replace(microsecond=0) + timedelta(seconds=1)
    return stamp
