"""A delivery of thirty scores whose workers die: every mark once, the right value, one column."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.db.database import Database
from sync.jobs import queue
from tests.scores.kit import Course
from tests.support.databases import Place
from tests.support.fleet import Fleet, Nursery, wait_for
from tests.support.lms import Rehearsal

# Every step of a delivery, and how often it is passed before the worker dies there.
STEPS = [
    ("job.leased", 1),
    ("column.wanted", 1),
    ("column.looked", 1),
    ("column.made", 1),
    ("column.noted", 1),
    ("score.read", 1),
    ("score.settling", 1),
    ("score.settled", 1),
    ("score.posting", 17),
    ("score.posted", 9),
    ("score.posted", 20),
    ("score.settling", 5),
]


@pytest.fixture
def opened(database_place: Place) -> Iterator[Database]:
    database = database_place.open()
    yield database
    database.close()


@pytest.fixture
def fleet(database_place: Place, tmp_path: Path, lms: Rehearsal, nursery: Nursery) -> Iterator[Fleet]:
    folder = tmp_path / "fleet"
    folder.mkdir()
    made = DeliveringFleet(nursery, database_place, "", folder, "http://127.0.0.1:9")
    made.lms = lms.facts.to_json()
    yield made
    made.end()


class DeliveringFleet(Fleet):
    lms = ""

    def start(self, name: str = "worker", **values: Any) -> Any:
        return super().start(name, **{"lms": self.lms, "lease": 0.8, "sweep": 0.1, **values})


def hand_in_a_class(course: Course) -> dict[str, Decimal]:
    """Thirty results, zeros and fractions among them; the twin hides zeros."""
    wanted: dict[str, Decimal] = {}
    for number, sub in enumerate(course.lms.pupils[:30]):
        wanted[sub] = Decimal(number % 11) if number % 3 else Decimal(number % 10) + Decimal("0.5")
        course.hand_in(sub, str(wanted[sub]))
    return wanted


def check(course: Course, wanted: dict[str, Decimal]) -> None:
    (column,) = course.lms.columns()
    assert column.marks() == wanted
    assert {course.state(sub) for sub in wanted} == {"delivered"}
    for sub in wanted:
        rows = course.effects(sub)
        assert [row.state in ("delivered", "already") for row in rows] == [True], rows


def test_worker_that_dies_at_each_step_leaves_every_mark_once_and_one_column(
    fleet: Fleet, opened: Database, lms: Rehearsal
) -> None:
    course = Course.of(opened, lms, placed=False)
    wanted = hand_in_a_class(course)
    for step, nth in STEPS:
        fleet.faults.plan("kill", step, nth)
    fleet.start()
    deaths = 0

    def done() -> bool:
        nonlocal deaths
        deaths += fleet.respawn_dead()
        return queue.waiting(opened) == {"done": 1}

    wait_for(done, fleet, 150)
    assert fleet.faults.left() == []
    assert deaths == len(STEPS)
    check(course, wanted)
    assert lms.count("POST", "/lineitems") == 1


def test_workers_that_die_at_random_while_results_still_come_leave_the_last_ones(
    fleet: Fleet, opened: Database, lms: Rehearsal
) -> None:
    chance = random.Random(7)
    course = Course.of(opened, lms)
    wanted = hand_in_a_class(course)
    for _ in range(2):
        fleet.start()
    for _ in range(4):
        time.sleep(chance.uniform(0.9, 1.6))
        chance.choice(fleet.processes).send_signal(signal.SIGKILL)
        for sub in chance.sample(sorted(wanted), 5):
            wanted[sub] = Decimal(chance.randint(0, 10))
            course.hand_in(sub, str(wanted[sub]), finished_at=datetime.now(UTC))
        for process in fleet.processes:
            process.poll()
        fleet.respawn_dead()

    def done() -> bool:
        fleet.respawn_dead()
        return set(queue.waiting(opened)) == {"done"}

    wait_for(done, fleet, 90)
    (column,) = lms.columns()
    assert column.marks() == wanted
    assert {course.state(sub) for sub in wanted} == {"delivered"}


def test_score_of_a_paused_worker_comes_too_late_for_a_newer_one(
    fleet: Fleet, opened: Database, lms: Rehearsal
) -> None:
    course = Course.of(opened, lms)
    (sub,) = lms.pupils[:1]
    course.hand_in(sub, "4", finished_at=datetime.now(UTC) - timedelta(minutes=1))
    fleet.faults.plan("hold", "score.posting")
    paused = fleet.start("paused")
    wait_for((fleet.folder / "held").exists, fleet)
    paused.send_signal(signal.SIGSTOP)
    fleet.start("other")
    wait_for(lambda: queue.waiting(opened) == {"done": 1}, fleet)
    assert course.mark(sub) == 4
    course.hand_in(sub, "9", finished_at=datetime.now(UTC))
    wait_for(lambda: queue.waiting(opened) == {"done": 2}, fleet)
    posts = lms.count("POST", "/scores")
    (fleet.folder / "go").touch()
    paused.send_signal(signal.SIGCONT)
    wait_for(lambda: "lease lost" in fleet.errors(), fleet)
    assert lms.count("POST", "/scores") == posts + 1
    assert (course.mark(sub), course.state(sub)) == (9, "delivered")
