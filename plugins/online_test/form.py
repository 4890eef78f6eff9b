"""The form a pupil gets: which questions in which order, and how each one's parts are shuffled.

It is drawn once, when the attempt starts, and kept in the attempt: a reload, another device and the scoring see
the same. What travels to and from the browser are places in this form, so an address of an option says nothing
about the file's order, where the right answer often stands first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from plugins.online_test.model import Kind, Question

_random = SystemRandom()


@dataclass(frozen=True)
class Item:
    """One question on a form: ``order[place]`` is the question's own index of what stands at that place."""

    question_id: str
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Form:
    """The questions as one pupil sees them."""

    items: tuple[Item, ...]

    def item(self, question_id: str) -> Item | None:
        """Return a question's item."""
        return next((item for item in self.items if item.question_id == question_id), None)


def draw(questions: Sequence[tuple[str, Question]], shuffle: bool) -> Form:
    """Draw a form from questions and their ids."""
    drawn = [Item(question_id, _order(question, shuffle)) for question_id, question in questions]
    if shuffle:
        _random.shuffle(drawn)
    return Form(tuple(drawn))


def _order(question: Question, shuffle: bool) -> tuple[int, ...]:
    size = len(question.choices) if question.kind is Kind.MATCHING else len(question.options)
    order = list(range(size))
    # The file lists a matching question's choices in the order of its stems, so these are shuffled always.
    if question.kind is Kind.MATCHING or (shuffle and not question.keep_order):
        _random.shuffle(order)
    return tuple(order)


def form_to_json(form: Form) -> dict[str, Any]:
    """Return a form as a JSON value."""
    return {"items": [[item.question_id, list(item.order)] for item in form.items]}


def form_from_json(value: Mapping[str, Any]) -> Form:
    """Read a form that ``form_to_json`` wrote."""
    return Form(tuple(Item(question_id, tuple(order)) for question_id, order in value["items"]))
