from __future__ import annotations

import pytest

from plugins.contract import Member, NotFound, Page, Redirect, Role
from plugins.testkit import TestRoom
from tests.plugins.online_test.kit import place, sit


def test_the_list_tells_who_is_how_far_and_what_the_gradebook_has(room: TestRoom, teacher: Member, pupil: Member):
    activity = place(room)
    working = room.person("Бекзат Өтеген")
    room.person("Гүлнұр Іскақова")
    done = sit(room, activity, pupil)
    done.answer_all()
    done.submit()
    sit(room, activity, working)
    visit = room.visit(teacher, activity)
    page = visit.get()
    assert isinstance(page, Page)
    rows = {row["name"]: row for row in page.values["rows"]}
    assert rows[pupil.name]["score"] == "6 / 6"
    assert rows[pupil.name]["delivery"] == "on its way to the gradebook"
    assert rows[working.name]["state"] == "working, until 09:20"
    assert rows["Гүлнұр Іскақова"]["state"] == "not started"
    assert teacher.name not in rows
    assert "Finished: 1 of 3" in visit.html(page)


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        ("none", "not sent: this test has no grade column"),
        ("delivered", "in the gradebook"),
        ("kept_by_teacher", "the gradebook keeps the teacher&#39;s own mark"),
        ("refused", "the gradebook refused it"),
    ],
)
def test_delivery_is_told_in_words(room: TestRoom, teacher: Member, pupil: Member, delivery: str, words: str):
    from dataclasses import replace

    activity = place(room)
    sit(room, activity, pupil).submit()
    room.results = [replace(result, delivery=delivery) for result in room.results]
    for person in (teacher, pupil):
        visit = room.visit(person, activity)
        page = visit.get()
        assert isinstance(page, Page)
        assert words in visit.html(page)


def test_a_pupil_who_left_the_course_is_still_listed(room: TestRoom, teacher: Member, pupil: Member):
    activity = place(room)
    sit(room, activity, pupil).submit()
    room.people.remove(pupil)
    visit = room.visit(teacher, activity)
    page = visit.get()
    assert isinstance(page, Page)
    (row,) = page.values["rows"]
    assert row["name"] == "Not in the course any more"
    assert "0 / 6" in visit.html(page)


def test_a_teacher_reviews_any_attempt_with_its_key(room: TestRoom, teacher: Member, pupil: Member):
    sitting = sit(room, place(room, release="never"), pupil)
    sitting.answer_all()
    sitting.send("2 + 2", sitting.place_of("2 + 2", "3"), seq=2)
    visit = room.visit(teacher, sitting.visit.activity)
    page = visit.get(f"attempt/{sitting.attempt}")
    assert isinstance(page, Page)
    assert "still open" in visit.html(page)
    sitting.submit()
    page = visit.get(f"attempt/{sitting.attempt}")
    assert isinstance(page, Page)
    html = visit.html(page)
    assert pupil.name in html
    assert "SECRET-WRONG" in html
    assert [q.verdict for q in page.values["questions"]] == ["wrong", "right", "right", "right", "right", "right"]
    assert "5 / 6" in html


def test_an_attempt_of_another_activity_is_not_found(room: TestRoom, teacher: Member, pupil: Member):
    sitting = sit(room, place(room), pupil)
    assert room.visit(teacher, place(room)).get(f"attempt/{sitting.attempt}") == NotFound()
    assert room.visit(teacher, place(room)).get("attempt/nonsense") == NotFound()


def test_release_shows_the_key_to_those_who_submitted_and_lets_nobody_try_again(
    room: TestRoom, teacher: Member, pupil: Member
):
    activity = place(room, release="teacher", attempts="2")
    done = sit(room, activity, pupil)
    done.submit()
    working = sit(room, activity, room.person("Бекзат"))
    assert done.visit.get(f"attempt/{done.attempt}") == Redirect("")
    boss = room.visit(teacher, activity)
    assert "Release the right answers" in boss.html(boss.get())
    assert boss.post("release") == Redirect("list")
    assert boss.post("release") == Redirect("list")
    assert "were released 23.11.2026 09:00" in boss.html(boss.get("list"))
    assert "SECRET-RIGHT" not in done.visit.html(done.visit.get())
    page = done.visit.get(f"attempt/{done.attempt}")
    assert isinstance(page, Page)
    assert "Zq-Astana" in done.visit.html(page)
    assert done.visit.post("start") == Redirect("")
    assert working.visit.get(f"attempt/{working.attempt}") == Redirect("")
    assert working.send("Price", "5").value["saved"] is True
    absent = room.person("Гүлнұр")
    assert sit(room, activity, absent).views


@pytest.mark.parametrize("release", ["submitted", "never"])
def test_release_by_hand_is_for_tests_that_wait_for_it(room: TestRoom, teacher: Member, pupil: Member, release: str):
    activity = place(room, release=release, attempts="2")
    done = sit(room, activity, pupil)
    done.submit()
    boss = room.visit(teacher, activity)
    boss.post("release")
    assert done.visit.get(f"attempt/{done.attempt}") == Redirect("")


def test_the_preview_shows_the_sitting_page_and_keeps_nothing(room: TestRoom, teacher: Member):
    activity = place(room, shuffle="yes")
    visit = room.visit(teacher, activity)
    page = visit.get("preview")
    assert isinstance(page, Page)
    html = visit.html(page)
    assert "Nothing is saved" in html
    assert "2 + 2" in html
    assert "SECRET" not in html
    assert room.results == []
    overview = visit.get()
    assert isinstance(overview, Page)
    assert overview.values["rows"] == []


def test_submission_review_opens_that_pupils_best_attempt(room: TestRoom, teacher: Member, pupil: Member):
    activity = place(room, attempts="2")
    first = sit(room, activity, pupil)
    first.answer_all()
    first.submit()
    second = sit(room, activity, pupil)
    second.submit()
    visit = room.visit(teacher, activity, review_of=pupil.account_id)
    assert visit.get() == Redirect(f"attempt/{first.attempt}")
    assert isinstance(visit.get(f"attempt/{first.attempt}"), Page)
    assert isinstance(visit.get("list"), Page)


def test_submission_review_of_an_open_or_absent_attempt(room: TestRoom, teacher: Member, pupil: Member):
    activity = place(room)
    visit = room.visit(teacher, activity, review_of=pupil.account_id)
    page = visit.get()
    assert isinstance(page, Page)
    assert "has not started" in visit.html(page)
    sitting = sit(room, activity, pupil)
    assert visit.get() == Redirect(f"attempt/{sitting.attempt}")


def test_a_visitor_who_is_neither_is_told_so(room: TestRoom):
    visit = room.visit(room.person("Қонақ", Role.OTHER), place(room))
    page = visit.get()
    assert isinstance(page, Page)
    assert "for pupils" in visit.html(page)
