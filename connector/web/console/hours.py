"""The hours of a connection: when it is compared by itself, what pauses it, and the form that changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from connector.base.errors import Fatal
from connector.base.i18n import N_, Message, say
from connector.web.console.common import connection_or_404, home_of, sync, to, who
from connector.web.console.session import blueprint
from connector.web.state import runtime
from mappings.schema import Quiet, YearEnd
from sync.schedule import store
from sync.schedule.rules import WEEKDAYS
from sync.store import audit
from sync.store.connections import SyncConnection

DAY_WORDS = {
    "mon": N_("Mon"), "tue": N_("Tue"), "wed": N_("Wed"), "thu": N_("Thu"), "fri": N_("Fri"), "sat": N_("Sat"),
    "sun": N_("Sun"),
}  # fmt: skip
STILL: dict[str, str] = {
    "not_live": N_("Nothing runs by itself yet: a person approves the first plan."),
    "paused": N_("Paused by hand."),
    "year_end": N_("Paused between two school years."),
}


@dataclass(frozen=True)
class Hours:
    """A connection's hours, as the page shows them.

    Attributes:
        next_at: The next run by the clock.
        last_at: When the last hour was claimed.
        still: Why nothing begins by itself now, or None.
        until: The last day of a pause by hand, where it has one.
        fault: Why what the school set does not count.
        hours: Hours of the day, joined by commas.
        days: Days of the week that count.
        quiet: First and last of the quiet hours; empty texts for none.
        after_score: Minutes after a delivered score.
        year_end: Whether runs pause between school years.
        own: The school set hours of its own.
    """

    next_at: datetime | None
    last_at: datetime | None
    still: Message | None
    until: date | None
    fault: Message | None
    hours: str
    days: tuple[str, ...]
    quiet: tuple[str, str]
    after_score: int
    year_end: bool
    own: bool


def hours_of(connection: SyncConnection) -> Hours:
    """Return a connection's hours."""
    now = runtime().clock()
    with sync().reading(connection.school) as db:
        plan = store.of(db, connection)
    slot, why, quiet = plan.next(now), plan.why_still(now), plan.rules.quiet
    return Hours(
        slot.at if slot and plan.live else None,
        plan.last_at,
        say(STILL[why]) if why else None,
        plan.pauses.until if plan.pauses.paused else None,
        plan.fault,
        ", ".join(plan.rules.hours),
        tuple(plan.rules.days),
        (quiet.from_, quiet.to) if isinstance(quiet, Quiet) else ("", ""),
        plan.rules.after_score,
        isinstance(plan.rules.year_end, YearEnd),
        bool(plan.overrides),
    )


@blueprint.post("/connections/<connection_id>/hours")
def set_hours(connection_id: str) -> Response:
    """Set the hours, go back to the mapping's, pause, or resume."""
    connection = connection_or_404(connection_id)
    wish, now = request.form.get("wish", "set"), runtime().clock()
    action = {"pause": "schedule_paused", "resume": "schedule_resumed"}.get(wish, "schedule_set")
    with sync().writing(connection.school) as db:
        if wish == "pause":
            store.pause(db, connection, _day(request.form.get("until", "")), who(), now)
        elif wish == "resume":
            store.resume(db, connection, who(), now)
        else:
            given = {} if wish == "reset" else _given()
            store.set_overrides(db, connection, given, who(), now, reset=True)
        audit.append(db, connection.school, connection.id, action, who(), [], now)
    notes = {"pause": "hours_paused", "resume": "hours_resumed", "reset": "hours_reset"}
    return to(home_of(connection), notes.get(wish, "hours_set"))


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Fatal("bad_day", say(N_("{day} is not a day."), day=text)) from error


def _given() -> dict[str, Any]:
    form = request.form
    quiet = {"from": form.get("quiet_from", "").strip(), "to": form.get("quiet_to", "").strip()}
    minutes = form.get("after_score", "").strip()
    given: dict[str, Any] = {
        "hours": [hour.strip() for hour in form.get("hours", "").split(",") if hour.strip()],
        "days": [day for day in WEEKDAYS if day in form.getlist("day")],
        "quiet": quiet if quiet["from"] or quiet["to"] else "none",
        "after_score": int(minutes) if minutes.isdigit() else 0,
    }
    return given if form.get("year_end") else {**given, "year_end": "none"}
