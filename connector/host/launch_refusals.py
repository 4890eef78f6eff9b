"""What is kept of refused launches: why, check by check, without a person in it, for thirty days.

Only launches are kept whose state we signed: a stranger's nonsense leaves no row. Whoever begins logins by the
thousand gets as many states, so a process keeps so many refusals of one LMS an hour and no more; the log has all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from connector.base.ids import is_id, new_id
from connector.base.log import get_logger
from connector.db.tables.launch_refusals import launch_refusal
from connector.db.tables.registry import deployment
from connector.host.runtime import Runtime
from lti.errors import LaunchRefused

KEPT = timedelta(days=30)
PER_HOUR = 60
_LONGEST = 200
log = get_logger("host.refusals")


class Allowance:
    """So many notes an hour for each registration; safe to share between threads."""

    def __init__(self, per_hour: int = PER_HOUR, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the number and the clock."""
        self._per_hour = per_hour
        self._clock = clock
        self._hours: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def take(self, registration_id: str) -> bool:
        """Tell whether one more may be noted, and count it."""
        with self._lock:
            now = self._clock()
            since, used = self._hours.get(registration_id, (now, 0))
            if now - since >= 3600:
                since, used = now, 0
            self._hours[registration_id] = (since, used + 1)
            return used < self._per_hour


_allowance = Allowance()


@dataclass(frozen=True)
class Refused:
    """One refused launch, as it was kept."""

    id: str
    issuer: str
    reason: str
    clause: str
    details: Mapping[str, Any]
    trace: tuple[tuple[str, str, str], ...]
    created_at: datetime


def note_refusal(runtime: Runtime, refused: LaunchRefused, allowance: Allowance = _allowance) -> bool:
    """Keep a refused launch of a known LMS; return whether it was kept.

    A database that cannot take it must not take the person's page away: then it is only logged.
    """
    registration = runtime.registry.get(refused.registration_id) if refused.registration_id else None
    if registration is None or not allowance.take(registration.id):
        return False
    now = runtime.clock()
    values = {
        "id": new_id(), "registration_id": registration.id, "issuer": registration.issuer, "reason": refused.reason,
        "clause": refused.clause, "created_at": now,
        "details": {name: str(value)[:_LONGEST] for name, value in refused.message.values.items()},
        "trace": [[check.name, check.clause, str(check.outcome)] for check in refused.trace],
    }  # fmt: skip
    try:
        with runtime.database.service() as db:
            schools = select(deployment.c.school_id).where(deployment.c.registration_id == registration.id).distinct()
            found = db.execute(schools.limit(2)).scalars().all()
            values["school_id"] = found[0] if len(found) == 1 else None
            db.execute(launch_refusal.delete().where(launch_refusal.c.created_at < now - KEPT))
            db.execute(launch_refusal.insert().values(values))
    except SQLAlchemyError as error:
        log.warning("refusal_not_kept", error=type(error).__name__, reason=refused.reason)
        return False
    return True


def refusals(runtime: Runtime, school_id: str, limit: int, before: str = "") -> list[Refused]:
    """Return a school's refused launches of the last thirty days, the latest first.

    Args:
        runtime: The process.
        school_id: Whose; the service role sees every school's, so the statement names it.
        limit: How many at most.
        before: An id; only older ones.
    """
    query = select(launch_refusal).where(
        launch_refusal.c.school_id == school_id, launch_refusal.c.created_at >= runtime.clock() - KEPT
    )
    if before:
        query = query.where(launch_refusal.c.id < before)
    with runtime.database.service(write=False) as db:
        return [_refused(row) for row in db.execute(query.order_by(launch_refusal.c.id.desc()).limit(limit))]


def find_refusal(runtime: Runtime, school_id: str, refusal_id: str) -> Refused | None:
    """Return one refused launch of a school, as long as it is kept."""
    if not is_id(refusal_id):
        return None
    mine = (launch_refusal.c.school_id == school_id) & (launch_refusal.c.id == refusal_id)
    recent = launch_refusal.c.created_at >= runtime.clock() - KEPT
    with runtime.database.service(write=False) as db:
        row = db.execute(select(launch_refusal).where(mine, recent)).first()
    return None if row is None else _refused(row)


def _refused(row: Any) -> Refused:
    trace = tuple((str(name), str(clause), str(outcome)) for name, clause, outcome in row.trace)
    return Refused(row.id, row.issuer, row.reason, row.clause, row.details, trace, row.created_at)
