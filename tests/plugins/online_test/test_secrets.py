"""Before release nothing that leaves the server tells a right answer from a wrong one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import select, update

from plugins.contract import Member, Page, Reply
from plugins.online_test import tables as t
from plugins.online_test.model import Kind, Pattern, Question, from_json, to_json
from plugins.testkit import TestRoom, TestVisit
from tests.plugins.online_test.kit import Sitting, place, sit

MARKERS = ("SECRET", "Zq-Astana", "Zq-Akmola", "1822,731", "1822.731", "0,25")


def text_of(visit: TestVisit, answer: Any) -> str:
    if isinstance(answer, Page):
        return visit.html(answer)
    return json.dumps(answer.value, ensure_ascii=False) if isinstance(answer, Reply) else repr(answer)


def responses(sitting: Sitting) -> Iterator[str]:
    """Everything a pupil can get from the server before and while answering."""
    visit = sitting.visit
    yield text_of(visit, visit.get())
    yield text_of(visit, visit.get("sit"))
    for seq, value in enumerate(("0", ["0"], "1822", "Zq", {"0": "0"}, "", [], {}), start=1):
        for view in sitting.views:
            body = {"attempt": sitting.attempt, "question": view.id, "seq": seq, "value": value}
            yield text_of(visit, visit.post("answer", json=body))
    yield text_of(visit, visit.get("sit"))
    yield text_of(visit, visit.get(f"attempt/{sitting.attempt}"))
    yield text_of(visit, visit.post("sit", {"attempt": sitting.attempt, "action": "save"}))


@pytest.mark.parametrize("release", ["submitted", "teacher", "never"])
@pytest.mark.parametrize("paging", ["all", "one"])
def test_no_response_of_a_running_attempt_holds_a_key(room: TestRoom, pupil: Member, release: str, paging: str):
    sitting = sit(room, place(room, release=release, paging=paging, shuffle="yes"), pupil)
    for text in responses(sitting):
        assert not [marker for marker in MARKERS if marker in text], text


@pytest.mark.parametrize("release", ["teacher", "never"])
def test_nor_does_the_score_page_before_release(room: TestRoom, pupil: Member, release: str):
    sitting = sit(room, place(room, release=release), pupil)
    sitting.submit()
    for path in ("", "sit", f"attempt/{sitting.attempt}"):
        text = text_of(sitting.visit, sitting.visit.get(path))
        assert not [marker for marker in MARKERS if marker in text]
    assert not [marker for marker in MARKERS if marker in repr(room.results)]


def test_nor_while_another_attempt_may_be_opened(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, release="submitted", attempts="2"), pupil)
    sitting.submit()
    assert "SECRET" not in text_of(sitting.visit, sitting.visit.get(f"attempt/{sitting.attempt}"))


def test_after_release_the_key_and_the_feedback_are_there(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, release="submitted"), pupil)
    sitting.answer_all()
    sitting.submit()
    text = text_of(sitting.visit, sitting.visit.get(f"attempt/{sitting.attempt}"))
    for words in ("SECRET-RIGHT", "SECRET-T", "SECRET-NUM", "SECRET-GENERAL", "Zq-Astana", "1822,731 ± 0,25"):
        assert words in text
    assert "SECRET-WRONG" not in text


def other_key(question: Question) -> Question:
    """Return the same question with every right answer made wrong and some wrong one made right."""
    options = tuple(
        replace(option, fraction=question.options[index - 1].fraction) for index, option in enumerate(question.options)
    )
    return replace(
        question,
        options=options,
        ranges=tuple(replace(r, low=Fraction(7), high=Fraction(7), shown="7") for r in question.ranges),
        patterns=(Pattern("other", Fraction(1)),) if question.kind is Kind.SHORT else (),
        key=tuple((choice + 1) % len(question.choices) for choice in question.key),
    )


def test_the_pages_of_a_sitting_are_the_same_bytes_whichever_answer_is_right(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, shuffle="yes"), pupil)
    before = list(responses(sitting))
    with room.write() as db:
        db.execute(t.answer.delete())
        for row in db.execute(select(t.question)).all():
            content = to_json(other_key(from_json(row.content)))
            assert content != row.content
            db.execute(update(t.question).where(t.question.c.id == row.id).values(content=content))
    assert list(responses(sitting)) == before
