"""Match columns of two systems, and find a place for a column that has no counterpart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from sync.model import Lesson, LineItem
from sync.reconcile.match import Apart, Claims, Link, MatchResult, sort_out

FIND = ("linked", "tag", "title+date")


def match_items(
    left: Sequence[LineItem], right: Sequence[LineItem], links: Iterable[Link] = (), find: Sequence[str] = FIND
) -> MatchResult:
    """Match columns by link, then by the tool's resource id or tag, then by title and date.

    An id, tag or title that two columns of one side share tells nothing; such columns with the same title and date
    are ambiguous. Nothing is proposed: a column is found or it is not.

    Args:
        left: Left's columns.
        right: Right's columns, with ``due`` set to the day of their lesson.
        links: Known links of this pair of systems.
        find: Which rules to use, surest first, as in the mapping's ``items.find``.
    """
    claims = Claims([item.id for item in left], [item.id for item in right])
    for link in links if "linked" in find else ():
        claims.add(link.left, link.right, "linked_id")
    ambiguous: list[Apart] = []
    for rule, key in _ITEM_RULES:
        if rule.partition(":")[0] not in find:
            continue
        found = _by_key(left, right, key, claims)
        pairs, waiting = sort_out(found, rule)
        for pair in pairs:
            claims.add(*pair)
        ambiguous = waiting if rule == "title+date" else []
    return claims.result([], ambiguous, {})


def _title_and_date(item: LineItem) -> tuple[object, ...]:
    title = " ".join(item.title.casefold().split())
    return (title, item.due) if title and item.due else ()


_ITEM_RULES: tuple[tuple[str, Callable[[LineItem], tuple[object, ...]]], ...] = (
    ("tag:resource_id", lambda item: (item.resource_id,) if item.resource_id else ()),
    ("tag", lambda item: (item.tag,) if item.tag else ()),
    ("title+date", _title_and_date),
)


def _by_key(
    left: Sequence[LineItem], right: Sequence[LineItem], key: Callable[[LineItem], tuple[object, ...]], claims: Claims
) -> dict[str, list[str]]:
    there: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for item in right:
        if item.id not in claims.rights and key(item):
            there[key(item)].append(item.id)
    open_lefts = [item for item in left if item.id not in claims.lefts]
    return {item.id: there[key(item)] for item in open_lefts if key(item) and key(item) in there}


class Place(StrEnum):
    """Where a column without a counterpart lands."""

    LESSON_ON_DUE_DATE = "lesson_on_due_date"
    NEXT_LESSON = "next_lesson"
    ASK = "ask"


class Placement(NamedTuple):
    """A work that is there already, or the lesson to make one in, or why it is held.

    Attributes:
        work: Right's column, when one was found.
        rule: The rule that found it.
        lesson: The lesson to make a column in.
        hold: Reason code, when neither is certain.
    """

    work: str = ""
    rule: str = ""
    lesson: str = ""
    hold: str = ""


def place_item(
    item: LineItem,
    lessons: Sequence[Lesson],
    works: Sequence[LineItem],
    rule: Place,
    links: Iterable[Link] = (),
    find: Sequence[str] = FIND,
) -> Placement:
    """Find the place of one of left's columns in the journal; no certain place is a hold, never a guess."""
    found = match_items([item], works, links, find)
    if found.linked:
        return Placement(work=found.linked[0].right, rule=found.linked[0].rule)
    if found.conflicts or found.ambiguous:
        return Placement(hold="contradicting_links" if found.conflicts else "several_works")
    if found.left_only and found.left_only[0].reason == "counterpart_not_here":
        return Placement(hold="counterpart_not_here")
    return _lesson_for(item, lessons, rule)


def _lesson_for(item: LineItem, lessons: Sequence[Lesson], rule: Place) -> Placement:
    if rule is Place.ASK:
        return Placement(hold="ask_place")
    due = item.due
    if due is None:
        return Placement(hold="no_due_date")
    if rule is Place.LESSON_ON_DUE_DATE:
        first = [lesson for lesson in lessons if lesson.day == due]
    else:
        later = sorted((lesson.day, lesson.number) for lesson in lessons if lesson.day >= due)
        first = [lesson for lesson in lessons if later and (lesson.day, lesson.number) == later[0]]
    if len(first) == 1:
        return Placement(lesson=first[0].id)
    return Placement(hold="several_lessons" if first else "no_lesson")
