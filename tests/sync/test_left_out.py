"""What a person left out of a plan is theirs to decide: no later plan writes it by itself."""

from __future__ import annotations

from connector.db.database import Database
from sync.model import LineItem
from sync.runs.approving import POLICY, approve
from sync.runs.handlers import flows
from sync.store.plans import StoredPlan
from tests.sync.kit import Bench, joined
from tests.sync.memory import DAY


def only(made: Bench, plan: StoredPlan, mark: str) -> list[str]:
    return [row.key for row in made.changes(plan, "ready", "held") if row.change.after == mark]


def one_mark_of_the_first_plan(database: Database) -> Bench:
    made = joined(database)
    plan = made.plan()
    made.approve(plan, only=only(made, plan, "10"))
    made.apply(plan)
    return made


def held(made: Bench, plan: StoredPlan) -> set[str]:
    return {row.held_by for row in made.changes(plan, "held")}


def test_an_unticked_mark_of_the_first_plan_is_not_written_by_a_later_policy(database: Database) -> None:
    made = one_mark_of_the_first_plan(database)
    later = made.plan()
    assert held(made, later) == {"left_out"}
    assert not flows(later)
    assert list(made.right.marks.values()) == ["10"]


def test_new_marks_flow_past_what_was_left_out(sqlite_database: Database) -> None:
    made = one_mark_of_the_first_plan(sqlite_database)
    made.left.marks[("li-1", "u4")] = "70"
    later = made.plan()
    assert flows(later)
    approve(made.runtime, made.school, later.id, later.hash, POLICY)
    made.apply(later)
    assert sorted(made.right.marks.values()) == ["10", "7"]
    made.left.marks[("li-1", "u1")] = "31"
    assert held(made, made.plan()) == {"left_out"}


def test_a_work_left_out_whole_takes_no_later_mark_either(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.left.items.append(LineItem("li-2", "Тест 2", made.left.items[0].maximum, tag="quiz", due=DAY))
    made.left.marks[("li-2", "u1")] = "40"
    plan = made.plan()
    first_work = {row.item for row in made.changes(plan, "held") if row.change.after == "10"}
    keys = [row.key for row in made.changes(plan, "ready", "held") if row.item in first_work]
    made.approve(plan, only=keys)
    made.apply(plan)
    made.left.marks[("li-2", "u2")] = "90"
    later = made.plan()
    assert [row.change.after for row in made.changes(later, "held") if row.kind == "grade"] == ["4", "9"]
    assert made.changes(later, "ready") == []


def test_a_person_takes_in_what_was_left_out(database: Database) -> None:
    made = one_mark_of_the_first_plan(database)
    later = made.plan()
    made.approve(later)
    made.apply(later)
    assert list(made.right.marks.values()) == ["10"]
    again = made.plan()
    made.approve(again, releases=["left_out"])
    made.apply(again)
    assert sorted(made.right.marks.values()) == ["10", "5", "8"]
    made.left.marks[("li-1", "u1")] = "20"
    assert flows(made.plan())


def test_what_a_guard_held_was_never_left_out(sqlite_database: Database) -> None:
    made = one_mark_of_the_first_plan(sqlite_database)
    made.left.marks.pop(("li-1", "u3"))
    made.plan()
    removing = made.plan()
    assert held(made, removing) == {"left_out", "over_count"}
    made.left.marks[("li-1", "u3")] = "100"
    made.approve(removing, only=[])
    assert held(made, made.plan()) == {"left_out"}
