"""Who changed what since both sides last agreed decides; nothing a person wrote is written over."""

from __future__ import annotations

import pytest

from connector.base.errors import Fatal, Hold
from connector.db.database import Database
from sync.runs import resolving
from sync.store import connections
from sync.store import people as people_store
from sync.systems.contract import CellWrite, Outcome, WriteResult
from tests.sync.kit import FILE, MAPPING, Bench, joined
from tests.sync.memory import NOW


def synced(database: Database, **options: object) -> Bench:
    made = joined(database, **options)
    made.sync()
    return made


def cell(made: Bench, number: int) -> tuple[str, str]:
    return (made.right.items[0].id, f"9000000000000000{number}")


def test_a_change_in_the_lms_alone_is_carried_over(database: Database) -> None:
    made = synced(database)
    made.left.marks[("li-1", "u2")] = "95"
    plan = made.plan()
    assert [(row.change.before, row.change.after, row.change.rule) for row in made.changes(plan, "ready", "held")] == [
        ("5", "10", "left_changed")
    ]
    made.approve(plan, releases=("over_percent",))
    made.apply(plan)
    assert made.right.marks[cell(made, 2)] == "10"
    assert made.plan().state == "empty"


def test_a_change_that_means_the_same_mark_writes_nothing(sqlite_database: Database) -> None:
    made = synced(sqlite_database)
    writes = len(made.right.writes)
    made.left.marks[("li-1", "u1")] = "83"
    assert made.plan().pending == 0
    assert len(made.right.writes) == writes


def test_both_sides_changed_is_a_conflict_and_neither_is_written(database: Database) -> None:
    made = synced(database)
    made.left.marks[("li-1", "u1")] = "30"
    made.right.marks[cell(made, 1)] = "9"
    plan = made.plan()
    assert plan.pending == 0
    [conflict] = made.conflicts()
    assert (conflict.left_raw, conflict.right_raw) == ("30", "9")
    assert (conflict.base_left, conflict.base_right) == ("84.5", "8")
    assert (made.left.marks[("li-1", "u1")], made.right.marks[cell(made, 1)]) == ("30", "9")
    made.plan()
    assert len(made.conflicts()) == 1


@pytest.mark.parametrize(("side", "mark"), [("left", "3"), ("right", "9")])
def test_a_person_settles_a_conflict(sqlite_database: Database, side: str, mark: str) -> None:
    made = synced(sqlite_database)
    made.left.marks[("li-1", "u1")] = "30"
    made.right.marks[cell(made, 1)] = "9"
    made.plan()
    [conflict] = made.conflicts()
    resolving.resolve(made.runtime, made.school, made.connection, conflict.id, side, who="person-1")
    plan = made.plan()
    if plan.pending:
        made.approve(plan)
        made.apply(plan)
    assert made.right.marks[cell(made, 1)] == mark
    assert made.left.marks[("li-1", "u1")] == "30"
    assert made.conflicts() == []


def test_a_conflict_ends_by_itself_when_both_agree_again(sqlite_database: Database) -> None:
    made = synced(sqlite_database)
    made.left.marks[("li-1", "u1")] = "30"
    made.right.marks[cell(made, 1)] = "9"
    made.plan()
    made.right.marks[cell(made, 1)] = "3"
    made.plan()
    assert made.conflicts() == []
    assert [one.resolution for one in made.conflicts("resolved")] == ["agreed"]


def test_an_edit_in_the_journal_of_a_mark_the_lms_owns_is_shown_and_not_carried(sqlite_database: Database) -> None:
    made = synced(sqlite_database)
    made.right.marks[cell(made, 1)] = "9"
    plan = made.plan()
    assert [row.change.rule for row in made.changes(plan, "reported")] == ["owner_left"]
    assert made.left.marks[("li-1", "u1")] == "84.5"


