"""The whole path over real HTTP: a rehearsal Moodle on the left, a rehearsal Kundelik on the right."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from connector.db.database import Database
from sync.reconcile.apply import ApplyReport, apply_plan
from sync.runs import entries
from sync.runs import people as joining
from sync.runs.approving import approve
from sync.runs.identity_file import JoinPreview, join_by_file
from sync.runs.planning import plan_connection
from sync.store import conflicts, connections, plans, register
from sync.store.plans import StoredPlan
from sync.twins.sample_school import pupils
from tests.sync.twins import Twins, twins
from tests.twins.moodle_kit import new_key


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture
def both(sqlite_database: Database, tmp_path: Path, key: RSAKey) -> Iterator[Twins]:
    with twins(sqlite_database, tmp_path, key) as made:
        yield made


def plan(both: Twins) -> StoredPlan:
    return plan_connection(both.runtime, both.school, both.connection)


def apply(both: Twins, made: StoredPlan, *releases: str) -> ApplyReport:
    approve(both.runtime, both.school, made.id, made.hash, "person-1", releases=releases)
    return apply_plan(both.runtime, both.school, made.id, actor="person-1")


def join(both: Twins) -> JoinPreview:
    ids = both.journal.person_ids()
    rows = "\n".join(f"{one.idnumber};{ids[one.number]}" for one in pupils())
    text = f"idnumber;Kundelik ID\n{rows}\n".encode()
    return join_by_file(both.runtime, both.school, both.connection, text, who="person-1", apply=True)


def class_test(both: Twins) -> tuple[str, dict[str, str]]:
    """Give every pupil a mark of 40 and return the column and what the journal must show by person id."""
    lms, ids = both.pupils(), both.journal.person_ids()
    marks = {one.idnumber: str(10 + one.number) for one in pupils()}
    item = both.test_of({lms[number]: mark for number, mark in marks.items()})
    expected = {}
    for one in pupils():
        share = Decimal(marks[one.idnumber]) / 4
        expected[ids[one.number]] = str(max(1, int(share + Decimal("0.5"))))
    return item, expected


def new_work(both: Twins, before: dict[tuple[str, str], str]) -> dict[str, str]:
    fresh = {cell: mark for cell, mark in both.journal.marks().items() if before.get(cell) != mark}
    assert len({work for _person, work in fresh}) <= 1
    return {person: mark for (person, _work), mark in fresh.items()}


def test_thirty_marks_reach_the_journal_once_and_the_second_plan_is_empty(both: Twins) -> None:
    _item, expected = class_test(both)
    before = both.journal.marks()
    plan(both)
    assert join(both).applied
    made = plan(both)
    assert made.counts["create_right"] == 30
    report = apply(both, made)
    assert report.clean, report.counts
    assert new_work(both, before) == expected
    with both.runtime.reading(both.school) as db:
        assert register.entries_of(db, both.school, [lesson for lesson, _d, _w in both.journal.lessons()])
    again = plan(both)
    assert (again.state, again.pending) == ("empty", 0)


def test_people_are_proposed_by_name_and_namesakes_wait(both: Twins) -> None:
    plan(both)
    waiting = joining.propose(both.runtime, both.school, both.connection)
    by_state = {state: [one for one in waiting if one.state == state] for state in ("proposed", "waiting")}
    assert len(by_state["proposed"]) > 20
    names = [(one.family, one.given) for one in pupils()]
    namesakes = {one.number for one in pupils() if names.count((one.family, one.given)) > 1}
    assert namesakes
    ids = both.journal.person_ids()
    assert not {one.right_id for one in by_state["proposed"]} & {ids[number] for number in namesakes}
    joining.accept(both.runtime, both.school, both.connection, None, who="person-1")
    with both.runtime.reading(both.school) as db:
        joined = joining.links(db, connections.get(db, both.school, both.connection))
    right_of = {lms: ids[one.number] for one in pupils() for lms in [both.pupils()[one.idnumber]]}
    assert len(joined) == len(by_state["proposed"])
    assert all(right_of[left] == right for left, right in joined.values())


def test_the_assistant_is_a_learner_in_the_roster_and_no_pupil_for_us(both: Twins) -> None:
    assistant = next(user for user in both.lms.users() if user.role == "assistant")
    plan(both)
    waiting = joining.propose(both.runtime, both.school, both.connection)
    with both.runtime.reading(both.school) as db:
        from sync.store import cells

        [link] = connections.groups(db, both.school, both.connection)
        roster = {one.id: one.role for one in cells.people(db, both.school, both.connection, "left", link.id)}
    assert roster[assistant.id] == "teacher"
    assert waiting


@pytest.mark.parametrize("fault", ["html_maintenance", "half_list", "empty_list", "503", "invalid_token"])
def test_a_failing_journal_is_not_compared_and_nothing_is_lost(both: Twins, fault: str) -> None:
    class_test(both)
    plan(both)
    join(both)
    apply(both, plan(both))
    before = both.journal.marks()
    both.journal.set_fault(fault, 1000)
    made = plan(both)
    assert made.pending == 0
    with both.runtime.reading(both.school) as db:
        run = plans.get_run(db, both.school, made.run)
    assert run.state in ("partial", "not_compared")
    assert {one["side"] for one in run.not_compared} == {"right"}
    both.journal.clear_faults()
    assert both.journal.marks() == before
    assert plan(both).state == "empty"


def test_an_lms_in_maintenance_takes_no_mark_away(both: Twins) -> None:
    class_test(both)
    plan(both)
    join(both)
    apply(both, plan(both))
    before = both.journal.marks()
    both.lms.set_fault("maintenance")
    made = plan(both)
    assert made.pending == 0
    both.lms.set_fault("none")
    assert both.journal.marks() == before


def test_answers_lost_after_the_journal_did_the_work_double_nothing(both: Twins) -> None:
    _item, expected = class_test(both)
    before = both.journal.marks()
    plan(both)
    join(both)
    made = plan(both)
    both.journal.set_fault("drop_after_commit", 5)
    report = apply(both, made)
    assert report.counts["applied"] >= 30
    assert new_work(both, before) == expected
    assert plan(both).state == "empty"


def test_one_sided_change_is_carried_and_a_two_sided_one_is_a_conflict(both: Twins) -> None:
    item, _expected = class_test(both)
    before = both.journal.marks()
    plan(both)
    join(both)
    apply(both, plan(both))
    [work] = {work for cell, work in ((cell, cell[1]) for cell in both.journal.marks()) if cell not in before}
    lms, ids = both.pupils(), both.journal.person_ids()
    one, two = pupils()[0], pupils()[1]
    both.score(item, lms[one.idnumber], "40")
    both.score(item, lms[two.idnumber], "40")
    both.journal.set_mark(ids[two.number], work, "7")
    made = plan(both)
    apply(both, made)
    assert both.journal.marks()[(ids[one.number], work)] == "10"
    assert both.journal.marks()[(ids[two.number], work)] == "7"
    with both.runtime.reading(both.school) as db:
        found = conflicts.of(db, both.school, both.connection)
    assert [(row.left_raw, row.right_raw) for row in found] == [("40", "7")]


def test_a_read_only_journal_gets_an_entry_sheet_and_a_typed_mark_is_ticked_off(
    sqlite_database: Database, tmp_path: Path, key: RSAKey
) -> None:
    with twins(sqlite_database, tmp_path, key, contracted=False) as both:
        _item, expected = class_test(both)
        before = both.journal.marks()
        plan(both)
        join(both)
        report = apply(both, plan(both))
        assert report.counts["entry"] == 30
        assert both.journal.marks() == before
        with both.runtime.reading(both.school) as db:
            connection = connections.get(db, both.school, both.connection)
            [work] = entries.sheet(db, connection).works
        assert work.open == 30
        assert [line.position for line in work.lines] == list(range(1, 31))
        lesson = next(one for one in both.journal.lessons() if one[1] == work.day)
        ids = both.journal.person_ids()
        both.journal.set_mark(ids[1], lesson[2], expected[ids[1]])
        plan(both)
        with both.runtime.reading(both.school) as db:
            sheet = entries.sheet(db, connections.get(db, both.school, both.connection))
        assert (sheet.count("typed"), sheet.count("missed")) == (1, 29)
