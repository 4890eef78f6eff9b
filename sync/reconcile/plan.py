"""Plan: a streaming three-way merge of key-sorted cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sync.reconcile.types import (
    Base,
    Cell,
    CellKind,
    Change,
    Coverage,
    Decision,
    Operation,
    PlanHeader,
    RulesFor,
    State,
)


@dataclass
class Summary:
    """Counts of one plan, by kind: known, same (nothing to do), and changes by operation and by state."""

    known: dict[CellKind, int] = field(default_factory=dict)
    same: dict[CellKind, int] = field(default_factory=dict)
    operations: dict[tuple[CellKind, Operation], int] = field(default_factory=dict)
    states: dict[tuple[CellKind, State], int] = field(default_factory=dict)
    broken_canaries: tuple[str, ...] = ()


class Planner:
    """Merge once, yielding changes; counts and hash are ready when the stream has ended."""

    def __init__(
        self, header: PlanHeader, rules: RulesFor, coverage: Coverage, canaries: frozenset[str] = frozenset()
    ) -> None:
        """Keep what the plan is made from."""
        self.header = header
        self.summary = Summary()

    def changes(self, left: Iterable[Cell], right: Iterable[Cell], base: Iterable[Base]) -> Iterator[Change]:
        """Yield the changes in key order; raise Fatal("unsorted_input") on a key out of order or doubled."""
        raise NotImplementedError

    @property
    def plan_hash(self) -> str:
        """sha256 over the header and every change, in hexadecimal."""
        raise NotImplementedError


def hash_changes(header: PlanHeader, changes: Iterable[Change]) -> str:
    """Return the hash of a stored plan, to compare with the one that was approved."""
    raise NotImplementedError


def explain(
    key: str, left: Cell | None, right: Cell | None, base: Base | None, rules: RulesFor, coverage: Coverage
) -> Decision:
    """Decide one cell as the plan would, to show which rule fires and why (``decide.explain_rule``)."""
    raise NotImplementedError
