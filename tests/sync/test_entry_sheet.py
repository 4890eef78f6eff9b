"""A journal that programs may not write still gets its marks, through a person's hands."""

from __future__ import annotations

from connector.db.database import Database
from sync.model import LineItem
from sync.store import connections
from sync.systems.contract import Evidence, Writing
from tests.sync.kit import Bench, joined
from tests.sync.memory import DAY, journal


def sheeted(database: Database, **changes: object) -> Bench:
    works = [LineItem("w1", "Сабақтағы жұмыс", scale="mark10", due=DAY, lesson_id="L1")]
    made = joined(database, right=journal(write=Writing.VENDOR_GATED, items=works, **changes))
    made.sync()
    return made


def test_apply_yields_a_sheet_in_the_journals_order_and_writes_nothing(database: Database) -> None:
    made = sheeted(database)
    assert made.right.writes == []
    [work] = made.sheet().works
    assert (work.day, work.number, work.work) == (DAY, 2, "Сабақтағы жұмыс")
    assert [(line.name, line.mark, line.state) for line in work.lines] == [
        ("Тегі3 Аты3", "10", "to_type"),
        ("Тегі1 Аты1", "8", "to_type"),
        ("Тегі2 Аты2", "5", "to_type"),
    ]
    assert [line.position for line in work.lines] == [1, 2, 4]


def test_a_read_only_connection_is_not_written_though_it_could_be(sqlite_database: Database) -> None:
    made = joined(sqlite_database, read_only=True)
    made.sync()
    assert made.right.writes == []
    assert made.right.items == []
    [work] = made.sheet().works
    assert (work.work, work.open) == ("Бақылау тесті", 3)


def test_a_typed_mark_is_ticked_off_and_becomes_the_base(database: Database) -> None:
    made = sheeted(database)
    made.right.marks[("w1", "90000000000000003")] = "10"
    plan = made.plan()
    sheet = made.sheet()
    assert (sheet.count("typed"), sheet.count("missed")) == (1, 2)
    assert (plan.state, plan.counts["entry"]) == ("empty", 2)
    whom = made.person("u3")
    assert [(left, right) for key, (left, right, _v) in made.base().items() if key.endswith(whom)] == [("100", "10")]


def test_when_everything_is_typed_the_plan_is_empty(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    for number, mark in ((1, "8"), (2, "5"), (3, "10")):
        made.right.marks[("w1", f"9000000000000000{number}")] = mark
    plan = made.plan()
    assert plan.state == "empty"
    assert (made.sheet().open, made.sheet().count("typed")) == (0, 3)


def test_a_wrongly_typed_mark_is_told_and_not_agreed(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    made.right.marks[("w1", "90000000000000001")] = "6"
    made.plan()
    [work] = made.sheet().works
    [line] = [line for line in work.lines if line.name == "Тегі1 Аты1"]
    assert (line.state, line.mark, line.seen) == ("different", "8", "6")
    assert [(one.left_raw, one.right_raw) for one in made.conflicts()] == [("84.5", "6")]


def test_a_read_that_failed_ticks_nothing_off(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    made.right.marks[("w1", "90000000000000003")] = "10"
    made.right.spoiled["result"] = (Evidence.UNKNOWN, "html_page")
    made.plan()
    assert made.sheet().count("to_type") == 3


def test_a_work_that_holds_marks_is_not_taken_for_the_sheet(sqlite_database: Database) -> None:
    made = joined(
        sqlite_database,
        right=journal(
            write=Writing.VENDOR_GATED,
            items=[LineItem("w1", "Сабақтағы жұмыс", scale="mark10", due=DAY, lesson_id="L1")],
            marks={("w1", "90000000000000004"): "7"},
        ),
    )
    made.sync()
    [work] = made.sheet().works
    assert work.work == "Бақылау тесті"
    made.right.items.append(LineItem("w2", "Бақылау тесті", scale="mark10", due=DAY, lesson_id="L1"))
    made.right.marks[("w2", "90000000000000001")] = "8"
    made.plan()
    assert made.sheet().count("typed") == 1


def test_a_newer_mark_takes_the_older_lines_place(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    made.left.marks[("li-1", "u2")] = "95"
    made.sync()
    lines = [line for work in made.sheet().works for line in work.lines if line.name == "Тегі2 Аты2"]
    assert [(line.mark, line.state) for line in lines] == [("10", "to_type")]


def test_marks_that_wait_on_the_sheet_are_not_planned_again(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    again = made.plan()
    assert (again.state, again.pending, again.counts["entry"]) == ("empty", 0, 3)
    assert made.sheet().open == 3
    made.left.marks[("li-1", "u4")] = "70"
    fresh = made.plan()
    assert [row.change.after for row in made.changes(fresh, "ready")] == ["7"]
    made.approve(fresh)
    made.apply(fresh)
    assert (made.sheet().open, made.plan().state) == (4, "empty")


def test_the_sheet_is_written_by_kopir_once_the_journal_takes_marks(sqlite_database: Database) -> None:
    made = joined(sqlite_database, read_only=True)
    made.sync()
    assert (made.sheet().open, made.plan().state) == (3, "empty")
    with sqlite_database.school(made.school) as db:
        connections.set_read_only(db, made.school, made.connection, read_only=False)
    made.sync()
    assert len(made.right.writes) == 3
    assert (made.sheet().open, made.plan().state) == (0, "empty")


def test_a_missed_mark_is_not_asked_for_again_and_is_still_missed(sqlite_database: Database) -> None:
    made = sheeted(sqlite_database)
    made.right.marks[("w1", "90000000000000003")] = "10"
    assert made.plan().pending == 0
    sheet = made.sheet()
    assert (sheet.count("typed"), sheet.count("missed"), sheet.count("to_type")) == (1, 2, 0)
