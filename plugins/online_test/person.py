"""What the plugin holds about one person, and how it lets go of it (law 94-V, articles 8 and 24)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from plugins.contract import new_id
from plugins.online_test import tables as t
from plugins.online_test.form import form_from_json
from plugins.online_test.markup import as_words
from plugins.online_test.model import Kind, Question
from plugins.online_test.numbers import plain
from plugins.online_test.scoring import Answer
from plugins.online_test.store import questions_of

TYPED = (Kind.NUMERICAL.value, Kind.SHORT.value)


def export_person(db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
    """Return a person's attempts with questions and own answers, and the tests and files they brought; no keys."""
    a, b, u = t.attempt.c, t.test.c, t.upload.c
    attempts = db.execute(select(t.attempt).where(a.school_id == school_id, a.account_id == account_id).order_by(a.id))
    tests = db.execute(select(t.test).where(b.school_id == school_id, b.created_by == account_id).order_by(b.id))
    uploads = db.execute(select(t.upload).where(u.school_id == school_id, u.account_id == account_id).order_by(u.id))
    releases = db.execute(
        select(t.release).where(t.release.c.school_id == school_id, t.release.c.released_by == account_id)
    )
    return {
        "attempts": [_attempt(db, school_id, row) for row in attempts.all()],
        "tests": [{"title": r.title, "file": r.source, "imported": _iso(r.created_at)} for r in tests],
        "uploads": [{"file": row.filename, "sent": _iso(row.created_at)} for row in uploads],
        "releases": [{"activity": row.activity_id, "released": _iso(row.released_at)} for row in releases],
    }


def _attempt(db: Connection, school_id: str, row: Any) -> Mapping[str, Any]:
    questions = questions_of(db, school_id, row.test_id)
    an = t.answer.c
    kept = db.execute(select(t.answer).where(an.school_id == school_id, an.attempt_id == row.id))
    title = db.execute(select(t.test.c.title).where(t.test.c.school_id == school_id, t.test.c.id == row.test_id))
    form = form_from_json(row.form)
    answers = {item.question_id: item for item in kept}
    return {
        "activity": row.activity_id,
        "test": title.scalar(),
        "number": row.number,
        "state": row.state,
        "started": _iso(row.started_at),
        "deadline": _iso(row.deadline_at),
        "submitted": _iso(row.submitted_at),
        "score": None if row.score is None else plain(row.score),
        "score_maximum": plain(row.score_maximum),
        "answers": [
            {
                "question": as_words(questions[item.question_id].text, 500),
                "answer": _said(questions[item.question_id], answers[item.question_id].value),
                "saved": _iso(answers[item.question_id].saved_at),
            }
            for item in form.items
            if item.question_id in answers
        ],
    }


def _said(question: Question, answer: Answer) -> Any:
    """Return an answer in words, as the person gave it."""
    if answer is None:
        return None
    if question.kind is Kind.MATCHING:
        chosen = [None if choice is None else as_words(question.choices[choice], 500) for choice in answer]
        return dict(zip([as_words(stem, 500) for stem in question.stems], chosen, strict=True))
    if question.kind in (Kind.NUMERICAL, Kind.SHORT):
        return answer
    indices = answer if question.kind is Kind.MULTIPLE else [answer]
    words = [as_words(question.options[index].text, 500) for index in indices]
    return words if question.kind is Kind.MULTIPLE else words[0]


def erase_person(db: Connection, school_id: str, account_id: str) -> int:
    """Make a person's work nameless and delete what they typed; counted choices and scores stay as statistics.

    An open attempt is deleted whole: nobody is left to finish it.
    """
    a, an = t.attempt.c, t.answer.c
    mine = (a.school_id == school_id, a.account_id == account_id)
    open_ids = list(db.execute(select(a.id).where(*mine, a.state == "open")).scalars())
    closed_ids = list(db.execute(select(a.id).where(*mine, a.state == "closed")).scalars())
    typed = select(t.question.c.id).where(t.question.c.school_id == school_id, t.question.c.kind.in_(TYPED))
    here = an.school_id == school_id
    t_, v = t.test, t.release
    statements = (
        delete(t.answer).where(here, an.attempt_id.in_(open_ids)),
        delete(t.attempt).where(a.school_id == school_id, a.id.in_(open_ids)),
        delete(t.answer).where(here, an.attempt_id.in_(closed_ids), an.question_id.in_(typed)),
        update(t.attempt)
        .where(a.school_id == school_id, a.id.in_(closed_ids))
        .values(account_id=new_id(), erased=True),
        delete(t.upload).where(t.upload.c.school_id == school_id, t.upload.c.account_id == account_id),
        update(t_).where(t_.c.school_id == school_id, t_.c.created_by == account_id).values(created_by=""),
        update(v).where(v.c.school_id == school_id, v.c.released_by == account_id).values(released_by=""),
    )
    return sum(db.execute(statement).rowcount for statement in statements)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
