"""The part of a GIFT question in braces: which kind it is, and its key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from plugins.contract import N_, Message, say
from plugins.online_test.imports.checks import MAX_OPTIONS, check_full_marks, fraction_of, range_of, span_of
from plugins.online_test.imports.gift_text import Block, free, rich
from plugins.online_test.imports.report import Reason, Refusal
from plugins.online_test.model import EMPTY, ONE, ZERO, Kind, Option, Pattern, Question, Range, Remarks, Rich

_TRUTH = re.compile(r"\s*(T|TRUE|F|FALSE)\s*(?:#|$)", re.I)
_WEIGHT = re.compile(r"\s*%([^%\n]*)%")
_OPEN_WEIGHT = re.compile(r"\s*%\s*-?[\d.,]+\s*(?:$|\s)")
_ARROW = "->"


@dataclass
class Scope:
    """The span of a block between its braces, and what was noticed in it."""

    block: Block
    start: int
    end: int
    format: str
    notes: list[Reason] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the letters between the braces."""
        return self.block.text[self.start : self.end]

    def line(self, offset: int) -> int:
        """Return the file's line of a place in ``text``."""
        return self.block.line_at(self.start + offset)

    def note(self, offset: int, message: Message) -> None:
        """Remember something the teacher should look at."""
        self.notes.append(Reason(self.block.line_at(offset), message))


@dataclass(frozen=True)
class Piece:
    """One answer: its marker (``=`` or ``~``), weight if any, text and feedback, and its line."""

    marker: str
    weight: Fraction | None
    text: str
    feedback: Rich
    line: int

    @property
    def fraction(self) -> Fraction:
        """Return the share it brings: its weight, or all for ``=`` and nothing for ``~``."""
        if self.weight is not None:
            return self.weight
        return ONE if self.marker == "=" else ZERO


def read_answers(scope: Scope, title: str, text: Rich) -> Question:
    """Return the question whose key stands in ``scope``; raise Refusal with the line of what is wrong."""
    body, _, general = scope.text.partition("####")
    remarks = Remarks(general=_rich(general, scope))
    line = scope.line(len(body) - len(body.lstrip()))
    if not body.strip():
        raise Refusal(scope.line(0), say(N_("An essay (empty braces) cannot be marked by itself.")))
    if body.lstrip().startswith("#"):
        return Question(Kind.NUMERICAL, title, text, ranges=_ranges(body, scope), remarks=remarks)
    truth = _TRUTH.match(body)
    if truth:
        return _true_false(title, text, remarks, body, truth.group(1), scope)
    pieces = _pieces(body, 0, scope)
    if all(piece.marker == "=" for piece in pieces):
        if any(_ARROW in piece.text for piece in pieces):
            return _matching(title, text, remarks, pieces, scope)
        return _short(title, text, remarks, pieces, line)
    return _choice(title, text, remarks, pieces, scope, line)


def _true_false(title: str, text: Rich, remarks: Remarks, body: str, word: str, scope: Scope) -> Question:
    """Read ``T#said if wrong#said if right``."""
    wrong, right = [*(_rich(part, scope) for part in body.split("#")[1:3]), EMPTY, EMPTY][:2]
    true_is_right = word[0].upper() == "T"
    options = (
        Option(Rich("True"), ONE if true_is_right else ZERO, right if true_is_right else wrong),
        Option(Rich("False"), ZERO if true_is_right else ONE, wrong if true_is_right else right),
    )
    return Question(Kind.TRUE_FALSE, title, text, options=options, keep_order=True, remarks=remarks)


def _choice(title: str, text: Rich, remarks: Remarks, pieces: list[Piece], scope: Scope, line: int) -> Question:
    kind = Kind.SINGLE if any(piece.marker == "=" for piece in pieces) else Kind.MULTIPLE
    if len(pieces) < 2:
        raise Refusal(line, say(N_("A choice needs at least two answers.")))
    options = tuple(Option(_rich(piece.text, scope), piece.fraction, piece.feedback) for piece in pieces)
    check_full_marks(kind, (option.fraction for option in options), line)
    if kind is Kind.SINGLE and sum(1 for option in options if option.fraction == ONE) > 1:
        message = say(
            N_("Several answers are marked as right with =: a pupil picks one, and any of them is full marks.")
        )
        scope.notes.append(Reason(line, message))
    return Question(kind, title, text, options=options, remarks=remarks)


