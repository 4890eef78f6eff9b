"""Smaller commands of ``kopir sync``: what a person decides about a connection, and the audit keeps."""

from __future__ import annotations

import sys

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.output import explained, json_option, show, show_table
from connector.cli.sync import PENDING, Chosen, chosen, connection_option, school_option, who_option, words
from sync.runs import accepting, progress
from sync.store import audit, connections, quarantine


@click.command("set")
@school_option
@connection_option
@click.option(
    "--read-only/--writable", default=None, help="Never write the journal, or write it, also after it refused."
)
@who_option
@json_option
@explained
def set_(code: str | None, wanted: str | None, read_only: bool | None, who: str, as_json: bool) -> None:
    """Say whether the journal may be written; --writable also forgets that it refused before."""
    if read_only is None:
        raise Fatal("nothing_to_set", say(N_("Say what to set: --writable or --read-only.")))
    with chosen(code, wanted) as one, one.runtime.writing(one.school) as db:
        where = (db, one.school, one.connection)
        connections.set_read_only(*where, read_only=read_only)
        audit.append(*where, "writing_off" if read_only else "writing_on", who, [], one.runtime.clock())
        value = {"connection": one.connection, "read_only": connections.get(*where).read_only}
    show(value, as_json=as_json, text=f"read_only: {value['read_only']}")


@click.command("accept-read")
@click.argument("group", required=False)
@school_option
@connection_option
@click.option("--side", type=click.Choice(["left", "right"]), help="The side that was read.")
@click.option("--kind", type=click.Choice(list(accepting.COUNTED)), help="What was counted.")
@click.option("--size", type=click.IntRange(min=0), help="How many there are now, as it was shown.")
@who_option
@json_option
@explained
def accept_read_(
    group: str | None,
    code: str | None,
    wanted: str | None,
    side: str | None,
    kind: str | None,
    size: int | None,
    who: str,
    as_json: bool,
) -> None:
    """List the reads that are too short to be believed, or accept one: that GROUP really has so few now.

    The next plan believes a list of that size. Nothing is taken out of any system because of it. Exit status 2 while
    some wait.
    """
    with chosen(code, wanted) as one:
        if group is not None:
            _accept(one, group, side, kind, size, who)
        found = accepting.doubted(one.runtime, one.school, one.connection)
    rows = [{**vars(each), "read_at": each.read_at.isoformat()} for each in found]
    show_table(rows, as_json=as_json, empty=words(say(N_("No read waits to be accepted."))))
    sys.exit(PENDING if rows else 0)


def _accept(one: Chosen, group: str, side: str | None, kind: str | None, size: int | None, who: str) -> None:
    if side is None or kind is None or size is None:
        text = N_("Say what is accepted, as the list shows it: --side, --kind and --size.")
        raise Fatal("which_read", say(text))
    accepting.accept(one.runtime, one.school, one.connection, group, side, kind, size, who=who)


@click.command("cancel")
@school_option
@connection_option
@who_option
@json_option
@explained
def cancel_(code: str | None, wanted: str | None, who: str, as_json: bool) -> None:
    """Stop what runs for a connection, between two records.

    What was written stays written and is read back. The plan can be let go on with `kopir sync apply`, or a new
    comparison takes its place.
    """
    with chosen(code, wanted) as one, one.runtime.writing(one.school) as db:
        stopped = progress.cancel(db, one.school, one.connection, who)
        for run in stopped:
            audit.append(db, one.school, one.connection, "run_cancelled", who, [], one.runtime.clock(), run=run)
    text = N_("Asked to stop: {runs}.") if stopped else N_("Nothing runs for this connection.")
    show({"cancelled": stopped}, as_json=as_json, text=words(say(text, runs=", ".join(stopped))))


@click.command("quarantine")
@school_option
@connection_option
@click.option("--again", "again", help="The cell, by its key, that the next plan tries anew.")
@click.option("--mute", "mute", help="The cell, by its key, that waits until its values change.")
@who_option
@json_option
@explained
def quarantine_(
    code: str | None, wanted: str | None, again: str | None, mute: str | None, who: str, as_json: bool
) -> None:
    """List records that a system refuses, with the reason; exit status 2 while there are some.

    Each is tried again with the next plans, five times in all; then it waits for --again, or for other values.
    """
    with chosen(code, wanted) as one, one.runtime.writing(one.school) as db:
        where = (db, one.school, one.connection)
        for key, act, name in (
            (again, quarantine.again, "quarantine_again"),
            (mute, quarantine.mute, "quarantine_muted"),
        ):
            if key is not None:
                if not act(*where, key):
                    raise Fatal("not_quarantined", say(N_("No record with this key is kept apart.")))
                audit.append(*where, name, who, [], one.runtime.clock())
        found = list(quarantine.of(*where).values())
    rows = [
        {"key": each.key, "side": each.side, "reason": each.reason, "attempts": each.attempts, "muted": each.muted,
         "waits": each.waits, "since": each.since.isoformat(), "last_at": each.last_at.isoformat()}
        for each in found
    ]  # fmt: skip
    show_table(rows, as_json=as_json, empty=words(say(N_("No record is kept apart."))))
    sys.exit(PENDING if rows else 0)
