"""How commands print: for a person by default, JSON with ``--json``; errors in the person's language."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from connector.base.errors import KopirError
from connector.base.i18n import choose_language, translate

P = ParamSpec("P")
T = TypeVar("T")

LONG_WORD = 16
"""A longer word is an id, a hash or an address."""
WIDEST = 100_000
"""Columns of a table that nobody looks at in a terminal."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def terminal_language() -> str:
    """Return the language of the terminal: KOPIR_LANGUAGE, else LANGUAGE, LC_ALL, LANG; English where none is ours."""
    wanted = [os.environ.get(name, "").replace(":", ",") for name in ("KOPIR_LANGUAGE", "LANGUAGE", "LC_ALL", "LANG")]
    return choose_language([*wanted, "en"])


def show(value: Any, *, as_json: bool, text: str | None = None) -> None:
    """Print one result: its text, or itself as JSON."""
    if as_json:
        click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2, default=str))
    else:
        click.echo(text if text is not None else str(value))


def show_table(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table, or as a JSON list; ``empty`` is said when there are none."""
    if as_json:
        click.echo(json.dumps([plain(row) for row in rows], ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        click.echo(empty)
        return
    texts = [[str(value) for value in row.values()] for row in rows]
    # An id that is cut short or goes on in the next line cannot be copied: its column keeps its width.
    whole = [any(_longest_word(line[place]) > LONG_WORD for line in texts) for place in range(len(rows[0]))]
    columns = zip(rows[0], whole, strict=True)
    table = Table(*(Column(str(name), overflow="fold", no_wrap=one) for name, one in columns))
    for line in texts:
        table.add_row(*map(Text, line))
    console = Console(soft_wrap=True)
    natural = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    needed = sum(
        max((len(line[place]) if one else _longest_word(line[place])) + 3 for line in [[*map(str, rows[0])], *texts])
        for place, one in enumerate(whole)
    )
    console.width = min(natural, max(console.width, needed + 1)) if sys.stdout.isatty() else natural
    console.print(table)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def plain(value: Any) -> Any:
    """Return a value as JSON's kinds."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value


def fail(error: KopirError) -> NoReturn:
    """Print an error in the terminal's language and leave with 1."""
    click.echo(translate(error.message, terminal_language()), err=True)
    sys.exit(1)


def explained(command: Callable[P, T]) -> Callable[P, T]:
    """Turn our own errors into one line and exit status 1; anything else is a fault and shows itself."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except KopirError as error:
            fail(error)

    return run
