"""The console's page of notices: who is told, in which language and how often, and what was sent."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.wrappers import Response

from connector.base.i18n import N_
from connector.host.telling import recipients, work
from connector.web.console.common import NOTES, page, sync, to, who
from connector.web.console.hours import DAY_WORDS
from connector.web.console.session import blueprint, id_or_404, operator
from connector.web.state import runtime
from sync.schedule.rules import WEEKDAYS

NOTES.update(
    {
        "recipient_added": N_("Added. Send a test message to see that it arrives."),
        "recipient_removed": N_("Removed; nothing is sent there any more."),
        "recipient_tested": N_("A test message is on its way; the list below shows how it ends."),
    }
)
SENT: dict[str, str] = {
    "waiting": N_("waits"),
    "sending": N_("is being sent"),
    "sent": N_("sent"),
    "failed": N_("failed"),
}
KINDS: dict[str, str] = {"notice": N_("Notice"), "digest": N_("Digest"), "test": N_("Test")}


@blueprint.get("/notices/")
def notices() -> Response:
    """Show who is told, and the newest messages."""
    return _shown()


def _shown(secret: str = "") -> Response:
    school, here = operator().school_id, runtime()
    with sync().reading(school) as db:
        found = recipients.every(db, here.vault, school)
        log = work.sent(db, school)
    shared: dict[str, Any] = {
        "day_words": DAY_WORDS,
        "weekdays": WEEKDAYS,
        "sent_words": SENT,
        "kind_words": KINDS,
        "mail": bool(here.settings.smtp_host),
    }
    places = {one.id: one.address for one in found}
    return page(
        "console/notices.html",
        recipients=found,
        log=log,
        places=places,
        secret=secret,
        **shared,
    )


@blueprint.post("/notices/add")
def add_recipient() -> Response:
    """Add a recipient; a webhook's secret is shown now and never again."""
    school, here, form = operator().school_id, runtime(), request.form
    days = form.get("stale_days", "")
    wish = {
        "language": form.get("language", ""),
        "at_once": bool(form.get("at_once")),
        "digest_day": work.day_of(form.get("digest", "none"), WEEKDAYS),
        "stale_days": int(days) if days.isdigit() and len(days) < 4 else 0,
    }
    with sync().writing(school) as db:
        zone = work.school_zone(db, school)
        made = recipients.add(db, here.vault, school, form.get("address", ""), zone, here.clock(), who(), **wish)
    return _shown(made.secret) if made.secret else to("notices/", "recipient_added")


@blueprint.post("/notices/<recipient_id>")
def change_recipient(recipient_id: str) -> Response:
    """Remove a recipient, or send it a test message."""
    school, which = operator().school_id, id_or_404(recipient_id)
    if request.form.get("wish") == "remove":
        with sync().writing(school) as db:
            recipients.remove(db, school, which)
        return to("notices/", "recipient_removed")
    work.put_test(runtime(), school, which)
    return to("notices/", "recipient_tested")
