"""What a benchmark reports: one figure with what it is compared with, a table of them, and the file of results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured value beside its peer's.

    Attributes:
        name: What was measured, stable from version to version.
        value: Ours; the median of the rounds.
        unit: Of both values.
        peer: What stood beside it in the same alternated run: another program, a bare loop, a physical limit or a
            stated bound.
        peer_value: The peer's; None when the peer is absent on this machine.
        ratio: The median of the rounds' value ÷ peer_value; None without a peer.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float | None
    ratio: float | None


def compare(name: str, unit: str, ours: Sequence[float], peer: str, theirs: Sequence[float] = ()) -> Figure:
    """Make the figure of paired rounds: medians, and the median of each round's own ratio.

    Raises:
        ValueError: There is no round at all, or the peer's rounds are not as many as ours.
    """
    if not ours or (theirs and len(theirs) != len(ours)):
        raise ValueError(f"{name}: {len(ours)} rounds beside {len(theirs)}")
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=False) if other]
    return Figure(
        name,
        _rounded(median(ours)),
        unit,
        peer,
        _rounded(median(theirs)) if theirs else None,
        _rounded(median(ratios)) if ratios else None,
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def write(figures: Iterable[Figure], path: Path) -> None:
    """Write the results as a JSON list, one figure per entry."""
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=1, ensure_ascii=False) + "\n")


def show(figures: Iterable[Figure], title: str) -> None:
    """Print the figures as a table."""
    table = Table(title=title, title_justify="left", pad_edge=False)
    table.add_column("measured")
    for column in ("value", "unit"):
        table.add_column(column, justify="right" if column == "value" else "left")
    table.add_column("beside")
    for column in ("its value", "ratio"):
        table.add_column(column, justify="right")
    for one in figures:
        table.add_row(one.name, _text(one.value), one.unit, one.peer, _text(one.peer_value), _text(one.ratio))
    Console(width=150, highlight=False).print(table)


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
