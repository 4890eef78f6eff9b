"""Deliveries as an administrator sees them: each LMS's lane, and sending again what a person asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from connector.base.log import get_logger
from connector.host.runtime import Runtime
from lti.profiles import profile_for
from sync.jobs import lanes
from sync.scores import resend, view

log = get_logger("scores")


@dataclass(frozen=True)
class LmsLane:
    """One LMS's lane, for one school.

    Attributes:
        registration_id: The registration.
        issuer: The LMS.
        product: What kind of LMS it is.
        state: ``open``: it answers · ``closed``: it is left alone until ``next_try`` · ``probing``: the next job tries
            whether it is back.
        reason: Why it was closed.
        failures: Failures in a row.
        next_try: When it is tried next, while it is closed.
        waiting: Jobs of the school that wait behind it.
        running: Jobs of the school that run.
        dead: Jobs of the school that stopped and wait for a person.
        oldest_due: Since when the oldest of them waits, or None.
    """

    registration_id: str
    issuer: str
    product: str
    state: str
    reason: str
    failures: int
    next_try: datetime | None
    waiting: int
    running: int
    dead: int
    oldest_due: datetime | None


def lanes_of(runtime: Runtime, school_id: str) -> list[LmsLane]:
    """Return the lanes of the LMSs a school's scores go to."""
    school = runtime.registry.school(school_id=school_id)
    code = school.code if school else ""
    mine = {one.id: one for one, _, owner in runtime.registry.all() if owner == code}
    found = lanes.overview(runtime.database, runtime.clock(), list(mine), school_id)
    return [
        LmsLane(
            registration_id=one.lane,
            issuer=mine[one.lane].issuer,
            product=profile_for(mine[one.lane].profile).title,
            state=one.state,
            reason=one.reason,
            failures=one.failures,
            next_try=one.open_until if one.state == "closed" else None,
            waiting=one.waiting,
            running=one.running,
            dead=one.dead,
            oldest_due=one.oldest_due,
        )
        for one in found
    ]


def try_now(runtime: Runtime, school_id: str, registration_id: str) -> bool:
    """Let the next job try an LMS at once; False when it is none of the school's."""
    if all(one.registration_id != registration_id for one in lanes_of(runtime, school_id)):
        return False
    lanes.probe(runtime.database, registration_id, school_id, runtime.clock())
    runtime.doorbell.ring()
    return True


def send_again(runtime: Runtime, school_id: str, condition: ColumnElement[bool]) -> list[str]:
    """Send again the scores that fulfil a condition on results and can be; return their results."""
    with runtime.database.school(school_id) as db:
        found = view.lines(db, school_id, condition)
        sent = resend.resend(db, school_id, found, runtime.clock())
    if sent:
        log.info("scores sent again", school=school_id, count=len(sent))
        runtime.doorbell.ring()
    return sent
