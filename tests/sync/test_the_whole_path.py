"""From two systems that know nothing of each other to marks in the journal and an empty second plan."""

from __future__ import annotations

import pytest

from connector.base.errors import Fatal
from connector.db.database import Database
from sync.store import audit
from tests.sync.kit import MAPPING, Bench, bench, joined
from tests.sync.memory import lms


def journal_marks(made: Bench) -> dict[str, str]:
    return {person[-1]: mark for (_item, person), mark in made.right.marks.items()}


def test_nothing_is_carried_before_people_are_joined(database: Database) -> None:
    made = bench(database)
    plan = made.plan()
    assert plan.state == "empty"
    assert made.right.writes == []


def test_marks_reach_the_journal_and_the_second_plan_is_empty(database: Database) -> None:
    made = joined(database)
    plan = made.plan()
    assert (plan.state, plan.pending) == ("planned", 5)
    assert made.right.marks == {}
    made.approve(plan)
    report = made.apply(plan)
    assert report.clean, report.counts
    assert report.works == 1
    assert journal_marks(made) == {"1": "8", "2": "5", "3": "10"}
    again = made.plan()
    assert (again.state, again.pending) == ("empty", 0)
    assert made.conflicts() == []


def test_the_same_inputs_give_the_same_plan(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    one, two = made.plan(), made.plan()
    assert one.hash == two.hash
    assert [row.change for row in made.changes(one)] == [row.change for row in made.changes(two)]


def test_attendance_flows_from_the_journal_into_our_register(database: Database) -> None:
    made = joined(database)
    made.sync()
    one, two = made.person("u1"), made.person("u2")
    assert made.register() == {("L1", one): "present", ("L1", two): "absent_ill"}


def test_a_corrected_absence_is_corrected_in_our_register(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    made.right.register[("L1", "90000000000000001")] = "Late"
    made.sync()
    assert made.register()[("L1", made.person("u1"))] == "late"


def test_a_blank_register_is_not_a_class_that_was_present(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    assert len(made.register()) == 2


def test_a_taken_register_says_present_where_the_mapping_says_so(sqlite_database: Database) -> None:
    mapping = MAPPING.replace("owner: right\n", "owner: right\n  blank_is: present\n")
    made = joined(sqlite_database, mapping=mapping)
    made.sync()
    assert {cell for cell in made.register() if cell[0] == "L1"} == {("L1", made.person(f"u{n}")) for n in range(1, 5)}
    assert made.plan().state == "empty"


def test_audit_replays_to_the_base_and_its_chain_holds(database: Database) -> None:
    made = joined(database)
    made.sync()
    chain = made.audit()
    audit.verify(chain)
    assert len(made.base()) == 5
    assert audit.replay(chain) == made.base()


def test_a_changed_audit_is_found(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    chain = made.audit()
    index = next(i for i, link in enumerate(chain) if link.action == "applied")
    chain[index].entries[0]["after"][1] = "2"
    with pytest.raises(Fatal, match=f"link {index + 1}"):
        audit.verify(chain)


def test_an_erased_person_leaves_a_chain_that_still_holds(database: Database) -> None:
    made = joined(database)
    made.sync()
    whom = made.person("u1")
    with database.school(made.school) as db:
        assert audit.erase(db, made.school, made.connection, whom) >= 2
    chain = made.audit()
    audit.verify(chain)
    assert audit.replay(chain).keys() == made.base().keys()
    entries = [entry for link in chain for entry in link.entries if entry["key"].endswith(whom)]
    assert not any("84.5" in (entry["before"] + entry["after"]) for entry in entries)


def test_a_mark_of_zero_hidden_by_the_lms_is_neither_carried_nor_taken_away(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.sync()
    hiding = made.left.capabilities.results
    made.left.capabilities = type(made.left.capabilities)(
        **{**vars(made.left.capabilities), "results": type(hiding)(**{**vars(hiding), "hides": frozenset({"0"})})}
    )
    made.left.marks[("li-1", "u1")] = "0"
    plan = made.plan()
    assert plan.pending == 0
    assert journal_marks(made)["1"] == "8"


def test_a_teacher_in_the_course_gets_no_mark(sqlite_database: Database) -> None:
    left = lms()
    left.marks[("li-1", "u9")] = "100"
    made = joined(sqlite_database, left=left)
    made.sync()
    assert set(journal_marks(made)) == {"1", "2", "3"}


def test_a_work_that_already_stands_in_the_journal_is_used(sqlite_database: Database) -> None:
    from sync.model import LineItem
    from tests.sync.memory import DAY, journal

    right = journal(items=[LineItem("w7", "бақылау тесті", scale="mark10", due=DAY, lesson_id="L1")])
    made = joined(sqlite_database, right=right)
    made.sync()
    assert len(made.right.items) == 1
    assert {item for item, _person in made.right.marks} == {"w7"}
