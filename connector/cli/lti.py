"""``kopir lti``: platforms, by hand or by invitation, and our keys."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.context import opened_runtime
from connector.cli.lti_doctor import doctor
from connector.cli.lti_keys import keys
from connector.cli.lti_legacy import legacy
from connector.cli.lti_notices import notices
from connector.cli.lti_registration import anonymous, approve, invite, remove, show_one
from connector.cli.lti_selftest import selftest
from connector.cli.lti_tools import tools
from connector.cli.output import explained, json_option, show, show_table
from connector.host.platforms import register_platform
from connector.host.registry import Platform, origin_of


@click.group()
def lti() -> None:
    """Connect LMSs."""


@lti.group()
def platforms() -> None:
    """Register LMSs and list them."""


@platforms.command("add")
@click.option("--school", "code", required=True, help="The school's code; it is made if it is new.")
@click.option("--name", help="The school's name, for a new school.")
@click.option("--issuer", required=True, help="The platform's issuer, exactly as it sends it.")
@click.option("--client-id", required=True)
@click.option("--auth-url", required=True, help="OIDC authorisation endpoint.")
@click.option("--token-url", required=True)
@click.option("--jwks-url", required=True)
@click.option("--deployment", required=True, help="deployment_id of this school.")
@click.option("--frame-origin", "frame_origins", multiple=True, help="Further origins that may frame our pages.")
@click.option("--token-audience", help="Audience of our client assertion, where it is not the token URL (D2L).")
@click.option("--profile", default="moodle", show_default=True, help="What kind of LMS it is.")
@json_option
@explained
def add(code: str, name: str | None, as_json: bool, **options: str | None) -> None:
    """Register an LMS by hand; run again with other values, it is brought up to date."""
    platform = Platform(
        issuer=_address("issuer", options["issuer"]),
        auth_url=_address("auth_url", options["auth_url"]),
        token_url=_address("token_url", options["token_url"]),
        jwks_url=_address("jwks_url", options["jwks_url"]),
        client_id=str(options["client_id"]),
        deployment_id=str(options["deployment"]),
        token_audience=options["token_audience"],
        frame_origins=tuple(origin_of(origin) for origin in options["frame_origins"] or ()),
        profile=str(options["profile"]),
    )
    with opened_runtime() as runtime:
        made = register_platform(runtime, platform, code, name or code)
    show(made, as_json=as_json, text=made.for_the_lms())


def _address(field: str, value: str | None) -> str:
    parts = urlsplit(value or "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        text = N_("--{field}: {value} is not an http or https address.")
        raise Fatal("bad_address", say(text, field=field.replace("_", "-"), value=value))
    return str(value)


@platforms.command("list")
@json_option
@explained
def list_(as_json: bool) -> None:
    """List registered LMSs."""
    with opened_runtime() as runtime:
        rows = [
            {"id": one.id, "school": code, "issuer": one.issuer, "client_id": one.client_id, "deployment": deployment,
             "profile": one.profile}
            for one, deployment, code in runtime.registry.all()
        ]  # fmt: skip
    show_table(rows, as_json=as_json, empty="No LMS is registered yet: kopir lti platforms add --help")


lti.add_command(invite)
lti.add_command(keys)
lti.add_command(selftest)
lti.add_command(doctor)
lti.add_command(notices)
lti.add_command(tools)
lti.add_command(legacy)
for command in (show_one, remove, approve, anonymous):
    platforms.add_command(command)
