"""``kopir demo``: the rehearsal LMS, Kopir and the rehearsal journal, side by side."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from connector.base.i18n import Message, translate
from connector.base.log import setup_logging
from connector.cli.output import explained, show, terminal_language
from connector.demo.once import rehearse
from connector.demo.welcome import prepare, welcome
from connector.demo.world import open_world

_FREE = {"lms": 0, "kopir": 0, "journal": 0}


@click.command()
@click.option("--once", is_flag=True, help="Walk the whole path without a hand, report, and stop.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the report as JSON.")
@click.option("--fresh", is_flag=True, help="Forget the last rehearsal first.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Where its files are.",
)
@explained
def demo(once: bool, as_json: bool, fresh: bool, folder: Path) -> None:
    """Rehearse with invented people: open the address it prints, or use --once."""
    setup_logging("ERROR")
    if once:
        sys.exit(_once(as_json))
    if fresh and folder.exists():
        shutil.rmtree(folder)
    world = open_world(folder)
    try:
        prepare(world)
        click.echo(welcome(world, terminal_language()))
        world.wait()
    except KeyboardInterrupt:
        click.echo("")
    finally:
        world.stop()


def _once(as_json: bool) -> int:
    def tell(message: Message) -> None:
        if not as_json:
            click.echo(f"· {translate(message, terminal_language())}")

    with tempfile.TemporaryDirectory(prefix="kopir-") as folder:
        world = open_world(Path(folder), _FREE)
        try:
            report = rehearse(world, tell)
        finally:
            world.stop()
    lines = [f"{name:20} {value}" for name, value in report.as_json().items() if name != "details"]
    show(report.as_json(), as_json=as_json, text="\n".join([*lines, *report.mismatches]))
    return 0 if report.passed else 1
