"""Plan: a streaming three-way merge of key-sorted cells, in constant memory.

Cells that hold exactly what was last agreed are skipped by comparing their text, before any object is made; only
the others are decided. The same inputs give the same bytes, so a plan's hash stands for all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from sync.reconcile.decide import decide
from sync.reconcile.types import (
    Action,
    Base,
    BaseState,
    Cell,
    CellKey,
    CellKind,
    Change,
    Coverage,
    Decision,
    First,
    Operation,
    PlanHeader,
    Proof,
    Rules,
    RulesFor,
    Side,
    State,
)

_NOWHERE = (None, None, None)
_END = "\U0010ffff"
_END_CELL = Cell(_END, None)
_END_BASE = Base(_END, None, None, "")


@dataclass
class ScopeCounts:
    """Counts of one scope.

    Attributes:
        known: Cells that were agreed before: what a percentage is taken of.
        same: Cells about which there is nothing to do.
        operations: Planned changes by operation, whatever their state.
        states: Planned changes by state.
    """

    known: int = 0
    same: int = 0
    operations: dict[Operation, int] = field(default_factory=dict)
    states: dict[State, int] = field(default_factory=dict)

    def count(self, change: Change) -> None:
        """Count one change."""
        self.operations[change.operation] = self.operations.get(change.operation, 0) + 1
        self.states[change.state] = self.states.get(change.state, 0) + 1


@dataclass
class Summary:
    """Counts of a plan: "nothing to do" is never mixed with "to send".

    Attributes:
        scopes: Counts by scope text (``kind|group``).
        broken_canaries: Keys of canary cells that did not hold what was agreed.
    """

    scopes: dict[str, ScopeCounts] = field(default_factory=dict)
    broken_canaries: list[str] = field(default_factory=list)

    def kind(self, kind: CellKind) -> ScopeCounts:
        """Add up the scopes of one kind."""
        total = ScopeCounts()
        for scope, counts in self.scopes.items():
            if scope.startswith(f"{kind.value}|"):
                _add(total, counts)
        return total

    @property
    def same(self) -> int:
        """How many cells need nothing."""
        return sum(counts.same for counts in self.scopes.values())

    @property
    def to_send(self) -> int:
        """How many remote writes are planned, held ones included."""
        return sum(
            number
            for counts in self.scopes.values()
            for operation, number in counts.operations.items()
            if operation not in (Operation.BOOKKEEPING, Operation.NOTHING)
        )

    @property
    def needs_person(self) -> int:
        """How many conflicts and holds there are."""
        return sum(c.states.get(State.CONFLICT, 0) + c.states.get(State.HELD, 0) for c in self.scopes.values())

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Return counts by kind, for a report: ``known``, ``same``, each operation and each state."""
        kinds = {scope.partition("|")[0] for scope in self.scopes}
        return {kind: _flat(self.kind(CellKind(kind))) for kind in sorted(kinds)}


def _add(total: ScopeCounts, part: ScopeCounts) -> None:
    total.known += part.known
    total.same += part.same
    for operation, number in part.operations.items():
        total.operations[operation] = total.operations.get(operation, 0) + number
    for state, number in part.states.items():
        total.states[state] = total.states.get(state, 0) + number


def _flat(counts: ScopeCounts) -> dict[str, int]:
    words = {f"operation_{op.value}": n for op, n in counts.operations.items()}
    words |= {f"state_{state.value}": n for state, n in counts.states.items()}
    return {"known": counts.known, "same": counts.same, **dict(sorted(words.items()))}


Found = tuple[Cell | None, Cell | None, Base | None]
"""Both sides and the base of one cell."""


class _Rows:
    """Three sorted streams read side by side; refuses a key that does not rise."""

    def __init__(self, left: Iterable[Cell], right: Iterable[Cell], base: Iterable[Base]) -> None:
        self._lefts, self._rights, self._bases = iter(left), iter(right), iter(base)
        self._left = next(self._lefts, _END_CELL)
        self._right = next(self._rights, _END_CELL)
        self._base = next(self._bases, _END_BASE)

    @property
    def key(self) -> str:
        """The lowest key that is not taken yet, or the end mark."""
        return min(self._left[0], self._right[0], self._base[0])

    def skip_same(self, end: str, version: str) -> int:
        """Pass over cells below ``end`` that hold on both sides what was agreed; return how many.

        This loop is where a plan of a million cells spends its time, so it stays flat and touches only the rows.
        """
        lefts, rights, bases = self._lefts, self._rights, self._bases
        left, right, base = self._left, self._right, self._base
        skipped = 0
        while (
            (key := left[0]) == right[0] == base[0]
            and key < end
            and left[1] == base[1] is not None
            and right[1] == base[2] is not None
            and base[3] == version
            and base[4] == "ok"
        ):
            skipped += 1
            left, right, base = next(lefts, _END_CELL), next(rights, _END_CELL), next(bases, _END_BASE)
            if left[0] <= key or right[0] <= key or base[0] <= key:
                raise _unsorted()
        self._left, self._right, self._base = left, right, base
        return skipped

    def take(self, key: str) -> tuple[Cell | None, Cell | None, Base | None]:
        """Take what each stream holds under the lowest key."""
        left = right = base = None
        if self._left[0] == key:
            left, self._left = self._left, next(self._lefts, _END_CELL)
        if self._right[0] == key:
            right, self._right = self._right, next(self._rights, _END_CELL)
        if self._base[0] == key:
            base, self._base = self._base, next(self._bases, _END_BASE)
        if self.key <= key:
            raise _unsorted()
        return left, right, base


