"""Delivery to an LMS with Moodle's ways, over real HTTP: delivered means read back, and no mark is fought over."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.db.database import Database
from sync.twins.moodle import Quirks
from sync.twins.moodle.gradebook import Score
from tests.scores.kit import Course
from tests.support import factories as make
from tests.support.lms import Rehearsal, rehearsal


def test_scores_of_a_class_arrive_with_one_read_before_and_one_after(course: Course) -> None:
    pupils = course.lms.pupils[:12]
    for number, sub in enumerate(pupils):
        course.hand_in(sub, str(number % 10 + 1))
    assert course.state(pupils[0]) == "waiting"
    assert course.deliver().state == "done"
    assert course.lms.marks() == {sub: Decimal(number % 10 + 1) for number, sub in enumerate(pupils)}
    assert {course.state(sub) for sub in pupils} == {"delivered"}
    assert course.lms.count("POST", "/scores") == 12
    assert course.lms.count("GET", "/results") == 2
    assert course.lms.count("POST", "/token.php") <= 3


def test_score_is_rescaled_to_the_column_and_known_again(sqlite_database: Database, lms: Rehearsal) -> None:
    course = Course.of(sqlite_database, lms, maximum="7", column=40)
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "1", maximum="3")
    course.hand_in(two, "6.5", maximum="7")
    course.deliver()
    assert course.mark(one) == Decimal("13.33333")
    assert course.mark(two) == Decimal("37.14286")
    assert course.state(one) == course.state(two) == "delivered"


def test_score_above_the_maximum_is_cut_by_the_lms_and_still_delivered(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "12")
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (10, "delivered")


@pytest.mark.parametrize("shown", [False, True])
def test_zero_is_delivered_whether_the_lms_shows_it_or_not(
    sqlite_database: Database, tmp_path: Path, shown: bool
) -> None:
    with rehearsal(tmp_path, Quirks(zero_in_results=shown)) as lms:
        course = Course.of(sqlite_database, lms)
        (sub,) = lms.pupils[:1]
        course.hand_in(sub, "0")
        course.deliver()
        assert (course.mark(sub), course.state(sub)) == (0, "delivered")
        assert course.reason(sub) == ("" if shown else "zero_not_shown")
        course.hand_in(sub, "6")
        course.deliver()
        assert (course.mark(sub), course.state(sub)) == (6, "delivered")


def test_better_attempt_within_the_same_second_gets_through(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    moment = course.clock() - timedelta(seconds=30)
    for score in ("4", "7", "9"):
        course.hand_in(sub, score, finished_at=moment)
        assert course.deliver().state == "done"
    assert (course.mark(sub), course.state(sub)) == (9, "delivered")
    assert [row.state for row in course.effects(sub)] == ["delivered"] * 3
    assert len({row.stamp for row in course.effects(sub)}) == 3


def test_results_that_wait_together_are_one_job_and_one_score(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    for score in ("4", "7", "9"):
        course.hand_in(sub, score)
    course.deliver()
    assert course.mark(sub) == 9
    assert course.lms.count("POST", "/scores") == 1
    assert course.job().attempts == 1


def test_nothing_is_sent_when_nothing_waits(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    asked = len(course.lms.site.asked)
    course.ask(sub)
    assert course.deliver().state == "done"
    assert len(course.lms.site.asked) == asked


def test_teachers_override_is_kept_and_said_and_never_fought(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    course.lms.lms.override_grade(course.column_id, sub, Decimal(7))
    for score in ("9", "10"):
        course.hand_in(sub, score, finished_at=course.clock())
        assert course.deliver().state == "done"
        assert (course.mark(sub), course.state(sub)) == (7, "kept_by_teacher")
    assert course.lms.count("POST", "/scores") == 1


def age(course: Course, sub: str) -> None:
    with course.lms.lms._parts.store.write() as connection:
        sql = "UPDATE grade SET modified = modified - 3600 WHERE item = ? AND person = ?"
        connection.execute(sql, (int(course.column_id), int(sub)))


def test_override_made_while_the_score_is_under_way_is_kept(course: Course) -> None:
    """The read before saw nothing; the LMS says 200 and keeps the teacher's mark all the same."""
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")

    def override(step: str) -> None:
        if step == "score.posting":
            # An hour ago, by the LMS's clock, so that only the override and not the time stands in the way.
            course.lms.lms.override_grade(course.column_id, sub, Decimal(7))
            age(course, sub)

    course.deliver(step=override)
    assert (course.mark(sub), course.state(sub)) == (7, "kept_by_teacher")
    assert course.effects(sub)[0].reason == "kept_by_teacher"


