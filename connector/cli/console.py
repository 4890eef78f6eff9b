"""``kopir console``: let a person into the console."""

from __future__ import annotations

import click

from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show
from connector.host.operators import invite


@click.group()
def console() -> None:
    """Let people into the console."""


@console.command("invite")
@click.option("--school", "code", help="The school's code; needed when there are several.")
@click.option("--operator", default="operator", show_default=True, help="Who it is for; stands in the audit.")
@json_option
@explained
def invite_(code: str | None, operator: str, as_json: bool) -> None:
    """Print an address that lets one person into the console once, within 15 minutes."""
    with opened_runtime() as runtime:
        url = invite(runtime, the_school(runtime, code).id, operator)
    show({"url": url}, as_json=as_json, text=url)
