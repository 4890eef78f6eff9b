"""What became of a write, judged from how the call ended and what stands in the cell now. Pure.

The rule behind every row: a value that somebody else put there is never written over, and nothing is believed
delivered before it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

_PLACES = Decimal("0.00001")
# The platform rounds a rescaled mark to five places, and its database may hold it as a binary float.
_TOLERANCE = Decimal("0.00001")


class Post(StrEnum):
    """How the call that carried a write ended."""

    ACCEPTED = "accepted"
    OLDER = "older"
    REFUSED = "refused"
    LOCKED = "locked"
    NOT_SENT = "not_sent"
    UNANSWERED = "unanswered"


class Verdict(StrEnum):
    """What to do with the write."""

    DELIVERED = "delivered"
    ALREADY = "already"
    KEPT = "kept"
    CONFLICT = "conflict"
    RESEND = "resend"
    RESEND_LATER = "resend_later"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WRITE = "write"


@dataclass(frozen=True)
class Ruling:
    """A verdict and a stable code for why."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Reading:
    """What a complete read of the column says of one cell.

    Attributes:
        read: False when the column could not be read.
        value: The mark it shows; None when it shows none.
        hides_zero: The platform may show nothing where a zero stands.
    """

    read: bool
    value: Decimal | None = None
    hides_zero: bool = False

    def shows(self, mark: Decimal | None) -> bool:
        """Tell whether the cell looks as it would with this mark in it."""
        if self.value is not None or mark is None:
            return self.value == mark
        return mark == 0 and self.hides_zero

    @property
    def blank(self) -> bool:
        """Whether the cell shows nothing: empty, or a zero where zeros are hidden."""
        return self.value is None


def before_write(reading: Reading, wrote: Decimal | None, base: Decimal | None, *, base_known: bool) -> Ruling:
    """Tell whether a mark may be written into a cell as it stands.

    Args:
        reading: What stands there.
        wrote: The mark to write, in the column's points; None clears.
        base: What was last agreed, in the column's points.
        base_known: False when nothing of ours was ever found there: first contact writes over nothing.
    """
    if not reading.read:
        return Ruling(Verdict.UNKNOWN, "not_read")
    if base_known and reading.shows(base):
        return Ruling(Verdict.WRITE)
    if reading.value is not None:
        return Ruling(Verdict.ALREADY) if reading.value == wrote else Ruling(Verdict.KEPT, "changed_by_other")
    if base_known and base is not None and reading.hides_zero:
        return Ruling(Verdict.KEPT, "cleared_or_zero")
    return Ruling(Verdict.WRITE)


def after_write(
    post: Post, reading: Reading, wrote: Decimal | None, base: Decimal | None, *, sent_before: bool = False
) -> Ruling:
    """Tell what became of a write that was sent.

    Args:
        post: How its call ended; UNANSWERED when nobody knows (a killed process among others).
        reading: What stands in the cell now.
        wrote: The mark that was written, in the column's points; None cleared.
        base: What was agreed before it.
        sent_before: An earlier call may have carried the same write.
    """
    if post in (Post.REFUSED, Post.LOCKED):
        there = reading.read and reading.value is not None and reading.value == wrote
        return Ruling(Verdict.ALREADY) if there else Ruling(Verdict.REFUSED, post.value)
    if not reading.read:
        return Ruling(Verdict.UNKNOWN, "not_read")
    if post is Post.ACCEPTED:
        return _accepted(reading, wrote)
    if post is Post.OLDER:
        return _older(reading, wrote, base, sent_before=sent_before)
    return _unanswered(reading, wrote, base)


def _accepted(reading: Reading, wrote: Decimal | None) -> Ruling:
    if reading.shows(wrote):
        return Ruling(Verdict.DELIVERED, "zero_not_shown" if reading.blank and wrote is not None else "")
    if reading.blank:
        # Not there yet, or a teacher's zero that is not shown; neither is proof of anything.
        return Ruling(Verdict.UNKNOWN, "accepted_not_shown")
    return Ruling(Verdict.KEPT, "kept_by_teacher")


def _older(reading: Reading, wrote: Decimal | None, base: Decimal | None, *, sent_before: bool) -> Ruling:
    """The stored mark is as new as ours or newer: ours by an earlier call, or somebody else's."""
    if reading.blank and reading.hides_zero:
        ours = reading.shows(wrote) and (sent_before or wrote is None)
        if not ours:
            return Ruling(Verdict.CONFLICT, "zero_or_none")
        return Ruling(Verdict.ALREADY, "zero_not_shown" if wrote is not None else "")
    if reading.shows(wrote):
        return Ruling(Verdict.ALREADY)
    if reading.shows(base):
        return Ruling(Verdict.RESEND_LATER, "older_timestamp")
    return Ruling(Verdict.CONFLICT, "changed_by_other")


def _unanswered(reading: Reading, wrote: Decimal | None, base: Decimal | None) -> Ruling:
    """It may have arrived or not. Sending it again with the same stamp changes nothing if it has."""
    if reading.shows(wrote):
        certain = reading.value is not None or (wrote is None and not reading.hides_zero)
        return Ruling(Verdict.DELIVERED) if certain else Ruling(Verdict.RESEND, "zero_or_none")
    if reading.shows(base):
        return Ruling(Verdict.RESEND, "not_there")
    return Ruling(Verdict.CONFLICT, "changed_by_other")


def rescale(mark: Decimal, maximum: Decimal, column_maximum: Decimal) -> Decimal:
    """Return a mark in a column's points, to five places half-up, as Moodle stores it."""
    return (mark * column_maximum / maximum).quantize(_PLACES, ROUND_HALF_UP)


def snap(shown: Decimal, mark: Decimal, maximum: Decimal, column_maximum: Decimal) -> Decimal:
    """Return ``shown`` when it is this mark as the platform would show it, else the mark in the column's points.

    A platform may cut a mark at the column's maximum, and its last place may be a float's.
    """
    scaled = rescale(mark, maximum, column_maximum)
    if shown == column_maximum and scaled > column_maximum:
        return shown
    return shown if abs(shown - scaled) <= _TOLERANCE else scaled
