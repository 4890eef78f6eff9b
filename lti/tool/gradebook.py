"""Line items, scores and results as frozen records, with marks as Decimal (AGS 2.0 §3.2–§3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any

from lti.tool.wire import instant, number, read_instant, text, to_json

_OURS = frozenset(
    {"id", "label", "scoreMaximum", "resourceLinkId", "resourceId", "tag", "startDateTime", "endDateTime",
     "gradesReleased", "ltiLinkId"}
)  # fmt: skip


class ActivityProgress(StrEnum):
    """How far the pupil is (AGS 2.0 §3.4.7)."""

    INITIALIZED = "Initialized"
    STARTED = "Started"
    IN_PROGRESS = "InProgress"
    SUBMITTED = "Submitted"
    COMPLETED = "Completed"


class GradingProgress(StrEnum):
    """How final the score is (AGS 2.0 §3.4.8); Moodle clears the grade on anything but FULLY_GRADED."""

    FULLY_GRADED = "FullyGraded"
    PENDING = "Pending"
    PENDING_MANUAL = "PendingManual"
    FAILED = "Failed"
    NOT_READY = "NotReady"


@dataclass(frozen=True)
class LineItem:
    """A column of the gradebook.

    Attributes:
        label: Its name, not blank.
        score_maximum: Above zero.
        id: Its address; None before it is made.
        resource_link_id: The placement it belongs to; cannot be changed later.
        resource_id: Our id, by which it is found again.
        tag: Our second mark.
        starts_at: When work may begin, or None.
        ends_at: When work is due, or None.
        grades_released: Whether pupils see the mark, None when not said.
        extensions: Everything else the platform sent; sent back on update, which replaces the whole column.
    """

    label: str
    score_maximum: Decimal
    id: str | None = None
    resource_link_id: str | None = None
    resource_id: str | None = None
    tag: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    grades_released: bool | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no platform takes."""
        if not self.label.strip() or not self.score_maximum.is_finite() or self.score_maximum <= 0:
            raise ValueError("a line item needs a label and a maximum above zero")

    def with_whole_maximum(self) -> LineItem:
        """Return the column with its maximum rounded up, for platforms that keep whole numbers only.

        A score says what it is out of itself, so that the platform rescales and no mark is cut.
        """
        return replace(self, score_maximum=self.score_maximum.to_integral_value(ROUND_CEILING))

    def to_json(self) -> str:
        """Return the JSON form, without what is unset."""
        value = {
            **self.extensions,
            "id": self.id,
            "label": self.label,
            "scoreMaximum": self.score_maximum,
            "resourceLinkId": self.resource_link_id,
            "resourceId": self.resource_id,
            "tag": self.tag,
            "startDateTime": self.starts_at and instant(self.starts_at),
            "endDateTime": self.ends_at and instant(self.ends_at),
            "gradesReleased": self.grades_released,
        }
        return to_json({name: item for name, item in value.items() if item is not None})

    @classmethod
    def parse(cls, value: object) -> LineItem | None:
        """Read one line item; None when it has no id, label or maximum."""
        if not isinstance(value, dict):
            return None
        item_id, label, maximum = text(value.get("id")), text(value.get("label")), number(value.get("scoreMaximum"))
        if item_id is None or label is None or maximum is None or maximum <= 0:
            return None
        released = value.get("gradesReleased")
        return cls(
            label=label,
            score_maximum=maximum,
            id=item_id,
            resource_link_id=text(value.get("resourceLinkId")),
            resource_id=text(value.get("resourceId")),
            tag=text(value.get("tag")),
            starts_at=read_instant(value.get("startDateTime")),
            ends_at=read_instant(value.get("endDateTime")),
            grades_released=released if isinstance(released, bool) else None,
            extensions={name: item for name, item in value.items() if name not in _OURS},
        )


