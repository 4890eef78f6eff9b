"""``kopir people merge``, ``split``, ``pin`` and ``history``: what a person says about who is who."""

from __future__ import annotations

from typing import Any

import click

from connector.base.i18n import N_, say
from connector.cli.output import explained, json_option, show, show_table
from connector.cli.sync import Chosen, chosen, connection_option, school_option, who_option, words
from sync.runs import identity
from sync.runs.history_words import event_words, how_words, type_words
from sync.store import connections
from sync.store import people as record

why_option = click.option("--why", "note", default="", help="The reason; stands in the person's history.")


def _found(one: Chosen, *wanted: str) -> list[str]:
    with one.runtime.reading(one.school) as db:
        connection = connections.get(db, one.school, one.connection)
        return [identity.find_person(db, connection, text) for text in wanted]


@click.command("merge")
@click.argument("kept")
@click.argument("second")
@why_option
@school_option
@connection_option
@who_option
@json_option
@explained
def merge_(kept: str, second: str, note: str, code: str | None, wanted: str | None, who: str, as_json: bool) -> None:
    """Say that SECOND is another account of KEPT: KEPT's ids hold, what it lacks comes from SECOND.

    A person is named by Kopir's id, the LMS's or the journal's.
    """
    with chosen(code, wanted) as one:
        one_id, other_id = _found(one, kept, second)
        identity.merge(one.runtime, one.school, one.connection, one_id, other_id, who=who, note=note)
    show({"kept": one_id, "merged": other_id}, as_json=as_json, text=words(say(N_("Merged. Compare anew."))))


@click.command("split")
@click.argument("person")
@why_option
@school_option
@connection_option
@who_option
@json_option
@explained
def split_(person: str, note: str, code: str | None, wanted: str | None, who: str, as_json: bool) -> None:
    """Take PERSON apart again: a merge, else the link to the journal. It is not made again by itself."""
    with chosen(code, wanted) as one:
        [whom] = _found(one, person)
        what = identity.split(one.runtime, one.school, one.connection, whom, who=who, note=note)
    text = N_("The merge was taken back.") if what == "merge" else N_("The link was taken back.")
    show({"person": whom, "split": what}, as_json=as_json, text=words(say(text)))


@click.command("pin")
@click.argument("person")
@click.option("--to", "right", default="", help="Link PERSON to this id of the journal first.")
@click.option("--off", is_flag=True, help="Let the link be moved again.")
@why_option
@school_option
@connection_option
@who_option
@json_option
@explained
def pin_(
    person: str, right: str, off: bool, note: str, code: str | None, wanted: str | None, who: str, as_json: bool
) -> None:
    """Fix the link of PERSON: no file, IIN or proposal moves it, and it settles what two sources say differently."""
    with chosen(code, wanted) as one:
        [whom] = _found(one, person)
        place = (one.runtime, one.school, one.connection, whom)
        if off:
            identity.unpin(*place, who=who, note=note)
        else:
            identity.pin(*place, who=who, note=note, right=right)
    text = N_("The link may be moved again.") if off else N_("The link is fixed.")
    show({"person": whom, "pinned": not off}, as_json=as_json, text=words(say(text)))


@click.command("history")
@click.argument("person")
@school_option
@connection_option
@json_option
@explained
def history_(person: str, code: str | None, wanted: str | None, as_json: bool) -> None:
    """Show who PERSON is and was: accounts, classes, links, merges, who said so, when and why."""
    with chosen(code, wanted) as one:
        [whom] = _found(one, person)
        with one.runtime.reading(one.school) as db:
            found = identity.history(db, connections.get(db, one.school, one.connection), whom)
            others = record.people(db, one.school, [event.other or event.person for event in found.events])
    if as_json:
        show(_plain(found), as_json=True)
        return
    click.echo(f"{found.person.name}  {whom}")
    rows: list[dict[str, Any]] = [
        {"at": f"{event.at:%Y-%m-%d %H:%M}", "what": words(event_words(event.action)), "id": event.external_id,
         "how": _text(how_words(event.how)), "with": _other(event.other, event.person, whom, others),
         "who": event.who, "why": event.note}
        for event in found.events
    ]  # fmt: skip
    show_table(rows, as_json=False, empty=words(say(N_("Nobody ever said anything about this person."))))
    ids = [
        {"id": one_id.value, "is": _text(type_words(one_id.type)), "since": f"{one_id.first_seen:%Y-%m-%d}",
         "last seen": f"{one_id.last_seen:%Y-%m-%d}", "ended": f"{one_id.ended_at:%Y-%m-%d}" if one_id.ended_at else ""}
        for one_id in found.ids
    ]  # fmt: skip
    show_table(ids, as_json=False, empty="")


def _text(message: Any) -> str:
    return message if isinstance(message, str) else words(message)


def _other(other: str | None, about: str, whom: str, known: dict[str, record.PersonRow]) -> str:
    partner = None if other is None else about if other == whom else other
    return known[partner].name if partner in known else partner or ""


def _plain(found: identity.History) -> dict[str, Any]:
    return {
        "person": found.person.id,
        "name": found.person.name,
        "left": found.left,
        "right": found.right,
        "pinned": found.pinned,
        "merged_into": found.merged_into,
        "second_accounts": list(found.second_accounts),
        "doubt": None if found.doubt is None else {"reason": found.doubt.reason, "candidates": found.doubt.candidates},
        "ids": [vars(one) for one in found.ids],
        "classes": [vars(one) for one in found.stays],
        "events": [vars(one) for one in found.events],
    }


commands = (merge_, split_, pin_, history_)
