"""Each LMS has a lane of its own: one that hangs or fails delays nobody else, and is tried again on its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.db.database import Database
from connector.host.work import lane_limit
from sync.jobs import lanes
from sync.jobs.backoff import Backoff
from sync.jobs.dispatch import LocalDispatcher
from sync.jobs.runner import Handlers, Runtime
from sync.scores.deliver import DELIVER_SCORES, deliver_handler
from sync.scores.gradebook import Gradebooks, Opened
from sync.scores.pace import Pace
from sync.scores.places import Place
from tests.scores.kit import Course
from tests.support import factories as make
from tests.support.lms import Rehearsal, rehearsal

THREADS = 2


@dataclass(frozen=True)
class Several:
    """Gradebooks of several LMSs, by issuer."""

    by_issuer: dict[str, Gradebooks]

    def open(self, place: Place) -> Opened:
        return self.by_issuer[place.issuer].open(place)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Rehearsal, Rehearsal]]:
    (tmp_path / "dead").mkdir()
    (tmp_path / "well").mkdir()
    with rehearsal(tmp_path / "dead") as dead, rehearsal(tmp_path / "well") as well:
        yield dead, well


def known_as(lms: Rehearsal, registration: str) -> Gradebooks:
    return replace(lms.facts, registration={**lms.facts.registration, "id": registration}).gradebooks(read=4.0)


def wait_for(course: Course, sub: str, seconds: float) -> float:
    began = time.monotonic()
    while course.state(sub) != "delivered":
        assert time.monotonic() - began < seconds, course.lines()
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("fault", ["slow", "maintenance"])
def test_lms_that_hangs_or_fails_delays_no_other(
    sqlite_database: Database, pair: tuple[Rehearsal, Rehearsal], fault: str
) -> None:
    dead, well = pair
    courses = [Course.of(sqlite_database, dead, registration="dead") for _ in range(3)]
    other = Course.of(sqlite_database, well, registration="well")
    # The first call to it hangs for longer than the other LMS's score may take.
    dead.lms.set_fault(fault, milliseconds=4500)
    books = Several({one.lms.base_url: known_as(one, name) for one, name in ((dead, "dead"), (well, "well"))})
    handlers = Handlers()
    handlers.add(DELIVER_SCORES, deliver_handler(books))
    runtime = Runtime(
        sqlite_database, handlers, lane_limit=lane_limit(THREADS), lane_backoff=Backoff(first=0.3, cap=0.6, jitter=0)
    )
    workers = LocalDispatcher(runtime, THREADS, sweep_seconds=0.05)
    for course in courses:
        course.hand_in(dead.pupils[0], "5")
    workers.start()
    try:
        time.sleep(0.1)
        other.hand_in(well.pupils[0], "7")
        workers.ring()
        wait_for(other, well.pupils[0], 3.5)
        assert {course.state(dead.pupils[0]) for course in courses} == {"waiting"}
        dead.lms.set_fault("none")
        for course in courses:
            wait_for(course, dead.pupils[0], 20)
    finally:
        workers.stop()
    assert other.mark(well.pupils[0]) == 7
    assert lanes.overview(sqlite_database, datetime.now(UTC), ["well"])[0].state == "open"


def test_lane_is_seen_closed_with_its_next_try_and_can_be_tried_at_once(course: Course) -> None:
    (sub,) = course.lms.pupils[:1]
    course.hand_in(sub, "5")
    course.lms.lms.set_fault("maintenance")
    course.deliver(lane_backoff=Backoff(first=120, jitter=0))
    now = course.clock()
    (seen,) = lanes.overview(course.database, now, ["registration"], course.school_id)
    assert (seen.state, seen.failures, seen.waiting, seen.dead) == ("closed", 1, 1, 0)
    assert seen.open_until is not None
    assert timedelta(seconds=110) < seen.open_until - now < timedelta(seconds=125)
    other = make.make_school(course.database)
    (theirs,) = lanes.overview(course.database, now, ["registration"], other)
    assert (theirs.state, theirs.waiting) == ("closed", 0)
    course.lms.lms.set_fault("none")
    lanes.probe(course.database, "registration", course.school_id, now)
    assert lanes.overview(course.database, now, ["registration"])[0].state == "probing"
    assert course.deliver().state == "done"
    assert (course.state(sub), lanes.overview(course.database, now, ["registration"])[0].state) == ("delivered", "open")


def never() -> bool:
    return False


def answer(pace: Pace, seconds: float, times: int, *, well: bool = True) -> None:
    for _ in range(times):
        assert pace.enter(never)
        pace.leave(seconds, well=well)


def test_pace_grows_while_the_platform_keeps_up_and_halves_at_trouble() -> None:
    pace = Pace(first=2, most=8)
    answer(pace, 0.05, 6)
    assert pace.allowed == 8
    answer(pace, 0.05, 1, well=False)
    assert pace.allowed == 4
    answer(pace, 0.05, 4)
    assert pace.allowed == 5
    for _ in range(10):
        answer(pace, 0.05, 1, well=False)
    assert pace.allowed == 1


def test_pace_shrinks_when_calls_wait_for_one_another() -> None:
    pace = Pace(first=2, most=8)
    answer(pace, 0.05, 6)
    answer(pace, 0.2, 16)
    assert pace.allowed < 8
    slow = pace.allowed
    answer(pace, 0.05, 60)
    assert pace.allowed > slow


def test_stopped_pace_lets_nobody_in() -> None:
    pace = Pace(first=1, most=1)
    assert not pace.enter(lambda: True)


def test_place_that_one_leaves_or_does_not_take_goes_to_the_next_who_waits() -> None:
    pace = Pace(first=1, most=1)
    assert pace.enter(lambda: False)
    ended = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        stopped = [pool.submit(pace.enter, ended.is_set) for _ in range(3)]
        waiting = pool.submit(pace.enter, lambda: False)
        # The three are stopped without a word: whichever is woken for the place must hand it on.
        ended.set()
        pace.leave(0.01, well=True)
        assert waiting.result(10)
        pace.wake()
        assert not any(one.result(10) for one in stopped)


@pytest.mark.parametrize(("threads", "jobs"), [(1, 1), (2, 1), (3, 1), (4, 2), (32, 2)])
def test_one_lane_takes_half_of_the_threads_at_most(threads: int, jobs: int) -> None:
    assert lane_limit(threads) == jobs
