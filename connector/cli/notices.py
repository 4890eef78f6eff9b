"""``kopir notices``: who is told when something needs somebody, and what was sent."""

from __future__ import annotations

import click

from connector.base.errors import Fatal
from connector.base.i18n import LANGUAGES, N_, say, translate
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table, terminal_language
from connector.cli.sync import school_option, who_option
from connector.host.telling import recipients, work
from sync.schedule.rules import WEEKDAYS


@click.group()
def notices() -> None:
    """Tell people by e-mail or webhook what needs them; messages hold counts and links, no names."""


@notices.command("add")
@click.argument("address")
@school_option
@click.option("--language", type=click.Choice(list(LANGUAGES)), default=LANGUAGES[0], show_default=True)
@click.option("--at-once/--digest-only", default=True, help="Also tell at once when something new needs somebody.")
@click.option("--digest", type=click.Choice([*WEEKDAYS, "none"]), default="mon", show_default=True)
@click.option("--stale-days", type=click.IntRange(1, 90), default=3, show_default=True, help="Days without a good run.")
@who_option
@json_option
@explained
def add_(
    address: str, code: str | None, language: str, at_once: bool, digest: str, stale_days: int, who: str, as_json: bool
) -> None:
    """Tell ADDRESS: an e-mail address, or a webhook's https://… address, whose signing secret is shown once."""
    with opened_runtime() as runtime:
        school, now = the_school(runtime, code).id, runtime.clock()
        day = work.day_of(digest, WEEKDAYS)
        wish = {"language": language, "at_once": at_once, "digest_day": day, "stale_days": stale_days}
        with runtime.database.school(school) as db:
            zone = work.school_zone(db, school)
            made = recipients.add(db, runtime.vault, school, address, zone, now, who, **wish)
    value = {"recipient": made.id, "channel": made.channel, **({"secret": made.secret} if made.secret else {})}
    show(value, as_json=as_json, text="\n".join(f"{name}: {found}" for name, found in value.items()))


@notices.command("list")
@school_option
@json_option
@explained
def list_(code: str | None, as_json: bool) -> None:
    """List who is told."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        with runtime.database.school(school, write=False) as db:
            found = recipients.every(db, runtime.vault, school)
    rows = [
        {"recipient": one.id, "channel": one.channel, "address": one.address, "language": one.language,
         "at_once": one.at_once, "digest": WEEKDAYS[one.digest_day] if one.digest_day >= 0 else "none",
         "stale_days": one.stale_days}
        for one in found
    ]  # fmt: skip
    show_table(rows, as_json=as_json, empty=translate(say(N_("Nobody is told yet.")), terminal_language()))


@notices.command("remove")
@click.argument("recipient")
@school_option
@json_option
@explained
def remove_(recipient: str, code: str | None, as_json: bool) -> None:
    """Tell RECIPIENT no more."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        with runtime.database.school(school) as db:
            if not recipients.remove(db, school, recipient):
                raise Fatal("no_such_recipient", say(N_("This school has no such recipient.")))
    show({"removed": recipient}, as_json=as_json, text=recipient)


@notices.command("test")
@click.argument("recipient")
@school_option
@json_option
@explained
def test_(recipient: str, code: str | None, as_json: bool) -> None:
    """Have a test message sent to RECIPIENT by a worker; `kopir notices log` shows how it ended."""
    with opened_runtime() as runtime:
        work.put_test(runtime, the_school(runtime, code).id, recipient)
    show({"recipient": recipient}, as_json=as_json, text=recipient)


@notices.command("log")
@school_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@json_option
@explained
def log_(code: str | None, limit: int, as_json: bool) -> None:
    """List the newest messages and how each ended."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        with runtime.database.school(school, write=False) as db:
            rows = work.sent(db, school, limit)
    show_table(rows, as_json=as_json, empty=translate(say(N_("Nothing was sent yet.")), terminal_language()))
