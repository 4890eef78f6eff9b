"""The answer sheet: what each pupil answers, and from that alone what they must get. Kopir is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

PUPILS = 30


class Asked(StrEnum):
    """How a question is answered on its page."""

    CHOICE = "choice"
    TEXT = "text"
    MATCH = "match"


@dataclass(frozen=True)
class Question:
    """One question of the sample test: the right answer and a wrong one, each worth one point or none.

    For CHOICE an answer lists the options to tick; for MATCH the partner of each stem in the file's order.
    """

    asked: Asked
    right: tuple[str, ...]
    wrong: tuple[str, ...]


QUESTIONS = (
    Question(Asked.CHOICE, ("x = 4",), ("x = 3",)),
    Question(Asked.CHOICE, ("3x − 5 = 0", "x/2 = 7"), ("x² = 9", "1/x = 4")),
    Question(Asked.CHOICE, ("true",), ("false",)),
    Question(Asked.TEXT, ("32",), ("10",)),
    Question(Asked.TEXT, ("3,4",), ("0,85",)),
    Question(Asked.TEXT, ("3,16",), ("5",)),
    Question(Asked.TEXT, ("түбір",), ("көбейткіш",)),
    Question(Asked.MATCH, ("2", "5", "7"), ("10", "2", "5")),
)
MAXIMUM = Decimal(len(QUESTIONS))


def right_answers(pupil: int) -> frozenset[int]:
    """Return which questions (from 0) a pupil answers right; every number of points from 1 to 8 occurs."""
    count = 1 + (pupil * 5) % len(QUESTIONS)
    return frozenset((pupil + step) % len(QUESTIONS) for step in range(count))


def answer_of(pupil: int, number: int) -> tuple[str, ...]:
    """Return what a pupil answers to a question."""
    question = QUESTIONS[number]
    return question.right if number in right_answers(pupil) else question.wrong


def points_of(pupil: int) -> Decimal:
    """Return the points a pupil must get."""
    return Decimal(len(right_answers(pupil)))


def mark_of(points: Decimal) -> str:
    """Return the ten-point mark of so many points: the percentage, rounded half up, at least 1."""
    tenth = (points * 10 / MAXIMUM).quantize(Decimal(1), ROUND_HALF_UP)
    return str(max(Decimal(1), tenth))
