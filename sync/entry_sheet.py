"""The entry sheet: marks for a person to type into a journal that programs may not write, in the journal's order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class EntryLine:
    """One mark to type.

    Attributes:
        plan: The plan it comes from.
        seq: Its change in that plan.
        key: The cell.
        person: The pupil, by internal id.
        name: The pupil as the journal writes them.
        position: The pupil's place in the journal's list, from 1.
        mark: What to type; None means: take the mark out.
        before: What stood there when the plan was made.
        seen: What the last complete read found there instead.
        state: ``to_type``, ``typed``, ``missed`` (a complete read did not find it) or ``different``.
        checked_at: When a complete read last looked.
    """

    plan: str
    seq: int
    key: str
    person: str
    name: str
    position: int
    mark: str | None
    before: str | None
    seen: str | None
    state: str
    checked_at: datetime | None


@dataclass(frozen=True)
class EntryWork:
    """The lines of one work of one lesson, in the order of the journal's class list.

    Attributes:
        group_link: The group.
        group: Its title.
        day: Civil date of the lesson; None while the lesson is a person's to choose.
        number: The lesson's number in the day.
        work: Title of the work, as it is found again by.
        lines: The marks.
    """

    group_link: str
    group: str
    day: date | None
    number: int
    work: str
    lines: tuple[EntryLine, ...]

    @property
    def open(self) -> int:
        """How many marks are not in the journal yet."""
        return sum(line.state != "typed" for line in self.lines)


@dataclass(frozen=True)
class EntrySheet:
    """Everything of a connection that waits to be typed, and what was typed lately."""

    connection: str
    works: tuple[EntryWork, ...]

    @property
    def open(self) -> int:
        """How many marks are not in the journal yet."""
        return sum(work.open for work in self.works)

    def count(self, state: str) -> int:
        """Return how many lines are in a state."""
        return sum(line.state == state for work in self.works for line in work.lines)
