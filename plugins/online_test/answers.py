"""Answers on their way between a page and the database: places in the form outside, the question's own order inside.

Outside, an answer is a text (single, true_false: the place; numerical, short: what was typed), a list of places
(multiple), or an object from stem to place (matching). An empty one is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plugins.online_test.form import Item
from plugins.online_test.model import Kind, Question
from plugins.online_test.numbers import parse_number
from plugins.online_test.scoring import Answer

MAX_ANSWER = 1_000


class NotAnAnswer(ValueError):
    """What came from the browser cannot be an answer to this question."""


def read_answer(question: Question, item: Item, raw: Any) -> Answer:
    """Return the answer as it is kept, None for none; raise NotAnAnswer for anything a page cannot send."""
    return _READ[question.kind](question, item, raw)


def show_answer(question: Question, item: Item, answer: Answer) -> Any:
    """Return a kept answer as the page sends it; the inverse of ``read_answer``."""
    if answer is None:
        return {} if question.kind is Kind.MATCHING else [] if question.kind is Kind.MULTIPLE else ""
    if question.kind is Kind.MULTIPLE:
        return sorted((str(item.order.index(index)) for index in answer), key=int)
    if question.kind is Kind.MATCHING:
        return {str(stem): str(item.order.index(c)) for stem, c in enumerate(answer) if c is not None}
    if question.kind in (Kind.SINGLE, Kind.TRUE_FALSE):
        return str(item.order.index(answer))
    return answer


def from_form(question: Question, name: str, values: Mapping[str, Any]) -> Any:
    """Gather a question's fields of a plain form, named ``name`` or ``name-<stem>``, into what a script would send."""
    if question.kind is Kind.MULTIPLE:
        return list(values.get(name, ()))
    if question.kind is Kind.MATCHING:
        stems = {str(stem): (values.get(f"{name}-{stem}") or [""])[0] for stem in range(len(question.stems))}
        return {stem: place for stem, place in stems.items() if place}
    return (values.get(name) or [""])[0]


def is_odd_number(question: Question, answer: Answer) -> bool:
    """Tell whether a number was asked for and something else was typed, so that the pupil can be told at once."""
    return question.kind is Kind.NUMERICAL and bool(answer) and parse_number(answer) is None


def _place(item: Item, raw: Any) -> int:
    if (
        not isinstance(raw, str)
        or not raw.isascii()
        or not raw.isdigit()
        or len(raw) > 4
        or int(raw) >= len(item.order)
    ):
        raise NotAnAnswer
    return item.order[int(raw)]


def _one(question: Question, item: Item, raw: Any) -> Answer:
    return None if raw == "" or raw is None else _place(item, raw)


def _many(question: Question, item: Item, raw: Any) -> Answer:
    if not isinstance(raw, list) or len(raw) > len(item.order):
        raise NotAnAnswer
    return sorted({_place(item, place) for place in raw}) or None


def _text(question: Question, item: Item, raw: Any) -> Answer:
    if not isinstance(raw, str) or len(raw) > MAX_ANSWER or "\0" in raw or any("\ud800" <= c <= "\udfff" for c in raw):
        raise NotAnAnswer
    return raw.strip() or None


def _pairs(question: Question, item: Item, raw: Any) -> Answer:
    stems = {str(stem) for stem in range(len(question.stems))}
    if not isinstance(raw, dict) or not set(raw) <= stems:
        raise NotAnAnswer
    chosen = [_one(question, item, raw.get(str(stem), "")) for stem in range(len(question.stems))]
    return None if all(choice is None for choice in chosen) else chosen


_READ: dict[Kind, Callable[[Question, Item, Any], Answer]] = {
    Kind.SINGLE: _one,
    Kind.TRUE_FALSE: _one,
    Kind.MULTIPLE: _many,
    Kind.NUMERICAL: _text,
    Kind.SHORT: _text,
    Kind.MATCHING: _pairs,
}
