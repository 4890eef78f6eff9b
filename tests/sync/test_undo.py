"""Undo is a plan too: it restores what still stands, and leaves what somebody edited since."""

from __future__ import annotations

import pytest

from connector.base.errors import Fatal, Hold
from connector.db.database import Database
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
