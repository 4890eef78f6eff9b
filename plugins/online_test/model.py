"""What a question is: frozen values that come from a file, are kept as JSON and are never changed afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

ONE = Fraction(1)
ZERO = Fraction(0)


class Kind(StrEnum):
    """The kinds of question that can be asked and scored."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    TRUE_FALSE = "true_false"
    NUMERICAL = "numerical"
    SHORT = "short"
    MATCHING = "matching"


@dataclass(frozen=True)
class Rich:
    """A text a person reads; ``format`` is ``plain`` or ``html``. It is cleaned when it is shown."""

    text: str
    format: str = "plain"


EMPTY = Rich("")


@dataclass(frozen=True)
class Option:
    """One option of a choice and the share of the points it brings (negative takes away)."""

    text: Rich
    fraction: Fraction
    feedback: Rich = EMPTY


@dataclass(frozen=True)
class Range:
    """An accepted number: ``low`` to ``high``, both included; None on both sides accepts any answer at all."""

    shown: str
    low: Fraction | None
    high: Fraction | None
    fraction: Fraction
    feedback: Rich = EMPTY


@dataclass(frozen=True)
class Pattern:
    r"""An accepted text: ``*`` stands for any letters, ``\*`` for a star."""

    text: str
    fraction: Fraction
    feedback: Rich = EMPTY


@dataclass(frozen=True)
class Remarks:
    """What a pupil is told after release: always, and by how right the answer was."""

    general: Rich = EMPTY
    right: Rich = EMPTY
    partly: Rich = EMPTY
    wrong: Rich = EMPTY


@dataclass(frozen=True)
class Question:
    """One question with its key.

    Attributes:
        kind: Which of the fields below hold the answer.
        title: The name the file gave it; may be empty.
        text: What the pupil reads.
        points: Points of a full answer, above zero, at most two decimal places.
        options: For single, multiple and true_false (there: true, then false).
        ranges: For numerical, in the order they are tried.
        patterns: For short, likewise.
        case_sensitive: For short.
        stems: For matching: what must be matched.
        choices: For matching: what it is matched with; more than the stems need is allowed.
        key: For matching: the right choice of each stem, by index.
        keep_order: The file asks not to shuffle the options.
        remarks: Feedback on the whole question.
        category: Path of the category in the file.
    """

    kind: Kind
    title: str
    text: Rich
    points: Decimal = Decimal(1)
    options: tuple[Option, ...] = ()
    ranges: tuple[Range, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    case_sensitive: bool = False
    stems: tuple[Rich, ...] = ()
    choices: tuple[Rich, ...] = ()
    key: tuple[int, ...] = ()
    keep_order: bool = False
    remarks: Remarks = Remarks()
    category: str = ""


def to_json(question: Question) -> dict[str, Any]:
    """Return a question as a JSON value that ``from_json`` reads back equal."""
    return {
        "kind": question.kind.value,
        "title": question.title,
        "text": _rich(question.text),
        "points": str(question.points),
        "options": [[_rich(o.text), str(o.fraction), _rich(o.feedback)] for o in question.options],
        "ranges": [
            [r.shown, _number(r.low), _number(r.high), str(r.fraction), _rich(r.feedback)] for r in question.ranges
        ],
        "patterns": [[p.text, str(p.fraction), _rich(p.feedback)] for p in question.patterns],
        "case_sensitive": question.case_sensitive,
        "stems": [_rich(stem) for stem in question.stems],
        "choices": [_rich(choice) for choice in question.choices],
        "key": list(question.key),
        "keep_order": question.keep_order,
        "remarks": [_rich(getattr(question.remarks, name)) for name in ("general", "right", "partly", "wrong")],
        "category": question.category,
    }


def from_json(value: Mapping[str, Any]) -> Question:
    """Read a question that ``to_json`` wrote."""
    return Question(
        kind=Kind(value["kind"]),
        title=value["title"],
        text=Rich(*value["text"]),
        points=Decimal(value["points"]),
        options=tuple(Option(Rich(*t), Fraction(f), Rich(*b)) for t, f, b in value["options"]),
        ranges=tuple(
            Range(shown, _fraction(low), _fraction(high), Fraction(f), Rich(*b))
            for shown, low, high, f, b in value["ranges"]
        ),
        patterns=tuple(Pattern(t, Fraction(f), Rich(*b)) for t, f, b in value["patterns"]),
        case_sensitive=value["case_sensitive"],
        stems=_riches(value["stems"]),
        choices=_riches(value["choices"]),
        key=tuple(value["key"]),
        keep_order=value["keep_order"],
        remarks=Remarks(*_riches(value["remarks"])),
        category=value["category"],
    )


def _rich(rich: Rich) -> list[str]:
    return [rich.text, rich.format]


def _riches(values: Sequence[Sequence[str]]) -> tuple[Rich, ...]:
    return tuple(Rich(*value) for value in values)


def _number(number: Fraction | None) -> str | None:
    return None if number is None else str(number)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
