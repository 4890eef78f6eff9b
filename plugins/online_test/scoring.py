"""How an answer turns into points: pure, exact, rounded once at the very end.

An answer is kept in the question's own order, never in the order a pupil saw: an index of the options (single,
true_false), a sorted list of them (multiple), a text (numerical, short), or for matching a list with the index of
the chosen choice, or None, for each stem. None is no answer and brings nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from plugins.online_test.model import ONE, ZERO, Kind, Pattern, Question, Range
from plugins.online_test.numbers import parse_number, rounded

Answer = Any

# Kazakh keyboards mix scripts: a Latin i in a Cyrillic word looks right and must count as right.
_ALIKE = str.maketrans("aceopxyihABCEHIKMOPTXYёЁ", "асеорхуіһАВСЕНІКМОРТХУеЕ")


def share(question: Question, answer: Answer) -> Fraction:
    """Return what part of the full points an answer earns, from 0 to 1."""
    if answer is None:
        return ZERO
    return min(ONE, max(ZERO, _SHARES[question.kind](question, answer)))


def points(question: Question, answer: Answer) -> Fraction:
    """Return the points of one answer, exactly."""
    return share(question, answer) * Fraction(question.points)


def total(answered: Iterable[tuple[Question, Answer]]) -> Decimal:
    """Return the points of a whole test, half-up to two decimal places; nothing is rounded before."""
    return rounded(sum((points(question, answer) for question, answer in answered), ZERO))


def maximum(questions: Iterable[Question]) -> Decimal:
    """Return the points of full work."""
    return sum((question.points for question in questions), Decimal(0))


def matched_range(question: Question, text: str) -> Range | None:
    """Return the accepted number that an answer hits: the one that brings most, the first among equals."""
    number = parse_number(text)
    hits = [item for item in question.ranges if _in_range(item, number)]
    return max(hits, key=lambda item: item.fraction, default=None)


def matched_pattern(question: Question, text: str) -> Pattern | None:
    """Return the accepted text that an answer hits: the one that brings most, the first among equals."""
    hits = [item for item in question.patterns if matches(item.text, text, question.case_sensitive)]
    return max(hits, key=lambda item: item.fraction, default=None)


def matches(pattern: str, text: str, case_sensitive: bool) -> bool:
    r"""Tell whether a text fits a pattern with ``*`` for any letters and ``\*`` for a star.

    Spaces at the ends and doubled ones do not count, nor does the script of look-alike letters, nor ё for е.
    """
    said = normal(text, case_sensitive)
    if not said:
        return False
    parts = [normal(part, case_sensitive, strip=False) for part in _wild_parts(pattern.strip())]
    if len(parts) == 1:
        return said == " ".join(parts[0].split())
    return _glob(said, parts)


def normal(text: str, case_sensitive: bool, *, strip: bool = True) -> str:
    """Return a text as it is compared."""
    text = unicodedata.normalize("NFC", text)
    text = text if case_sensitive else text.casefold()
    text = text.translate(_ALIKE)
    return " ".join(text.split()) if strip else text


def _wild_parts(pattern: str) -> list[str]:
    return [part.replace("\0", "*") for part in pattern.replace("\\*", "\0").split("*")]


def _glob(text: str, parts: list[str]) -> bool:
    """Match parts in their order, in time linear in the text however many stars there are."""
    head, *middle, tail = parts
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    place, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _in_range(item: Range, number: Fraction | None) -> bool:
    if item.low is None or item.high is None:
        return True
    return number is not None and item.low <= number <= item.high


def _choice(question: Question, answer: Answer) -> Fraction:
    return question.options[answer].fraction


def _choices(question: Question, answer: Answer) -> Fraction:
    return sum((question.options[index].fraction for index in answer), ZERO)


def _numerical(question: Question, answer: Answer) -> Fraction:
    hit = matched_range(question, answer) if answer.strip() else None
    return ZERO if hit is None else hit.fraction


def _short(question: Question, answer: Answer) -> Fraction:
    hit = matched_pattern(question, answer)
    return ZERO if hit is None else hit.fraction


def _matching(question: Question, answer: Answer) -> Fraction:
    right = sum(1 for given, key in zip(answer, question.key, strict=True) if given == key)
    return Fraction(right, len(question.key))


_SHARES: dict[Kind, Callable[[Question, Answer], Fraction]] = {
    Kind.SINGLE: _choice,
    Kind.TRUE_FALSE: _choice,
    Kind.MULTIPLE: _choices,
    Kind.NUMERICAL: _numerical,
    Kind.SHORT: _short,
    Kind.MATCHING: _matching,
}
