"""What the tests of reconciliation share: two scales and a few short hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sync.reconcile.types import (
    Base,
    BaseState,
    Cell,
    CellKey,
    CellKind,
    CellState,
    Coverage,
    Direction,
    Owner,
    Policy,
    Rules,
    Translated,
)
from sync.systems.contract import Evidence

KEY = CellKey(CellKind.GRADE, "7A", "quiz", "p1").text
SCOPE = "grade|7A"


@dataclass(frozen=True)
class SameScale:
    """Both sides speak one scale; values are compared as they are."""

    version: str = "v1"

    def agree(self, left: str, right: str) -> bool:
        return left == right

    def to_right(self, left: str) -> Translated:
        return Translated(left)

    def to_left(self, right: str) -> Translated:
        return Translated(right)

    def order(self, left: str, right: str) -> int | None:
        if not (left.isdigit() and right.isdigit()):
            return None
        return (int(left) > int(right)) - (int(left) < int(right))


@dataclass(frozen=True)
class PercentToTen:
    """Left keeps percent, right marks of 1 to 10: right is coarser and is never refined."""

    version: str = "v1"
    add: int = 0

    def _mark(self, percent: str) -> str:
        return str(min(10, int((Decimal(percent) / 10).quantize(Decimal(1), ROUND_HALF_UP)) + self.add))

    def agree(self, left: str, right: str) -> bool:
        return left.replace(".", "", 1).isdigit() and self._mark(left) == right

    def to_right(self, left: str) -> Translated:
        if not left.replace(".", "", 1).isdigit():
            return Translated(None, reason="no_such_value")
        return Translated(self._mark(left), lossy=True)

    def to_left(self, right: str) -> Translated:
        return Translated(None, reason="finer_scale")

    def order(self, left: str, right: str) -> int | None:
        mine, theirs = int(self._mark(left)), int(right)
        return (mine > theirs) - (mine < theirs)


SAME = SameScale()
TEN = PercentToTen()


def cell(raw: str | None, key: str = KEY) -> Cell:
    """Return a cell of a complete read: present, or proved absent; ``?`` is unknown."""
    if raw == "?":
        return Cell(key, None, CellState.UNKNOWN, note="read_partial")
    return Cell(key, raw, CellState.ABSENT if raw is None else CellState.PRESENT)


def base(left: str | None, right: str | None, version: str = "v1", key: str = KEY, *, corrupt: bool = False) -> Base:
    return Base(key, left, right, version, BaseState.CORRUPT if corrupt else BaseState.OK)


def both_ways(owner: Owner = Owner.MANUAL, **more: object) -> Policy:
    return Policy(owner=owner, direction=Direction.BOTH, **more)  # type: ignore[arg-type]


def covered(*scopes: str, left: Evidence = Evidence.COMPLETE, right: Evidence = Evidence.COMPLETE) -> Coverage:
    names = scopes or (SCOPE,)
    return Coverage(dict.fromkeys(names, left), dict.fromkeys(names, right))


def rules_for(policy: Policy, translate: SameScale | PercentToTen = SAME):
    return lambda key: Rules(policy, translate)


def cells(values: Mapping[str, str]) -> list[Cell]:
    """Return present cells by person, in key order."""
    keys = {CellKey(CellKind.GRADE, "7A", "quiz", person).text: raw for person, raw in values.items()}
    return [Cell(key, keys[key]) for key in sorted(keys)]


def bases(values: Mapping[str, tuple[str | None, str | None]], version: str = "v1") -> list[Base]:
    keys = {CellKey(CellKind.GRADE, "7A", "quiz", person).text: pair for person, pair in values.items()}
    return [Base(key, *keys[key], version) for key in sorted(keys)]