def test_mark_a_teacher_gave_before_the_first_score_is_not_written_over(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.lms.lms.override_grade(course.column_id, sub, Decimal(7))
    course.hand_in(sub, "4")
    assert course.deliver().state == "done"
    assert (course.mark(sub), course.state(sub)) == (7, "kept_by_teacher")
    assert course.lms.count("POST", "/scores") == 0


def test_mark_that_is_there_already_is_not_sent_again(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.lms.lms.override_grade(course.column_id, sub, Decimal(4))
    course.hand_in(sub, "4")
    course.deliver()
    assert course.state(sub) == "delivered"
    assert course.effects(sub)[0].state == "already"


def test_cleared_or_zeroed_mark_is_not_filled_again_where_zeros_are_hidden(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    course.lms.lms.override_grade(course.column_id, sub, Decimal(0))
    course.hand_in(sub, "9", finished_at=course.clock())
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (0, "kept_by_teacher")
    assert course.reason(sub) == "cleared_or_zero"


def test_score_taken_back_clears_our_own_mark_only(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "4")
    course.deliver()
    course.hand_in(one, None)
    course.hand_in(two, None)
    course.lms.lms.override_grade(course.column_id, two, Decimal(6))
    assert course.deliver().state == "done"
    assert (course.mark(one), course.mark(two)) == (None, 6)
    assert (course.state(one), course.state(two)) == ("none", "none")
    course.hand_in(one, "5")
    course.deliver_fully()
    assert (course.mark(one), course.state(one)) == (5, "delivered")


def test_person_the_lms_does_not_grade_is_refused_and_the_rest_arrives(course: Course) -> None:
    teacher, (sub,) = course.lms.staff[0], course.lms.pupils[:1]
    course.hand_in(teacher, "4")
    course.hand_in(sub, "5")
    assert course.deliver().state == "done"
    assert (course.state(teacher), course.reason(teacher)) == ("refused", "not_gradable")
    assert (course.state(sub), course.mark(sub)) == ("delivered", 5)


def test_locked_mark_is_refused_and_the_rest_arrives(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.lms.lms.lock_grade(course.column_id, one)
    course.hand_in(one, "4")
    course.hand_in(two, "5")
    assert course.deliver().state == "done"
    assert (course.state(one), course.reason(one)) == ("refused", "locked")
    assert course.mark(two) == 5


@pytest.mark.parametrize(
    ("role", "roles"),
    [
        ("teacher", ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"]),
        ("pupil", ["http://purl.imsglobal.org/vocab/lti/system/person#TestUser"]),
    ],
)
def test_scores_of_teachers_and_test_users_are_not_sent(course: Course, role: str, roles: list[str]) -> None:
    one, two = course.lms.pupils[:2]
    for sub, (who, what) in {one: (role, roles), two: ("pupil", [])}.items():
        make.make_launch(course.database, course.school_id, account_id=course.account(sub), role=who, roles=what)
        course.hand_in(sub, "5")
    assert course.deliver().state == "done"
    assert (course.mark(one), course.state(one)) == (None, "none")
    assert (course.mark(two), course.state(two)) == (5, "delivered")


def test_work_that_is_not_graded_yet_is_not_sent(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "5", progress="submitted")
    course.hand_in(two, "6")
    course.deliver()
    assert (course.mark(one), course.state(one)) == (None, "none")
    assert course.mark(two) == 6


def test_column_is_made_once_when_the_link_has_none(sqlite_database: Database, lms: Rehearsal) -> None:
    course = Course.of(sqlite_database, lms, placed=False)
    one, two = lms.pupils[:2]
    course.hand_in(one, "5")
    course.deliver()
    course.hand_in(two, "6")
    course.deliver()
    (column,) = lms.columns()
    assert (column.item.resource_id, column.item.maximum) == (course.activity_id, 10)
    assert lms.marks() == {one: 5, two: 6}
    assert lms.count("POST", "/lineitems") == 1


def test_column_made_by_a_call_whose_answer_was_lost_is_found_and_not_made_twice(
    sqlite_database: Database, lms: Rehearsal
) -> None:
    course = Course.of(sqlite_database, lms, placed=False)
    (sub,) = lms.pupils[:1]
    course.hand_in(sub, "5")

    def lose(step: str) -> None:
        if step == "column.looked":
            lms.lms.set_fault("drop", times=1, path="/lineitems")

    assert course.deliver(step=lose).state == "ready"
    course.deliver_fully()
    assert lms.marks() == {sub: 5}


def test_answers_lost_after_the_lms_stored_the_scores_double_nothing(course: Course) -> None:
    pupils = course.lms.pupils[:6]
    for number, sub in enumerate(pupils):
        course.hand_in(sub, str(number))
    course.lms.lms.set_fault("drop", times=3, path="/scores")
    course.deliver_fully()
    assert course.lms.marks() == {sub: Decimal(number) for number, sub in enumerate(pupils)}
    assert {course.state(sub) for sub in pupils} == {"delivered"}
    assert {len(course.effects(sub)) for sub in pupils} == {1}


@pytest.mark.parametrize("fault", ["maintenance", "error"])
@pytest.mark.parametrize("path", ["/scores", "/results", "/token.php", ""])
def test_lms_that_fails_for_a_while_gets_every_score_afterwards(course: Course, fault: str, path: str) -> None:
    pupils = course.lms.pupils[:5]
    for number, sub in enumerate(pupils):
        course.hand_in(sub, str(number))
    course.lms.lms.set_fault(fault, path=path)
    row = course.deliver()
    assert row.state == "ready"
    assert {course.state(sub) for sub in pupils} == {"waiting"}
    course.clock.ahead += timedelta(minutes=1)
    course.deliver()
    course.lms.lms.set_fault("none")
    course.deliver_fully()
    assert course.lms.marks() == {sub: Decimal(number) for number, sub in enumerate(pupils)}
    assert {course.state(sub) for sub in pupils} == {"delivered"}


def test_one_score_without_an_answer_holds_up_no_other(course: Course) -> None:
    pupils = course.lms.pupils[:5]
    for sub in pupils:
        course.hand_in(sub, "5")
    course.lms.lms.set_fault("error", times=2, path="/scores")
    course.deliver_fully()
    assert set(course.lms.marks().values()) == {5}


def test_scores_stop_at_once_when_the_lms_is_in_maintenance(course: Course) -> None:
    for sub in course.lms.pupils[:20]:
        course.hand_in(sub, "5")
    course.lms.lms.set_fault("maintenance", path="/scores")
    course.deliver()
    assert course.lms.count("POST", "/scores") <= 8


def test_deleted_column_waits_for_a_person_and_is_not_made_again(course: Course) -> None:
    one, two = course.lms.pupils[:2]
    course.hand_in(one, "5")
    course.deliver()
    course.lms.delete_column(course.column_id)
    course.hand_in(two, "6")
    row = course.deliver()
    assert (row.state, row.last_reason) == ("done", "column_deleted")
    assert course.state(two) == "refused"
    assert course.lms.columns() == []


def test_scores_go_to_the_column_the_next_launch_names(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    course.lms.delete_column(course.column_id)
    course.deliver()
    with course.database.school(course.school_id) as db:
        url = course.lms.place(course.activity_id)
        db.exec_driver_sql("UPDATE resource_link SET line_item_url = ?", (url,))
    course.ask(sub)
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (5, "delivered")


def test_column_deleted_between_read_and_post_loses_nothing_when_another_exists(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    first = course.column_id
    done: list[bool] = []

    def move(step: str) -> None:
        if step == "score.posting" and not done:
            done.append(True)
            course.lms.add_column(course.activity_id)
            course.lms.delete_column(first)

    course.deliver(step=move)
    course.deliver_fully()
    assert (course.mark(sub), course.state(sub)) == (5, "delivered")


def test_column_of_another_link_is_not_taken_for_a_deleted_one(course: Course) -> None:
    """A duplicate within the course brings a column under the same id; it is another activity's."""
    (sub,) = course.lms.pupils[:1]
    first = course.column_id
    course.lms.place(course.activity_id)
    course.lms.delete_column(first)
    course.hand_in(sub, "5")
    course.deliver_fully()
    assert course.state(sub) == "refused"
    (other,) = course.lms.columns()
    assert other.marks() == {}


def test_course_without_a_gradebook_service_keeps_its_scores(sqlite_database: Database, lms: Rehearsal) -> None:
    course = Course.of(sqlite_database, lms, placed=False)
    with sqlite_database.school(course.school_id) as db:
        db.exec_driver_sql("UPDATE context SET line_items_url = NULL")
    (sub,) = lms.pupils[:1]
    course.hand_in(sub, "5")
    row = course.deliver()
    assert (row.state, row.last_reason, course.state(sub)) == ("done", "no_gradebook", "refused")


def test_scores_the_tool_may_not_write_are_a_dead_letter_and_arrive_once_it_may(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    store = course.lms.lms._parts.store
    with store.write() as connection:
        (scopes,) = connection.execute("SELECT scopes FROM tool").fetchone()
        connection.execute("UPDATE tool SET scopes = '[]'")
    assert course.deliver().state == "dead"
    assert course.state(sub) == "refused"
    (line,) = course.lines()
    assert (line.standing, line.reason, line.needs_person) == ("stopped", "token_invalid_scope", True)
    with store.write() as connection:
        connection.execute("UPDATE tool SET scopes = ?", (scopes,))
    assert course.resend() == [course.results[sub]]
    assert course.state(sub) == "waiting"
    assert course.deliver().state == "done"
    assert (course.mark(sub), course.state(sub)) == (5, "delivered")


def test_newer_score_takes_the_place_of_one_that_never_arrived(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    course.lms.lms.set_fault("error", path="/scores")
    course.deliver()
    course.hand_in(sub, "8", finished_at=course.clock())
    course.lms.lms.set_fault("none")
    course.clock.ahead += timedelta(minutes=1)
    course.deliver_fully()
    assert course.mark(sub) == 8
    assert [row.state for row in course.effects(sub)] == ["superseded", "delivered"]


class Died(Exception):
    """Stands for the death of a worker at a step."""


def die_at(wanted: str):
    def step(name: str) -> None:
        if name == wanted:
            raise Died

    return step


@pytest.mark.parametrize("first", ["0", "5"])
def test_newer_score_follows_one_that_arrived_though_its_worker_died(course: Course, first: str) -> None:
    """Our own zero is not shown and must not be taken for a mark that a teacher cleared."""
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "4")
    course.deliver()
    course.hand_in(sub, first, finished_at=course.clock())
    assert course.deliver(step=die_at("score.posted")).last_reason == "crash:Died"
    assert course.mark(sub) == Decimal(first)
    course.hand_in(sub, "9", finished_at=course.clock())
    course.clock.ahead += timedelta(minutes=1)
    course.deliver_fully()
    assert (course.mark(sub), course.state(sub)) == (9, "delivered")


@pytest.mark.parametrize("stray", ["0", "5"])
@pytest.mark.parametrize("earlier", ["4", None])
def test_score_that_arrives_after_it_was_superseded_is_known_as_our_own(
    course: Course, stray: str, earlier: str | None
) -> None:
    (sub,) = course.lms.pupils[:1]
    if earlier is not None:
        course.hand_in(sub, earlier)
        course.deliver()
    for score in (stray, "9"):
        course.hand_in(sub, score, finished_at=course.clock())
        course.deliver(step=die_at("score.posting"))
        course.clock.ahead += timedelta(minutes=1)
    late = next(row for row in course.effects(sub) if row.after == stray)
    assert late.state == "superseded"
    (column,) = course.lms.columns()
    moment = {"person": sub, "given": Decimal(stray), "maximum": Decimal(10), "comment": ""}
    course.lms.lms._parts.gradebook.put_score(column.item, Score(seconds=int(late.stamp.timestamp()), **moment))
    assert course.mark(sub) == Decimal(stray)
    course.deliver_fully()
    assert (course.mark(sub), course.state(sub)) == (9, "delivered")


def test_more_results_than_one_batch_all_arrive(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.scores.deliver.BATCH", 4)
    for sub in course.lms.pupils[:10]:
        course.hand_in(sub, "5")
    course.deliver_fully()
    assert set(course.lms.marks()) == set(course.lms.pupils[:10])


def test_changed_maximum_of_the_column_is_not_taken_for_a_teachers_edit(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    course.deliver()
    parts = course.lms.lms._parts
    (column,) = course.lms.columns()
    body = {"label": column.item.label, "resourceId": column.item.resource_id}
    parts.gradebook.change_column(column.item, body, Decimal(100), column.item.activity)
    assert course.mark(sub) == 50
    course.hand_in(sub, "8", finished_at=course.clock())
    course.deliver()
    assert (course.mark(sub), course.state(sub)) == (80, "delivered")


def test_no_job_payload_holds_a_name_or_a_mark(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5", comment="Жақсы, Айгерім")
    assert dict(course.job().payload) == {"activity": course.activity_id, "link": course.link_id}
    course.deliver()
    assert course.effects(sub)[0].comment == ""
    (column,) = course.lms.columns()
    assert column.grades[sub].feedback == "Жақсы, Айгерім"
