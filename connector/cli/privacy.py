"""``kopir privacy``: wishes to be erased that persons left on the page of a data-privacy launch."""

from __future__ import annotations

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table
from connector.host import privacy as host


@click.group()
def privacy() -> None:
    """Look after what is kept of persons."""


_school = click.option("--school", "code", help="The school's code; not needed where there is one school.")


@privacy.command("requests")
@_school
@json_option
@explained
def requests(code: str | None, as_json: bool) -> None:
    """List wishes to be erased, by our ids and without names."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code)
        rows = [
            {"id": one.id, "account": one.account_id, "asked_by": "person" if one.by_person else "administrator",
             "state": one.state, "asked_at": one.asked_at, "settled_at": one.settled_at or ""}
            for one in host.wishes(runtime, school.id)
        ]  # fmt: skip
    show_table(rows, as_json=as_json, empty="Nobody has asked to be erased.")


@privacy.command("settle")
@click.argument("request_id")
@click.option("--declined", is_flag=True, help="It was declined; otherwise it was done.")
@_school
@json_option
@explained
def settle(request_id: str, declined: bool, code: str | None, as_json: bool) -> None:
    """Note that a wish was done, or declined; the person reads it at the next visit. Erases nothing by itself."""
    state = "declined" if declined else "done"
    with opened_runtime() as runtime:
        if not host.settle(runtime, the_school(runtime, code).id, request_id, state):
            raise Fatal("no_request", say(N_("There is no open wish {id}."), id=request_id))
    show({"id": request_id, "state": state}, as_json=as_json, text=f"{request_id}: {state}")