class Beside(NamedTuple):
    """One column whose cells were laid beside each other already, in key order.

    Attributes:
        address: The column: a cell's address without its person.
        prefix: Its canonical text.
        keys: The keys of its cells, sorted.
        lefts: What left holds under each: None, or (…, …, raw value, complete reads that did not find it, …).
        rights: What right holds, likewise.
        bases: What was last agreed: None, or (key, left's value, right's value, mapping version).
        cells: Makes the objects of one cell from what stands under its key; all None where there is no such cell.
    """

    address: CellKey
    prefix: str
    keys: Sequence[str]
    lefts: Iterator[Any]
    rights: Iterator[Any]
    bases: Iterator[Any]
    cells: Callable[[str, Any, Any, Any], Found]

    def find(self, key: str) -> Found:
        """Return the objects of one cell."""
        rows = zip(self.keys, self.lefts, self.rights, self.bases, strict=True)
        return next((self.cells(*row) for row in rows if row[0] == key), (None, None, None))


class _Column(NamedTuple):
    """Everything the cells of one column share."""

    end: str
    kind: CellKind
    rules: Rules
    left: Proof
    right: Proof
    counts: ScopeCounts


class Planner:
    """One pass over both sides and the base; counts and hash are ready when the stream has ended.

    A policy's ``first`` counts only in a pair's first plan: a base that was lost later must not overwrite anything.
    """

    def __init__(
        self, header: PlanHeader, rules: RulesFor, coverage: Coverage, canaries: frozenset[str] = frozenset()
    ) -> None:
        """Keep what the plan is made from.

        Args:
            header: Where the plan belongs and the versions of its inputs.
            rules: Finds the rules of a column; asked once per column.
            coverage: What the reads prove, scope by scope.
            canaries: Keys of cells that are known to be on both sides; one that moved makes a read suspect.
        """
        self.header = header
        self.summary = Summary()
        self._rules_for = rules
        self._coverage = coverage
        self._canaries = canaries
        self._digest = hashlib.sha256(header.canonical())
        self._ended = False

    @property
    def plan_hash(self) -> str:
        """sha256 over the header and every change, in hexadecimal.

        Raises:
            RuntimeError: The stream has not been read to its end.
        """
        if not self._ended:
            raise RuntimeError("the hash of a plan is known when its last change has been read")
        return self._digest.hexdigest()

    def changes(self, left: Iterable[Cell], right: Iterable[Cell], base: Iterable[Base]) -> Iterator[Change]:
        """Yield the changes in key order; everything else is only counted.

        Args:
            left: Left's cells, sorted by key, each key once; plain tuples of the shape of Cell will do.
            right: Right's cells, likewise.
            base: The base rows of the planned scopes, likewise.

        Raises:
            Fatal: ``unsorted_input``: a key is out of order or doubled; no plan may be made of such reads.
        """
        rows = _Rows(left, right, base)
        while (key := rows.key) != _END:
            column = self._open(key)
            end, version, counts = column.end, column.rules.translate.version, column.counts
            while key < end:
                skipped = rows.skip_same(end, version)
                counts.same += skipped
                counts.known += skipped
                if (key := rows.key) < end:
                    change = self._compare(column, key, *rows.take(key))
                    if change is not None:
                        yield change
                    key = rows.key
        self._ended = True

    def compare(self, columns: Iterable[Beside]) -> Iterator[Change]:
        """Yield the changes of columns that were laid beside each other already; the same plan as ``changes`` makes.

        Raises:
            Fatal: ``unsorted_input``: the columns are out of order, or one comes twice.
        """
        last = ""
        for laid in columns:
            if laid.prefix <= last:
                raise _unsorted()
            last = laid.prefix
            yield from self._compare_column(laid)
        self._ended = True

    def _compare_column(self, laid: Beside) -> Iterator[Change]:
        """Compare one column; the loop is where a plan of a million cells spends its time, so it makes no object."""
        column: _Column | None = None
        version, same = "", 0
        for key, left, right, base in zip(laid.keys, laid.lefts, laid.rights, laid.bases, strict=True):
            if base is left is right is None:
                continue
            if column is None:
                column = self._enter(laid.address, laid.prefix)
                version = column.rules.translate.version
            if (
                base is not None
                and left is not None
                and right is not None
                and left[2] == base[1]
                and right[2] == base[2]
                and base[3] == version
                and not left[3]
                and not right[3]
            ):
                same += 1
                continue
            found = laid.cells(key, left, right, base)
            if found != _NOWHERE and (change := self._compare(column, key, *found)) is not None:
                yield change
        if column is not None:
            column.counts.same += same
            column.counts.known += same

    def _open(self, key: str) -> _Column:
        """Enter the column of a key: find its rules, its counts and what was proved about it."""
        address = CellKey.parse(key)
        if address.text != key:
            raise _unsorted()
        return self._enter(address, key)

    def _enter(self, address: CellKey, key: str) -> _Column:
        scope = address.scope
        counts = self.summary.scopes.setdefault(scope, ScopeCounts())
        rules = column_rules(self._rules_for, address, first=self.header.first)
        left, right = (self._coverage.proof(side, scope) for side in Side)
        return _Column(key[: key.rindex("|")] + "}", address.kind, rules, left, right, counts)

    def _compare(
        self, column: _Column, key: str, left: Cell | None, right: Cell | None, base: Base | None
    ) -> Change | None:
        mine, theirs = column.left.cell(key, left), column.right.cell(key, right)
        agreed = Base(*base) if type(base) is tuple else base
        decision = decide(mine, theirs, agreed, *column.rules)
        counts = column.counts
        counts.known += agreed is not None
        if key in self._canaries and decision.action not in (Action.NONE, Action.ADOPT):
            self.summary.broken_canaries.append(key)
        if decision.action is Action.NONE:
            counts.same += 1
            return None
        change = make_change(key, column.kind, mine, theirs, agreed, decision, column.rules.translate.version)
        counts.count(change)
        self._digest.update(change.canonical())
        return change


