"""What becomes of a link that names an activity which is not its own: the course or the activity was copied.

Deciding is pure. A copied course gets copies of its activities: the same content, none of the pupils' work, so that
results never mix between courses and the original's column is never written from the copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Proof(StrEnum):
    """What says that a link was copied from another."""

    # The activity's id, that the LMS copied with the link, or that stands on the link's own column.
    CLAIM = "claim"
    # The LMS names the link it was copied from (``ResourceLink.id.history``).
    HISTORY = "history"
    # A link of the same name in the course this one was copied from: a likeness, no proof.
    LIKENESS = "likeness"


class Former(StrEnum):
    """Whether the link that opens the original is still in the course, as far as the LMS's gradebook shows."""

    THERE = "there"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What happens."""

    COPY = "copy"
    SAME = "same"
    ASK = "ask"


@dataclass(frozen=True)
class Source:
    """An activity that a link may be a copy of.

    Attributes:
        activity_id: The activity.
        plugin: Its plugin.
        title: Its title.
        course: Title of its course, empty when not known.
        proof: What leads to it.
        same_lms: It was placed in the LMS the link is in.
        same_course: It was placed in the course the link is in.
        removed: It was removed.
        copyable: Its plugin runs.
        held: Another link opens it.
    """

    activity_id: str
    plugin: str
    title: str
    course: str
    proof: Proof
    same_lms: bool = True
    same_course: bool = False
    removed: bool = False
    copyable: bool = True
    held: bool = True

    @property
    def may_be_the_same(self) -> bool:
        """Whether a teacher may say that the link replaces the former one; never across courses."""
        return self.same_course and self.same_lms and self.copyable and not self.removed


def decide(source: Source, former: Former) -> Verdict:
    """Return what happens by itself, or that a teacher is asked.

    Args:
        source: The nearest activity the link may be a copy of.
        former: Matters only within one course: a link put back from the recycle bin looks like a duplicate.
    """
    if source.proof is Proof.LIKENESS or not source.same_lms or source.removed or not source.copyable:
        return Verdict.ASK
    if not source.same_course:
        return Verdict.COPY
    if not source.held:
        return Verdict.SAME
    return Verdict.COPY if former is Former.THERE else Verdict.ASK
