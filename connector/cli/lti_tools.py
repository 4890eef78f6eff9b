"""``kopir lti tools``: the third-party tools a school lets in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table
from connector.host.registry import origin_of
from connector.host.runtime import Runtime
from connector.host.tools.admin import GRADES, ROSTER, Allowed, Typed, for_the_vendor, type_in
from connector.host.tools.keys import WAIT, key_states, rotate
from connector.host.tools.records import Change, SchoolTool, State, Told, change_tool
from connector.host.tools.records import tools as all_tools
from connector.host.tools.registering import invite_tool, registration_address

TELL = click.Choice([str(one) for one in Told])
school_option = click.option("--school", "code", help="The school's code; may be left out where there is one school.")


@click.group("tools")
def tools() -> None:
    """Let third-party tools in, launched through Kopir under made-up names."""


@tools.command("add")
@school_option
@click.option("--name", required=True, help="What teachers call it.")
@click.option("--login-url", required=True, help="Where its launches begin (OIDC login initiation).")
@click.option("--launch-url", required=True, help="What is launched when a link names nothing.")
@click.option("--jwks-url", required=True, help="Its public keys.")
@click.option("--redirect-uri", "redirects", multiple=True, help="Where a launch may end; the launch URL by default.")
@click.option("--deep-linking-url", default="", help="Its own page for choosing content, where it has one.")
@click.option("--frame-origin", "origins", multiple=True, help="Further origins its pages come from.")
@click.option("--allow-host", "hosts", multiple=True, help="host:port inside a private network that it stands at.")
@click.option("--grades/--no-grades", default=True, show_default=True, help="It may give marks.")
@click.option("--roster/--no-roster", default=False, show_default=True, help="It may read the course's people.")
@click.option("--tell", "told", type=TELL, multiple=True, default=["course", "language"], show_default=True,
              help="What it may know; names only if you say so.")  # fmt: skip
@json_option
@explained
def add(code: str | None, grades: bool, roster: bool, told: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Let a tool in by hand, and print what its vendor must type in."""
    typed = Typed(
        name=given["name"],
        login_url=given["login_url"],
        target_link_uri=given["launch_url"],
        jwks_url=given["jwks_url"],
        redirect_uris=given["redirects"],
        deep_linking_url=given["deep_linking_url"],
        frame_origins=tuple(origin_of(one) for one in given["origins"]),
    )
    allowed = Allowed(grades, roster, frozenset(Told(one) for one in told))
    with opened_runtime() as runtime:
        made = type_in(runtime, the_school(runtime, code).id, typed, allowed, given["hosts"])
        _show(runtime, made, as_json)


@tools.command("list")
@school_option
@json_option
@explained
def list_(code: str | None, as_json: bool) -> None:
    """List a school's tools, those that wait too."""
    with opened_runtime() as runtime:
        rows = [_row(one) for one in all_tools(runtime, the_school(runtime, code).id)]
    show_table(rows, as_json=as_json, empty="No tool is let in yet: kopir lti tools add --help")


@tools.command("show")
@click.argument("tool")
@school_option
@json_option
@explained
def show_one(tool: str, code: str | None, as_json: bool) -> None:
    """Print what a tool's vendor must type in."""
    with opened_runtime() as runtime:
        found = [one for one in all_tools(runtime, the_school(runtime, code).id) if tool in (one.id, one.client_id)]
        if not found:
            text = N_("This school has no tool {id}; `kopir lti tools list` shows them.")
            raise Fatal("no_tool", say(text, id=tool))
        _show(runtime, found[0], as_json)


