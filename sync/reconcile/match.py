"""Match people and columns of two systems; names only ever propose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sync.model import Lesson, LineItem, Person


class Link(NamedTuple):
    """Two external ids that stand for one person or column."""

    left: str
    right: str


class IdentityRow(NamedTuple):
    """One row of an uploaded identity file: an identifier of left's people and right's person id."""

    type: str
    value: str
    right: str


class Pair(NamedTuple):
    """A match or proposal and the rule that made it."""

    left: str
    right: str
    rule: str


class Apart(NamedTuple):
    """An id without a match, the candidates there were, and why none was taken."""

    id: str
    reason: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class MatchResult:
    """Who is who: linked for certain, proposed to a person, and everyone else with the reason."""

    linked: tuple[Pair, ...]
    proposed: tuple[Pair, ...]
    ambiguous: tuple[Apart, ...]
    left_only: tuple[Apart, ...]
    right_only: tuple[Apart, ...]
    conflicts: tuple[Apart, ...]


def match_people(
    left: Sequence[Person], right: Sequence[Person], links: Iterable[Link] = (), identity: Iterable[IdentityRow] = ()
) -> MatchResult:
    """Match the members of one mapped group."""
    raise NotImplementedError


def match_items(left: Sequence[LineItem], right: Sequence[LineItem], links: Iterable[Link] = ()) -> MatchResult:
    """Match columns by link, tag or resource id, then title and date."""
    raise NotImplementedError


class Place(StrEnum):
    """Where a column without a counterpart lands."""

    LESSON_ON_DUE_DATE = "lesson_on_due_date"
    NEXT_LESSON = "next_lesson"
    ASK = "ask"


class Placement(NamedTuple):
    """A work that is there already, or the lesson to make it in, or why it is held."""

    work: str = ""
    lesson: str = ""
    hold: str = ""


def place_item(
    item: LineItem, lessons: Sequence[Lesson], works: Sequence[LineItem], rule: Place, links: Iterable[Link] = ()
) -> Placement:
    """Find the place of a column; no place is a hold, never a guess."""
    raise NotImplementedError