def _short(title: str, text: Rich, remarks: Remarks, pieces: list[Piece], line: int) -> Question:
    patterns = []
    for piece in pieces:
        if piece.fraction < 0:
            raise Refusal(piece.line, say(N_("A short answer cannot take points away.")))
        patterns.append(Pattern(free(piece.text), piece.fraction, piece.feedback))
    check_full_marks(Kind.SHORT, (pattern.fraction for pattern in patterns), line)
    return Question(Kind.SHORT, title, text, patterns=tuple(patterns), remarks=remarks)


def _matching(title: str, text: Rich, remarks: Remarks, pieces: list[Piece], scope: Scope) -> Question:
    stems: list[Rich] = []
    choices: list[Rich] = []
    key: list[int] = []
    for piece in pieces:
        left, arrow, right = piece.text.partition(_ARROW)
        if not arrow or not right.strip():
            raise Refusal(piece.line, say(N_("A pair must read “= left -> right”.")))
        choice = _rich(right, scope)
        if choice not in choices:
            choices.append(choice)
        if left.strip():
            stems.append(_rich(left, scope))
            key.append(choices.index(choice))
    if len(stems) < 2:
        raise Refusal(pieces[0].line, say(N_("Matching needs at least two pairs.")))
    return Question(
        Kind.MATCHING, title, text, stems=tuple(stems), choices=tuple(choices), key=tuple(key), remarks=remarks
    )


def _ranges(body: str, scope: Scope) -> tuple[Range, ...]:
    start = body.index("#") + 1
    ranges = tuple(_range(piece) for piece in _pieces(body, start, scope))
    check_full_marks(Kind.NUMERICAL, (item.fraction for item in ranges), scope.line(start))
    return ranges


def _range(piece: Piece) -> Range:
    """Read ``value``, ``value:tolerance``, ``low..high``, or nothing at all for any other answer."""
    text = free(piece.text)
    if not text or text == "*":
        weight = piece.weight if piece.weight is not None else ZERO
        return Range("*", None, None, weight, piece.feedback)
    if ".." in text:
        low, _, high = text.partition("..")
        return span_of(low, high, piece.fraction, piece.feedback, piece.line)
    value, _, tolerance = text.partition(":")
    return range_of(value, tolerance, piece.fraction, piece.feedback, piece.line)


def _pieces(body: str, start: int, scope: Scope) -> list[Piece]:
    """Cut answers at their markers; text with no marker at all is one right answer."""
    marks = [index for index in range(start, len(body)) if body[index] in "=~"]
    if len(marks) > MAX_OPTIONS:
        raise Refusal(scope.line(start), say(N_("There are more than {count} answers."), count=MAX_OPTIONS))
    lead = body[start : marks[0]] if marks else body[start:]
    if not marks:
        return [_piece("=", lead, start, scope)]
    if lead.strip():
        message = say(N_("“{text}” stands before the first = or ~."), text=free(lead)[:40])
        raise Refusal(scope.line(start + len(lead) - len(lead.lstrip())), message)
    spans = zip(marks, [*marks[1:], len(body)], strict=True)
    pieces = []
    for index, end in spans:
        if body[index] == "=" and index > start and not body[index - 1].isspace() and body[index - 1] != "~":
            message = say(
                N_("An = inside a word was read as the start of an answer. Write \\= where you mean the letter.")
            )
            scope.notes.append(Reason(scope.line(index), message))
        pieces.append(_piece(body[index], body[index + 1 : end], index, scope))
    return pieces


def _piece(marker: str, text: str, offset: int, scope: Scope) -> Piece:
    line = scope.line(offset)
    weight = None
    match = _WEIGHT.match(text)
    if match:
        weight = fraction_of(free(match.group(1)), line)
        text = text[match.end() :]
    elif _OPEN_WEIGHT.match(text):
        raise Refusal(line, say(N_("The weight is not closed by a second %.")))
    said, hash_mark, feedback = text.partition("#")
    numerical = scope.text.lstrip().startswith("#")
    if not said.strip() and not (numerical and hash_mark):
        raise Refusal(line, say(N_("An answer is empty.")))
    return Piece(marker, weight, said.strip(), _rich(feedback, scope), line)


def _rich(text: str, scope: Scope) -> Rich:
    return rich(text, scope.format)[0] if text.strip() else EMPTY
