"""A record that a system refuses waits alone: tried some times, never for ever, and no sibling waits with it."""

from __future__ import annotations

import pytest

from connector.db.database import Database
from sync.store import quarantine
from sync.store.quarantine import TRIES, Quarantined
from sync.systems.contract import CellWrite, Outcome, WriteResult
from tests.sync.kit import Bench, joined


@pytest.fixture
def made(database: Database) -> Bench:
    return joined(database)


def refuse_one(made: Bench) -> list[str]:
    """Let the journal refuse one pupil's marks; return the pupils whose writes it was asked for."""
    asked: list[str] = []

    def judge(write: CellWrite) -> WriteResult | None:
        asked.append(write.person_id)
        return WriteResult(Outcome.REFUSED, "not_enrolled") if write.person_id == asked[0] else None

    made.right.outcome = judge
    return asked


def apart(made: Bench) -> list[Quarantined]:
    with made.database.school(made.school, write=False) as db:
        return list(quarantine.of(db, made.school, made.connection).values())


def sync_by_policy(made: Bench) -> dict[str, int]:
    """Sync as a worker does: what flows is written, what is held is not released."""
    plan = made.plan()
    if plan.state == "empty":
        return {}
    made.approve(plan)
    return made.apply(plan).counts


def test_one_bad_record_keeps_no_sibling_from_being_written_and_is_tried_no_more_than_allowed(made: Bench) -> None:
    asked = refuse_one(made)
    first = sync_by_policy(made)
    assert first["refused"] == 1
    assert {write.person_id for write in made.right.writes} == set(asked[1:]) != set()
    (one,) = apart(made)
    assert (one.reason, one.attempts, one.waits) == ("not_enrolled", 1, False)
    for _ in range(TRIES + 3):
        sync_by_policy(made)
    assert asked.count(asked[0]) == TRIES
    assert apart(made)[0].waits
    plan = made.plan()
    assert [row.held_by for row in made.changes(plan, "held")] == ["quarantined"]


def test_record_that_a_person_ticks_or_puts_back_is_tried_again_and_forgotten_once_taken(made: Bench) -> None:
    refuse_one(made)
    for _ in range(TRIES):
        sync_by_policy(made)
    plan = made.plan()
    made.approve(plan, releases=["quarantined"])
    assert made.apply(plan).counts["refused"] == 1
    made.right.outcome = None
    assert made.plan().counts.get("ready", 0) == 0
    with made.database.school(made.school) as db:
        assert quarantine.again(db, made.school, made.connection, apart(made)[0].key)
    assert sync_by_policy(made)["applied"] == 1
    assert apart(made) == []
    assert made.plan().state == "empty"


def test_muted_record_waits_until_its_values_change(made: Bench) -> None:
    asked = refuse_one(made)
    sync_by_policy(made)
    (one,) = apart(made)
    with made.database.school(made.school) as db:
        assert quarantine.mute(db, made.school, made.connection, one.key)
        assert not quarantine.mute(db, made.school, made.connection, "grade|x|y|z")
    sync_by_policy(made)
    assert asked.count(asked[0]) == 1
    row = next(row for row in made.changes(made.plan(), "held") if row.key == one.key)
    cell = next(cell for cell in made.left.marks if cell[1] == _left_id(made, row.person))
    made.left.marks[cell] = "35" if made.left.marks[cell] != "35" else "45"
    made.right.outcome = None
    assert sync_by_policy(made)["applied"] == 1
    assert apart(made) == []


def _left_id(made: Bench, person: str) -> str:
    from sync.runs import people as joining
    from sync.store import connections

    with made.database.school(made.school, write=False) as db:
        return joining.links(db, connections.get(db, made.school, made.connection))[person][0]
