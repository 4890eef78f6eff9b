"""``kopir lti doctor``: one LMS examined, and what its administrator must change."""

from __future__ import annotations

import sys
from typing import Any

import click

from connector.base.i18n import N_, say, translate
from connector.cli.context import opened_runtime
from connector.cli.output import explained, json_option, show, terminal_language
from connector.host.doctor import Level
from connector.host.lti_doctor import Examined, examine_platform, find_registrations

_MARKS = {Level.OK: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.ERROR: ("✗", "red")}


@click.command()
@click.argument("platform")
@json_option
@explained
def doctor(platform: str, as_json: bool) -> None:
    """Examine one LMS, named by its issuer, its client id or our id; exit 1 when something must be mended.

    Keys both ways, clocks, a token for each service, grade columns, roster. Nothing is written and nobody is named.
    """
    with opened_runtime() as runtime:
        examined = [examine_platform(runtime, one) for one in find_registrations(runtime, platform)]
    language = terminal_language()
    rows = [_row(one, language) for one in examined]
    show(rows, as_json=as_json, text="\n\n".join(_text(one, language) for one in examined))
    if not all(one.well for one in examined):
        sys.exit(1)


def _row(examined: Examined, language: str) -> dict[str, Any]:
    registration = examined.registration
    return {
        "registration": registration.id, "issuer": registration.issuer, "client_id": registration.client_id,
        "profile": registration.profile, "deployments": list(examined.deployments), "well": examined.well,
        "findings": [
            {"level": str(found.level), "code": found.code, "text": translate(found.message, language)}
            for found in examined.findings
        ],
    }  # fmt: skip


def _text(examined: Examined, language: str) -> str:
    registration = examined.registration
    title = say(N_("{issuer}, client {client_id}"), issuer=registration.issuer, client_id=registration.client_id)
    lines = [translate(title, language)]
    for found in examined.findings:
        mark, colour = _MARKS[found.level]
        lines.append(f"{click.style(mark, fg=colour)} {translate(found.message, language)}")
    return "\n".join(lines)
