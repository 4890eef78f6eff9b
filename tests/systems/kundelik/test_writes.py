import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from connector.base.errors import Hold, KopirError
from sync.model import GradeKind, LineItem
from sync.systems.contract import CellWrite, Evidence, Outcome
from sync.systems.kundelik import KundelikSystem
from tests.systems.kundelik.conftest import client_of
from tests.twins.kundelik_site import TODAY

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def change(item: str, person: str, after: str | None, expect: str | None = None) -> CellWrite:
    return CellWrite(item_id=item, person_id=person, after=after, expect=expect, stamp=NOW, read_at=NOW)


@pytest.fixture
def cell(journal) -> tuple[str, str]:
    """A blank cell: person and work."""
    work = [work for _, day, work in journal.lessons() if day <= TODAY][-1]
    return journal.person_ids()[4], work


def changes(journal, person: str, work: str) -> list[tuple[str | None, str | None]]:
    """What the journal itself noted for a cell."""
    query = "SELECT before, after FROM change WHERE person = ? AND work = ? ORDER BY id"
    with closing(sqlite3.connect(journal.store_path)) as db:
        return db.execute(query, (int(person), int(work))).fetchall()


def test_a_mark_is_put_changed_and_cleared_and_read_back(system, scope, journal, cell):
    person, work = cell
    steps = [(None, "8"), ("8", "10"), ("10", None)]
    for before, after in steps:
        result = system.write_result(scope, change(work, person, after, before))
        assert (result.outcome, result.seen, result.seen_known) == (Outcome.APPLIED, after, True)
        assert journal.marks().get((person, work)) == after
    assert changes(journal, person, work) == steps


def test_a_mark_that_is_there_already_is_not_written_again(system, scope, journal, cell):
    person, work = cell
    journal.set_mark(person, work, "8")
    result = system.write_result(scope, change(work, person, "8", None))
    assert (result.outcome, result.seen) == (Outcome.ALREADY, "8")
    assert len(changes(journal, person, work)) == 1


@pytest.mark.parametrize("expect", [None, "7"])
@pytest.mark.parametrize("after", ["8", None])
def test_a_cell_that_moved_is_a_conflict_and_stays(system, scope, journal, cell, expect, after):
    person, work = cell
    journal.set_mark(person, work, "5")
    result = system.write_result(scope, change(work, person, after, expect))
    assert (result.outcome, result.reason, result.seen) == (Outcome.CONFLICT, "moved", "5")
    assert journal.marks()[person, work] == "5"


def test_a_mark_somebody_deleted_is_a_conflict_too(system, scope, journal, cell):
    person, work = cell
    result = system.write_result(scope, change(work, person, "8", "7"))
    assert (result.outcome, result.seen, result.seen_known) == (Outcome.CONFLICT, None, True)
    assert (person, work) not in journal.marks()


def test_clearing_an_empty_cell_is_done_already(system, scope, cell):
    person, work = cell
    assert system.write_result(scope, change(work, person, None, "8")).outcome is Outcome.ALREADY


def test_a_lost_answer_is_read_back_and_the_mark_is_there_once(system, scope, journal, cell):
    person, work = cell
    journal.set_fault("drop_after_commit")
    result = system.write_result(scope, change(work, person, "8"))
    assert (result.outcome, result.seen) == (Outcome.APPLIED, "8")
    assert changes(journal, person, work) == [(None, "8")]


def test_a_write_that_never_arrived_is_unknown_and_the_next_try_does_it(system, scope, journal, cell):
    person, work = cell
    journal.set_fault("drop_before_commit")
    result = system.write_result(scope, change(work, person, "8"))
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "unreachable")
    assert (result.seen, result.seen_known) == (None, True)
    assert system.write_result(scope, change(work, person, "8")).outcome is Outcome.APPLIED
    assert changes(journal, person, work) == [(None, "8")]


