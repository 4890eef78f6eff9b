"""The ledger: one row per intended change, stamps that rise by whole seconds, one write of a cell under way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.db.database import Database
from sync.effects import ledger
from sync.effects.ledger import NotSendable, next_stamp
from sync.effects.records import Cell, Change, Effect, Origin, Sighting, State, lms_cell
from sync.effects.tables import effect
from tests.support import factories as make

NOW = datetime(2026, 11, 20, 9, 0, 30, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CELL = lms_cell("https://lms.example.kz", "https://lms.example.kz/items/1", "5")


@pytest.fixture
def school_id(database: Database) -> str:
    return make.make_school(database)


def change(key: str, after: str | None = "8", **values: Any) -> Change:
    defaults: dict[str, Any] = {"cell": CELL, "origin": Origin.SCORE, "wanted_at": NOW, "maximum": "10"}
    return Change(after=after, key=key, **{**defaults, **values})


def plan(database: Database, school_id: str, key: str, after: str | None = "8", **values: Any) -> Effect:
    now = values.pop("now", NOW)
    with database.school(school_id) as db:
        return ledger.plan(db, school_id, change(key, after, **values), now)


def send(database: Database, school_id: str, *effects: Effect) -> list[Effect]:
    with database.school(school_id) as db:
        return ledger.mark_sent(db, school_id, effects, NOW)


def settle(database: Database, school_id: str, one: Effect, state: State, **values: Any) -> None:
    with database.school(school_id) as db:
        ledger.settle(db, school_id, one, state, NOW, **values)


def state_of(database: Database, school_id: str, key: str) -> Effect:
    with database.school(school_id, write=False) as db:
        found = ledger.find(db, school_id, key)
    assert found is not None
    return found


def test_same_key_is_one_effect_with_one_stamp(database: Database, school_id: str) -> None:
    first = plan(database, school_id, "k")
    again = plan(database, school_id, "k", "9", now=NOW + timedelta(hours=1))
    assert again == first
    assert (first.after, first.stamp) == ("8", NOW.replace(microsecond=0))


def test_unsent_effect_gives_way_to_a_newer_one_without_wasting_a_second(database: Database, school_id: str) -> None:
    plan(database, school_id, "1", comment="жақсы")
    second = plan(database, school_id, "2", "9")
    assert state_of(database, school_id, "1").state is State.SUPERSEDED
    assert state_of(database, school_id, "1").comment == ""
    assert second.stamp == NOW.replace(microsecond=0)


def test_stamps_of_a_cell_rise_by_whole_seconds_though_results_come_in_one_second(
    database: Database, school_id: str
) -> None:
    stamps = []
    for number in range(4):
        (sent,) = send(database, school_id, plan(database, school_id, str(number), str(number)))
        settle(database, school_id, sent, State.DELIVERED, sighting=Sighting(str(number), "10"))
        stamps.append(sent.stamp)
    assert stamps == [NOW.replace(microsecond=0) + number * SECOND for number in range(4)]


def test_stamp_starts_from_the_source_not_from_now(database: Database, school_id: str) -> None:
    early = plan(database, school_id, "k", wanted_at=NOW - timedelta(days=2))
    assert early.stamp == (NOW - timedelta(days=2)).replace(microsecond=0)


def test_new_effect_expects_what_was_last_agreed(database: Database, school_id: str) -> None:
    (sent,) = send(database, school_id, plan(database, school_id, "1"))
    assert sent.expect is None
    settle(database, school_id, sent, State.DELIVERED, sighting=Sighting("32", "40"))
    second = plan(database, school_id, "2", "9")
    assert (second.expect, second.expect_maximum) == ("32", "40")
    with database.school(school_id, write=False) as db:
        found = ledger.cells(db, school_id, [CELL, Cell("x", "y", "z")])
    assert (found[CELL].agreed, found[CELL].agreed_known) == ("32", True)
    assert not found[Cell("x", "y", "z")].agreed_known


def test_zero_that_is_not_shown_is_agreed_as_zero(database: Database, school_id: str) -> None:
    (sent,) = send(database, school_id, plan(database, school_id, "1", "0"))
    settle(database, school_id, sent, State.DELIVERED, sighting=Sighting(None), reason="zero_not_shown")
    with database.school(school_id, write=False) as db:
        assert ledger.cells(db, school_id, [CELL])[CELL].agreed == "0"


def test_refused_or_kept_write_leaves_what_was_agreed(database: Database, school_id: str) -> None:
    (sent,) = send(database, school_id, plan(database, school_id, "1"))
    settle(database, school_id, sent, State.DELIVERED, sighting=Sighting("8", "10"))
    for key, state in (("2", State.KEPT), ("3", State.CONFLICT), ("4", State.REFUSED)):
        (sent,) = send(database, school_id, plan(database, school_id, key, "9"))
        settle(database, school_id, sent, state, sighting=Sighting("3", "10"))
    assert plan(database, school_id, "5").expect == "8"


def test_one_write_of_a_cell_is_under_way_at_a_time(database: Database, school_id: str) -> None:
    (first,) = send(database, school_id, plan(database, school_id, "1"))
    second = plan(database, school_id, "2", "9", origin=Origin.SYNC)
    assert second.stamp == first.stamp + SECOND
    with pytest.raises(NotSendable):
        send(database, school_id, second)
    settle(database, school_id, first, State.UNKNOWN)
    with pytest.raises(NotSendable):
        send(database, school_id, second)
    settle(database, school_id, first, State.DELIVERED)
    assert send(database, school_id, second)[0].state is State.SENT


def test_sending_again_keeps_the_stamp_and_counts(database: Database, school_id: str) -> None:
    (first,) = send(database, school_id, plan(database, school_id, "1"))
    settle(database, school_id, first, State.UNKNOWN, reason="not_read")
    with database.school(school_id, write=False) as db:
        (flying,) = ledger.in_flight(db, school_id, CELL.system, CELL.item)
    (again,) = send(database, school_id, flying)
    assert (again.stamp, again.attempts) == (first.stamp, 2)


def test_settled_effect_is_not_sent_again(database: Database, school_id: str) -> None:
    (first,) = send(database, school_id, plan(database, school_id, "1"))
    settle(database, school_id, first, State.REFUSED, reason="not_gradable")
    with pytest.raises(NotSendable):
        send(database, school_id, first)
    assert plan(database, school_id, "1").state is State.REFUSED


def test_later_stamp_passes_the_stored_marks_own_time(database: Database, school_id: str) -> None:
    (first,) = send(database, school_id, plan(database, school_id, "1"))
    with database.school(school_id) as db:
        later = ledger.restamp(db, school_id, first, NOW + timedelta(minutes=1))
        assert later.stamp == (NOW + timedelta(minutes=1)).replace(microsecond=0)
        stored = NOW + timedelta(minutes=5)
        latest = ledger.restamp(db, school_id, later, NOW + timedelta(minutes=1), stored)
    assert latest.stamp == stored.replace(microsecond=0) + SECOND


def test_comment_is_kept_only_until_the_write_is_settled(database: Database, school_id: str) -> None:
    (sent,) = send(database, school_id, plan(database, school_id, "1", comment="Жақсы жұмыс"))
    assert sent.comment == "Жақсы жұмыс"
    assert "Жақсы" not in repr(sent)
    settle(database, school_id, sent, State.DELIVERED)
    assert state_of(database, school_id, "1").comment == ""


def test_schools_have_ledgers_of_their_own(database: Database, school_id: str) -> None:
    other = make.make_school(database)
    plan(database, school_id, "k")
    assert plan(database, other, "k", "3").after == "3"


def test_planners_of_one_cell_side_by_side_leave_one_planned_effect(database: Database, school_id: str) -> None:
    gate = threading.Barrier(6)

    def work(number: int) -> None:
        gate.wait()
        for turn in range(5):
            plan(database, school_id, f"{number}:{turn}", str(turn))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with database.school(school_id, write=False) as db:
        states = list(db.scalars(select(effect.c.state)))
    assert sorted(states) == ["planned"] + ["superseded"] * 29


instants = st.integers(0, 31_536_000_000).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=n))


@given(instants, instants, st.none() | instants.map(ledger.floor_second))
def test_stamp_rises_in_whole_seconds_and_is_ahead_of_the_clock_only_when_it_must(
    wanted: datetime, now: datetime, last: datetime | None
) -> None:
    stamp = next_stamp(wanted, now, last)
    assert stamp.microsecond == 0
    assert last is None or stamp >= last + SECOND
    assert stamp <= now or (last is not None and stamp == last + SECOND)
    assert last is None or stamp == last + SECOND or stamp == min(wanted, now).replace(microsecond=0)
