"""One contract for every transport: each effect once, whatever happens to the processes.

SQLite with threads, PostgreSQL with Celery on Redis, and on RabbitMQ; the workers are processes of their own and
die by SIGKILL.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.wrappers import Request, Response

from connector.db.database import Database
from connector.db.tables.launches import account
from sync.jobs import queue
from sync.jobs.celery_app import CeleryDispatcher
from sync.jobs.tables import job
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.fleet import Fleet, Nursery, wait_for
from tests.support.services import require_service
from tests.support.serving import serving

TRANSPORTS = [
    pytest.param("", id="sqlite-threads"),
    pytest.param("redis", id="postgres-celery-redis", marks=[pytest.mark.postgres, pytest.mark.redis]),
    pytest.param("rabbitmq", id="postgres-celery-rabbitmq", marks=[pytest.mark.postgres, pytest.mark.rabbitmq]),
]
STEPS = (
    "job.leased",
    "effect.before_look",
    "effect.before_post",
    "effect.after_post",
    "effect.before_commit",
    "effect.after_commit",
)


class EffectServer:
    """Counts effects by key; a second POST of a key is counted as doubled and refused."""

    def __init__(self) -> None:
        self.applied: Counter[str] = Counter()
        self.doubled: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        key = request.path.rsplit("/", 1)[1]
        with self._lock:
            known = key in self.applied
            if request.method == "POST":
                (self.doubled if known else self.applied)[key] += 1
                response = Response("", 409 if known else 201)
            else:
                response = Response("", 200 if known else 404)
        return response(environ, start_response)


@pytest.fixture
def server() -> EffectServer:
    return EffectServer()


@pytest.fixture(params=TRANSPORTS)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, server: EffectServer, nursery: Nursery) -> Iterator[Fleet]:
    broker = require_service(request.param) if request.param else ""
    if broker:
        place: Place = request.getfixturevalue("postgres").place
    else:
        place = request.getfixturevalue("sqlite_place")
    folder = tmp_path / "fleet"
    folder.mkdir()
    with ExitStack() as stack:
        made = Fleet(nursery, place, broker, folder, stack.enter_context(serving(server)))
        stack.callback(made.end)
        yield made


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Database]:
    database = fleet.place.open()
    yield database
    database.close()


def put(database: Database, school_id: str, keys: list[str]) -> list[str]:
    with database.school(school_id) as db:
        ids = [queue.put(db, school_id, "effect", key, {"id": key}, lane=f"lane-{key[-1]}") for key in keys]
    return [job_id for job_id in ids if job_id]


def all_done(database: Database, number: int) -> Callable[[], bool]:
    return lambda: queue.waiting(database) == {"done": number}


def written(database: Database, school_id: str) -> list[str]:
    with database.school(school_id, write=False) as db:
        return sorted(db.scalars(select(account.c.sub)))


def ring(fleet: Fleet, ids: list[str]) -> None:
    if not fleet.broker:
        return
    bell = CeleryDispatcher(fleet.broker, fleet.queue)
    for job_id in ids:
        bell.ring(job_id)
    assert bell.failures == 0
    bell.close()


def test_every_effect_happens_once_though_workers_die_at_each_step(
    fleet: Fleet, opened: Database, server: EffectServer
) -> None:
    school_id = make.make_school(opened)
    keys = [f"job-{number}" for number in range(24)]
    for place, step in enumerate(STEPS):
        fleet.faults.plan("kill", step, 2 * place + 1)
    ring(fleet, put(opened, school_id, keys))
    fleet.start()
    deaths = 0

    def done() -> bool:
        nonlocal deaths
        deaths += fleet.respawn_dead()
        return all_done(opened, len(keys))() and fleet.faults.left() == []

    wait_for(done, fleet)
    assert deaths >= len(STEPS) - 1
    assert server.applied == Counter(keys)
    assert not server.doubled
    assert written(opened, school_id) == sorted(keys)


def test_every_effect_happens_once_though_workers_die_at_random(
    fleet: Fleet, opened: Database, server: EffectServer
) -> None:
    chance = random.Random(20261120)
    school_id = make.make_school(opened)
    keys = [f"job-{number}" for number in range(150)]
    half = len(keys) // 2
    ring(fleet, put(opened, school_id, keys[:half]))
    for _ in range(2):
        fleet.start(lease=1)
    for kill in range(5):
        time.sleep(chance.uniform(0.05, 0.5) + (1.0 if fleet.broker else 0.5))
        chance.choice(fleet.processes).send_signal(signal.SIGKILL)
        for process in fleet.processes:
            process.poll()
        if kill == 2:
            put(opened, school_id, keys[half:])
        fleet.respawn_dead()
    wait_for(all_done(opened, len(keys)), fleet)
    assert server.applied == Counter(keys)
    assert written(opened, school_id) == sorted(keys)


def test_late_write_of_a_paused_worker_is_refused(fleet: Fleet, opened: Database, server: EffectServer) -> None:
    school_id = make.make_school(opened)
    fleet.faults.plan("hold", "effect.after_post")
    ring(fleet, put(opened, school_id, ["one"]))
    paused = fleet.start("paused", lease=1)
    wait_for((fleet.folder / "held").exists, fleet)
    paused.send_signal(signal.SIGSTOP)
    fleet.start("other", lease=1)
    wait_for(all_done(opened, 1), fleet)
    (fleet.folder / "go").touch()
    paused.send_signal(signal.SIGCONT)
    wait_for(lambda: "lease lost" in fleet.errors(), fleet, 20)
    assert server.applied == Counter(["one"])
    with opened.school(school_id, write=False) as db:
        assert list(db.scalars(select(account.c.issuer))) == ["other"]


def test_jobs_nobody_rang_for_are_found_by_two_sweepers_and_run_once(
    fleet: Fleet, opened: Database, server: EffectServer
) -> None:
    school_id = make.make_school(opened)
    keys = [f"job-{number}" for number in range(30)]
    put(opened, school_id, keys)
    fleet.start("one", lease=30)
    fleet.start("two", lease=30)
    wait_for(all_done(opened, len(keys)), fleet)
    assert server.applied == Counter(keys)
    assert not server.doubled
    with opened.service(write=False) as db:
        assert {row.attempts for row in db.execute(select(job.c.attempts))} == {1}


def test_worker_ends_politely(fleet: Fleet, opened: Database, server: EffectServer) -> None:
    school_id = make.make_school(opened)
    put(opened, school_id, ["one"])
    process = fleet.start()
    wait_for(all_done(opened, 1), fleet)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, fleet.errors()
    assert "Traceback" not in fleet.errors()
