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
from rich.table import Column, Table

from connector.base.errors import KopirError
from connector.base.i18n import choose_language, translate

P = ParamSpec("P")
T = TypeVar("T")

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
    # An id that is cut short is no use: it goes on in the next line instead.
    table = Table(*(Column(str(name), overflow="fold") for name in rows[0]))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(soft_wrap=True).print(table)


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
