"""Undo is a plan too: the inverse of what was applied."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import NamedTuple

from sync.reconcile.types import Cell, CellKey, Change


class Applied(NamedTuple):
    """A change that was applied and the raw value that was then read back on the written side."""

    change: Change
    written: str | None


def invert(
    applied: Iterable[Applied],
    current: Callable[[Change], Cell],
    *,
    erased: Container[str] = frozenset(),
    closed: Callable[[CellKey], bool] = lambda key: False,
) -> Iterator[Change]:
    """Yield the changes that restore the before-values; ``current`` gives the written side's cell as it is now."""
    raise NotImplementedError