def test_an_answer_that_comes_too_late_is_unknown_and_then_already_there(journal, scope, cell):
    person, work = cell
    system = KundelikSystem(client_of(journal, read=0.3), journal.school_id, contracted=True)
    journal.set_fault("slow", path="/mark$", seconds=0.9)
    result = system.write_result(scope, change(work, person, "8"))
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "timeout")
    wait_for(lambda: (person, work) in journal.marks())
    assert system.write_result(scope, change(work, person, "8")).outcome is Outcome.ALREADY
    assert changes(journal, person, work) == [(None, "8")]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("html_maintenance", Outcome.RETRY, "html_page"),
        ("request_limit", Outcome.RETRY, "rate_limited"),
        ("server_error", Outcome.RETRY, "server_error"),
        ("500", Outcome.RETRY, "server_error"),
        ("503", Outcome.RETRY, "http_503"),
        ("invalid_token", Outcome.RETRY, "token_refused"),
    ],
)
@pytest.mark.parametrize("path", ["/mark$", "/marks$"])
def test_a_fault_before_or_at_the_write_leaves_the_cell_for_another_try(
    system, scope, journal, cell, fault, outcome, reason, path
):
    person, work = cell
    journal.set_fault(fault, path=path)
    result = system.write_result(scope, change(work, person, "8"))
    assert (result.outcome, result.reason) == (outcome, reason)
    assert (person, work) not in journal.marks()
    assert system.write_result(scope, change(work, person, "8")).outcome is Outcome.APPLIED


def test_a_write_that_cannot_be_read_back_is_unknown(system, scope, journal, cell):
    person, work = cell

    class Striking:
        """Let the first look pass and spoil the reading back."""

        def __init__(self, inner):
            self.inner, self.looks = inner, 0

        def cell(self, *key):
            self.looks += 1
            if self.looks == 2:
                journal.set_fault("503")
            return self.inner.cell(*key)

        def __getattr__(self, name):
            return getattr(self.inner, name)

    broken = KundelikSystem(Striking(system.client), journal.school_id, contracted=True)
    result = broken.write_result(scope, change(work, person, "8"))
    assert (result.outcome, result.reason, result.seen_known) == (Outcome.UNKNOWN, "http_503", False)
    assert journal.marks()[person, work] == "8"


@pytest.mark.parametrize("meanwhile", ["5", "8"])
def test_a_teacher_who_writes_between_look_and_write_is_not_overwritten(system, scope, journal, cell, meanwhile):
    person, work = cell

    class Raced:
        """A teacher types right after the first look."""

        def __init__(self, inner):
            self.inner, self.looks = inner, 0

        def cell(self, *key):
            found = self.inner.cell(*key)
            self.looks += 1
            if self.looks == 1:
                journal.set_mark(person, work, meanwhile)
            return found

        def __getattr__(self, name):
            return getattr(self.inner, name)

    raced = KundelikSystem(Raced(system.client), journal.school_id, contracted=True)
    result = raced.write_result(scope, change(work, person, "8"))
    assert result.outcome is (Outcome.APPLIED if meanwhile == "8" else Outcome.CONFLICT)
    assert journal.marks()[person, work] == meanwhile


@pytest.mark.parametrize("value", ["11", "0", "отлично"])
def test_a_value_the_scale_lacks_is_refused(system, scope, journal, cell, value):
    person, work = cell
    result = system.write_result(scope, change(work, person, value))
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "value_refused")
    assert (person, work) not in journal.marks()


def test_a_pupil_or_work_that_is_gone_is_refused(system, scope, journal, cell):
    person, work = cell
    for item, pupil in (("77", person), (work, "77")):
        result = system.write_result(scope, change(item, pupil, "8"))
        assert (result.outcome, result.reason) == (Outcome.REFUSED, "not_found")


def test_a_pair_of_marks_is_left_to_a_person(system, scope, journal):
    key = next(key for key, value in journal.marks().items() if "/" in value)
    raw = journal.marks()[key]
    result = system.write_result(scope, change(key[1], key[0], "5", raw))
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "several_marks_in_cell")
    assert journal.marks()[key] == raw


def test_a_read_only_journal_refuses_and_keeps_everything(system, scope, journal, cell):
    journal.set_writable(False)
    person, work = cell
    before = journal.marks(), journal.attendance()
    mark = system.write_result(scope, change(work, person, "8"))
    entry = system.write_attendance(scope, change(journal.lessons()[-1][0], person, "Ill"))
    assert (mark.outcome, mark.reason) == (Outcome.REFUSED, "not_offered")
    assert (entry.outcome, entry.reason) == (Outcome.REFUSED, "out_of_scope")
    assert (journal.marks(), journal.attendance()) == before