def test_a_journal_mark_that_was_there_first_is_not_overwritten(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    made.plan()
    made.right.items.append(
        made.right.create_line_item(None, made.left.items[0].__class__("", "Бақылау тесті", lesson_id="L1"))
    )  # type: ignore[arg-type]
    made.right.items.pop()
    made.right.marks[cell(made, 1)] = "4"
    plan = made.plan()
    made.approve(plan)
    made.apply(plan)
    assert made.right.marks[cell(made, 1)] == "4"
    assert [one.reason for one in made.conflicts()] == ["first_contact"]


def test_a_cell_that_moved_drops_out_and_the_rest_is_applied(database: Database) -> None:
    made = joined(database)
    plan = made.plan()
    made.approve(plan)

    def meddle(write: CellWrite) -> None:
        if write.person_id.endswith("2"):
            made.right.marks[(write.item_id, write.person_id)] = "7"

    made.right.before_write = meddle
    report = made.apply(plan)
    assert (report.counts["moved"], report.counts["applied"]) == (1, 4)
    assert made.right.marks[cell(made, 2)] == "7"
    made.right.before_write = None
    made.plan()
    assert [(one.left_raw, one.right_raw) for one in made.conflicts()] == [("51", "7")]


def test_a_mark_overwritten_between_write_and_verification_is_reported(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)

    def overwrite(step: str) -> None:
        if step == "apply.written":
            made.right.marks[cell(made, 1)] = "2"

    made.step = overwrite
    report = made.apply(plan)
    assert report.counts["lost"] == 1
    assert made.right.marks[cell(made, 1)] == "2"
    assert not any(key.endswith(made.person("u1")) and key.startswith("grade") for key in made.base())


def test_a_lost_answer_is_settled_by_reading_back(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    made.right.lose_answer = True
    report = made.apply(plan)
    assert report.counts["unknown"] == 3
    made.right.lose_answer = False
    writes = len(made.right.writes)
    again = made.plan()
    assert again.state == "empty"
    assert len(made.right.writes) == writes


def test_a_refused_record_does_not_stop_the_others(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    made.right.outcome = lambda write: (
        WriteResult(Outcome.REFUSED, "value_refused") if write.person_id.endswith("1") else None
    )
    report = made.apply(plan)
    assert report.counts["refused"] == 1
    assert set(made.right.marks) == {cell(made, 2), cell(made, 3)}
    [row] = made.changes(plan, "refused")
    assert row.reason == "value_refused"


def test_a_plan_of_another_mapping_is_refused(database: Database) -> None:
    made = joined(database)
    plan = made.plan()
    made.approve(plan)
    with database.school(made.school) as db:
        connections.change_mapping(db, made.school, made.connection, MAPPING.replace("half_up", "down"), NOW)
    with pytest.raises(Hold, match="mapping"):
        made.apply(plan)
    assert made.right.writes == []
    with database.school(made.school, write=False) as db:
        from sync.store import plans

        assert (plans.get(db, made.school, plan.id).state) == "stale"


def test_a_plan_made_before_people_were_parted_is_refused(sqlite_database: Database) -> None:
    from sync.runs import people

    made = joined(sqlite_database)
    plan = made.plan()
    people.part(made.runtime, made.school, made.connection, made.person("u3"), who="person-1")
    with pytest.raises(Hold, match="matched people"):
        made.approve(plan)


def test_another_hash_than_the_one_seen_is_refused(sqlite_database: Database) -> None:
    from dataclasses import replace

    made = joined(sqlite_database)
    plan = made.plan()
    with pytest.raises(Fatal, match="not the one that was approved"):
        made.approve(replace(plan, hash="0" * 64))
    assert made.right.writes == []


def test_a_plan_whose_rows_were_edited_is_refused(sqlite_database: Database) -> None:
    from sqlalchemy import update

    from sync.store.tables.plans import plan_change

    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    [row] = [row for row in made.changes(plan) if row.change.after == "8"]
    with sqlite_database.school(made.school) as db:
        db.execute(
            update(plan_change)
            .where(plan_change.c.plan == plan.id, plan_change.c.seq == row.seq)
            .values(change={**row.change.to_dict(), "after": "10"})
        )
    with pytest.raises(Fatal, match="not the one that was approved"):
        made.apply(plan)
    assert made.right.writes == []


def test_a_plan_that_nobody_approved_is_not_applied(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    with pytest.raises(Fatal, match="not approved"):
        made.apply(made.plan())


def test_the_first_plan_is_not_a_policys_to_approve(sqlite_database: Database) -> None:
    from sync.runs.approving import POLICY, approve

    made = joined(sqlite_database)
    plan = made.plan()
    with pytest.raises(Hold, match="person"):
        approve(made.runtime, made.school, plan.id, plan.hash, POLICY)


def test_only_the_ticked_rows_are_applied(sqlite_database: Database) -> None:
    made = joined(sqlite_database)
    plan = made.plan()
    wanted = next(row.key for row in made.changes(plan) if row.change.after == "10")
    made.approve(plan, only=[wanted])
    made.apply(plan)
    assert list(made.right.marks.values()) == ["10"]


def test_a_blocked_persons_marks_stop_at_the_next_record(sqlite_database: Database) -> None:
    from sqlalchemy import update

    made = joined(sqlite_database)
    plan = made.plan()
    made.approve(plan)
    whom = made.person("u3")
    with sqlite_database.school(made.school) as db:
        db.execute(update(people_store.person).where(people_store.person.c.id == whom).values(blocked_at=NOW))
    report = made.apply(plan)
    assert report.counts["skipped"] == 1
    assert cell(made, 3) not in made.right.marks


def test_a_large_change_waits_while_the_rest_flows(sqlite_database: Database) -> None:
    mapping = MAPPING + "guard: {max_change_pct: 20, floor: 3}\n"
    made = synced(sqlite_database, mapping=mapping)
    for number in (1, 2, 3):
        made.left.marks[("li-1", f"u{number}")] = "10"
    made.left.marks[("li-1", "u4")] = "77"
    plan = made.plan()
    held = made.changes(plan, "held")
    assert {row.held_by for row in held} == {"over_percent"}
    made.approve(plan)
    made.apply(plan)
    assert made.right.marks[cell(made, 4)] == "8"
    assert made.right.marks[cell(made, 1)] == "8"
    assert FILE
