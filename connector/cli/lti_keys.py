"""``kopir lti keys``: which key signs for which LMS, and changing it."""

from __future__ import annotations

from datetime import timedelta

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show, show_table
from connector.host import rotation
from connector.host.runtime import Runtime


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def keys(context: click.Context, as_json: bool) -> None:
    """List our keys, or change one."""
    if context.invoked_subcommand is None:
        context.invoke(list_keys, as_json=as_json)


@keys.command("list")
@json_option
@explained
def list_keys(as_json: bool) -> None:
    """List our keys: which are published, which signs, which is on its way out, and until when."""
    with opened_runtime() as runtime:
        rows = [
            {"kid": one.kid, "alg": "RS256", "state": one.state, "issuer": one.issuer,
             "registration": one.registration_id, "until": one.until.isoformat() if one.until else ""}
            for one in rotation.key_states(runtime)
        ]  # fmt: skip
        address = f"{runtime.settings.public_url}/lti/jwks.json"
    show_table(rows, as_json=as_json, empty=f"A key pair is made with each registration and published at {address}")


@keys.command("rotate")
@click.option("--registration", help="Our id of the registration; needed when there are several.")
@click.option("--all", "everywhere", is_flag=True, help="Every registration.")
@click.option("--wait-hours", type=click.FloatRange(0, 720), default=24.0, show_default=True,
              help="How long LMSs may keep a copy of our keys; the new key signs afterwards.")  # fmt: skip
@json_option
@explained
def rotate(registration: str | None, everywhere: bool, wait_hours: float, as_json: bool) -> None:
    """Begin a rotation, or take the step that is due: publish, then sign, then retire.

    A running server takes the later steps by itself.
    """
    with opened_runtime() as runtime:
        rows = [_step(runtime, one, timedelta(hours=wait_hours)) for one in _chosen(runtime, registration, everywhere)]
    show_table(rows, as_json=as_json, empty="No LMS is registered yet.")


def _step(runtime: Runtime, registration_id: str, wait: timedelta) -> dict[str, str]:
    began = rotation.rotation_of(runtime, registration_id) is None
    if began:
        rotation.publish(runtime, registration_id, wait)
    due = rotation.advance(runtime, registration_id)
    rotation.schedule(runtime, registration_id, due)
    states = {one.state: one.kid for one in rotation.key_states(runtime) if one.registration_id == registration_id}
    return {"registration": registration_id, "began": "yes" if began else "no", "signing": states.get("signing", ""),
            "published": states.get("published", ""), "retiring": states.get("retiring", ""),
            "next_step_at": due.isoformat() if due else ""}  # fmt: skip


@keys.command("revoke")
@click.option("--registration", help="Our id of the registration; needed when there are several.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@explained
def revoke(registration: str | None, yes: bool, as_json: bool) -> None:
    """In an emergency: sign with a new key at once and take the old one out of the key set.

    LMSs that hold a copy of our keys refuse us until they read them anew.
    """
    with opened_runtime() as runtime:
        (chosen,) = _chosen(runtime, registration, False)
        if not yes:
            click.confirm("Marks may not arrive until the LMS reads our keys anew. Go on?", abort=True)
        kid = rotation.revoke(runtime, chosen)
    text = f"{kid} signs from now on; the old key is gone from the key set."
    show({"registration": chosen, "kid": kid}, as_json=as_json, text=text)


def _chosen(runtime: Runtime, registration: str | None, everywhere: bool) -> list[str]:
    known = sorted({one.registration_id for one in rotation.key_states(runtime)})
    if everywhere:
        return known
    if registration is None and len(known) != 1:
        text = N_("Name the registration with --registration. Known: {known}.")
        raise Fatal("which_registration", say(text, known=", ".join(known) or "-"))
    wanted = registration or known[0]
    if wanted not in known:
        text = N_("There is no registration {id}; `kopir lti platforms list` shows them.")
        raise Fatal("no_registration", say(text, id=wanted))
    return [wanted]
