"""``kopir lti invite`` and what is done with a registration afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.outbound import NetworkPolicy
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table
from connector.host.deployments import approve_deployment, waiting_deployments
from connector.host.invitations import Invitation, invitations, invite_lms, revoke_invitation
from connector.host.registered import remove_registration
from connector.host.rotation import key_states
from connector.host.runtime import Runtime


@click.command()
@click.option("--school", "code", help="The school's code; it is made if it is new.")
@click.option("--name", help="The school's name, for a new school.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long it holds.")
@click.option("--allow-host", "hosts", multiple=True, help="host[:port] of an LMS inside a private network.")
@click.option("--label", default="", help="What the tool is called in the LMS.")
@click.option("--list", "listing", is_flag=True, help="List invitations instead of making one.")
@click.option("--revoke", metavar="ID", help="Take an invitation back instead of making one.")
@json_option
@explained
def invite(
    code: str | None, name: str | None, days: int, hosts: tuple[str, ...], label: str, listing: bool,
    revoke: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Print a one-time address that connects an LMS to a school: paste it into the LMS."""
    with opened_runtime() as runtime:
        if listing:
            rows = [_row(runtime, one) for one in invitations(runtime)]
            show_table(rows, as_json=as_json, empty="No invitation is open: kopir lti invite --school CODE")
        elif revoke is not None:
            _revoke(runtime, revoke, as_json)
        else:
            _invite(runtime, code, name, as_json, lasting=timedelta(days=days), allow_hosts=_hosts(hosts), label=label)


def _invite(runtime: Runtime, code: str | None, name: str | None, as_json: bool, **options: Any) -> None:
    if code is not None:
        runtime.registry.make_school(code, name or code, runtime.vault, runtime.clock())
    made = invite_lms(runtime, the_school(runtime, code).id, **options)
    show(
        {"id": made.id, "url": made.url, "expires_at": made.expires_at.isoformat()},
        as_json=as_json,
        text=f"{made.url}\n\nIt works once, until {made.expires_at:%Y-%m-%d %H:%M} UTC. Paste it into the LMS; "
        f"Moodle: Manage tools > «Tool URL» > «Add LTI Advantage».\nTake it back: kopir lti invite --revoke {made.id}",
    )


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if "/" in host or "://" in host or not host.strip():
            text = N_("--allow-host {host}: name one host, with its port if it has one: lms.school.local:8080.")
            raise Fatal("bad_host", say(text, host=host))
    return NetworkPolicy.from_setting(tuple(host.lower() for host in hosts)).entries


def _row(runtime: Runtime, one: Invitation) -> dict[str, Any]:
    state = one.state(runtime.clock())
    return {"id": one.id, "school": one.school_code, "state": state, "expires_at": one.expires_at.isoformat(),
            "allow_hosts": ", ".join(one.allow_hosts), "registration": one.registration_id or ""}  # fmt: skip


def _revoke(runtime: Runtime, invitation_id: str, as_json: bool) -> None:
    if not revoke_invitation(runtime, invitation_id):
        text = N_("There is no invitation {id} that could still be used.")
        raise Fatal("no_invitation", say(text, id=invitation_id))
    show({"revoked": invitation_id}, as_json=as_json, text="Taken back: nobody can use that address any more.")


@click.command("show")
@click.argument("registration_id")
@json_option
@explained
def show_one(registration_id: str, as_json: bool) -> None:
    """Show one registered LMS: its addresses, deployments and keys."""
    with opened_runtime() as runtime:
        one = runtime.registry.get(registration_id)
        if one is None:
            raise _unknown(registration_id)
        deployments = [
            {"deployment": deployment, "school": code}
            for other, deployment, code in runtime.registry.all()
            if other.id == registration_id
        ]
        waiting = [
            {"deployment": wait.deployment_id, "school": wait.school_code, "launches": wait.launches}
            for wait in waiting_deployments(runtime)
            if wait.registration_id == registration_id
        ]
        states = [state for state in key_states(runtime) if state.registration_id == registration_id]
    values: dict[str, Any] = {
        "id": one.id, "issuer": one.issuer, "client_id": one.client_id, "profile": one.profile,
        "auth_url": one.auth_url, "token_url": one.token_url, "jwks_url": one.jwks_url,
        "token_audience": one.token_audience, "deployments": deployments, "waiting": waiting,
        "keys": [{"kid": state.kid, "state": state.state,
                  "until": state.until.isoformat() if state.until else None} for state in states],
    }  # fmt: skip
    show(values, as_json=as_json, text="\n".join(f"{name:15} {value}" for name, value in values.items()))


def _unknown(registration_id: str) -> Fatal:
    text = N_("There is no registration {id}; `kopir lti platforms list` shows them.")
    return Fatal("no_registration", say(text, id=registration_id))


@click.command("remove")
@click.argument("registration_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@explained
def remove(registration_id: str, yes: bool, as_json: bool) -> None:
    """Forget a registered LMS: nobody gets in from it any more, and its key is destroyed. Results stay."""
    with opened_runtime() as runtime:
        one = runtime.registry.get(registration_id)
        if one is None:
            raise _unknown(registration_id)
        if not yes:
            click.confirm(f"Nobody will get in from {one.issuer} ({one.client_id}) any more. Go on?", abort=True)
        remove_registration(runtime, registration_id)
    show({"removed": registration_id}, as_json=as_json, text=f"{one.issuer} is not connected any more.")


@click.command("anonymous")
@click.argument("registration_id")
@click.option("--on/--off", "served", required=True, help="Serve launches that name nobody, or refuse them.")
@json_option
@explained
def anonymous(registration_id: str, served: bool, as_json: bool) -> None:
    """Serve or refuse an LMS's launches that name nobody; refused unless switched on, as nobody's work can be kept."""
    with opened_runtime() as runtime:
        if not runtime.registry.serve_anonymous(registration_id, served):
            raise _unknown(registration_id)
    state = "served" if served else "refused"
    show({"registration": registration_id, "anonymous": state}, as_json=as_json, text=f"Launches of nobody: {state}")


@click.command("approve")
@click.argument("deployment", required=False)
@click.option("--registration", help="Our id of the registration, where several have such a deployment.")
@click.option("--school", "code", help="Whose it is; by default the school whose invitation brought the LMS.")
@json_option
@explained
def approve(deployment: str | None, registration: str | None, code: str | None, as_json: bool) -> None:
    """Say whose a deployment is that has launched and waits; without a name, list those that wait."""
    with opened_runtime() as runtime:
        if deployment is None:
            rows = [
                {"deployment": one.deployment_id, "school": one.school_code, "issuer": one.issuer,
                 "client_id": one.client_id, "launches": one.launches, "registration": one.registration_id}
                for one in waiting_deployments(runtime)
            ]  # fmt: skip
            show_table(rows, as_json=as_json, empty="No deployment waits.")
            return
        school_id = the_school(runtime, code).id if code else None
        found = approve_deployment(runtime, deployment, school_id=school_id, registration_id=registration)
        values = {"deployment": deployment, "registration": found.registration_id, "school": code or found.school_code}
    show(values, as_json=as_json, text=f"Deployment {deployment} belongs to school {values['school']} now.")
