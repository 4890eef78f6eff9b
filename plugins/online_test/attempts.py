"""Attempts: started, answered and closed, each step once whatever the timing.

The rules that keep answers and scores whole:

- Opening is guarded by a unique index: one open attempt per pupil and activity.
- A save locks the attempt's row, looks at state and deadline under the lock, and lets the higher sequence win.
- Closing is one conditional UPDATE; who wins it scores and hands in inside the same transaction, so a button
  pressed twice, a second tab and the deadline's job together yield one outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from plugins.contract import Activity, Dates, Outcome, Progress, Room, new_id
from plugins.online_test import tables as t
from plugins.online_test.form import Form, draw, form_from_json, form_to_json
from plugins.online_test.model import Question
from plugins.online_test.numbers import plain
from plugins.online_test.scoring import Answer, share, total
from plugins.online_test.settings import GRACE, Release, Settings
from plugins.online_test.store import Test, questions_of

ALWAYS = Dates()
CLOSE_JOB = "close_attempt"


class Saved(StrEnum):
    """What became of an answer on its way in."""

    SAVED = "saved"
    STALE = "stale"
    LATE = "late"
    CLOSED = "closed"


@dataclass(frozen=True)
class Attempt:
    """One sitting of one pupil."""

    id: str
    activity_id: str
    account_id: str
    number: int
    test_id: str
    form: Form
    is_open: bool
    started_at: datetime
    deadline_at: datetime | None
    submitted_at: datetime | None
    closed_by: str | None
    score: Decimal | None
    score_maximum: Decimal

    def is_over(self, now: datetime) -> bool:
        """Tell whether the time has run out."""
        return self.deadline_at is not None and now > self.deadline_at


def attempts_of(db: Connection, school_id: str, activity_id: str, account_id: str) -> Sequence[Attempt]:
    """Return a pupil's attempts at an activity, first to last."""
    a = t.attempt.c
    mine = (a.school_id == school_id, a.activity_id == activity_id, a.account_id == account_id)
    return [_attempt(row) for row in db.execute(select(t.attempt).where(*mine).order_by(a.number))]


def attempts_in(db: Connection, school_id: str, activity_id: str) -> Sequence[Attempt]:
    """Return every attempt at an activity by people who were not erased."""
    a = t.attempt.c
    there = (a.school_id == school_id, a.activity_id == activity_id, a.erased.is_(False))
    return [_attempt(row) for row in db.execute(select(t.attempt).where(*there).order_by(a.account_id, a.number))]


