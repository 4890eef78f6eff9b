"""The console's page of dead letters: work that was given up, why, and the button that tries it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import request
from sqlalchemy import delete, select
from werkzeug.wrappers import Response

from connector.base.i18n import N_, Message, say
from connector.web.console.common import NOTES, page, sync, to
from connector.web.console.session import blueprint, id_or_404, operator
from connector.web.console.words import stop_reason
from connector.web.state import runtime
from sync.jobs import queue
from sync.jobs.tables import job

NOTES.update(
    {
        "letter_again": N_("It is tried again now."),
        "letter_not_again": N_("It could not be put back: the same work waits already, or somebody was faster."),
        "letter_forgotten": N_("It was taken off the list."),
    }
)
KINDS: dict[str, str] = {
    "sync_plan": N_("Comparing two systems"),
    "sync_apply": N_("Writing an approved plan"),
    "deliver_scores": N_("Delivering scores to the LMS"),
    "tell": N_("Sending a notice"),
    "rotate_keys": N_("Changing keys towards the LMS"),
    "plugin": N_("Work of a plugin"),
}
SHOWN = 200


@dataclass(frozen=True)
class Letter:
    """One job that was given up."""

    id: str
    kind: Message
    reason: Message
    attempts: int
    ended_at: datetime | None


@blueprint.get("/jobs/")
def letters() -> Response:
    """Show the school's dead letters, newest first."""
    school = operator().school_id
    dead = select(job).where(job.c.school_id == school, job.c.state == "dead")
    query = dead.order_by(job.c.finished_at.desc()).limit(SHOWN)
    with sync().reading(school) as db:
        found = [
            Letter(row.id, _kind(row.kind), _reason(row.last_reason or ""), row.attempts, row.finished_at)
            for row in db.execute(query)
        ]
    return page("console/letters.html", letters=found)


def _kind(code: str) -> Message:
    return say(KINDS[code]) if code in KINDS else say(N_("Other work ({kind})"), kind=code)


def _reason(code: str) -> Message:
    if code == "crashed_too_often":
        return say(N_("it failed or took its worker down too often"))
    if code.startswith("crash:"):
        return say(N_("a fault of Kopir itself ({error})"), error=code.removeprefix("crash:"))
    return stop_reason(code)


@blueprint.post("/jobs/<job_id>")
def settle_letter(job_id: str) -> Response:
    """Try one again, or take it off the list."""
    school, which = operator().school_id, id_or_404(job_id)
    with sync().writing(school) as db:
        if request.form.get("wish") == "forget":
            db.execute(delete(job).where(job.c.school_id == school, job.c.id == which, job.c.state == "dead"))
            return to("jobs/", "letter_forgotten")
        again = queue.revive(db, school, which, now=runtime().clock())
    runtime().doorbell.ring()
    return to("jobs/", "letter_again" if again else "letter_not_again")
