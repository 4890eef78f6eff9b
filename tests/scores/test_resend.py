"""Sending again: what came to an end without its mark is tried anew, and nobody's mark is written over for it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from connector.db.database import Database
from sync.scores import view
from sync.scores.words import MEANINGS, Standing, Who, meaning
from tests.scores.kit import Course
from tests.support.lms import Rehearsal


def standings(course: Course) -> dict[str, tuple[str, str]]:
    return {line.account_id: (str(line.standing), line.reason) for line in course.lines()}


def test_unlocked_mark_is_sent_again_and_arrives(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.lms.lms.lock_grade(course.column_id, one)
    course.hand_in(one, "4")
    course.hand_in(two, "5")
    course.deliver()
    assert standings(course) == {course.accounts[one]: ("refused", "locked"), course.accounts[two]: ("delivered", "")}
    course.lms.lms.lock_grade(course.column_id, one, False)
    assert course.resend() == [course.results[one]]
    assert course.state(one) == "waiting"
    course.deliver()
    assert (course.mark(one), course.state(one)) == (4, "delivered")
    assert [(row.origin, row.state) for row in course.effects(one)] == [("score", "refused"), ("resend", "delivered")]
    assert course.effects(one)[1].stamp > course.effects(one)[0].stamp
    assert course.lms.count("POST", "/scores") == 3


def test_sending_again_fights_no_override_and_arrives_once_it_is_lifted(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.lms.lms.override_grade(course.column_id, sub, Decimal(7))
    course.hand_in(sub, "4")
    course.deliver()
    course.resend()
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (7, "kept_by_teacher")
    assert course.lms.count("POST", "/scores") == 0
    course.lms.lms.override_grade(course.column_id, sub, None)
    course.clock.ahead += timedelta(seconds=3)
    course.resend()
    course.deliver_fully()
    assert (course.mark(sub), course.state(sub)) == (4, "delivered")


def test_score_that_is_delivered_is_not_sent_again(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    assert course.resend() == []


def test_score_for_a_deleted_column_gets_a_new_one_when_a_person_asks(
    sqlite_database: Database, lms: Rehearsal
) -> None:
    course = Course.of(sqlite_database, lms, placed=False)
    (sub,) = lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    lms.delete_column(course.column_id)
    course.hand_in(sub, "5", finished_at=course.clock())
    course.deliver()
    assert standings(course) == {course.accounts[sub]: ("refused", "column_deleted")}
    course.resend()
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (5, "delivered")


def test_mark_above_the_maximum_is_said_to_be_cut(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "12")
    course.deliver()
    (line,) = course.lines()
    assert (line.standing, line.reason, line.given, line.seen) == ("delivered", "over_maximum", "12", "10")


def test_pupil_who_left_the_course_is_told_from_one_who_never_was_a_pupil(course: Course) -> None:
    (sub,), teacher = course.lms.pupils[:1], course.lms.staff[0]
    course.hand_in(sub, "4")
    course.hand_in(teacher, "4")
    course.deliver()
    leave(course, sub)
    course.hand_in(sub, "6", finished_at=course.clock())
    course.deliver()
    found = standings(course)
    assert found[course.accounts[sub]] == ("refused", "removed")
    assert found[course.accounts[teacher]] == ("refused", "not_gradable")


def leave(course: Course, sub: str) -> None:
    with course.lms.lms._parts.store.write() as connection:
        connection.execute("UPDATE enrolment SET role = 'teacher' WHERE person = ?", (int(sub),))


def test_activities_are_counted_and_those_that_need_somebody_come_first(course: Course) -> None:
    pupils = course.lms.pupils[:4]
    course.lms.lms.lock_grade(course.column_id, pupils[0])
    for sub in pupils:
        course.hand_in(sub, "5")
    course.hand_in(pupils[3], "5", progress="submitted")
    course.deliver()
    course.hand_in(pupils[1], "6")
    with course.database.school(course.school_id, write=False) as db:
        (found,) = view.activities(db, course.school_id)
    expected = {Standing.REFUSED: 1, Standing.WAITING: 1, Standing.DELIVERED: 1, Standing.NONE: 1}
    assert (found.counts, found.attention) == (expected, 1)


def test_new_score_does_not_wait_behind_one_without_an_answer(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "5")
    course.lms.lms.set_fault("error", path="/scores")
    course.deliver()
    course.lms.lms.set_fault("none")
    waits = course.job().run_after
    course.hand_in(two, "6")
    assert course.job().run_after < waits


@pytest.mark.parametrize("standing", list(Standing))
def test_every_state_has_words_for_a_reason_nobody_knows(standing: Standing) -> None:
    assert meaning(standing, "never_heard_of") is MEANINGS[standing][""]
    assert all(isinstance(one.who, Who) and one.sentence for one in MEANINGS[standing].values())