def find_attempt(db: Connection, school_id: str, attempt_id: str, *, lock: bool = False) -> Attempt | None:
    """Return an attempt; ``lock`` holds its row until the transaction ends."""
    query = select(t.attempt).where(t.attempt.c.school_id == school_id, t.attempt.c.id == attempt_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _attempt(row)


def best_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt that counts: the best score, the earliest among equals."""
    closed = [attempt for attempt in attempts if attempt.score is not None]
    return max(closed, key=lambda attempt: (attempt.score or Decimal(0), -attempt.number), default=None)


def released_at(db: Connection, school_id: str, activity_id: str) -> datetime | None:
    """Return when the teacher showed the right answers."""
    r = t.release.c
    where = (r.school_id == school_id, r.activity_id == activity_id)
    return db.execute(select(r.released_at).where(*where)).scalar()


def release(room: Room, db: Connection, activity_id: str, account_id: str) -> None:
    """Show the right answers of an activity; a second time changes nothing."""
    if released_at(db, room.school_id, activity_id) is None:
        values = {"activity_id": activity_id, "released_by": account_id, "released_at": room.now()}
        _insert_once(db, insert(t.release).values(school_id=room.school_id, **values))


def may_start(settings: Settings, attempts: Sequence[Attempt], released: datetime | None) -> bool:
    """Tell whether a pupil may open one more attempt: some are left, and the answers were not shown yet."""
    if any(attempt.is_open for attempt in attempts) or len(attempts) >= settings.attempts:
        return False
    return not (attempts and settings.release is Release.TEACHER and released is not None)


def may_see_key(settings: Settings, attempts: Sequence[Attempt], released: datetime | None) -> bool:
    """Tell whether a pupil may see the right answers: never while an attempt is open or may still be opened."""
    if not attempts or any(attempt.is_open for attempt in attempts):
        return False
    if settings.release is Release.SUBMITTED:
        return len(attempts) >= settings.attempts
    return settings.release is Release.TEACHER and released is not None


def start(
    room: Room, activity: Activity, settings: Settings, test: Test, account_id: str, dates: Dates = ALWAYS
) -> bool:
    """Open an attempt unless one is open already; return whether one is open now.

    Outside the dates the LMS set none is opened, and one that is open ends with them.
    """
    with room.write() as db:
        close_overdue(room, db, attempts_of(db, room.school_id, activity.id, account_id))
        attempts = attempts_of(db, room.school_id, activity.id, account_id)
        if any(attempt.is_open for attempt in attempts):
            return True
        released = released_at(db, room.school_id, activity.id)
        if not may_start(settings, attempts, released) or not dates.may_work(room.now()):
            return False
        _open(room, db, activity, settings, test, account_id, len(attempts) + 1, dates.ends_at)
    return True


def _open(
    room: Room, db: Connection, activity: Activity, settings: Settings, test: Test, account_id: str, number: int,
    ends_at: datetime | None,
) -> None:  # fmt: skip
    now, attempt_id = room.now(), new_id()
    questions = questions_of(db, room.school_id, test.id)
    limit = now + timedelta(minutes=settings.minutes) if settings.minutes else None
    deadline = min((moment for moment in (limit, ends_at) if moment is not None), default=None)
    values = {
        "id": attempt_id,
        "activity_id": activity.id,
        "account_id": account_id,
        "number": number,
        "test_id": test.id,
        "form": form_to_json(draw(list(questions.items()), settings.shuffle)),
        "state": "open",
        "started_at": now,
        "deadline_at": deadline,
        "score_maximum": test.points,
        "erased": False,
    }
    opened = _insert_once(db, insert(t.attempt).values(school_id=room.school_id, **values))
    if opened and deadline is not None:
        room.schedule(db, CLOSE_JOB, f"close:{attempt_id}", {"attempt": attempt_id}, deadline + GRACE)


def answers_of(db: Connection, school_id: str, attempt_id: str) -> dict[str, Answer]:
    """Return the kept answers of an attempt by question."""
    a = t.answer.c
    rows = db.execute(select(a.question_id, a.value).where(a.school_id == school_id, a.attempt_id == attempt_id))
    return {row.question_id: row.value for row in rows}


def newest_seq(db: Connection, school_id: str, attempt_id: str, question_id: str = "") -> int:
    """Return the highest sequence number kept in an attempt, or for one of its questions; 0 for none."""
    a = t.answer.c
    query = select(func.max(a.seq)).where(a.school_id == school_id, a.attempt_id == attempt_id)
    return db.execute(query.where(a.question_id == question_id) if question_id else query).scalar() or 0


def save(room: Room, db: Connection, attempt_id: str, answers: Mapping[str, tuple[int, Answer]]) -> Mapping[str, Saved]:
    """Keep answers, each under its sequence number: the higher number wins, whichever arrives last.

    Args:
        room: Where.
        db: A writing transaction.
        attempt_id: Of an attempt whose owner was checked.
        answers: Sequence number and kept form of the answer, by question of this attempt.
    """
    attempt = find_attempt(db, room.school_id, attempt_id, lock=True)
    if attempt is None or not attempt.is_open:
        return dict.fromkeys(answers, Saved.CLOSED)
    if attempt.is_over(room.now()):
        return dict.fromkeys(answers, Saved.LATE)
    return {
        question_id: Saved.SAVED if _keep(room, db, attempt_id, question_id, seq, value) else Saved.STALE
        for question_id, (seq, value) in answers.items()
    }


def _keep(room: Room, db: Connection, attempt_id: str, question_id: str, seq: int, value: Answer) -> bool:
    a = t.answer.c
    there = (a.school_id == room.school_id, a.attempt_id == attempt_id, a.question_id == question_id)
    kept: int | None = db.execute(select(a.seq).where(*there)).scalar()
    values = {"seq": seq, "value": value, "saved_at": room.now()}
    if kept is None:
        keys = {"school_id": room.school_id, "attempt_id": attempt_id, "question_id": question_id}
        db.execute(insert(t.answer).values(keys | values))
        return True
    if kept < seq:
        db.execute(update(t.answer).where(*there).values(values))
    # The same packet sent again is saved already.
    return kept <= seq


def close(room: Room, db: Connection, attempt: Attempt) -> bool:
    """Close an attempt, score it and hand the result in; return whether this call was the one that closed it.

    After the deadline the work counts as finished at the deadline.
    """
    now = room.now()
    over = attempt.is_over(now)
    at = attempt.deadline_at if over and attempt.deadline_at is not None else now
    here = (t.attempt.c.school_id == room.school_id, t.attempt.c.id == attempt.id)
    closing = update(t.attempt).where(*here, t.attempt.c.state == "open")
    values = {"state": "closed", "submitted_at": at, "closed_by": "deadline" if over else "pupil"}
    if db.execute(closing.values(values)).rowcount != 1:
        return False
    questions = questions_of(db, room.school_id, attempt.test_id)
    answers = answers_of(db, room.school_id, attempt.id)
    pairs = [(questions[item.question_id], answers.get(item.question_id)) for item in attempt.form.items]
    score = total(pairs)
    before = best_of(attempts_of(db, room.school_id, attempt.activity_id, attempt.account_id))
    db.execute(update(t.attempt).where(*here).values(score=score))
    activity = room.activity_of(db, attempt.activity_id)
    if activity is not None and (before is None or score > (before.score or Decimal(0))):
        outcome = _outcome(score, attempt.score_maximum, at, pairs)
        room.hand_in(db, activity.id, attempt.account_id, outcome)
    return True


def close_overdue(room: Room, db: Connection, attempts: Sequence[Attempt]) -> int:
    """Close those of the attempts whose time has run out; return how many this call closed."""
    now = room.now()
    return sum(close(room, db, attempt) for attempt in attempts if attempt.is_open and attempt.is_over(now))


def close_job(room: Room, payload: Mapping[str, str]) -> None:
    """Close an attempt at its deadline, with nobody there."""
    with room.write() as db:
        attempt = find_attempt(db, room.school_id, payload["attempt"])
        if attempt is None or not attempt.is_open:
            return
        if attempt.is_over(room.now()):
            close(room, db, attempt)
        elif attempt.deadline_at is not None:
            # Another machine's clock rang early: ring again, under a key that was not used.
            later = attempt.deadline_at + GRACE
            room.schedule(db, CLOSE_JOB, f"close:{attempt.id}:{room.now():%Y%m%d%H%M%S%f}", payload, later)


def _outcome(score: Decimal, maximum: Decimal, at: datetime, pairs: Sequence[tuple[Question, Answer]]) -> Outcome:
    right = sum(1 for question, answer in pairs if share(question, answer) == 1)
    summary = f"{plain(score)} / {plain(maximum)}"
    evidence = {"kind": "test", "summary": summary, "questions": len(pairs), "right": right}
    return Outcome(Progress.GRADED, score, maximum, at, evidence=evidence)


def _insert_once(db: Connection, statement: object) -> bool:
    """Insert in a savepoint; False when another transaction was first."""
    try:
        with db.begin_nested():
            db.execute(statement)  # type: ignore[call-overload]
    except IntegrityError:
        return False
    return True


def _attempt(row: Row[tuple[object, ...]]) -> Attempt:
    return Attempt(
        row.id,
        row.activity_id,
        row.account_id,
        row.number,
        row.test_id,
        form_from_json(row.form),
        row.state == "open",
        row.started_at,
        row.deadline_at,
        row.submitted_at,
        row.closed_by,
        row.score,
        row.score_maximum,
    )
