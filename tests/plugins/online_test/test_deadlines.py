from __future__ import annotations

from datetime import timedelta

import pytest

from plugins.contract import Member, Page, Redirect
from plugins.online_test.attempts import close_job
from plugins.testkit import TestRoom
from tests.plugins.online_test.kit import Sitting, place, sit


@pytest.fixture
def sitting(room: TestRoom, pupil: Member) -> Sitting:
    found = sit(room, place(room, minutes="20"), pupil)
    found.answer_all()
    return found


def test_an_answer_at_the_last_second_is_taken(room: TestRoom, sitting: Sitting):
    room.advance(minutes=20)
    assert sitting.send("Price", "0", seq=2).value["saved"] is True


def test_a_late_answer_is_refused_with_the_reason_and_closes_the_attempt(room: TestRoom, sitting: Sitting):
    deadline = room.time + timedelta(minutes=20)
    room.advance(minutes=20, seconds=1)
    reply = sitting.send("Price", "0", seq=2)
    assert (reply.status, reply.value["saved"], reply.value["state"]) == (409, False, "late")
    assert reply.value["message"] == "Not saved: the time is over."
    (result,) = room.results
    assert (result.score_given, result.finished_at) == (6, deadline)


def test_the_job_closes_at_the_deadline_with_nobody_there(room: TestRoom, sitting: Sitting):
    (job,) = [job for job in room.scheduled if job.kind == "close_attempt"]
    assert job.payload == {"attempt": sitting.attempt}
    assert job.run_after == room.time + timedelta(minutes=20, seconds=10)
    room.advance(minutes=20, seconds=9)
    room.run_due_jobs()
    assert room.results == []
    room.advance(seconds=1)
    assert room.run_due_jobs() == 1
    assert [r.score_given for r in room.results] == [6]
    page = sitting.visit.html(sitting.visit.get())
    assert "The time ran out at 23.11.2026 09:20" in page


def test_the_job_run_twice_hands_in_once(room: TestRoom, sitting: Sitting):
    room.advance(minutes=21)
    close_job(room, {"attempt": sitting.attempt})
    first = list(room.results)
    room.advance(minutes=1)
    close_job(room, {"attempt": sitting.attempt})
    assert room.results == first


def test_the_job_after_a_submit_does_nothing(room: TestRoom, sitting: Sitting):
    sitting.submit()
    first = list(room.results)
    room.advance(minutes=30)
    room.run_due_jobs()
    assert room.results == first
    assert "Submitted" in sitting.visit.html(sitting.visit.get())


def test_a_job_that_rings_early_closes_nothing_and_rings_again(room: TestRoom, sitting: Sitting):
    close_job(room, {"attempt": sitting.attempt})
    assert room.results == []
    again = [job for job in room.scheduled if job.kind == "close_attempt"]
    assert len(again) == 2
    room.advance(minutes=21)
    room.run_due_jobs()
    assert len(room.results) == 1


def test_a_job_for_an_attempt_that_is_gone_does_nothing(room: TestRoom, sitting: Sitting):
    close_job(room, {"attempt": "0" * 32})
    assert room.results == []


@pytest.mark.parametrize("path", ["", "sit"])
def test_a_page_opened_after_the_deadline_closes_the_attempt(room: TestRoom, sitting: Sitting, path: str):
    room.advance(hours=5)
    answer = sitting.visit.get(path)
    assert isinstance(answer, Page) if path == "" else answer == Redirect("")
    assert [r.score_given for r in room.results] == [6]


def test_the_teachers_list_closes_what_is_overdue(room: TestRoom, sitting: Sitting, teacher: Member):
    room.advance(minutes=21)
    visit = room.visit(teacher, sitting.visit.activity)
    assert "time ran out" in visit.html(visit.get())
    assert [r.score_given for r in room.results] == [6]


def test_a_late_submit_counts_what_was_saved_in_time_and_nothing_more(room: TestRoom, sitting: Sitting):
    deadline = room.time + timedelta(minutes=20)
    room.advance(minutes=20, seconds=3)
    pending = f'[["{sitting.view("Price").id}", 99, "0"]]'
    assert sitting.submit(pending=pending) == Redirect("")
    (result,) = room.results
    assert (result.score_given, result.finished_at) == (6, deadline)


def test_starting_after_the_deadline_of_an_open_attempt_opens_the_next(room: TestRoom, pupil: Member):
    activity = place(room, attempts="2")
    first = sit(room, activity, pupil)
    first.answer_all()
    room.advance(minutes=21)
    second = sit(room, activity, pupil)
    assert second.attempt != first.attempt
    assert [r.score_given for r in room.results] == [6]


def test_without_a_limit_nothing_closes_by_itself(room: TestRoom, pupil: Member):
    sitting = sit(room, place(room, minutes="0"), pupil)
    assert not [job for job in room.scheduled if job.kind == "close_attempt"]
    room.advance(days=3)
    assert sitting.send("Price", "5").value["saved"] is True
    page = sitting.visit.get("sit")
    assert isinstance(page, Page)
    assert page.values["seconds_left"] == ""


def test_the_page_counts_by_the_servers_clock(room: TestRoom, sitting: Sitting):
    room.advance(minutes=19, seconds=30)
    page = sitting.visit.get("sit")
    assert isinstance(page, Page)
    assert page.values["seconds_left"] == "30"
    assert "until 09:20" in sitting.visit.html(page)


def test_sequence_numbers_of_a_newer_page_are_higher_whatever_the_device(room: TestRoom, sitting: Sitting):
    first = sitting.visit.get("sit")
    room.advance(seconds=1)
    second = sitting.visit.get("sit")
    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert int(second.values["seq"]) == int(first.values["seq"]) + 1000
    sitting.send("Price", "1", seq=10**15)
    third = sitting.visit.get("sit")
    assert isinstance(third, Page)
    assert int(third.values["seq"]) == 10**15
