"""A progress bar for long runs, where somebody looks at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from connector.base.i18n import N_, say, translate
from connector.cli.output import terminal_language
from sync.runs.progress import Progress as Far
from sync.runs.runtime import SyncRuntime

PHASES = {"read": N_("Reading classes"), "write": N_("Writing")}


@contextmanager
def watched(runtime: SyncRuntime, *, quiet: bool) -> Iterator[SyncRuntime]:
    """Return a runtime whose runs show a bar on standard error with counts and time left; none for scripts."""
    if quiet or not sys.stderr.isatty():
        yield runtime
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(far: Far) -> None:
            if far.phase not in tasks:
                text = translate(say(PHASES.get(far.phase, far.phase)), terminal_language())
                tasks[far.phase] = bar.add_task(text, total=far.total)
            bar.update(tasks[far.phase], completed=far.done, total=far.total)

        yield replace(runtime, tell=tell)
