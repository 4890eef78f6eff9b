"""``kopir scores``: how far each score is, why, and sending again."""

from __future__ import annotations

import sys
from typing import Any

import click
from sqlalchemy import and_

from connector.base.errors import Fatal
from connector.base.i18n import N_, say, translate
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table, terminal_language
from connector.db.tables.launches import result
from connector.host.deliveries import lanes_of, send_again
from sync.scores import view
from sync.scores.view import ScoreLine
from sync.scores.words import STANDINGS, WHO, Standing, meaning

NEEDS_PERSON = 2
"""Exit status when a score needs somebody, so that a script can tell it from "all is well"."""

school_option = click.option("--school", "code", help="The school's code; needed when there are several.")


@click.group()
def scores() -> None:
    """Look after the scores on their way to the LMS."""


@scores.command("list")
@school_option
@click.option("--activity", help="The scores of one activity, pupil by pupil.")
@click.option("--state", "wanted", type=click.Choice([*Standing]), help="Only those in this state.")
@json_option
@explained
def list_(code: str | None, activity: str | None, wanted: str | None, as_json: bool) -> None:
    """List activities and how many of their scores are where; exit status 2 while some need a person."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        with runtime.database.school(school, write=False) as db:
            if activity is None and wanted is None:
                found = view.activities(db, school)
                rows = [_counted(one) for one in found]
                attention = any(one.attention for one in found)
            else:
                condition = result.c.activity == activity if activity else result.c.school_id == school
                listed = [one for one in view.lines(db, school, condition) if wanted in (None, str(one.standing))]
                rows = [_one(line) for line in listed]
                attention = any(line.needs_person for line in listed)
    show_table(rows, as_json=as_json, empty=translate(say(N_("There are no scores.")), terminal_language()))
    sys.exit(NEEDS_PERSON if attention else 0)


def _counted(one: view.ActivityScores) -> dict[str, Any]:
    counts = {str(standing): one.counts.get(standing, 0) for standing in Standing}
    return {
        "activity": one.activity_id,
        "title": one.title,
        "course": one.course,
        **counts,
        "needs_person": one.attention,
    }


def _one(line: ScoreLine) -> dict[str, Any]:
    language = terminal_language()
    return {
        "id": line.result_id,
        "pupil": line.name,
        "score": "" if line.given is None else f"{line.given} / {line.maximum}",
        "state": translate(say(STANDINGS[line.standing]), language),
        "reason": line.reason,
        "in_lms": line.seen or "",
        "what": translate(say(meaning(line.standing, line.reason).sentence), language),
    }


@scores.command("show")
@click.argument("result_id", metavar="ID")
@school_option
@json_option
@explained
def show_(result_id: str, code: str | None, as_json: bool) -> None:
    """Show one score: where it is, what that means, and who must act."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        with runtime.database.school(school, write=False) as db:
            found = view.lines(db, school, result.c.id == result_id)
    if not found:
        raise Fatal("no_such_score", say(N_("This school has no score {id}. See `kopir scores list`."), id=result_id))
    (line,) = found
    language = terminal_language()
    known = meaning(line.standing, line.reason)
    what = translate(say(known.sentence), language)
    value = {
        "id": line.result_id,
        "activity": line.activity_id,
        "pupil": line.name,
        "state": str(line.standing),
        "reason": line.reason,
        "score": line.given,
        "maximum": line.maximum,
        "in_lms": line.seen,
        "in_lms_maximum": line.seen_maximum,
        "finished_at": line.finished_at,
        "changed_at": line.changed_at,
        "next_try": line.next_at,
        "attempts": line.attempts,
        "who": str(known.who),
        "what": what,
    }
    text = "\n".join([translate(say(STANDINGS[line.standing]), language), what,
                      translate(say(WHO[known.who]), language)])  # fmt: skip
    show(value, as_json=as_json, text=text)


@scores.command("resend")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that ended without being in the gradebook.")
@click.option("--activity", help="With --all: those of one activity.")
@school_option
@json_option
@explained
def resend_(ids: tuple[str, ...], everything: bool, activity: str | None, code: str | None, as_json: bool) -> None:
    """Send scores again by ID, or all of them; a mark that a teacher set in the LMS stays all the same."""
    if everything == bool(ids):
        raise Fatal("which_scores", say(N_("Name the scores, or say --all.")))
    with opened_runtime() as runtime:
        school = the_school(runtime, code).id
        condition = result.c.id.in_(ids) if ids else result.c.school_id == school
        if activity:
            condition = and_(condition, result.c.activity == activity)
        sent = send_again(runtime, school, condition)
    left = sorted(set(ids) - set(sent))
    text = say(N_("Sent again: {count}. Left as they are: {left}."), count=len(sent), left=len(left))
    show({"resent": sent, "left": left}, as_json=as_json, text=translate(text, terminal_language()))
    sys.exit(1 if left else 0)


@scores.command("lanes")
@school_option
@json_option
@explained
def lanes_(code: str | None, as_json: bool) -> None:
    """List the LMSs that scores go to: whether each answers, what waits, and when it is tried next."""
    with opened_runtime() as runtime:
        found = lanes_of(runtime, the_school(runtime, code).id)
    rows = [
        {
            "lms": one.issuer,
            "state": one.state,
            "reason": one.reason,
            "failures": one.failures,
            "next_try": one.next_try.isoformat(timespec="seconds") if one.next_try else "",
            "waiting": one.waiting,
            "running": one.running,
            "dead": one.dead,
        }
        for one in found
    ]
    show_table(rows, as_json=as_json, empty=translate(say(N_("No LMS is registered.")), terminal_language()))