def test_the_register_is_written_with_the_same_care(system, scope, journal):
    lesson, person = journal.lessons()[-1][0], journal.person_ids()[9]
    for before, after in [(None, "Ill"), ("Ill", "Late"), ("Late", None)]:
        assert system.write_attendance(scope, change(lesson, person, after, before)).outcome is Outcome.APPLIED
        assert journal.attendance().get((person, lesson)) == after
    journal.set_attendance(person, lesson, "Absent")
    moved = system.write_attendance(scope, change(lesson, person, "Ill"))
    assert (moved.outcome, moved.seen) == (Outcome.CONFLICT, "Absent")
    journal.set_fault("drop_after_commit")
    assert system.write_attendance(scope, change(lesson, person, "Ill", "Absent")).outcome is Outcome.APPLIED


def test_a_status_the_journal_lacks_is_refused_unsent(system, scope, journal):
    lesson, person = journal.lessons()[-1][0], journal.person_ids()[9]
    journal.set_fault("503")
    result = system.write_attendance(scope, change(lesson, person, "P"))
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "value_refused")


@pytest.mark.parametrize("seed", range(4))
def test_under_any_mix_of_faults_every_mark_lands_once(system, scope, journal, seed):
    dice = random.Random(seed)
    faults = ["drop_after_commit", "drop_before_commit", "503", "html_maintenance", "request_limit", "cut_body", "500"]
    work = [work for _, day, work in journal.lessons() if day <= TODAY][-1]
    people = list(journal.person_ids().values())[:12]
    for person in people:
        while True:
            if dice.random() < 0.6:
                journal.set_fault(dice.choice(faults), path=dice.choice(["/mark$", "/marks$", ""]))
            outcome = system.write_result(scope, change(work, person, "9")).outcome
            if outcome in (Outcome.APPLIED, Outcome.ALREADY):
                break
            assert outcome in (Outcome.RETRY, Outcome.UNKNOWN)
    journal.clear_faults()
    assert all(changes(journal, person, work) == [(None, "9")] for person in people)


def column(journal, **given) -> LineItem:
    lesson = journal.lessons()[-1][0]
    return LineItem(**{"id": "", "title": "Дәреже: тест", "scale": "mark10", "lesson_id": lesson, **given})


def test_a_column_is_made_once_however_often_it_is_asked_for(system, scope, journal):
    made = system.create_line_item(scope, column(journal, resource_id="quiz-1", due=date(2027, 5, 25)))
    again = system.create_line_item(scope, column(journal))
    assert made.id == again.id
    assert (made.title, made.scale, made.resource_id) == ("Дәреже: тест", "mark10", "quiz-1")
    assert made.due == date(2027, 5, 25)
    person = journal.person_ids()[1]
    assert system.write_result(scope, change(made.id, person, "10")).outcome is Outcome.APPLIED


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before_commit", "503", "server_error"])
def test_a_column_whose_answer_was_lost_is_not_made_twice(system, scope, journal, fault):
    item = column(journal)
    journal.set_fault(fault, path="/works$")
    try:
        system.create_line_item(scope, item)
    except KopirError:
        system.create_line_item(scope, item)
    works = system.client.lesson_works(item.lesson_id).records
    assert [work.text for work in works].count(item.title) == 1


def test_homework_becomes_homework(system, scope, journal):
    made = system.create_line_item(scope, column(journal, kind=GradeKind.HOMEWORK))
    assert made.kind is GradeKind.HOMEWORK


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"lesson_id": ""}, "no_lesson"), ({"title": "  "}, "no_lesson"), ({"kind": GradeKind.SOCH}, "no_work_type")],
)
def test_a_column_without_a_certain_place_waits_for_a_person(system, scope, journal, given, reason):
    with pytest.raises(Hold) as held:
        system.create_line_item(scope, column(journal, **given))
    assert held.value.reason == reason


def test_two_works_of_one_title_wait_for_a_person(system, scope, journal):
    item = column(journal)
    body = {"lesson": int(item.lesson_id), "workType": 1260000022334401, "text": item.title}
    for _ in range(2):
        system.client.wire.call("POST", "works", body)
    with pytest.raises(Hold) as held:
        system.create_line_item(scope, item)
    assert held.value.reason == "ambiguous_work"


def test_new_columns_show_in_the_next_read(system, scope, journal):
    lesson = next(lesson for lesson, day, _ in journal.lessons() if day == scope.last)
    made = system.create_line_item(scope, column(journal, lesson_id=lesson))
    read = system.read_line_items(scope)
    assert read.evidence is Evidence.COMPLETE
    assert made.id in {item.id for item in read.records}
