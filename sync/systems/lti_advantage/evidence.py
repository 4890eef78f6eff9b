"""What an error of the Advantage services proves about the records that were asked for: never that they are absent."""

from __future__ import annotations

from connector.base.errors import KopirError
from lti.errors import ServiceForbidden, ServiceGone, ServiceUnauthorised, TokenRefused
from lti.tool.outcomes import ScoreStatus
from sync.systems.contract import Evidence, Outcome

_PROVES: tuple[tuple[type[KopirError], Evidence], ...] = (
    (ServiceGone, Evidence.GONE),
    (ServiceForbidden, Evidence.UNAUTHORISED),
    (ServiceUnauthorised, Evidence.UNAUTHORISED),
    (TokenRefused, Evidence.UNAUTHORISED),
)


def of_error(error: KopirError) -> Evidence:
    """Return the evidence of a read that ended in an error."""
    return next((evidence for kind, evidence in _PROVES if isinstance(error, kind)), Evidence.UNKNOWN)


def of_count(found: int, known: int) -> tuple[Evidence, str]:
    """Judge a read that looks complete against what the last complete one found.

    Nothing where something was, or less than half of it, is not believed: a person confirms it.
    """
    if found == 0 and known > 0:
        return Evidence.SUSPICIOUS, "empty_list"
    if found * 2 < known:
        return Evidence.SUSPICIOUS, "half_list"
    return Evidence.COMPLETE, ""


WRITES: dict[ScoreStatus, tuple[Outcome, str]] = {
    ScoreStatus.NOT_GRADABLE: (Outcome.REFUSED, "student_not_in_course"),
    ScoreStatus.LOCKED: (Outcome.REFUSED, "grade_locked"),
    ScoreStatus.GONE: (Outcome.REFUSED, "column_gone"),
    ScoreStatus.FORBIDDEN: (Outcome.REFUSED, "forbidden"),
    ScoreStatus.REJECTED: (Outcome.REFUSED, "rejected"),
    ScoreStatus.THROTTLED: (Outcome.RETRY, "throttled"),
    ScoreStatus.MAINTENANCE: (Outcome.RETRY, "maintenance"),
    ScoreStatus.UNAUTHORISED: (Outcome.RETRY, "unauthorised"),
    ScoreStatus.UNREACHABLE: (Outcome.RETRY, "unreachable"),
}
"""What a score's status means for a write; ACCEPTED, OLDER_TIMESTAMP and UNKNOWN are settled by the system."""
