"""Hours become runs: each once, whoever looks, and none where a pause or a person stands in the way."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from connector.db.database import Database
from connector.db.tables.registry import school as school_table
from sync.jobs.tables import job
from sync.runs.handlers import request_plan
from sync.schedule import store
from sync.schedule.asking import PLAN_JOB, after_score, ask
from sync.schedule.store import Plan
from sync.schedule.sweep import sweep
from sync.store import connections
from sync.store.tables.connections import schedule
from tests.sync.kit import MAPPING, Bench, bench

MORNING = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""07:00 in Almaty, a Tuesday."""


@pytest.fixture
def live(database: Database) -> Bench:
    made = bench(database)
    with database.school(made.school) as db:
        connections.note_first_approval(db, made.school, made.connection, made.clock.now)
    made.clock.now = MORNING - timedelta(minutes=30)
    assert sweep(made.runtime) == 0, "a schedule that is new is armed, not run"
    return made


def jobs(made: Bench) -> list[datetime]:
    query = select(job.c.run_after).where(job.c.kind == PLAN_JOB, job.c.state == "ready").order_by(job.c.run_after)
    with made.database.school(made.school, write=False) as db:
        return list(db.scalars(query))


def done(made: Bench) -> None:
    with made.database.school(made.school) as db:
        db.execute(update(job).values(state="done", finished_at=made.clock.now))


def standing(made: Bench) -> Plan:
    with made.database.school(made.school, write=False) as db:
        return store.of(db, connections.get(db, made.school, made.connection))


def test_one_hour_is_one_run_however_many_look(live: Bench) -> None:
    live.clock.now = MORNING + timedelta(seconds=1)
    together, asked = threading.Barrier(6), []

    def look() -> None:
        together.wait()
        asked.append(sweep(live.runtime))

    lookers = [threading.Thread(target=look) for _ in range(6)]
    for one in lookers:
        one.start()
    for one in lookers:
        one.join()
    assert sum(asked) == 1
    assert len(jobs(live)) == 1
    assert standing(live).last_slot == "2026-11-24T07:00"
    assert standing(live).slot == "2026-11-24T14:00"


def test_hours_missed_while_everything_was_off_are_one_run(live: Bench) -> None:
    live.clock.now = MORNING + timedelta(days=3, hours=1)
    assert sweep(live.runtime) == 1
    done(live)
    assert sweep(live.runtime) == 0
    assert standing(live).slot == "2026-11-27T14:00"


def test_missed_hour_found_at_night_begins_in_the_morning(live: Bench) -> None:
    live.clock.now = MORNING + timedelta(hours=17)
    assert sweep(live.runtime) == 1
    assert jobs(live) == [datetime(2026, 11, 25, 1, 0, tzinfo=UTC)], "quiet until 06:00 in Almaty"


def test_clock_set_back_after_a_run_makes_no_second_one(live: Bench) -> None:
    live.clock.now = MORNING + timedelta(seconds=1)
    assert sweep(live.runtime) == 1
    done(live)
    live.clock.now = MORNING - timedelta(hours=2)
    assert sweep(live.runtime) == 0
    live.clock.now = MORNING + timedelta(seconds=5)
    assert sweep(live.runtime) == 0
    assert jobs(live) == []


def test_hour_moves_with_the_schools_zone(live: Bench) -> None:
    with live.database.service() as db:
        db.execute(update(school_table).where(school_table.c.id == live.school).values(time_zone="Europe/Berlin"))
    live.clock.now = MORNING + timedelta(seconds=1)
    assert sweep(live.runtime) == 0, "it is three in the morning there"
    live.clock.now = MORNING + timedelta(hours=4, seconds=1)
    assert sweep(live.runtime) == 1


def test_pair_whose_first_plan_nobody_approved_runs_for_nobody(database: Database) -> None:
    made = bench(database)
    made.clock.now = MORNING - timedelta(minutes=1)
    sweep(made.runtime)
    made.clock.now = MORNING + timedelta(seconds=1)
    assert sweep(made.runtime) == 0
    assert standing(made).why_still(made.clock.now) == "not_live"


def test_paused_schedule_runs_nothing_and_resumes(live: Bench) -> None:
    with live.database.school(live.school) as db:
        connection = connections.get(db, live.school, live.connection)
        store.pause(db, connection, None, "person-1", live.clock.now)
    live.clock.now = MORNING + timedelta(seconds=1)
    assert sweep(live.runtime) == 0
    assert standing(live).slot == store.NEVER
    request_plan(live.runtime, live.school, live.connection, trigger="manual")
    assert len(jobs(live)) == 1, "a person may compare at any time"
    with live.database.school(live.school) as db:
        resumed = store.resume(db, connection, "person-1", live.clock.now)
    assert resumed.slot == "2026-11-24T14:00"