@dataclass(frozen=True)
class Score:
    """One score of one pupil; always the full state, for what is left out is cleared at the platform.

    Attributes:
        user_id: The pupil's ``sub`` at the platform.
        timestamp: When the score came to be; must rise by whole seconds per pupil and column.
        score_given: The mark, zero or more, may exceed the maximum; None clears the grade.
        score_maximum: What ``score_given`` is out of; needed with it.
        activity_progress: How far the pupil is.
        grading_progress: How final the score is.
        comment: Plain text for the pupil; None clears the old one.
        scoring_user_id: Who gave the mark, as the platform's user id.
        started_at: When the work began.
        submitted_at: When it was handed in, not before it began.
        extensions: Platforms' own properties under full-URL names.
    """

    user_id: str
    timestamp: datetime
    score_given: Decimal | None = None
    score_maximum: Decimal | None = None
    activity_progress: ActivityProgress = ActivityProgress.COMPLETED
    grading_progress: GradingProgress = GradingProgress.FULLY_GRADED
    comment: str | None = field(default=None, repr=False)
    scoring_user_id: str | None = None
    started_at: datetime | None = None
    submitted_at: datetime | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no platform takes."""
        if not self.user_id:
            raise ValueError("a score needs a user id")
        if self.timestamp.tzinfo is None:
            raise ValueError("a score's timestamp needs a zone")
        if self.score_given is not None and not _valid_mark(self.score_given, self.score_maximum):
            raise ValueError("a score needs a mark of zero or more and a maximum above zero")
        if self.started_at and self.submitted_at and self.submitted_at < self.started_at:
            raise ValueError("work cannot be handed in before it began")

    def with_whole_maximum(self) -> Score:
        """Return the same share of the marks out of a whole number: 8.5 of 12.5 is 85 of 125, exactly."""
        if self.score_given is None or self.score_maximum is None or self.score_maximum % 1 == 0:
            return self
        exponent = self.score_maximum.normalize().as_tuple().exponent
        factor = Decimal(10) ** -int(exponent)
        return replace(self, score_given=self.score_given * factor, score_maximum=self.score_maximum * factor)

    def with_line_breaks(self, written: str) -> Score:
        """Return the score with each new line of its comment written as the platform wants it."""
        if self.comment is None or written == "\n":
            return self
        return replace(self, comment=self.comment.replace("\r\n", "\n").replace("\n", written))

    def to_json(self) -> str:
        """Return the JSON form; numbers have exactly the mark's digits."""
        submission = {
            "startedAt": self.started_at and instant(self.started_at),
            "submittedAt": self.submitted_at and instant(self.submitted_at),
        }
        value = {
            **self.extensions,
            "userId": self.user_id,
            "timestamp": instant(self.timestamp),
            "activityProgress": self.activity_progress,
            "gradingProgress": self.grading_progress,
            "scoreGiven": self.score_given,
            "scoreMaximum": self.score_maximum if self.score_given is not None else None,
            "comment": self.comment,
            "scoringUserId": self.scoring_user_id,
            "submission": {name: item for name, item in submission.items() if item} or None,
        }
        return to_json({name: item for name, item in value.items() if item is not None})


def _valid_mark(given: Decimal, maximum: Decimal | None) -> bool:
    if maximum is None or not given.is_finite() or not maximum.is_finite():
        return False
    return given >= 0 and maximum > 0


@dataclass(frozen=True)
class Result:
    """A pupil's present grade in one column.

    Attributes:
        user_id: The pupil.
        score: The grade. None means that the platform sent none, which is *unknown or none*: Moodle leaves a zero
            out for some grades (``result_for_json`` in mod/lti/service/gradebookservices), so None proves nothing.
        maximum: What it is out of; 1 when not said (AGS 2.0 §3.3.2).
        comment: The comment, or None.
        scoring_user_id: Who gave it, or None.
        timestamp: When the grade was last changed, aware UTC; Moodle sends it, the specification does not ask for it.
    """

    user_id: str
    score: Decimal | None
    maximum: Decimal
    comment: str | None = field(default=None, repr=False)
    scoring_user_id: str | None = None
    timestamp: datetime | None = None

    def with_line_breaks(self, written: str) -> Result:
        """Return the result with the platform's line breaks read back as new lines."""
        if self.comment is None or written == "\n":
            return self
        return replace(self, comment=self.comment.replace(written, "\n"))

    @classmethod
    def parse(cls, value: object) -> Result | None:
        """Read one result; None when it has no user or a mark that is no number."""
        if not isinstance(value, dict) or text(value.get("userId")) is None:
            return None
        score, maximum = number(value.get("resultScore")), number(value.get("resultMaximum", 1))
        if maximum is None or (score is None and value.get("resultScore") is not None):
            return None
        return cls(
            user_id=str(value["userId"]),
            score=score,
            maximum=maximum,
            comment=text(value.get("comment")),
            scoring_user_id=text(value.get("scoringUserId")),
            timestamp=read_instant(value.get("timestamp")),
        )