def column_rules(rules_for: RulesFor, key: CellKey, *, first: bool) -> Rules:
    """Find the rules of a column as a plan uses them: without an initial policy once the pair was applied."""
    rules = rules_for(key)
    if first or rules.policy.first is First.CONFLICT:
        return rules
    return Rules(replace(rules.policy, first=First.CONFLICT), rules.translate)


_STATES = {
    Action.ADOPT: State.SILENT,
    Action.DROP_BASE: State.SILENT,
    Action.CONFLICT: State.CONFLICT,
    Action.REPORT: State.REPORTED,
    Action.NOT_COMPARED: State.NOT_COMPARED,
}


def make_change(
    key: str, kind: CellKind, left: Cell, right: Cell, base: Base | None, decision: Decision, version: str
) -> Change:
    """Write a decision down as a row of a plan."""
    agreed = base if base is not None and base.state == BaseState.OK else None
    return Change(
        key=key,
        kind=kind,
        action=decision.action,
        rule=decision.rule,
        left=left.raw,
        right=right.raw,
        after=decision.after,
        base_left=None if agreed is None else agreed.left_raw,
        base_right=None if agreed is None else agreed.right_raw,
        has_base=agreed is not None,
        settles=decision.settles,
        state=_STATES.get(decision.action) or (State.HELD if decision.held_by else State.READY),
        held_by=decision.held_by,
        reason=decision.reason,
        risk=decision.risk,
        lossy=decision.lossy,
        mapping_version=version,
        left_at=left.changed_at,
        right_at=right.changed_at,
    )


def hash_changes(header: PlanHeader, changes: Iterable[Change]) -> str:
    """Return the hash of stored rows, to compare with the one that was approved."""
    digest = hashlib.sha256(header.canonical())
    for change in changes:
        digest.update(change.canonical())
    return digest.hexdigest()


class Explanation(NamedTuple):
    """What the plan does about one cell, and what it saw.

    Attributes:
        decision: The decision; ``decide.explain_rule(decision.rule)`` puts its rule into words.
        left: Left's cell as the coverage lets it be seen.
        right: Right's cell.
        base: The base row.
    """

    decision: Decision
    left: Cell
    right: Cell
    base: Base | None


def explain(
    key: CellKey,
    found: tuple[Cell | None, Cell | None, Base | None],
    rules_for: RulesFor,
    coverage: Coverage,
    *,
    first: bool = False,
) -> Explanation:
    """Decide one cell as the plan would, to show which rule fires and why."""
    text, scope = key.text, key.scope
    left = coverage.proof(Side.LEFT, scope).cell(text, found[0])
    right = coverage.proof(Side.RIGHT, scope).cell(text, found[1])
    base = found[2]
    rules = column_rules(rules_for, key, first=first)
    return Explanation(decide(left, right, base, *rules), left, right, base)


def _unsorted() -> Fatal:
    """Name no key: its ids have no place in a log."""
    text = N_("The cells are not in order, or one comes twice, so no plan can be made of them.")
    return Fatal("unsorted_input", say(text))
