"""Alternate the planner with the bare merge, and with Polars and DuckDB where they are."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, compare
from benchmarks.processes import BenchmarkFailed, run
from benchmarks.reconcile.engine import MAPPING
from benchmarks.reconcile.year import write_year
from mappings.load import load_mapping
from sync.runs.columns import GradeWords

BOUND_MIB = 96.0


@dataclass(frozen=True)
class Size:
    """How much to compare.

    Attributes:
        rounds: Alternated rounds of each year.
        years: Cells of each year, the smallest first; growth is told from the first to the last.
    """

    rounds: int = 3
    years: tuple[int, ...] = (10_000, 100_000, 1_000_000)


def reconcile(size: Size) -> list[Figure]:
    """Measure plans of each year.

    Raises:
        BenchmarkFailed: An engine found other operations than the year was made with.
    """
    engines = ["plan", "merge", *(name for name in ("polars", "duckdb") if find_spec(name))]
    found: list[Figure] = []
    per_cell: list[list[float]] = []
    version = GradeWords(load_mapping(MAPPING), "fo", Decimal(100), Decimal(10)).version
    for cells in size.years:
        with TemporaryDirectory(prefix="kopir-bench-") as name:
            folder = Path(name)
            wanted = write_year(folder, cells, version)
            took = _alternate(engines, folder, size.rounds, wanted)
        found += _figures(cells, took, engines)
        per_cell.append([1e6 * one["cpu"] / cells for one in took["plan"]])
    growth = f"plan per cell, {size.years[-1]:,} cells"
    return [*found, compare(growth, "µs CPU", per_cell[-1], f"{size.years[0]:,} cells", per_cell[0])]


def _alternate(engines: list[str], folder: Path, rounds: int, wanted: dict[str, int]) -> dict[str, list[Any]]:
    took: dict[str, list[Any]] = {name: [] for name in engines}
    for number in range(rounds):
        for name in engines if number % 2 == 0 else reversed(engines):
            done = json.loads(run([sys.executable, "-m", "benchmarks.reconcile.engine", name, str(folder)]))
            if done["counts"] != wanted:
                raise BenchmarkFailed(f"{name} found {done['counts']}, the year has {wanted}")
            took[name].append(done)
    return took


def _figures(cells: int, took: dict[str, list[Any]], engines: list[str]) -> list[Figure]:
    def of(name: str, what: str) -> list[float]:
        return [float(one[what]) for one in took[name]]

    words = {"merge": "bare merge in Python", "polars": "Polars, two full joins", "duckdb": "DuckDB, full joins"}
    seconds = [
        compare(f"plan of {cells:,} cells", "s", of("plan", "seconds"), words[name], of(name, "seconds"))
        for name in engines[1:]
    ]
    memory = [median(of("plan", "above_idle"))]
    return [*seconds, compare(f"memory of that plan, {cells:,} cells", "MiB", memory, "bound", [BOUND_MIB])]
