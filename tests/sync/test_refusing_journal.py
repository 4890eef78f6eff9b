"""A journal that turns out to take no marks: the plan becomes an entry sheet, and writing is tried again later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import select

from connector.db.database import Database
from sync.effects.tables import effect
from sync.entry_sheet import EntrySheet
from sync.model import LineItem
from sync.runs import entries, view
from sync.store import audit, connections
from sync.store.connections import SyncConnection
from sync.systems.contract import CellWrite, Outcome, WriteResult
from sync.twins.kundelik import Journal
from tests.sync.kit import MAPPING, Bench, joined
from tests.sync.memory import DAY, journal
from tests.sync.test_killed_at_any_point import Killed, kill_at, steps_of_one_apply
from tests.sync.test_over_twins import apply, class_test, join, plan
from tests.sync.twins import Twins, twins
from tests.twins.moodle_kit import new_key


def refusing(reason: str = "not_offered"):
    def answer(_write: CellWrite) -> WriteResult:
        return WriteResult(Outcome.REFUSED, reason)

    return answer


def with_work(database: Database, **options: object) -> Bench:
    """A bench whose journal has one empty work on the lesson's day."""
    works = [LineItem("w1", "Бақылау тесті", scale="mark10", due=DAY, lesson_id="L1")]
    return joined(database, right=journal(items=works), **options)


def connection(made: Bench) -> SyncConnection:
    return made.runtime.connection(made.school, made.connection)


def taken(made: Bench) -> dict[str, str]:
    return {person[-1]: mark for (_item, person), mark in made.right.marks.items()}


@pytest.mark.parametrize("reason", ["not_offered", "out_of_scope"])
def test_the_first_refusal_turns_the_rest_into_an_entry_sheet(database: Database, reason: str) -> None:
    made = with_work(database)
    asked: list[CellWrite] = []
    made.right.before_write = asked.append
    made.right.outcome = refusing(reason)
    report = made.sync()
    assert len(asked) == 1
    assert (report.counts["entry"], report.counts.get("refused", 0), report.clean) == (3, 0, True)
    assert [line.mark for work in made.sheet().works for line in work.lines] == ["10", "8", "5"]
    assert connection(made).read_only
    assert connection(made).refusals["grade"].reason == reason
    audit.verify(made.audit())
    assert f"writes_refused:grade:{reason}" in {link.action for link in made.audit()}


