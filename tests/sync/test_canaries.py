"""A canary that is gone or changed: the read is not believed, nothing of it is kept, and nothing at all is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.db.database import Database
from sync.reconcile.types import State
from sync.systems.contract import Evidence
from tests.sync.kit import MAPPING, Bench, bench, joined

PUPIL = '{side: right, person: "90000000000000001", says: "ТЕГІ1  Аты1"}'
MARK = '{side: left, item: "li-1", person: "u3", says: "100"}'
WORK = '{side: left, item: "li-1", says: "Бақылау тесті"}'


def guarded(*canaries: str, **more: object) -> str:
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return MAPPING + f"guard: {{canaries: [{', '.join(canaries)}]{extra}}}\n"


def settled(database: Database, *canaries: str) -> Bench:
    made = joined(database, mapping=guarded(*canaries))
    made.sync()
    made.left.marks[("li-1", "u4")] = "71"
    return made


def held(made: Bench) -> dict[str, set[str]]:
    plan = made.plan()
    rows = made.changes(plan)
    return {
        "held": {row.held_by for row in rows if row.state == State.HELD},
        "ready": {row.key for row in rows if row.state == State.READY},
        "missed": {one["reason"] for one in made.run(plan).not_compared},
    }


def test_reads_that_show_every_canary_are_believed(database: Database) -> None:
    made = settled(database, PUPIL, MARK, WORK)
    found = held(made)
    assert (found["held"], found["missed"]) == (set(), set())
    assert len(found["ready"]) == 1


@pytest.mark.parametrize(
    ("canary", "spoil", "reason"),
    [
        (PUPIL, lambda made: made.right.people.pop(1), "canary_missing"),
        (PUPIL, lambda made: made.right.people.__setitem__(
            1, replace(made.right.people[1], family="Басқа", given="Бала", full_name="Басқа Бала")), "canary_changed"),
        (MARK, lambda made: made.left.marks.pop(("li-1", "u3")), "canary_missing"),
        (MARK, lambda made: made.left.marks.__setitem__(("li-1", "u3"), "10"), "canary_changed"),
        (WORK, lambda made: made.left.items.append(replace(made.left.items.pop(), title="Өзге")), "canary_changed"),
    ],
    ids=["pupil gone", "another pupil under the id", "mark gone", "mark changed", "work renamed"],
)  # fmt: skip
def test_a_broken_canary_makes_the_read_suspicious_and_nothing_is_written(
    sqlite_database: Database, canary: str, spoil, reason: str
) -> None:
    made = settled(sqlite_database, canary)
    before = made.base()
    spoil(made)
    found = held(made)
    assert found["ready"] == set()
    assert reason in found["missed"]
    assert made.base() == before


def test_a_broken_canary_of_marks_holds_the_register_too(sqlite_database: Database) -> None:
    made = settled(sqlite_database, MARK)
    made.left.marks.pop(("li-1", "u3"))
    made.right.register[("L2", "90000000000000004")] = "Absent"
    assert held(made) == {"held": {"canary"}, "ready": set(), "missed": {"canary_missing"}}


def test_a_read_without_its_canary_takes_nothing_for_gone(sqlite_database: Database) -> None:
    made = settled(sqlite_database, MARK)
    kept = dict(made.left.marks)
    made.left.marks.clear()
    for _ in range(3):
        made.plan()
    made.left.marks.update(kept)
    plan = made.plan()
    assert [row.change.action.value for row in made.changes(plan, "ready")] == ["create_right"]
    assert made.run(plan).not_compared == []


def test_a_canary_no_class_ever_showed_holds_everything(sqlite_database: Database) -> None:
    made = bench(sqlite_database, mapping=guarded('{side: left, person: "u77"}'))
    made.plan()
    made.join()
    found = held(made)
    assert found["held"] == {"canary"}
    assert found["missed"] == {"canary_never_seen"}


def test_a_failed_read_says_nothing_about_its_canary(sqlite_database: Database) -> None:
    made = settled(sqlite_database, PUPIL)
    made.right.spoiled["person"] = (Evidence.UNKNOWN, "http_503")
    assert "canary" not in held(made)["held"]


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_mark_counts_as_gone_after_as_many_complete_reads_as_the_mapping_says(
    sqlite_database: Database, after: int
) -> None:
    made = joined(sqlite_database, mapping=MAPPING + f"guard: {{absent_after: {after}}}\n")
    made.sync()
    made.right.marks.pop(next(iter(made.right.marks)))
    rules = [[row.change.rule for row in made.changes(made.plan(), "not_compared", "reported")] for _ in range(4)]
    assert rules == [["unknown"]] * (after - 1) + [["owner_left"]] * (5 - after)


def test_a_pupil_a_work_and_a_mark_that_come_back_are_the_same_ones(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    base, links = made.base(), made.person("u1")
    gone = (made.left.people.pop(0), made.left.items.pop(0), dict(made.left.marks))
    made.left.marks.clear()
    for _ in range(3):
        made.plan()
    made.left.people.insert(0, gone[0])
    made.left.items.append(gone[1])
    made.left.marks.update(gone[2])
    plan = made.plan()
    assert (plan.pending, made.base(), made.person("u1")) == (0, base, links)


def test_limits_of_one_kind_and_operation_hold_it_and_let_the_rest_flow(sqlite_database: Database) -> None:
    made = joined(sqlite_database, mapping=MAPPING + "guard: {limits: {grade: {create: {count: 1}}}}\n")
    made.right.register[("L2", "90000000000000004")] = "Absent"
    rows = made.changes(made.plan(), "held")
    assert {(row.kind, row.held_by) for row in rows} == {("grade", "over_count"), ("attendance", "first_plan")}
