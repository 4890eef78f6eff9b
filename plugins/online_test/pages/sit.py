"""A pupil's pages: the card before the start, the sitting, and the score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from sqlalchemy import Connection

from plugins.contract import N_, Activity, NotFound, Page, Redirect, Reply, Request, Response, Visit, is_id, say
from plugins.online_test import attempts as a
from plugins.online_test import store
from plugins.online_test.answers import NotAnAnswer, from_form, is_odd_number, read_answer
from plugins.online_test.numbers import plain
from plugins.online_test.pages.views import DELIVERY, clock, marked, moment, percent, question_views
from plugins.online_test.scoring import Answer
from plugins.online_test.settings import Settings, from_activity

MAX_SEQ = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REASONS = {
    a.Saved.STALE: N_("Not saved: a newer answer came from another window. Reload the page to see it."),
    a.Saved.LATE: N_("Not saved: the time is over."),
    a.Saved.CLOSED: N_("Not saved: the test was submitted already."),
}


def placed(visit: Visit) -> tuple[Activity, Settings, store.Test] | None:
    """Return the launched activity with its settings and test; None when the test is not in this school."""
    activity = visit.activity
    settings = None if activity is None else from_activity(activity.settings)
    if activity is None or settings is None:
        return None
    with visit.read() as db:
        test = store.find_test(db, visit.school_id, settings.test_id)
    return None if test is None else (activity, settings, test)


def missing() -> Page:
    """Say that the test of this link is not here."""
    return Page("online_test/missing.html", status=404)


def home(visit: Visit) -> Page:
    """Show what awaits the pupil, or what came of it."""
    found = placed(visit)
    if found is None:
        return missing()
    activity, settings, test = found
    mine = _mine(visit, activity)
    with visit.read() as db:
        released = a.released_at(db, visit.school_id, activity.id)
        results = visit.results_of(db, visit.viewer.account_id)
    best = a.best_of(mine)
    delivery = next((result.delivery for result in results if result.activity_id == activity.id), "")
    values = {
        "activity": activity,
        "settings": settings,
        "test": test,
        "points": plain(test.points),
        "open": next((attempt for attempt in mine if attempt.is_open), None),
        "best": best,
        "last": next((attempt for attempt in reversed(mine) if not attempt.is_open), None),
        "closed": " ".join(attempt.id for attempt in mine if not attempt.is_open),
        "percent": percent(best.score or best.score_maximum * 0, best.score_maximum) if best else "",
        "can_start": a.may_start(settings, mine, released) and visit.dates.may_work(visit.now()),
        "dates": visit.dates,
        "now": visit.now(),
        "left": settings.attempts - len(mine),
        "key": a.may_see_key(settings, mine, released),
        "delivery": DELIVERY.get(delivery, "") if best else "",
        "plain": plain,
        "clock": clock,
        "moment": moment,
    }
    return Page("online_test/home.html", values)


def _mine(visit: Visit, activity: Activity) -> list[a.Attempt]:
    """Return the viewer's attempts; one whose time ran out is closed first."""
    account_id = visit.viewer.account_id
    with visit.read() as db:
        mine = a.attempts_of(db, visit.school_id, activity.id, account_id)
    if any(attempt.is_open and attempt.is_over(visit.now()) for attempt in mine):
        with visit.write() as db:
            a.close_overdue(visit, db, mine)
        with visit.read() as db:
            mine = a.attempts_of(db, visit.school_id, activity.id, account_id)
    return list(mine)


def start(visit: Visit, request: Request) -> Response:
    """Open an attempt, or go on with the one that is open."""
    found = placed(visit)
    if found is None:
        return missing()
    opened = a.start(visit, *found, visit.viewer.account_id, visit.dates)
    return Redirect("sit" if opened else "")


def sit(visit: Visit, request: Request) -> Response:
    """Show the open attempt with every answer kept so far."""
    found = placed(visit)
    if found is None:
        return missing()
    activity, settings, _ = found
    attempt = next((item for item in _mine(visit, activity) if item.is_open), None)
    if attempt is None:
        return Redirect("")
    with visit.read() as db:
        questions = store.questions_of(db, visit.school_id, attempt.test_id)
        answers = a.answers_of(db, visit.school_id, attempt.id)
        seq = max(_milliseconds(visit.now()), a.newest_seq(db, visit.school_id, attempt.id))
    left = None if attempt.deadline_at is None else (attempt.deadline_at - visit.now()) / timedelta(seconds=1)
    values = {
        "activity": activity,
        "settings": settings,
        "attempt": attempt,
        "questions": question_views(visit, attempt.form, questions, answers),
        "seconds_left": "" if left is None else str(max(0, int(left))),
        "until": "" if attempt.deadline_at is None else clock(attempt.deadline_at),
        "seq": str(seq),
        "saved": clock(visit.now()) if request.value("saved") else "",
        "preview": False,
    }
    return Page("online_test/sit.html", values)


