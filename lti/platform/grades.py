"""What a tool may say to the grade service: line items and scores, read and checked before anything is stored.

AGS 2.0, sections 3.2 (line items) and 3.4 (scores). The bare library hands the raw JSON on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from connector.base.i18n import N_, say
from lti.platform.errors import ServiceRefused

MAX_TEXT = 255
MAX_COMMENT = 10_000
LARGEST = Decimal(10) ** 9
T = TypeVar("T", bound=StrEnum)


class ActivityProgress(StrEnum):
    """How far the person's work is."""

    INITIALIZED = "Initialized"
    STARTED = "Started"
    IN_PROGRESS = "InProgress"
    SUBMITTED = "Submitted"
    COMPLETED = "Completed"


class GradingProgress(StrEnum):
    """How far the grading is; only a FullyGraded score is a mark."""

    FULLY_GRADED = "FullyGraded"
    PENDING = "Pending"
    PENDING_MANUAL = "PendingManual"
    FAILED = "Failed"
    NOT_READY = "NotReady"


@dataclass(frozen=True)
class Score:
    """One score as a tool sent it, complete: what is left out is cleared.

    Attributes:
        user_id: The person, by the name the tool knows them under.
        timestamp: When the score came to be, aware; must rise for a person in a line item.
        given: Points, zero or more, possibly above the maximum; None clears.
        maximum: Points of full work, above zero; there whenever ``given`` is.
    """

    user_id: str
    timestamp: datetime
    activity: ActivityProgress
    grading: GradingProgress
    given: Decimal | None = None
    maximum: Decimal | None = None
    comment: str = ""
    scoring_user: str = ""
    started_at: datetime | None = None
    submitted_at: datetime | None = None

    @property
    def takes_back(self) -> bool:
        """Whether the result is to be removed: Initialized and NotReady without points (AGS 2.0, section 3.4.8)."""
        nothing = self.activity is ActivityProgress.INITIALIZED and self.grading is GradingProgress.NOT_READY
        return self.given is None and (nothing or self.grading is GradingProgress.FULLY_GRADED)

    @property
    def is_mark(self) -> bool:
        """Whether it is final."""
        return self.given is not None and self.grading is GradingProgress.FULLY_GRADED


@dataclass(frozen=True)
class LineItem:
    """A column as a tool describes it."""

    label: str
    maximum: Decimal
    resource_id: str = ""
    tag: str = ""
    resource_link_id: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    grades_released: bool = True


def read_score(body: bytes) -> Score:
    """Read a score.

    Raises:
        ServiceRefused: 400 that names the field and what is wrong with it.
    """
    value = _object(body)
    given, maximum = _number(value, "scoreGiven"), _number(value, "scoreMaximum")
    if given is not None and maximum is None:
        raise _wrong("scoreMaximum", N_("“{field}” is needed with scoreGiven."))
    if maximum is not None and maximum <= 0:
        raise _wrong("scoreMaximum", N_("“{field}” must be above zero."))
    submission = {} if value.get("submission") is None else value["submission"]
    if not isinstance(submission, dict):
        raise _wrong("submission", N_("“{field}” must be an object."))
    started, submitted = _instant(submission, "startedAt"), _instant(submission, "submittedAt")
    if started and submitted and submitted < started:
        raise _wrong("submittedAt", N_("“{field}” must not be earlier than startedAt."))
    timestamp = _instant(value, "timestamp")
    if timestamp is None:
        raise _wrong("timestamp", N_("“{field}” is missing."))
    return Score(
        user_id=_needed(value, "userId"),
        timestamp=timestamp,
        activity=_word(value, "activityProgress", ActivityProgress),
        grading=_word(value, "gradingProgress", GradingProgress),
        given=given,
        maximum=maximum,
        comment=_text(value, "comment", MAX_COMMENT),
        scoring_user=_text(value, "scoringUserId"),
        started_at=started,
        submitted_at=submitted,
    )


def read_line_item(body: bytes) -> LineItem:
    """Read a line item.

    Raises:
        ServiceRefused: 400 that names the field and what is wrong with it.
    """
    value = _object(body)
    maximum = _number(value, "scoreMaximum")
    if maximum is None or maximum <= 0:
        raise _wrong("scoreMaximum", N_("“{field}” must be above zero."))
    released = value.get("gradesReleased", True)
    if not isinstance(released, bool):
        raise _wrong("gradesReleased", N_("“{field}” must be true or false."))
    return LineItem(
        label=_needed(value, "label"),
        maximum=maximum,
        resource_id=_text(value, "resourceId"),
        tag=_text(value, "tag"),
        resource_link_id=_text(value, "resourceLinkId"),
        starts_at=_instant(value, "startDateTime"),
        ends_at=_instant(value, "endDateTime"),
        grades_released=released,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise ServiceRefused(400, "invalid_request", "not_json", say(N_("The body is not JSON."))) from error
    if not isinstance(value, dict):
        raise ServiceRefused(400, "invalid_request", "not_json", say(N_("The body is not a JSON object.")))
    return value


def _no_constant(text: str) -> Decimal:
    raise ValueError(text)


def _number(value: Mapping[str, Any], name: str) -> Decimal | None:
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, Decimal) or not found.is_finite() or not 0 <= found <= LARGEST:
        raise _wrong(name, N_("“{field}” must be a number from 0 to a billion."))
    if found and found.adjusted() < -9:
        raise _wrong(name, N_("“{field}” must be a number from 0 to a billion."))
    return found


def _text(value: Mapping[str, Any], name: str, longest: int = MAX_TEXT) -> str:
    found = value.get(name)
    if found is None:
        return ""
    if isinstance(found, Decimal):
        # Some tools send ids as numbers; the library itself types userId as one.
        found = str(found)
    if not isinstance(found, str) or len(found) > longest:
        raise _wrong(name, N_("“{field}” must be a text of at most {limit} characters."), limit=longest)
    return found.replace("\x00", "").encode("utf-8", "ignore").decode().strip()


def _needed(value: Mapping[str, Any], name: str) -> str:
    found = _text(value, name)
    if not found:
        raise _wrong(name, N_("“{field}” is missing."))
    return found


def _instant(value: Mapping[str, Any], name: str) -> datetime | None:
    found = value.get(name)
    if found is None or found == "":
        return None
    try:
        at = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _wrong(name, N_("“{field}” must be a date and time with its zone, such as 2026-11-21T09:00:00Z."))
    return at


def _word(value: Mapping[str, Any], name: str, words: Callable[[str], T]) -> T:
    try:
        return words(value.get(name, ""))
    except ValueError as error:
        raise _wrong(name, N_("“{field}” is missing or not a word of the specification.")) from error


def _wrong(name: str, text: str, **values: object) -> ServiceRefused:
    return ServiceRefused(400, "invalid_request", "bad_field", say(text, field=name, **values))
