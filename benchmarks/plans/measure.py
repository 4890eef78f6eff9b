"""Plans of stored years: how they compare with a bare merge, how they grow, and what a run without news costs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import delete, update

from benchmarks.figures import Figure, compare
from benchmarks.plans.engine import sync_with
from benchmarks.plans.place import place, version
from benchmarks.plans.year import CONNECTION, SCHOOL, Year, ident
from benchmarks.processes import BenchmarkFailed, run
from sync.store import connections
from sync.store.tables.cells import quiet_scope, snapshot

BOUND_MIB = 96.0
ENGINES = ("merge", "compare", "plan")
LARGE = 500_000
"""Cells of a year from which two rounds must do."""


@dataclass(frozen=True)
class Size:
    """How much to plan.

    Attributes:
        rounds: Alternated rounds of each year.
        years: Cells of each year by database, the smallest first; growth is told from the first to the last.
    """

    rounds: int = 3
    years: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("sqlite", (10_000, 100_000, 1_000_000)),
        ("postgres", (10_000, 100_000)),
    )


def plans(size: Size) -> list[Figure]:
    """Measure plans of each year on each database that is there.

    Raises:
        BenchmarkFailed: A plan found other operations than the year was made with.
    """
    found: list[Figure] = []
    for engine, years in size.years:
        per_cell: list[list[float]] = []
        for cells in years:
            took = _changed(engine, cells, size.rounds if cells < LARGE else min(2, size.rounds))
            if not took:
                break
            found += _figures(engine, cells, took)
            per_cell.append([1e6 * one["seconds"] / cells for one in took["compare"]])
        if len(per_cell) > 1:
            name = f"comparison per cell, {years[-1]:,} cells, {engine}"
            found.append(compare(name, "µs", per_cell[-1], f"{years[0]:,} cells", per_cell[0]))
        if per_cell:
            found += _quiet(engine, years[-1], size.rounds if years[-1] < LARGE else min(2, size.rounds))
    return found


def _changed(engine: str, cells: int, rounds: int) -> dict[str, list[Any]]:
    """Alternate the engines over a year with changes; nothing without a server."""
    year = Year(cells, changed=True, version=version())
    took: dict[str, list[Any]] = {name: [] for name in ENGINES}
    with TemporaryDirectory(prefix="kopir-bench-") as name, place(engine, year, Path(name)) as url:
        if not url:
            return {}
        for number in range(rounds):
            for which in ENGINES if number % 2 == 0 else reversed(ENGINES):
                took[which].append(_run(which, url, year.operations))
    return took


def _run(which: str, url: str, wanted: dict[str, int]) -> Any:
    done = json.loads(run([sys.executable, "-m", "benchmarks.plans.engine", which, url]))
    if done["counts"] != wanted:
        raise BenchmarkFailed(f"{which} found {done['counts']}, the year has {wanted}")
    return done


def _figures(engine: str, cells: int, took: dict[str, list[Any]]) -> list[Figure]:
    def of(name: str, what: str) -> list[float]:
        return [float(one[what]) for one in took[name]]

    bare = "bare merge of the same rows"
    words = {"compare": "compared, decided and hashed", "plan": "with its changes stored and the guard heard"}
    found = []
    for which, word in words.items():
        name = f"plan of {cells:,} stored cells, {word}, {engine}"
        found.append(compare(name, "s", of(which, "seconds"), bare, of("merge", "seconds")))
        found.append(compare(f"{name}: our process", "s CPU", of(which, "cpu"), bare, of("merge", "cpu")))
    memory = [median(of("plan", "above_idle"))]
    return [*found, compare(f"memory of that plan, {cells:,} cells, {engine}", "MiB", memory, "bound", [BOUND_MIB])]


def _quiet(engine: str, cells: int, rounds: int) -> list[Figure]:
    """Measure the first run over a settled year, one in which nothing changed, and one with changes in one class."""
    year = Year(cells, changed=False, version=version())
    first, again, one_class = [], [], []
    with TemporaryDirectory(prefix="kopir-bench-") as name, place(engine, year, Path(name)) as url:
        for number in range(rounds):
            _forget(url)
            first.append(_run("plan", url, {})["seconds"])
            again.append(_run("plan", url, {})["seconds"])
            changed = _edit(url, str(50 + number))
            one_class.append(_run("plan", url, {"write_right": changed})["seconds"])
            _edit(url, "40")
    name = f"{cells:,} cells, {engine}"
    return [
        compare(f"run in which nothing changed, {name}", "s", again, "the first run", first),
        compare(f"run with one class changed, {name}", "s", one_class, "the first run", first),
    ]


def _forget(url: str) -> None:
    database = sync_with(url).database
    with database.school(SCHOOL) as db:
        db.execute(delete(quiet_scope).where(quiet_scope.c.school_id == SCHOOL))
    database.close()


def _edit(url: str, value: str) -> int:
    """Give every mark of one class another value on the left, as a read would; return how many there are."""
    database = sync_with(url).database
    link = ident(1, 0)
    where = (snapshot.c.school_id == SCHOOL, snapshot.c.connection == CONNECTION, snapshot.c.side == "left")
    mine = (*where, snapshot.c.group_link == link, snapshot.c.kind == "result")
    with database.school(SCHOOL) as db:
        changed = db.execute(update(snapshot).where(*mine).values(value=value)).rowcount
        connections.touch(db, SCHOOL, [link])
    database.close()
    return changed
