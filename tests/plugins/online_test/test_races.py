"""Two tabs, a double click and a ringing job at once: on SQLite and on PostgreSQL as the application's role."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from connector.base.ids import new_id
from connector.db.database import Database
from connector.db.tables.registry import school
from plugins.contract import Outcome, Role
from plugins.online_test import plugin
from plugins.online_test import tables as t
from plugins.online_test.attempts import close, close_job, find_attempt
from plugins.testkit import TestRoom
from tests.plugins.online_test.kit import look, place, sit


@dataclass
class CountingRoom(TestRoom):
    """A room that remembers every outcome it was handed."""

    handed: list[Outcome] = field(default_factory=list)

    def hand_in(self, db: Connection, activity_id: str, account_id: str, outcome: Outcome) -> None:
        self.handed.append(outcome)
        super().hand_in(db, activity_id, account_id, outcome)


@pytest.fixture
def busy(database: Database) -> CountingRoom:
    room = CountingRoom(database, plugin, new_id())
    with database.service() as db:
        values = {"id": room.school_id, "code": "race", "name": "Race", "sealed_key": "", "created_at": room.time}
        db.execute(school.insert().values(values))
    room.person("Сәуле", Role.TEACHER)
    return room


def together(*moves: Callable[[], Any]) -> list[Any]:
    """Run moves at one moment, each in a thread of its own."""
    barrier = Barrier(len(moves))

    def run(move: Callable[[], Any]) -> Any:
        barrier.wait()
        return move()

    with ThreadPoolExecutor(len(moves)) as pool:
        return list(pool.map(run, moves))


def test_a_button_pressed_many_times_hands_in_once(busy: CountingRoom):
    sitting = sit(busy, place(busy), busy.person("Айгүл"))
    sitting.answer_all()
    together(*[sitting.submit] * 8)
    assert [outcome.score_given for outcome in busy.handed] == [6]


def test_who_comes_second_closes_nothing_and_moves_no_time(busy: CountingRoom):
    sitting = sit(busy, place(busy, minutes="20"), busy.person("Айгүл"))
    with busy.read() as db:
        seen_open = find_attempt(db, busy.school_id, sitting.attempt)
    assert seen_open is not None
    sitting.submit()
    busy.advance(minutes=30)
    with busy.write() as db:
        assert close(busy, db, seen_open) is False
        kept = find_attempt(db, busy.school_id, sitting.attempt)
    assert kept is not None
    assert (kept.closed_by, kept.submitted_at) == ("pupil", seen_open.started_at)


def test_the_deadlines_job_and_the_pupil_at_once_hand_in_once(busy: CountingRoom):
    activity = place(busy, minutes="20")
    for index in range(5):
        busy.handed.clear()
        sitting = sit(busy, activity, busy.person(f"P{index}"))
        sitting.answer_all()
        busy.advance(minutes=20, seconds=10)

        def ring(attempt: str = sitting.attempt) -> None:
            close_job(busy, {"attempt": attempt})

        together(sitting.submit, ring, sitting.visit.get, ring, lambda at=sitting: at.send("Price", "0", 9))
        assert [outcome.score_given for outcome in busy.handed] == [6]


def test_two_tabs_that_start_at_once_open_one_attempt(busy: CountingRoom):
    activity = place(busy, attempts="3", minutes="20")
    pupil = busy.person("Айгүл")
    visits = [busy.visit(pupil, activity) for _ in range(8)]
    together(*[lambda v=v: v.post("start") for v in visits])
    with busy.read() as db:
        counted = select(func.count()).select_from(t.attempt).where(t.attempt.c.school_id == busy.school_id)
        assert db.execute(counted).scalar() == 1
    assert len([job for job in busy.scheduled if job.kind == "close_attempt"]) == 1


def test_answers_from_two_tabs_at_once_keep_the_highest_sequence(busy: CountingRoom):
    sitting = sit(busy, place(busy), busy.person("Айгүл"))
    moves = [lambda n=n: sitting.send("Price", str(n), seq=n) for n in range(1, 17)]
    together(*moves)
    assert look(sitting.visit).view("Price").typed == "16"


def test_what_was_said_to_be_saved_is_scored(busy: CountingRoom):
    activity = place(busy)
    for index in range(5):
        busy.handed.clear()
        sitting = sit(busy, activity, busy.person(f"P{index}"))
        reply, _ = together(lambda at=sitting: at.send("Zero", "0"), sitting.submit)
        assert [outcome.score_given for outcome in busy.handed] == [1 if reply.value["saved"] else 0]


def test_a_report_confirmed_twice_makes_one_test(busy: CountingRoom):
    from plugins.contract import Upload

    visit = busy.visit(busy.people[0])
    sent = visit.post("pick/upload", files={"file": Upload("a.gift", b"a {T}")})
    answers = together(*[lambda: visit.post(f"{sent.path}/take", {"title": "A"})] * 6)  # type: ignore[union-attr]
    assert len({answer.path for answer in answers}) == 1
    with busy.read() as db:
        assert db.execute(select(func.count()).select_from(t.test)).scalar() == 1


def test_a_failed_hand_in_leaves_the_attempt_open(busy: CountingRoom, monkeypatch: pytest.MonkeyPatch):
    sitting = sit(busy, place(busy, minutes="20"), busy.person("Айгүл"))
    sitting.answer_all()

    def fail(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(busy, "hand_in", fail)
    with pytest.raises(LookupError):
        sitting.submit()
    monkeypatch.undo()
    assert look(sitting.visit).attempt == sitting.attempt
    busy.advance(minutes=20, seconds=10)
    busy.run_due_jobs()
    assert [outcome.score_given for outcome in busy.handed] == [6]
    assert busy.handed[0].finished_at == busy.time - timedelta(seconds=10)
