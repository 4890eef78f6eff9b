"""Threads inside the server: a ring is heard at once, a missed one soon, and an idle queue costs next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from connector.db.database import Database
from sync.jobs import queue
from sync.jobs.dispatch import LocalDispatcher
from sync.jobs.health import beat, queue_health, stalled
from sync.jobs.runner import Handlers, JobContext, Runtime


class Counter:
    def __init__(self) -> None:
        self.keys: list[str] = []
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, context: JobContext) -> None:
        assert self.gate.wait(20)
        with self.changed:
            self.keys.append(context.job.key)
            self.changed.notify_all()

    def wait(self, number: int, seconds: float = 20) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.keys) >= number, seconds)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def runtime(database: Database, counter: Counter) -> Runtime:
    handlers = Handlers()
    handlers.add("work", counter)
    return Runtime(database, handlers, lane_limit=100)


@pytest.fixture
def slow(runtime: Runtime) -> Iterator[LocalDispatcher]:
    """A dispatcher whose sweeper is too slow to be what makes a test pass."""
    dispatcher = LocalDispatcher(runtime, threads=2, sweep_seconds=60)
    dispatcher.start()
    time.sleep(0.1)
    yield dispatcher
    assert dispatcher.stop()


def put(database: Database, school_id: str, key: str, **values: Any) -> None:
    with database.school(school_id) as db:
        queue.put(db, school_id, "work", key, {}, **values)


def test_ring_is_heard_at_once(database: Database, school_id: str, counter: Counter, slow: LocalDispatcher) -> None:
    for number in range(20):
        put(database, school_id, f"k{number}")
    slow.ring()
    assert counter.wait(20, 10)
    assert sorted(counter.keys) == sorted(f"k{number}" for number in range(20))


def test_job_for_later_runs_when_its_time_comes_without_a_second_ring(
    database: Database, school_id: str, counter: Counter, slow: LocalDispatcher
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.7)
    put(database, school_id, "later", run_after=due)
    slow.ring()
    assert counter.wait(1, 10)
    assert datetime.now(UTC) >= due


def test_sweeper_finds_what_nobody_rang_for(
    database: Database, school_id: str, counter: Counter, runtime: Runtime
) -> None:
    dispatcher = LocalDispatcher(runtime, threads=1, sweep_seconds=0.1)
    dispatcher.start()
    put(database, school_id, "silent")
    assert counter.wait(1, 10)
    assert dispatcher.stop()


def test_stop_lets_the_running_job_end_and_starts_no_other(
    database: Database, school_id: str, counter: Counter, runtime: Runtime
) -> None:
    dispatcher = LocalDispatcher(runtime, threads=1, sweep_seconds=0.1)
    counter.gate.clear()
    put(database, school_id, "running")
    dispatcher.start()
    dispatcher.start()
    deadline = time.monotonic() + 10
    while queue.waiting(database) != {"leased": 1} and time.monotonic() < deadline:
        time.sleep(0.02)
    put(database, school_id, "waiting")
    assert not dispatcher.stop(timeout=0.2)
    counter.gate.set()
    assert counter.wait(1)
    time.sleep(0.3)
    assert counter.keys == ["running"]
    assert not dispatcher.running
    assert queue.waiting(database) == {"done": 1, "ready": 1}


def test_idle_queue_is_looked_at_rarely_and_never_written(sqlite_database: Database, counter: Counter) -> None:
    statements: list[str] = []
    event.listen(
        sqlite_database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    dispatcher = LocalDispatcher(Runtime(sqlite_database, Handlers()), threads=4, sweep_seconds=0.5)
    dispatcher.start()
    time.sleep(1.2)
    assert dispatcher.stop()
    looks = [statement for statement in statements if "job" in statement]
    assert 1 <= len(looks) <= 5
    assert not [statement for statement in statements if "IMMEDIATE" in statement or "UPDATE" in statement]


def test_health_tells_how_long_the_oldest_job_waits(database: Database, school_id: str) -> None:
    now = datetime.now(UTC)
    put(database, school_id, "old", run_after=now - timedelta(minutes=5))
    put(database, school_id, "future", run_after=now + timedelta(minutes=5))
    health = queue_health(database, now)
    assert (health.ready, health.leased, health.dead, health.workers) == (2, 0, 0, 0)
    assert health.oldest_due == timedelta(minutes=5)


def test_heartbeat_is_one_row_per_worker_and_old_ones_go(database: Database, runtime: Runtime) -> None:
    started = datetime.now(UTC)
    beat(runtime, started)
    beat(runtime, started)
    other = Runtime(database, Handlers(), worker="gone", clock=lambda: started - timedelta(days=2))
    beat(other, started)
    assert queue_health(database, started).workers == 1
    beat(runtime, started)
    assert queue_health(database, started - timedelta(days=2)).workers == 1


def test_worker_that_takes_nothing_while_jobs_are_due_is_stalled(
    database: Database, school_id: str, runtime: Runtime
) -> None:
    now, patience = datetime.now(UTC), timedelta(minutes=5)
    long_ago = now - timedelta(hours=1)
    assert not stalled(runtime, long_ago, patience)
    put(database, school_id, "due", run_after=now - timedelta(minutes=6))
    assert stalled(runtime, long_ago, patience)
    assert not stalled(runtime, now, patience)
    runtime.last_lease_at = now
    assert not stalled(runtime, long_ago, patience)
