"""``python -m benchmarks``: measure everything, or the named parts, and write ``benchmarks/results.json``."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.figures import Figure, show, write
from benchmarks.launches.measure import Size as LaunchSize
from benchmarks.launches.measure import launches

RESULTS = Path(__file__).parent / "results.json"
PARTS = ("launches",)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--quick", is_flag=True, help="One short round of each: that it runs, not what it measures.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=RESULTS, show_default=True)
def main(parts: tuple[str, ...], quick: bool, output: Path) -> None:
    """Measure speed as ratios to a peer; all PARTS by default."""
    figures: list[Figure] = []
    for part in parts or PARTS:
        if part == "launches":
            found = launches(LaunchSize(rounds=1, seconds=0.1, batch=20) if quick else LaunchSize())
        show(found, part)
        figures += found
        write(figures, output)
    click.echo(f"Written: {output}")


if __name__ == "__main__":
    main()