def answer(visit: Visit, request: Request) -> Response:
    """Keep one answer: ``{attempt, question, seq, value}`` in, ``{saved, seq, at}`` or the reason out."""
    body = request.json if isinstance(request.json, dict) else {}
    attempt_id, question_id, seq = body.get("attempt"), body.get("question"), body.get("seq")
    if not _is_id(attempt_id) or not _is_id(question_id) or type(seq) is not int or not 0 < seq < MAX_SEQ:
        return _no(visit, N_("Not saved: this is not an answer to the question."), 400)
    with visit.write() as db:
        attempt = _own(visit, db, attempt_id)
        if attempt is None:
            return NotFound()
        try:
            value, odd = _read(visit, db, attempt, question_id, body.get("value"))
        except NotAnAnswer:
            return _no(visit, N_("Not saved: this is not an answer to the question."), 400)
        state = a.save(visit, db, attempt.id, {question_id: (seq, value)})[question_id]
        newest = a.newest_seq(db, visit.school_id, attempt.id, question_id)
        if state is a.Saved.LATE:
            a.close(visit, db, attempt)
    if state is not a.Saved.SAVED:
        return _no(visit, REASONS[state], 409 if state is not a.Saved.STALE else 200, state=state.value, seq=newest)
    note = visit.t(N_("This is not a number.")) if odd else ""
    return Reply({"saved": True, "seq": newest, "at": clock(visit.now()), "note": note})


def submit(visit: Visit, request: Request) -> Response:
    """Take the whole form, saved or for good; the way that works without a script, and the script's last step."""
    attempt_id, submitting = request.value("attempt"), request.value("action") == "submit"
    if not _is_id(attempt_id):
        return NotFound()
    with visit.write() as db:
        attempt = _own(visit, db, attempt_id)
        if attempt is None:
            return NotFound()
        answers = _sent(visit, db, attempt, request) if attempt.is_open else {}
        a.save(visit, db, attempt.id, answers)
        if attempt.is_open and (submitting or attempt.is_over(visit.now())):
            a.close(visit, db, attempt)
        elif attempt.is_open:
            return Redirect("sit", {"saved": "1"})
    return Redirect("")


def review_own(visit: Visit, request: Request) -> Response:
    """Show a pupil their own attempt with the right answers, once these may be seen."""
    found = placed(visit)
    if found is None:
        return missing()
    activity, settings, _ = found
    mine = _mine(visit, activity)
    attempt = next((item for item in mine if item.id == request.args["attempt_id"]), None)
    if attempt is None:
        return NotFound()
    with visit.read() as db:
        if not a.may_see_key(settings, mine, a.released_at(db, visit.school_id, activity.id)):
            return Redirect("")
        return review_page(visit, db, attempt, visit.viewer.name)


def review_page(visit: Visit, db: Connection, attempt: a.Attempt, name: str) -> Page:
    """Show an attempt with its keys; the caller has checked who is looking."""
    questions = store.questions_of(db, visit.school_id, attempt.test_id)
    answers = a.answers_of(db, visit.school_id, attempt.id)
    values = {
        "attempt": attempt,
        "name": name,
        "questions": marked(visit, attempt, questions, answers),
        "percent": percent(attempt.score, attempt.score_maximum) if attempt.score is not None else "",
        "plain": plain,
        "moment": moment,
    }
    return Page("online_test/review.html", values)


def _own(visit: Visit, db: Connection, attempt_id: str) -> a.Attempt | None:
    """Return an attempt of this viewer at this activity, and of nobody else."""
    attempt = a.find_attempt(db, visit.school_id, attempt_id)
    here = visit.activity is not None and attempt is not None and attempt.activity_id == visit.activity.id
    return attempt if here and attempt is not None and attempt.account_id == visit.viewer.account_id else None


def _read(visit: Visit, db: Connection, attempt: a.Attempt, question_id: str, raw: Any) -> tuple[Answer, bool]:
    item = attempt.form.item(question_id)
    question = store.find_question(db, visit.school_id, question_id) if item else None
    if item is None or question is None:
        raise NotAnAnswer
    value = read_answer(question, item, raw)
    return value, is_odd_number(question, value)


def _sent(visit: Visit, db: Connection, attempt: a.Attempt, request: Request) -> Mapping[str, tuple[int, Answer]]:
    """Return the answers that came with a form: what the script had not sent yet, or every field that was changed."""
    raw = _pending(request) if request.value("script") else _changed(visit, db, attempt, request)
    answers: dict[str, tuple[int, Answer]] = {}
    for question_id, (seq, value) in raw.items():
        try:
            answers[question_id] = seq, _read(visit, db, attempt, question_id, value)[0]
        except NotAnAnswer:
            continue
    return answers


def _pending(request: Request) -> dict[str, tuple[int, Any]]:
    """Read ``[[question, seq, value], …]``, as the script's queue keeps it."""
    try:
        items = json.loads(request.value("pending") or "[]")
        return {
            question_id: (seq, value)
            for question_id, seq, value in items
            if _is_id(question_id) and type(seq) is int and 0 < seq < MAX_SEQ
        }
    except (TypeError, ValueError, RecursionError):
        return {}


def _changed(visit: Visit, db: Connection, attempt: a.Attempt, request: Request) -> dict[str, tuple[int, Any]]:
    """Return the fields that differ from what the page showed, so that an old window undoes nothing."""
    questions = store.questions_of(db, visit.school_id, attempt.test_id)
    seq = max(_milliseconds(visit.now()), a.newest_seq(db, visit.school_id, attempt.id) + 1)
    changed = {}
    for item in attempt.form.items:
        name = f"q-{item.question_id}"
        value = from_form(questions[item.question_id], name, request.form)
        if json.dumps(value, sort_keys=True, ensure_ascii=False) != request.value(f"was-{item.question_id}"):
            changed[item.question_id] = (seq, value)
    return changed


def _no(visit: Visit, reason: str, status: int, **more: object) -> Reply:
    return Reply({"saved": False, "message": visit.say(say(reason), visit.viewer.language), **more}, status)


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and is_id(value)


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
