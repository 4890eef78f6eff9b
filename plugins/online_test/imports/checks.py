"""What every format's questions have in common: shares, numbers, tolerances, and what of a text would be lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction

from plugins.contract import N_, Message, say
from plugins.online_test.imports.report import Reason, Refusal
from plugins.online_test.markup import losses
from plugins.online_test.model import ONE, ZERO, Kind, Option, Pattern, Question, Range, Rich
from plugins.online_test.numbers import parse_number, plain

MAX_OPTIONS = 50
MAX_TEXT = 20_000

# Files write a third as 33.33333, 33.33 or 33.3; what is meant is the third, so that three of them make the whole.
_REPEATING = tuple(sorted({Fraction(n, d) for d in (3, 6, 7, 9, 11, 12) for n in range(1, d)}))
_NEAR = Fraction(4, 10_000)
_NUMBER = re.compile(r"-?\d{1,3}(?:[.,]\d{0,30})?", re.ASCII)


def fraction_of(percent: str, line: int) -> Fraction:
    """Return the share that a file's percent means, from -1 to 1; raise Refusal when it means none."""
    text = percent.strip()
    if not _NUMBER.fullmatch(text):
        raise Refusal(line, say(N_("The weight “{weight}” is not a number of percent."), weight=text[:40]))
    share = Fraction(Decimal(text.replace(",", "."))) / 100
    if abs(share) > 1:
        raise Refusal(line, say(N_("The weight {weight} % is outside −100 … 100."), weight=text[:40]))
    if (share * 100).denominator == 1:
        return share
    near = next((f for f in _REPEATING if abs(f - abs(share)) < _NEAR), None)
    return share if near is None else (near if share > 0 else -near)


def points_of(text: str, line: int) -> Decimal:
    """Return a question's points, above zero, half-up to two decimal places; raise Refusal for anything else."""
    try:
        points = Decimal(text.strip() or "1")
        points = points.quantize(Decimal("0.01"), ROUND_HALF_UP) if points.is_finite() else Decimal(0)
    except InvalidOperation:
        points = Decimal(0)
    if not 0 < points <= 1000:
        raise Refusal(line, say(N_("The points “{points}” must be a number above zero."), points=text.strip()[:40]))
    return Decimal(plain(points))


def check_full_marks(kind: Kind, fractions: Iterable[Fraction], line: int) -> None:
    """Raise Refusal unless a pupil who knows everything gets exactly all points."""
    values = list(fractions)
    best = sum((f for f in values if f > 0), ZERO) if kind is Kind.MULTIPLE else max(values, default=ZERO)
    if best != ONE:
        share = plain(Decimal(int(best * 10_000)) / 100)
        raise Refusal(
            line, say(N_("The right answers bring {share} % of the points together, not 100 %."), share=share)
        )


def range_of(value: str, tolerance: str, fraction: Fraction, feedback: Rich, line: int) -> Range:
    """Read an accepted number: ``value`` with a tolerance, or ``*`` for any answer."""
    if value.strip() == "*":
        return Range("*", None, None, fraction, feedback)
    middle, margin = number_of(value, line), number_of(tolerance or "0", line)
    if margin < 0:
        raise Refusal(line, say(N_("The tolerance “{value}” is below zero."), value=tolerance.strip()[:40]))
    shown = value.strip() if margin == 0 else f"{value.strip()} ± {tolerance.strip()}"
    return Range(shown, middle - margin, middle + margin, fraction, feedback)


def span_of(low: str, high: str, fraction: Fraction, feedback: Rich, line: int) -> Range:
    """Read an accepted span of numbers, both ends included."""
    first, last = number_of(low, line), number_of(high, line)
    if first > last:
        values = {"low": low.strip()[:40], "high": high.strip()[:40]}
        raise Refusal(line, say(N_("The range {low} … {high} is the wrong way round."), **values))
    return Range(f"{low.strip()} … {high.strip()}", first, last, fraction, feedback)


def number_of(text: str, line: int) -> Fraction:
    """Read a number or raise Refusal."""
    number = parse_number(text)
    if number is None:
        raise Refusal(line, say(N_("“{value}” is not a number."), value=text.strip()[:40]))
    return number


def texts_of(question: Question) -> list[Rich]:
    """Return every text of a question that somebody will read."""
    parts: tuple[Option | Range | Pattern, ...] = (*question.options, *question.ranges, *question.patterns)
    remarks = [getattr(question.remarks, item.name) for item in fields(question.remarks)]
    return [
        question.text,
        *(option.text for option in question.options),
        *(part.feedback for part in parts),
        *question.stems,
        *question.choices,
        *remarks,
    ]


def check_size(question: Question, line: int) -> None:
    """Raise Refusal for a question too big to put on a page."""
    parts = len(question.options) + len(question.ranges) + len(question.patterns) + len(question.choices)
    longest = max(len(rich.text) for rich in texts_of(question))
    longest = max([longest, *(len(pattern.text) for pattern in question.patterns)])
    if max(parts, len(question.stems)) > MAX_OPTIONS:
        raise Refusal(line, say(N_("There are more than {count} answers."), count=MAX_OPTIONS))
    if longest > MAX_TEXT:
        raise Refusal(line, say(N_("A text is longer than {count} letters."), count=MAX_TEXT))


def check_media(question: Question, line: int, attached: Iterable[str] = ()) -> None:
    """Raise Refusal, naming the files, when a question needs pictures or sound, which cannot be shown yet."""
    names = [name for rich in texts_of(question) for name in losses(rich).media]
    unique = list(dict.fromkeys([*attached, *names]))
    if unique:
        names_text = ", ".join(unique[:10])
        raise Refusal(line, say(N_("It needs files that cannot be taken with it: {files}."), files=names_text))


def what_to_review(question: Question, line: int) -> list[Reason]:
    """Tell what of a question's texts will look different from the file."""
    found = [losses(rich) for rich in texts_of(question)]
    checks: tuple[tuple[list[str], Callable[[str], Message]], ...] = (
        ([a for item in found for a in item.links], _link_left_out),
        ([tag for item in found for tag in item.tags], _tag_left_out),
    )
    reasons = [Reason(line, make(", ".join(dict.fromkeys(names)))) for names, make in checks if names]
    if any(item.formulas for item in found):
        reasons.append(Reason(line, say(N_("Formulas are shown as they are typed (TeX)."))))
    return reasons


def _link_left_out(names: str) -> Message:
    return say(N_("Links are shown as text only: {links}."), links=names[:300])


def _tag_left_out(names: str) -> Message:
    return say(N_("Formatting that is not supported was left out: {tags}."), tags=names[:300])