def test_a_refusal_of_one_value_is_no_refusal_of_the_journal(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = lambda write: WriteResult(Outcome.REFUSED, "value_refused") if write.after == "5" else None
    report = made.sync()
    assert (report.counts["refused"], report.counts.get("entry", 0)) == (1, 0)
    assert taken(made) == {"1": "8", "3": "10"}
    assert not connection(made).read_only


def test_the_next_plan_is_a_sheet_without_another_call_and_is_ticked_off(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = refusing()
    made.sync()
    asked: list[CellWrite] = []
    made.right.before_write = asked.append
    made.left.marks[("li-1", "u4")] = "70"
    made.sync()
    assert asked == []
    for person, mark in (("1", "8"), ("2", "5"), ("3", "10"), ("4", "7")):
        made.right.marks[("w1", f"9000000000000000{person}")] = mark
    assert made.plan().state == "empty"
    assert (made.sheet().open, made.sheet().count("typed")) == (0, 4)
    assert len([key for key in made.base() if key.startswith("grade|")]) == 4


def test_status_says_since_when_and_why(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = refusing()
    before = made.clock.now
    made.sync()
    status = view.status(made.runtime, made.school, made.connection)
    assert status.read_only
    assert not status.told_read_only
    refusal = status.refusals["grade"]
    assert (refusal.reason, refusal.since > before) == ("not_offered", True)


def test_a_word_of_the_operator_lets_it_be_written_again(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = refusing()
    made.sync()
    made.right.outcome = None
    with sqlite_database.school(made.school) as db:
        connections.set_read_only(db, made.school, made.connection, read_only=False)
    made.sync()
    assert taken(made) == {"1": "8", "2": "5", "3": "10"}
    assert (made.sheet().open, made.plan().state) == (0, "empty")


def test_after_a_day_one_mark_is_tried_and_a_refusal_leaves_the_sheet_as_it_is(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    asked: list[CellWrite] = []
    made.right.before_write = asked.append
    made.right.outcome = refusing()
    made.sync()
    since = connection(made).refusals["grade"].since
    made.clock.now += timedelta(days=1)
    report = made.sync()
    assert len(asked) == 2
    assert (report.counts["entry"], made.sheet().open) == (3, 3)
    refusal = connection(made).refusals["grade"]
    assert refusal.since == since < refusal.tried_at
    assert made.plan().state == "empty"
    assert len(asked) == 2


def test_after_a_day_a_mark_that_is_taken_lets_all_be_written(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = refusing()
    made.sync()
    made.right.outcome = None
    made.clock.now += timedelta(days=1)
    assert made.sync().counts["applied"] >= 3
    assert taken(made) == {"1": "8", "2": "5", "3": "10"}
    assert (connection(made).read_only, made.sheet().open) == (False, 0)
    assert made.plan().state == "empty"
    cells = [(write.item_id, write.person_id) for write in made.right.writes]
    assert len(cells) == len(set(cells)) == 3


def test_a_person_who_said_read_only_is_never_overruled_by_a_try(sqlite_database: Database) -> None:
    made = with_work(sqlite_database)
    made.right.outcome = refusing()
    made.sync()
    with sqlite_database.school(made.school) as db:
        connections.set_read_only(db, made.school, made.connection, read_only=True)
    made.right.outcome = None
    made.clock.now += timedelta(days=3)
    assert made.plan().pending == 0
    assert made.right.writes == []


def test_a_plan_for_typing_makes_no_work_that_nobody_was_asked_about(sqlite_database: Database) -> None:
    asking = MAPPING.replace("create_work: auto", "create_work: ask")
    made = joined(sqlite_database, mapping=asking, read_only=True)
    found = made.plan()
    made.approve(found)
    with sqlite_database.school(made.school) as db:
        connections.set_read_only(db, made.school, made.connection, read_only=False)
    report = made.apply(found)
    assert (made.right.items, report.counts["entry"]) == ([], 3)


def test_where_the_mapping_makes_no_works_no_yes_makes_one(sqlite_database: Database) -> None:
    never = MAPPING.replace("create_work: auto", "create_work: never")
    made = joined(sqlite_database, mapping=never)
    found = made.plan()
    assert {row.change.held_by for row in made.changes(found, "held") if row.kind == "grade"} == {"no_new_work"}
    made.approve(found, releases=("create_work", "no_new_work"))
    report = made.apply(found)
    assert (made.right.items, made.right.marks, report.counts["held"]) == ([], {}, 3)


def test_read_only_said_in_the_middle_of_an_apply_loses_and_doubles_nothing(sqlite_database: Database) -> None:
    """Marks that left before a kill are looked for; the others are typed."""
    for point in range(1, steps_of_one_apply(sqlite_database) + 1):
        made = with_work(sqlite_database)
        found = made.plan()
        made.approve(found)
        kill_at(made, point)
        with suppress(Killed):
            made.apply(found)
        made.step = lambda _name: None
        with sqlite_database.school(made.school) as db:
            connections.set_read_only(db, made.school, made.connection, read_only=True)
        written = len(made.right.writes)
        made.apply(found)
        assert len(made.right.writes) == written, point
        again = made.plan()
        if again.pending:
            made.approve(again)
            made.apply(again)
        for line in (line for work in made.sheet().works for line in work.lines if line.state != "typed"):
            whom = next(one.id for one in made.right.people if one.full_name == line.name)
            assert ("w1", whom) not in made.right.marks, point
            made.right.marks[("w1", whom)] = line.mark or ""
        assert made.plan().state == "empty", point
        assert taken(made) == {"1": "8", "2": "5", "3": "10"}, point
        assert audit.replay(made.audit()) == made.base(), point


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_an_apply_killed_at_every_point_of_a_refusal_ends_in_one_whole_sheet(
    sqlite_database: Database, allowed: int
) -> None:
    """The journal takes some marks and then none; wherever the worker dies, each mark is there or on the sheet."""

    def prepared() -> Bench:
        made = with_work(sqlite_database)

        def answer(write: CellWrite) -> WriteResult | None:
            there = made.right.marks.get((write.item_id, write.person_id)) == write.after
            return None if there or len(made.right.writes) < allowed else WriteResult(Outcome.REFUSED, "not_offered")

        made.right.outcome = answer
        return made

    counter, names = prepared(), []
    found = counter.plan()
    counter.approve(found)
    counter.step = names.append
    counter.apply(found)
    assert "apply.shut" in names
    for point in range(1, len(names) + 1):
        made = prepared()
        found = made.plan()
        made.approve(found)
        kill_at(made, point)
        with pytest.raises(Killed):
            made.apply(found)
        made.step = lambda _name: None
        made.apply(found)
        cells = [(write.item_id, write.person_id) for write in made.right.writes]
        assert len(cells) == len(set(cells)) == allowed, point
        assert made.sheet().open == 3 - allowed, point
        assert connection(made).read_only, point
        with sqlite_database.school(made.school, write=False) as db:
            states = db.scalars(select(effect.c.state).where(effect.c.school_id == made.school)).all()
        assert not set(states) & {"sent", "unknown"}, point


def test_a_register_that_takes_no_entries_is_not_asked_for_each(sqlite_database: Database) -> None:
    from dataclasses import replace

    from sync.systems.contract import Access, Writing

    manual = MAPPING.replace("owner: right\n", "owner: manual\n")
    right = journal(items=[LineItem("w1", "Бақылау тесті", scale="mark10", due=DAY, lesson_id="L1")])
    right.capabilities = replace(right.capabilities, attendance=Access(read=True, write=Writing.YES))
    made = joined(sqlite_database, right=right, mapping=manual)
    made.sync()
    with sqlite_database.school(made.school) as db:
        from sync.store import register

        for number in (1, 2):
            person = made.person(f"u{number}")
            seen = register.code_of(db, made.school, "L1", person)
            register.set_code(db, made.school, "L1", person, expect=seen, after="late", now=made.clock())
    asked: list[CellWrite] = []
    made.right.before_write = asked.append
    made.right.outcome = refusing()
    report = made.sync()
    assert (len(asked), report.counts["refused"]) == (1, 2)
    assert (connection(made).may_write("attendance"), connection(made).may_write("grade")) == (False, True)
    assert made.plan().pending == 0


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture
def both(sqlite_database: Database, tmp_path: Path, key: RSAKey) -> Iterator[Twins]:
    with twins(sqlite_database, tmp_path, key) as made:
        yield made


class Page:
    """The journal's own pages, as a teacher's hands use them."""

    def __init__(self, journal: Journal) -> None:
        self.page: FlaskClient = journal.app.test_client()
        found = re.search(r'data-csrf="([^"]+)"', self.page.get("/journal").text)
        assert found
        self.csrf = found.group(1)

    def let_programs_write(self, value: bool) -> None:
        form = {"writable": "yes" if value else "no", "csrf": self.csrf}
        assert self.page.post("/writable", data=form).status_code == 302

    def type(self, work: str, person: str, value: str) -> None:
        form = {"kind": "mark", "place": work, "person": person, "value": value, "was": ""}
        assert self.page.post("/cells", data=form, headers={"X-CSRF-Token": self.csrf}).status_code == 200


def sheet(both: Twins) -> EntrySheet:
    with both.runtime.reading(both.school) as db:
        return entries.sheet(db, connections.get(db, both.school, both.connection))


def let_kopir_write(both: Twins) -> None:
    with both.runtime.writing(both.school) as db:
        connections.set_read_only(db, both.school, both.connection, read_only=False)


def work_of(both: Twins) -> str:
    """Return the work of the sheet's lesson that a teacher types into."""
    [work] = sheet(both).works
    return next(one[2] for one in both.journal.lessons() if one[1] == work.day)


@pytest.mark.parametrize("when", ["before the plan", "between plan and apply"])
def test_the_real_journal_switched_to_reading_still_gets_its_marks(both: Twins, when: str) -> None:
    page = Page(both.journal)
    _item, expected = class_test(both)
    plan(both)
    assert join(both).applied
    if when == "before the plan":
        page.let_programs_write(False)
    made = plan(both)
    assert made.counts["create_right"] == 30
    if when == "between plan and apply":
        page.let_programs_write(False)
    before = both.journal.marks()
    report = apply(both, made)
    assert (report.counts["entry"], report.counts.get("refused", 0), report.clean) == (30, 0, True)
    assert both.journal.marks() == before
    assert both.runtime.connection(both.school, both.connection).read_only
    assert [line.position for line in sheet(both).works[0].lines] == list(range(1, 31))
    work, ids = work_of(both), both.journal.person_ids()
    for number in (1, 2, 3):
        page.type(work, ids[number], expected[ids[number]])
    again = plan(both)
    assert (sheet(both).count("typed"), sheet(both).count("missed"), again.pending) == (3, 27, 0)
    assert again.counts["entry"] == 27
    let_kopir_write(both)
    # The journal still refuses, now a mark of a work that is there.
    assert apply(both, plan(both)).counts["entry"] == 27
    assert both.runtime.connection(both.school, both.connection).refusals["grade"].reason == "not_offered"
    page.let_programs_write(True)
    let_kopir_write(both)
    assert apply(both, plan(both)).counts["applied"] == 27
    fresh = {cell: mark for cell, mark in both.journal.marks().items() if cell not in before}
    assert fresh == {(person, work): mark for person, mark in expected.items()}
    assert (sheet(both).open, plan(both).state) == (0, "empty")