def test_summers_pause_is_lifted_by_a_person(live: Bench) -> None:
    live.clock.now = datetime(2027, 7, 1, 5, 0, tzinfo=UTC)
    assert sweep(live.runtime) == 1, "the hours of spring were missed"
    assert jobs(live) == [datetime(2027, 9, 14, 19, 0, tzinfo=UTC) + timedelta(hours=6)], "after the pause, at 06:00"
    assert standing(live).why_still(live.clock.now) == "year_end"
    with live.database.school(live.school) as db:
        connection = connections.get(db, live.school, live.connection)
        found = store.resume(db, connection, "person-1", live.clock.now)
    assert (found.slot, found.pauses.lifted) == ("2027-07-01T14:00", date(2027, 9, 14))


def test_scores_ask_once_for_a_comparison_some_minutes_later(live: Bench) -> None:
    now = live.clock.now
    with live.database.school(live.school) as db:
        assert after_score(db, live.school, [live.connection], now) == [live.connection]
        after_score(db, live.school, [live.connection], now + timedelta(minutes=3))
    assert jobs(live) == [now + timedelta(minutes=5)]


def test_comparison_asked_for_now_overtakes_the_one_that_waits(live: Bench) -> None:
    with live.database.school(live.school) as db:
        ask(db, connections.get(db, live.school, live.connection), live.clock.now + timedelta(days=900), "retry")
    request_plan(live.runtime, live.school, live.connection, trigger="manual")
    (due,) = jobs(live)
    assert due < datetime.now(UTC) + timedelta(minutes=1)


CHANGES = {
    "hours": ('{hours: ["08:15"]}', lambda plan, now: plan.next(now).name == "2026-11-24T08:15"),
    "days": ("{days: [fri]}", lambda plan, now: plan.next(now).name == "2026-11-27T07:00"),
    "quiet/from": ('{quiet: {from: "20:00", to: "06:00"}}', lambda plan, now: _free(plan, 15) > timedelta(0)),
    "quiet/to": ('{quiet: {from: "22:00", to: "06:45"}}', lambda plan, now: _free(plan, 1) == timedelta(minutes=45)),
    "after_score": ("{after_score: 30}", lambda plan, now: plan.rules.after_score == 30),
    "year_end/from": (
        '{year_end: {from: "11-01", to: "11-30"}}',
        lambda plan, now: plan.next(now).name == "2026-12-01T07:00",
    ),
    "year_end/to": (
        '{year_end: {from: "11-01", to: "12-31"}}',
        lambda plan, now: plan.next(now).name == "2027-01-01T07:00",
    ),
}


def _free(plan: Plan, hour: int) -> timedelta:
    at = datetime(2026, 11, 24, hour, 0, tzinfo=UTC)
    free = plan.free_from(at)
    assert free is not None
    return free - at


@pytest.mark.parametrize("key", CHANGES)
def test_each_key_of_the_mappings_schedule_changes_when_it_runs_and_no_version(live: Bench, key: str) -> None:
    text, holds = CHANGES[key]
    assert not holds(standing(live), live.clock.now)
    with live.database.school(live.school) as db:
        version = connections.get(db, live.school, live.connection).mapping_version
        connections.change_mapping(db, live.school, live.connection, f"{MAPPING}\nschedule: {text}\n", live.clock.now)
        assert connections.get(db, live.school, live.connection).mapping_version == version
    assert holds(standing(live), live.clock.now)
    with live.database.school(live.school, write=False) as db:
        assert db.scalar(select(schedule.c.slot)) == "", "the next hour is worked out anew"


def test_schools_own_hours_count_instead_of_the_mappings(live: Bench) -> None:
    with live.database.school(live.school) as db:
        connection = connections.get(db, live.school, live.connection)
        plan = store.set_overrides(db, connection, {"hours": ["10:00"]}, "person-1", live.clock.now, reset=False)
        assert plan.slot == "2026-11-24T10:00"
        # A later mapping whose quiet hours swallow them takes over, and the page says why.
        text = f'{MAPPING}\nschedule: {{hours: ["18:00"], quiet: {{from: "09:00", to: "12:00"}}}}\n'
        connections.change_mapping(db, live.school, live.connection, text, live.clock.now)
    found = standing(live)
    assert found.rules.hours == ("18:00",)
    assert found.fault is not None
