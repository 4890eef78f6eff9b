"""``kopir people``: say who is who in the two systems."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from connector.base.i18n import N_, say
from connector.cli.output import explained, json_option, show, show_table, terminal_language
from connector.cli.sync import PENDING, chosen, connection_option, school_option, who_option, words
from sync.reconcile.match import explain_match
from sync.runs import people as joining
from sync.runs.identity_file import join_by_file
from sync.store import cells, connections, proposals
from sync.store import people as record
from sync.store.proposals import Proposal


@click.group()
def people() -> None:
    """Join the people of the LMS and of the journal; a name alone joins nobody."""


@people.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@school_option
@connection_option
@click.option("--apply", is_flag=True, help="Join them; without it the file is only shown.")
@who_option
@json_option
@explained
def import_(file: Path, code: str | None, wanted: str | None, apply: bool, who: str, as_json: bool) -> None:
    """Show whom an identity FILE (CSV) joins, and with --apply join them; a file with an error joins nobody."""
    with chosen(code, wanted) as one:
        found = join_by_file(
            one.runtime, one.school, one.connection, file.read_bytes(), name=file.name, who=who, apply=apply
        )
    language = terminal_language()
    if as_json:
        value = {
            "applied": found.applied,
            "usable": found.usable,
            "lines": [vars(line) for line in found.lines],
            "findings": [finding.as_dict(language) for finding in found.findings],
        }
        show(value, as_json=True)
    else:
        for finding in found.findings:
            click.echo(finding.render(language), err=True)
        rows = [{"line": x.line, "name": x.name, "left": x.left_id, "right": x.right_id, "by": x.how} for x in
                found.lines]  # fmt: skip
        show_table(rows, as_json=False, empty=words(say(N_("The file joins nobody."))))
    sys.exit(0 if found.applied or (found.usable and not apply) else 1)


@people.command("match")
@school_option
@connection_option
@json_option
@explained
def match_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Propose pairs by name within each class; exit status 2 while some wait for a person."""
    with chosen(code, wanted) as one:
        found = joining.propose(one.runtime, one.school, one.connection)
        rows = _proposal_rows(one, found)
    show_table(rows, as_json=as_json, empty=words(say(N_("No proposals wait."))))
    sys.exit(PENDING if rows else 0)


def _proposal_rows(one: Any, found: list[Proposal]) -> list[dict[str, Any]]:
    with one.runtime.reading(one.school) as db:
        known = record.people(db, one.school, {proposal.person for proposal in found})
        links = connections.groups(db, one.school, one.connection)
        names = {
            person.id: person.full_name or f"{person.family} {person.given}".strip()
            for link in links
            for person in cells.people(db, one.school, one.connection, "right", link.id)
        }
    return [
        {
            "id": proposal.id,
            "name": known[proposal.person].name if proposal.person in known else "",
            "journal": names.get(proposal.right_id, ""),
            "journal_id": proposal.right_id,
            "state": proposal.state,
            "why": words(explain_match(proposal.reason or proposal.how)),
        }
        for proposal in found
    ]


@people.command("accept")
@click.argument("ids", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Accept all that are certain enough; namesakes still wait.")
@school_option
@connection_option
@who_option
@json_option
@explained
def accept_(
    ids: tuple[str, ...], everyone: bool, code: str | None, wanted: str | None, who: str, as_json: bool
) -> None:
    """Accept proposals by id, or all of them at once."""
    with chosen(code, wanted) as one:
        done = joining.accept(one.runtime, one.school, one.connection, None if everyone else list(ids), who=who)
    text = words(say(N_("{count} joined, {refused} refused."), count=len(done.joined), refused=len(done.refused)))
    show({"joined": list(done.joined), "refused": list(done.refused)}, as_json=as_json, text=text)
    sys.exit(1 if done.refused else 0)


@people.command("reject")
@click.argument("ids", nargs=-1, required=True)
@school_option
@connection_option
@who_option
@json_option
@explained
def reject_(ids: tuple[str, ...], code: str | None, wanted: str | None, who: str, as_json: bool) -> None:
    """Set proposals aside for good."""
    with chosen(code, wanted) as one:
        joining.reject(one.runtime, one.school, one.connection, list(ids), who=who)
        with one.runtime.reading(one.school) as db:
            left = len(proposals.of(db, one.school, one.connection))
    show({"waiting": left}, as_json=as_json, text=words(say(N_("{count} proposals still wait."), count=left)))


@people.command("list")
@school_option
@connection_option
@json_option
@explained
def list_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """List who is joined, and who is in one system only."""
    with chosen(code, wanted) as one, one.runtime.reading(one.school) as db:
        connection = connections.get(db, one.school, one.connection)
        joined = joining.links(db, connection)
        known = record.people(db, one.school, joined)
        rows: list[dict[str, Any]] = [
            {"person": whom, "name": known[whom].name, "left": left, "right": right, "only_in": "", "why": ""}
            for whom, (left, right) in sorted(joined.items(), key=lambda pair: known[pair[0]].name)
        ]
        for link in connections.groups(db, one.school, one.connection):
            for apart in joining.differences(db, connection, link):
                ids = {"left": "", "right": "", apart.side: apart.external_id}
                rows.append({"person": "", "name": apart.name, **ids, "only_in": apart.side,
                             "why": words(explain_match(apart.reason))})  # fmt: skip
    show_table(rows, as_json=as_json, empty=words(say(N_("Nobody is known yet: plan once, so that rosters are read."))))
