from __future__ import annotations

import json

from sqlalchemy import select

from plugins.contract import Member, Page
from plugins.online_test import plugin
from plugins.online_test import tables as t
from plugins.testkit import TestRoom
from tests.plugins.online_test.kit import place, sit


def export(room: TestRoom, account_id: str) -> dict[str, object]:
    with room.read() as db:
        return dict(plugin.export_person(db, room.school_id, account_id))


def erase(room: TestRoom, account_id: str) -> int:
    with room.write() as db:
        return plugin.erase_person(db, room.school_id, account_id)


def everything(room: TestRoom) -> str:
    """Return all rows of all the plugin's tables as text."""
    tables = (t.upload, t.test, t.question, t.attempt, t.answer, t.release)
    with room.read() as db:
        return repr([db.execute(select(table)).all() for table in tables])


def test_the_export_tells_questions_own_answers_and_times_but_no_key(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, shuffle="yes"), pupil)
    sitting.answer_all()
    sitting.send("2 + 2", sitting.place_of("2 + 2", "5"), seq=2)
    room.advance(minutes=3)
    sitting.submit()
    told = export(room, pupil.account_id)
    assert json.loads(json.dumps(told)) == told
    (attempt,) = told["attempts"]  # type: ignore[misc]
    assert (attempt["score"], attempt["score_maximum"], attempt["state"]) == ("5", "6", "closed")
    assert attempt["started"] == "2026-11-23T04:00:00+00:00"
    assert attempt["submitted"] == "2026-11-23T04:03:00+00:00"
    assert {item["question"]: item["answer"] for item in attempt["answers"]} == {
        "2 + 2?": "5",
        "Even numbers?": ["2", "4"],
        "Zero is even.": "True",
        "Price of the ticket?": "1 822,8",
        "Capital of Kazakhstan?": "zq-ASTANA",
        "Match.": {"1": "one", "2": "two", "3": "three"},
    }
    assert "SECRET" not in json.dumps(told)


def test_the_export_of_a_teacher_tells_tests_and_files(room: TestRoom, teacher: Member):
    activity = place(room, release="teacher")
    room.visit(teacher, activity).post("release")
    told = export(room, teacher.account_id)
    assert [test["title"] for test in told["tests"]] == ["Algebra"]  # type: ignore[attr-defined]
    assert [upload["file"] for upload in told["uploads"]] == ["test.gift"]  # type: ignore[attr-defined]
    assert len(told["releases"]) == 1  # type: ignore[arg-type]


def test_erasing_leaves_scores_without_a_name_and_nothing_typed(room: TestRoom, pupil: Member, teacher: Member):
    activity = place(room)
    sitting = sit(room, activity, pupil)
    sitting.answer_all()
    sitting.submit()
    other = sit(room, activity, room.person("Бекзат"))
    other.send("Price", "777")
    assert erase(room, pupil.account_id) == 3
    kept = everything(room)
    assert pupil.account_id not in kept
    assert "1 822,8" not in kept
    assert "zq-ASTANA" not in kept
    assert "777" in kept
    assert export(room, pupil.account_id)["attempts"] == []
    with room.read() as db:
        (row,) = db.execute(select(t.attempt).where(t.attempt.c.erased.is_(True))).all()
        assert row.score == 6
    page = room.visit(teacher, activity).get()
    assert isinstance(page, Page)
    assert [r["name"] for r in page.values["rows"] if r["score"]] == []
    assert erase(room, pupil.account_id) == 0


def test_erasing_during_a_sitting_deletes_it_and_no_job_hands_it_in(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room), pupil)
    sitting.answer_all()
    erase(room, pupil.account_id)
    assert sitting.attempt not in everything(room)
    room.advance(hours=1)
    room.run_due_jobs()
    assert room.results == []


def test_erasing_a_teacher_keeps_the_tests_of_the_school(room: TestRoom, teacher: Member, pupil: Member):
    activity = place(room, release="teacher")
    room.visit(teacher, activity).post("release")
    assert erase(room, teacher.account_id) == 3
    assert teacher.account_id not in everything(room)
    assert sit(room, activity, pupil).views


def test_health_names_sittings_that_no_worker_closed(room: TestRoom, pupil: Member):
    with room.read() as db:
        assert plugin.health(db, room.school_id).ok
    room.advance(days=-400)
    sit(room, place(room, minutes="20"), pupil)
    with room.read() as db:
        health = plugin.health(db, room.school_id)
    assert not health.ok
    assert "not closed: 1" in str(health.message)
