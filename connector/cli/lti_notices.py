"""``kopir lti notices``: what LMSs tell by themselves, and what they were asked to."""

from __future__ import annotations

import click

from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show_table
from connector.host.notices import latest, subscriptions
from connector.host.runtime import Runtime


@click.command()
@click.option("--school", "code", help="The school's code; not needed where there is one school.")
@click.option("--received", is_flag=True, help="List the notices that came instead of what is subscribed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Notices at most.")
@json_option
@explained
def notices(code: str | None, received: bool, limit: int, as_json: bool) -> None:
    """List the notices a school's LMSs were asked for, or those that came."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code)
        rows = _received(runtime, school.id, limit) if received else _asked(runtime, school.id)
    empty = "No notice has come." if received else "No LMS of this school offers notices so far."
    show_table(rows, as_json=as_json, empty=empty)


def _asked(runtime: Runtime, school_id: str) -> list[dict[str, object]]:
    names = ("registration_id", "deployment_id", "type", "state", "reason", "updated_at", "heard_at")
    return [{name: row[name] or "" for name in names} for row in subscriptions(runtime, school_id)]


def _received(runtime: Runtime, school_id: str, limit: int) -> list[dict[str, object]]:
    names = ("received_at", "registration_id", "deployment_id", "type", "state", "notice_id")
    return [{name: row[name] or "" for name in names} for row in latest(runtime, school_id, limit)]
