"""The command ``kopir``."""

from __future__ import annotations

import click

from connector.base.i18n import catalogue
from connector.cli import (
    console,
    demo,
    lti,
    mapping,
    notices,
    people,
    people_identity,
    plugin,
    privacy,
    schedule,
    scores,
    server,
    sync,
    sync_audit,
    sync_settings,
)
from connector.host.runtime import ROOT


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="kopir")
def main() -> None:
    """Bring online tests, labs and portfolios into a school's LMS, and keep its e-journal in step."""
    for room in ("connector", "lti", "mappings", "sync"):
        catalogue.add(ROOT / room / "i18n")


for command in (*server.commands, lti.lti, console.console, demo.demo, mapping.mapping, sync.sync, people.people):
    main.add_command(command)
main.add_command(plugin.plugin)
main.add_command(privacy.privacy)
main.add_command(notices.notices)
main.add_command(schedule.schedule)
main.add_command(scores.scores)
for command in (sync_settings.set_, sync_settings.accept_read_, sync_settings.cancel_, sync_settings.quarantine_):
    sync.sync.add_command(command)
sync.sync.add_command(sync_audit.audit_)
for command in people_identity.commands:
    people.people.add_command(command)
