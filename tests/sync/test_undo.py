"""Undo is a plan too: it restores what still stands, and leaves what somebody edited since."""

from __future__ import annotations

import pytest

from connector.base.errors import Fatal, Hold
from connector.db.database import Database
from sync.model import Person
from sync.runs import identity
from sync.runs.approving import POLICY, approve
from tests.sync.kit import Bench, joined


def undo(made: Bench, run: str) -> None:
    plan = made.undo(run)
    made.approve(plan)
    report = made.apply(plan)
    assert report.clean, report.counts


def test_undo_takes_back_what_a_run_wrote(database: Database) -> None:
    made = joined(database)
    report = made.sync()
    undo(made, report.plan.run)
    assert made.right.marks == {}
    assert made.register() == {}


def test_an_undone_mark_is_not_written_again_by_the_next_plan(database: Database) -> None:
    made = joined(database)
    report = made.sync()
    undo(made, report.plan.run)
    assert made.plan().pending == 0
    made.left.marks[("li-1", "u1")] = "20"
    assert made.plan().pending == 1


def test_undo_restores_the_values_of_an_update(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    made.left.marks[("li-1", "u1")] = "20"
    plan = made.plan()
    made.approve(plan, releases=("over_percent",))
    report = made.apply(plan)
    assert report.clean
    undo(made, report.plan.run)
    assert sorted(made.right.marks.values()) == ["10", "5", "8"]


def test_what_somebody_edited_since_is_left_and_shown(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    report = made.sync()
    edited = next(cell for cell, mark in made.right.marks.items() if mark == "8")
    made.right.marks[edited] = "9"
    undo(made, report.plan.run)
    assert made.right.marks == {edited: "9"}
    assert [one.reason for one in made.conflicts()] == ["edited_since"]


def test_undo_waits_for_a_person(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    report = made.sync()
    plan = made.undo(report.plan.run)
    with pytest.raises(Hold, match="person"):
        approve(made.runtime, made.school, plan.id, plan.hash, POLICY)
    assert len(made.right.marks) == 3


def test_a_run_that_wrote_nothing_has_nothing_to_undo(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    with pytest.raises(Fatal, match="nothing"):
        made.undo(plan.run)


def test_undo_names_the_work_it_leaves_empty(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.undo(made.sync().plan.run)
    assert [(work["title"], work["left"]) for work in plan.works] == [("Бақылау тесті", "empty")]


def test_a_work_that_somebody_else_uses_is_not_named_as_empty(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    report = made.sync()
    [(work, _), *_] = made.right.marks
    made.right.marks[(work, "90000000000000004")] = "7"
    assert [work["left"] for work in made.undo(report.plan.run).works] == ["in_use"]


def test_undo_leaves_a_pupil_who_goes_by_another_account_alone(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    report = made.sync()
    person = made.person("u1")
    place = (made.runtime, made.school, made.connection, person)
    made.right.people.append(Person("90000000000000009", "Тегі1", "Аты1"))
    made.plan()
    identity.split(*place, who="person-1")
    identity.pin(*place, right="90000000000000009", who="person-1")
    undo(made, report.plan.run)
    assert [cell[1] for cell in made.right.marks] == ["90000000000000001"]
