"""What templates get: ready texts and places, and before release nothing that tells right from wrong.

A sitting's page is made from ``QuestionView`` alone, which has no field for a key, a share or feedback; only the
review's ``Marked`` has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from plugins.contract import N_, Visit
from plugins.online_test.answers import show_answer
from plugins.online_test.attempts import Attempt
from plugins.online_test.form import Form, Item
from plugins.online_test.markup import as_words, show
from plugins.online_test.model import EMPTY, ONE, ZERO, Kind, Question, Rich
from plugins.online_test.numbers import plain, rounded
from plugins.online_test.scoring import Answer, matched_pattern, matched_range, points, share

# Kazakhstan has had one time zone since 1 March 2024 (UTC+5).
ZONE = ZoneInfo("Asia/Almaty")

DELIVERY = {
    "none": N_("not sent: this test has no grade column"),
    "waiting": N_("on its way to the gradebook"),
    "delivered": N_("in the gradebook"),
    "kept_by_teacher": N_("the gradebook keeps the teacher's own mark"),
    "refused": N_("the gradebook refused it"),
}
TRUE_FALSE = (N_("True"), N_("False"))


@dataclass(frozen=True)
class ChoiceView:
    """One option or choice at its place on the form."""

    place: str
    html: Markup
    words: str
    chosen: bool


@dataclass(frozen=True)
class StemView:
    """One line of a matching question and the place chosen for it."""

    index: str
    html: Markup
    chosen: str


@dataclass(frozen=True)
class QuestionView:
    """One question as a pupil sees it while answering."""

    id: str
    number: int
    count: int
    kind: str
    html: Markup
    points: str
    choices: Sequence[ChoiceView]
    stems: Sequence[StemView]
    typed: str
    was: str

    @property
    def name(self) -> str:
        """Name of its field in a form."""
        return f"q-{self.id}"


@dataclass(frozen=True)
class Marked:
    """One question after release: what was answered, what is right, what it brought and what is said to it."""

    number: int
    html: Markup
    given: Sequence[Markup]
    right: Sequence[Markup]
    earned: str
    points: str
    verdict: str
    remarks: Sequence[Markup]


def question_views(
    visit: Visit, form: Form, questions: Mapping[str, Question], answers: Mapping[str, Answer]
) -> list[QuestionView]:
    """Return the questions of a form with the answers kept so far."""
    count = len(form.items)
    return [
        _view(visit, item, questions[item.question_id], answers.get(item.question_id), number, count)
        for number, item in enumerate(form.items, start=1)
    ]


def _view(visit: Visit, item: Item, question: Question, answer: Answer, number: int, count: int) -> QuestionView:
    shown = show_answer(question, item, answer)
    chosen = {shown} if isinstance(shown, str) else set(shown)
    texts = _texts(visit, question)
    return QuestionView(
        item.question_id,
        number,
        count,
        question.kind.value,
        show(question.text),
        plain(question.points),
        [
            ChoiceView(str(place), show(texts[index], inline=True), as_words(texts[index], 200), str(place) in chosen)
            for place, index in enumerate(item.order)
        ],
        [
            StemView(str(index), show(stem, inline=True), shown.get(str(index), ""))
            for index, stem in enumerate(question.stems)
        ],
        shown if question.kind in (Kind.NUMERICAL, Kind.SHORT) else "",
        json.dumps(shown, sort_keys=True, ensure_ascii=False),
    )


def marked(
    visit: Visit, attempt: Attempt, questions: Mapping[str, Question], answers: Mapping[str, Answer]
) -> list[Marked]:
    """Return the questions of an attempt with their keys: for a teacher, or after release."""
    return [
        _marked(visit, questions[item.question_id], answers.get(item.question_id), number)
        for number, item in enumerate(attempt.form.items, start=1)
    ]


def _marked(visit: Visit, question: Question, answer: Answer, number: int) -> Marked:
    earned = share(question, answer)
    verdict = "right" if earned == ONE else "wrong" if earned == ZERO else "partly"
    verdict = "none" if answer is None else verdict
    remarks = [*_own_feedback(question, answer), _overall(question, verdict), question.remarks.general]
    return Marked(
        number,
        show(question.text),
        _given(visit, question, answer),
        _right(visit, question),
        plain(rounded(points(question, answer))),
        plain(question.points),
        verdict,
        [show(remark) for remark in remarks if remark.text],
    )


def _texts(visit: Visit, question: Question) -> Sequence[Rich]:
    if question.kind is Kind.TRUE_FALSE:
        return [Rich(visit.t(word)) for word in TRUE_FALSE]
    if question.kind is Kind.MATCHING:
        return question.choices
    return [option.text for option in question.options]


def _given(visit: Visit, question: Question, answer: Answer) -> Sequence[Markup]:
    texts = _texts(visit, question)
    if answer is None:
        return []
    if question.kind is Kind.MATCHING:
        return [
            _pair(question.stems[stem], texts[choice] if choice is not None else Rich("—"))
            for stem, choice in enumerate(answer)
        ]
    if question.kind in (Kind.NUMERICAL, Kind.SHORT):
        return [show(Rich(answer))]
    chosen = answer if question.kind is Kind.MULTIPLE else [answer]
    return [show(texts[index], inline=True) for index in chosen]


def _right(visit: Visit, question: Question) -> Sequence[Markup]:
    texts = _texts(visit, question)
    if question.kind is Kind.MATCHING:
        return [_pair(stem, texts[choice]) for stem, choice in zip(question.stems, question.key, strict=True)]
    if question.kind is Kind.NUMERICAL:
        return [show(Rich(item.shown)) for item in question.ranges if item.fraction == ONE]
    if question.kind is Kind.SHORT:
        return [show(Rich(item.text)) for item in question.patterns if item.fraction == ONE]
    return [
        show(texts[i], inline=True)
        for i, option in enumerate(question.options)
        if option.fraction == ONE or (question.kind is Kind.MULTIPLE and option.fraction > ZERO)
    ]


def _pair(stem: Rich, choice: Rich) -> Markup:
    return show(stem, inline=True) + " → " + show(choice, inline=True)


def _own_feedback(question: Question, answer: Answer) -> list[Rich]:
    if answer is None or question.kind is Kind.MATCHING:
        return []
    if question.kind is Kind.NUMERICAL:
        number = matched_range(question, answer)
        return [number.feedback] if number else []
    if question.kind is Kind.SHORT:
        pattern = matched_pattern(question, answer)
        return [pattern.feedback] if pattern else []
    chosen = answer if question.kind is Kind.MULTIPLE else [answer]
    return [question.options[index].feedback for index in chosen]


def _overall(question: Question, verdict: str) -> Rich:
    remarks = question.remarks
    return {"right": remarks.right, "partly": remarks.partly, "wrong": remarks.wrong}.get(verdict, EMPTY)


def clock(instant: datetime) -> str:
    """Return the time of day in Kazakhstan: ``12:01``."""
    return f"{instant.astimezone(ZONE):%H:%M}"


def moment(instant: datetime) -> str:
    """Return date and time in Kazakhstan: ``23.11.2026 12:01``."""
    return f"{instant.astimezone(ZONE):%d.%m.%Y %H:%M}"


def percent(score: Decimal, maximum: Decimal) -> str:
    """Return a score in whole percent, half-up."""
    return str(int(score * 100 / maximum + Decimal("0.5"))) if maximum else "0"
