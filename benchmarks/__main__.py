"""``python -m benchmarks``: measure everything, or the named parts, and write ``benchmarks/results.json``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.figures import Figure, show, write
from benchmarks.launches.measure import Size as LaunchSize
from benchmarks.launches.measure import launches
from benchmarks.launches.statements import statements
from benchmarks.limits import Size as LimitSize
from benchmarks.limits import limits
from benchmarks.plans.measure import Size as PlanSize
from benchmarks.plans.measure import plans
from benchmarks.reconcile.measure import Size as ReconcileSize
from benchmarks.reconcile.measure import reconcile
from benchmarks.scores.measure import Size as ScoreSize
from benchmarks.scores.measure import scores
from benchmarks.store.measure import Size as StoreSize
from benchmarks.store.measure import store

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Part:
    """One benchmark: its measurement, and one so small that it only shows that it runs."""

    measure: Callable[[], list[Figure]]
    quick: Callable[[], list[Figure]]


PARTS = {
    "launches": Part(
        lambda: launches(LaunchSize()), lambda: launches(LaunchSize(rounds=1, seconds=0.01, batch=16, people=5))
    ),
    "statements": Part(statements, statements),
    "limits": Part(lambda: limits(LimitSize()), lambda: limits(LimitSize(rounds=1, times=3, loads=1))),
    "scores": Part(
        lambda: scores(ScoreSize()), lambda: scores(ScoreSize(rounds=1, scores=8, slow_scores=4, rebuilt=2))
    ),
    "reconcile": Part(
        lambda: reconcile(ReconcileSize()), lambda: reconcile(ReconcileSize(rounds=1, years=(1_000, 2_000)))
    ),
    "store": Part(
        lambda: store(StoreSize()),
        lambda: store(StoreSize(rounds=1, rows=250, batch=125, jobs=2, engines=("sqlite",))),
    ),
    "plans": Part(
        lambda: plans(PlanSize()),
        lambda: plans(PlanSize(rounds=1, years=(("sqlite", (500, 1_000)),))),
    ),
}


def measure(part: str, *, quick: bool) -> list[Figure]:
    """Run one part.

    Raises:
        BenchmarkFailed: What was measured did not do its work.
    """
    return PARTS[part].quick() if quick else PARTS[part].measure()


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="As small as it runs at all: the figures mean nothing.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=RESULTS, show_default=True)
def main(parts: tuple[str, ...], quick: bool, output: Path) -> None:
    """Measure speed as ratios to a peer; all PARTS by default."""
    figures: list[Figure] = []
    for part in parts or PARTS:
        began = time.monotonic()
        found = measure(part, quick=quick)
        show(found, f"{part} ({time.monotonic() - began:.0f} s)")
        figures += found
        write(figures, output)
    click.echo(f"Written: {output}")


if __name__ == "__main__":
    main()
