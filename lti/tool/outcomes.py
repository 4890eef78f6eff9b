"""How a score's POST ended: a table of what platforms answer, and what it means for the next step."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import cache

from connector.base.errors import Retriable
from connector.base.i18n import N_, Message, say
from connector.base.outbound import Reply
from lti.profiles import PROFILES, ScoreError, profile_for
from lti.tool.service import is_page, is_throttled


class ScoreStatus(StrEnum):
    """What became of a score.

    ACCEPTED is not delivered: an overridden Moodle grade answers 200 and stays; only reading back proves it.
    UNKNOWN may or may not be there: read back, never guess. UNREACHABLE was certainly not sent.
    """

    ACCEPTED = "accepted"
    OLDER_TIMESTAMP = "older_timestamp"
    NOT_GRADABLE = "not_gradable"
    LOCKED = "locked"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    MAINTENANCE = "maintenance"
    UNAUTHORISED = "unauthorised"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class ScoreOutcome:
    """How one score ended.

    Attributes:
        status: What became of it.
        http_status: The platform's status, None when there was no answer.
        retry_after: The wait the platform asked for.
        platform_time: The platform's clock (``Date`` header), to keep timestamps from running ahead of it.
    """

    status: ScoreStatus
    http_status: int | None = None
    retry_after: timedelta | None = None
    platform_time: datetime | None = None

    @property
    def accepted(self) -> bool:
        """Whether the platform said yes."""
        return self.status is ScoreStatus.ACCEPTED

    @property
    def must_read_back(self) -> bool:
        """Whether only reading the results tells what is there now."""
        return self.status in (ScoreStatus.UNKNOWN, ScoreStatus.OLDER_TIMESTAMP)

    @property
    def message(self) -> Message:
        """What happened and what to do, translatable."""
        return say(_SENTENCES[self.status])


@dataclass(frozen=True)
class _Row:
    status: ScoreStatus
    matches: Callable[[Reply, str], bool]
    why: str


# The first row that matches wins.
_TABLE = (
    _Row(ScoreStatus.THROTTLED, lambda reply, _: is_throttled(reply), "RFC 6585 §4; Canvas: 403 Rate Limit Exceeded"),
    _Row(ScoreStatus.MAINTENANCE, lambda reply, _: reply.status == 503 or reply.status in range(300, 400)
         or (reply.status < 300 and is_page(reply)), "Moodle's maintenance page is 503 HTML; a proxy redirects"),
    _Row(ScoreStatus.ACCEPTED, lambda reply, _: reply.status < 300, "AGS 2.0 §3.4"),
    _Row(ScoreStatus.UNAUTHORISED, lambda reply, _: reply.status == 401, "RFC 6750 §3.1, after one new token"),
    _Row(ScoreStatus.FORBIDDEN, lambda reply, _: reply.status == 403, "scope, or another tool's column"),
    _Row(ScoreStatus.GONE, lambda reply, _: reply.status in (404, 410), "column or course deleted"),
    _Row(ScoreStatus.OLDER_TIMESTAMP, lambda reply, _: reply.status == 409, "AGS 2.0 §3.4.3; Moodle scores.php"),
    _Row(ScoreStatus.NOT_GRADABLE, lambda reply, _: reply.status == 400 and reply.body.strip() == b"[]"
         and "score+json" in reply.media_type, "Moodle behind a proxy or HTTP/2, where the reason is lost"),
    _Row(ScoreStatus.LOCKED, lambda reply, _: reply.status == 500 and reply.body.strip() == b"[]",
         "Moodle answers so for a locked grade, for ever"),
    _Row(ScoreStatus.REJECTED, lambda reply, _: 400 <= reply.status < 500, "the request itself is not taken"),
    _Row(ScoreStatus.UNKNOWN, lambda _reply, _text: True, "5xx: it may have been stored before the fault"),
)  # fmt: skip


def classify(reply: Reply, profile: str = "generic") -> ScoreOutcome:
    """Return what an answer to a score means; neither text nor reason is kept, Moodle echoes the score in them.

    Args:
        reply: The answer.
        profile: Key of the platform's profile, whose own words for a refusal are looked for first.
    """
    text = f"{reply.reason} {reply.text[:2000]}".lower()
    status = _in_own_words(reply.status, text, profile)
    if status is None:
        status = next(row.status for row in _TABLE if row.matches(reply, text))
    return ScoreOutcome(status, reply.status, reply.retry_after, platform_time(reply))


def _in_own_words(status: int, text: str, profile: str) -> ScoreStatus | None:
    """Return what a product's own words mean; a product that was not told apart is tried against them all."""
    cause = next((error.cause for error in _known(profile) if error.status == status and error.text in text), None)
    return ScoreStatus(cause) if cause else None


@cache
def _known(profile: str) -> tuple[ScoreError, ...]:
    return tuple(error for one in (profile_for(profile), *PROFILES.values()) for error in one.score_errors)


def without_answer(error: Retriable) -> ScoreOutcome:
    """Return what a broken call means: certainly not sent, or unknown."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError | socket.gaierror):
            return ScoreOutcome(ScoreStatus.UNREACHABLE)
        seen = seen.__cause__ or seen.__context__
    return ScoreOutcome(ScoreStatus.UNKNOWN)


def platform_time(reply: Reply) -> datetime | None:
    """Return the platform's clock from the ``Date`` header, in UTC."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


_SENTENCES = {
    ScoreStatus.ACCEPTED: N_("The LMS took the score."),
    ScoreStatus.OLDER_TIMESTAMP: N_("The LMS already has this score or a newer one."),
    ScoreStatus.NOT_GRADABLE: N_("The LMS does not take a score for this person: not enrolled as a pupil."),
    ScoreStatus.LOCKED: N_("The grade is locked in the LMS. Unlock it there or keep the LMS's grade."),
    ScoreStatus.GONE: N_("The LMS no longer has this column, link or course."),
    ScoreStatus.FORBIDDEN: N_(
        "The LMS forbids this: the service is not allowed for this tool, or the column is another tool's."
    ),
    ScoreStatus.THROTTLED: N_("The LMS asks to slow down."),
    ScoreStatus.MAINTENANCE: N_("The LMS is in maintenance; the score will be sent again."),
    ScoreStatus.UNAUTHORISED: N_("The LMS does not accept its own new token."),
    ScoreStatus.REJECTED: N_("The LMS did not take the score."),
    ScoreStatus.UNKNOWN: N_("The LMS did not say whether it took the score; its grades will be read."),
    ScoreStatus.UNREACHABLE: N_("The LMS cannot be reached; the score will be sent again."),
}