@tools.command("invite")
@click.argument("registration_url")
@school_option
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="How long it holds.")
@click.option("--allow-host", "hosts", multiple=True, help="host:port inside a private network that it stands at.")
@json_option
@explained
def invite(registration_url: str, code: str | None, hours: int, hosts: tuple[str, ...], as_json: bool) -> None:
    """Print the one-time address that lets a tool register itself; open it in a browser, then approve the tool."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code)
        token, until = invite_tool(runtime, school.id, allow_hosts=hosts, lasting=timedelta(hours=hours))
        url = registration_address(runtime, registration_url, token)
    text = (
        f"{url}\n\nIt works once, until {until:%Y-%m-%d %H:%M} UTC. Then: kopir lti tools list, kopir lti tools approve"
    )
    show({"url": url, "expires_at": until.isoformat()}, as_json=as_json, text=text)


@tools.command("approve")
@click.argument("tool")
@school_option
@click.option("--grades/--no-grades", default=None, help="It may give marks; as it asked unless told.")
@click.option("--roster/--no-roster", default=None, help="It may read the course's people; as it asked unless told.")
@click.option("--tell", "told", type=TELL, multiple=True, help="What it may know; as before unless told.")
@json_option
@explained
def approve(
    tool: str, code: str | None, grades: bool | None, roster: bool | None, told: tuple[str, ...], as_json: bool
) -> None:
    """Switch a tool on: one that registered itself and waits, or one that was off."""
    with opened_runtime() as runtime:
        school = the_school(runtime, code)
        before = next((one for one in all_tools(runtime, school.id) if one.id == tool), None)
        held = before.scopes if before else frozenset()
        allowed = Allowed(
            bool(held & GRADES) if grades is None else grades, bool(held & ROSTER) if roster is None else roster
        )
        change = Change(
            state=State.ON,
            scopes=None if grades is None and roster is None else allowed.scopes,
            told=frozenset(Told(one) for one in told) if told else None,
        )
        _show(runtime, change_tool(runtime, school.id, tool, change), as_json)


@tools.command("off")
@click.argument("tool")
@school_option
@json_option
@explained
def off(tool: str, code: str | None, as_json: bool) -> None:
    """Switch a tool off at once: its launches, tokens and calls end; its marks stay."""
    with opened_runtime() as runtime:
        changed = change_tool(runtime, the_school(runtime, code).id, tool, Change(state=State.OFF))
    show(_row(changed), as_json=as_json, text=f"{changed.name} is off: nothing of it works any more, its marks stay.")


@tools.command("keys")
@click.option("--rotate", "rotating", is_flag=True, help="Publish a new key that signs a day later.")
@click.option("--at-once", is_flag=True, help="With --rotate: sign with it now and drop the others; for a leaked key.")
@json_option
@explained
def keys(rotating: bool, at_once: bool, as_json: bool) -> None:
    """Show the keys the platform signs with towards tools, or begin a new one."""
    with opened_runtime() as runtime:
        if rotating:
            rotate(runtime, wait=timedelta(0) if at_once else WAIT)
        rows = [
            {"kid": one["kid"], "state": "signs" if one["signs"] else "published",
             "signs from": one["signs_from"].isoformat(), "until": one["ends_at"].isoformat() if one["ends_at"] else ""}
            for one in key_states(runtime)
        ]  # fmt: skip
    show_table(rows, as_json=as_json, empty="No key yet.")


def _row(tool: SchoolTool) -> dict[str, Any]:
    return {
        "id": tool.id, "name": tool.name, "state": str(tool.state), "grades": bool(tool.scopes & GRADES),
        "roster": bool(tool.scopes & ROSTER), "told": ", ".join(sorted(tool.told)), "launch_url": tool.target_link_uri,
    }  # fmt: skip


def _show(runtime: Runtime, tool: SchoolTool, as_json: bool) -> None:
    vendor = for_the_vendor(runtime, tool)
    lines = [f"{tool.name} ({tool.id}) is {tool.state}. For the vendor:", *(f"{k:27} {v}" for k, v in vendor.items())]
    show({**_row(tool), "client_id": tool.client_id, "vendor": vendor}, as_json=as_json, text="\n".join(lines))
