"""``kopir plugin``: what is installed, and what is switched off and why."""

from __future__ import annotations

import click

from connector.base.i18n import translate
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show_table, terminal_language


@click.group()
def plugin() -> None:
    """Look at the plugins."""


@plugin.command("list")
@json_option
@explained
def list_(as_json: bool) -> None:
    """List plugins: those that run, and those that failed to load."""
    with opened_runtime() as runtime:
        language = terminal_language()
        rows = [
            {"id": one.manifest.id, "name": translate(one.manifest.name, language), "version": one.manifest.version,
             "state": "on", "error": ""}
            for one in runtime.plugins.values()
        ]  # fmt: skip
        rows += [
            {"id": failure.name, "name": "", "version": "", "state": "off", "error": failure.error}
            for failure in runtime.plugin_failures
        ]
    show_table(rows, as_json=as_json, empty="No plugin is installed.")
