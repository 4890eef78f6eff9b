"""Two systems, their base and a careful apply, all in memory: what the properties of reconciliation are tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.reconcile.inverse import Applied, invert
from sync.reconcile.plan import Planner
from sync.reconcile.types import (
    Base,
    BaseState,
    Cell,
    CellKey,
    CellKind,
    CellState,
    Change,
    Coverage,
    Operation,
    Owner,
    PlanHeader,
    Policy,
    Removal,
    Rules,
    Side,
    State,
    Translated,
    Values,
)
from sync.systems.contract import Evidence

GROUP = "7A"
SCOPE = f"{CellKind.GRADE.value}|{GROUP}"


def key_of(person: str) -> str:
    return CellKey(CellKind.GRADE, GROUP, "quiz", person).text


@dataclass(frozen=True)
class Shift:
    """Right's value is left's plus a number of the mapping: lossless, and a changed mapping moves every value."""

    by: int = 0

    @property
    def version(self) -> str:
        return f"shift{self.by}"

    def agree(self, left: str, right: str) -> bool:
        return int(left) + self.by == int(right)

    def to_right(self, left: str) -> Translated:
        return Translated(str(int(left) + self.by))

    def to_left(self, right: str) -> Translated:
        return Translated(str(int(right) - self.by))

    def order(self, left: str, right: str) -> int | None:
        mine, theirs = int(left) + self.by, int(right)
        return (mine > theirs) - (mine < theirs)


class Written(NamedTuple):
    """One entry of the journal: noted before the write is sent, so that what stood there is never forgotten."""

    side: Side
    key: str
    before: str | None
    after: str | None


class Crash(Exception):
    """The process is gone between two steps."""


Hook = Callable[[], None]


def _nothing() -> None:
    return None


@dataclass
class Pair:
    """A pair of systems with everything reconciliation remembers.

    Attributes:
        policy: Rules of every cell.
        blind: The planted bug: write without looking.
        gullible: The planted bug: a partial read counts as complete.
    """

    policy: Policy = field(default_factory=lambda: Policy(owner=Owner.MANUAL, removal=Removal.CLEAR))
    translate: Shift = field(default_factory=Shift)
    left: dict[str, str] = field(default_factory=dict)
    right: dict[str, str] = field(default_factory=dict)
    base: dict[str, Base] = field(default_factory=dict)
    history: list[Written] = field(default_factory=list)
    conflicts: dict[str, Change] = field(default_factory=dict)
    writes: int = 0
    blind: bool = False
    gullible: bool = False

    def values(self, side: Side) -> dict[str, str]:
        return self.left if side is Side.LEFT else self.right

    def put(self, side: Side, key: str, raw: str | None) -> None:
        if raw is None:
            self.values(side).pop(key, None)
        else:
            self.values(side)[key] = raw

    def _read(self, side: Side, missing: Iterable[str] | None) -> tuple[list[Cell], Evidence]:
        values, lost = self.values(side), set(missing or ())
        rows = [Cell(key, values[key]) for key in sorted(values) if key not in lost]
        complete = missing is None or self.gullible
        return rows, Evidence.COMPLETE if complete else Evidence.PARTIAL

    def plan(
        self, left_missing: Iterable[str] | None = None, right_missing: Iterable[str] | None = None
    ) -> tuple[Planner, list[Change]]:
        """Plan from two reads; ``None`` reads all, a collection names the keys a partial read misses."""
        left, left_proof = self._read(Side.LEFT, left_missing)
        right, right_proof = self._read(Side.RIGHT, right_missing)
        coverage = Coverage({SCOPE: left_proof}, {SCOPE: right_proof})
        header = PlanHeader.of("school", "pair", [SCOPE], {"mapping": self.translate.version})
        planner = Planner(header, lambda key: Rules(self.policy, self.translate), coverage)
        return planner, list(planner.changes(left, right, [self.base[key] for key in sorted(self.base)]))

    def apply(self, changes: Iterable[Change], between: Hook = _nothing, *, release: bool = False) -> list[Applied]:
        """Apply what may be applied; ``between`` runs between any two steps and may edit, or raise Crash."""
        done = []
        for change in changes:
            if change.state is State.CONFLICT:
                self.conflicts[change.key] = change
            if change.state is State.SILENT:
                self._commit(change, change.settles)
            elif change.side is not None and (change.state is State.READY or release):
                between()
                if self._write(change, change.side):
                    between()
                    self._commit(change, change.settles)
                    done.append(Applied(change, change.after))
        return done

    def _write(self, change: Change, side: Side) -> bool:
        here = self.values(side).get(change.key)
        if here != change.before and not self.blind:
            return False
        self.history.append(Written(side, change.key, change.before, change.after))
        self.put(side, change.key, change.after)
        self.writes += 1
        return True

    def _commit(self, change: Change, settles: Values | None) -> None:
        self.conflicts.pop(change.key, None)
        if settles is None:
            return
        if settles == (None, None):
            self.base.pop(change.key, None)
        else:
            self.base[change.key] = Base(change.key, *settles, change.mapping_version, BaseState.OK)

    def undo(self, applied: Iterable[Applied]) -> list[Applied]:
        """Take applied changes back, where they still stand."""
        return self.apply(list(invert(applied, self.now)))

    def now(self, change: Change) -> Cell:
        """Read the written side of a change."""
        assert change.side is not None
        raw = self.values(change.side).get(change.key)
        return Cell(change.key, raw, CellState.ABSENT if raw is None else CellState.PRESENT)


def removals(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.operation in (Operation.CLEAR, Operation.DELETE)]
