"""``kopir lti legacy``: the LTI 1.1 keys and secrets by which people and links of before are known again."""

from __future__ import annotations

import sys

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show, show_table
from connector.host.legacy import LegacyKeys
from connector.host.lti_doctor import find_registrations
from connector.host.runtime import Runtime
from lti.tool.ports import Registration


@click.group()
def legacy() -> None:
    """Know people and links of an LTI 1.1 tool again."""


def _one(runtime: Runtime, platform: str) -> Registration:
    found = find_registrations(runtime, platform)
    if len(found) > 1:
        text = N_("{name} is said of {count} registrations; name one by its id: kopir lti platforms list.")
        raise Fatal("which_registration", say(text, name=platform, count=len(found)))
    return found[0]


@legacy.command("add")
@click.argument("platform")
@click.argument("consumer_key")
@json_option
@explained
def add(platform: str, consumer_key: str, as_json: bool) -> None:
    """Keep the key and the shared secret of an LMS's LTI 1.1 tool; the secret is asked for, or read from a pipe."""
    secret = (
        click.prompt("Shared secret", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    )
    if not secret:
        raise Fatal("no_secret", say(N_("There is no secret on the standard input.")))
    with opened_runtime() as runtime:
        registration = _one(runtime, platform)
        LegacyKeys(runtime.database, runtime.vault).keep(registration.id, consumer_key, secret, runtime.clock())
    show({"registration": registration.id, "consumer_key": consumer_key}, as_json=as_json, text=f"{consumer_key}: kept")


@legacy.command("list")
@click.argument("platform")
@json_option
@explained
def list_legacy(platform: str, as_json: bool) -> None:
    """List an LMS's LTI 1.1 keys, without their secrets."""
    with opened_runtime() as runtime:
        registration = _one(runtime, platform)
        found = LegacyKeys(runtime.database, runtime.vault).keys(registration.id)
    rows = [{"consumer_key": key, "kept_since": since} for key, since in found]
    show_table(rows, as_json=as_json, empty="No LTI 1.1 key of this LMS is kept.")


@legacy.command("remove")
@click.argument("platform")
@click.argument("consumer_key")
@json_option
@explained
def remove(platform: str, consumer_key: str, as_json: bool) -> None:
    """Forget an LTI 1.1 key; people and links that were known again stay so."""
    with opened_runtime() as runtime:
        registration = _one(runtime, platform)
        if not LegacyKeys(runtime.database, runtime.vault).drop(registration.id, consumer_key):
            raise Fatal("no_legacy_key", say(N_("This LMS has no LTI 1.1 key {key} here."), key=consumer_key))
    show({"consumer_key": consumer_key, "removed": True}, as_json=as_json, text=f"{consumer_key}: removed")
