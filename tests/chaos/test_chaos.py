"""Chaos over real processes: a hostile network, workers killed at every step, and every mark once all the same.

The short form passes every fault point of a plan and an apply once. ``KOPIR_KILLS`` asks for more kills, as
``make chaos`` does; ``KOPIR_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select
from sqlalchemy.engine import make_url

from connector.db.database import Database
from sync.effects.tables import effect
from sync.jobs.tables import job
from sync.runs.approving import approve
from sync.runs.handlers import request_apply, request_plan
from sync.runs.planning import plan_connection
from sync.store import audit, cells, plans
from sync.twins.sample_school import pupils
from tests.support.databases import Place
from tests.support.fault_proxy import FAULTS, FaultProxy, proxied
from tests.support.fleet import Fleet, Nursery, wait_for
from tests.sync.test_over_twins import class_test, join
from tests.sync.twins import RunningClock, Twins, twins
from tests.twins.moodle_kit import new_key

KILLS = int(os.environ.get("KOPIR_KILLS", "0"))
SEED = int(os.environ.get("KOPIR_SEED", "20261122"))
POINTS = (
    "read.right.result",
    "plan",
    "guard",
    "apply.taken",
    "apply.before_work",
    "apply.after_work",
    "apply.sent",
    "apply.before_write",
    "apply.after_write",
    "apply.kept",
    "apply.written",
    "verify.read",
    "verify.settled",
)
"""The steps that production code names: a worker is killed at each of them."""
AUTO = "approve: {create: auto, update: auto, delete: auto}\nguard: {max_delete: 100, max_change_pct: 100}\n"


class Rehearsal:
    """Both twins behind proxies, a fleet of workers, and the marks that must stand in the end."""

    def __init__(self, both: Twins, fleet: Fleet, proxies: list[FaultProxy], database: Database) -> None:
        self.both, self.fleet, self.proxies, self.database = both, fleet, proxies, database
        self.deaths = 0
        self.chance = random.Random(SEED)

    def quiet(self, wish: bool) -> None:
        for proxy in self.proxies:
            proxy.quiet = wish

    def start(self, number: int = 2) -> None:
        for _ in range(number):
            self.fleet.start(sides=self.both.facts, lease=2)

    def tend(self) -> None:
        """Start a new worker for each that died."""
        dead = [process for process in self.fleet.processes if process.poll() is not None]
        for process in dead:
            self.fleet.processes.remove(process)
            self.deaths += 1
            self.start(1)

    def ask(self) -> None:
        request_plan(self.both.runtime, self.both.school, self.both.connection, trigger="schedule")

    def due(self) -> int:
        """Count the jobs that are due or running; what is put off by minutes is not waited for."""
        with self.database.school(self.both.school, write=False) as db:
            rows = db.execute(select(job.c.state, job.c.run_after)).all()
        now = time.time()
        return sum(
            row.state == "leased" or (row.state == "ready" and row.run_after.timestamp() < now + 3) for row in rows
        )

    def run_until(self, done: Callable[[], bool], seconds: float) -> None:
        def tended() -> bool:
            self.tend()
            if self.due() == 0:
                self.ask()
            return done()

        wait_for(tended, self.fleet, seconds)


def held(database: Database, school: str) -> dict[str, Any]:
    with database.school(school, write=False) as db:
        return {row.key: row for row in db.execute(select(effect))}


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return new_key()


@pytest.fixture(params=[pytest.param("sqlite", id="sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)])
def rehearsal(request: pytest.FixtureRequest, tmp_path: Path, nursery: Nursery, key: RSAKey) -> Iterator[Rehearsal]:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        place: Place = server.place
    else:
        place = request.getfixturevalue("sqlite_place")
    database = place.open()
    folder = tmp_path / "fleet"
    folder.mkdir()
    proxies: list[FaultProxy] = []
    clock = RunningClock()
    with ExitStack() as stack:
        stack.callback(database.close)

        def between(address: str) -> str:
            changed, proxy = stack.enter_context(proxied(address, seed=SEED + len(proxies), share=0.1, clock=clock))
            proxy.quiet = True
            proxies.append(proxy)
            return changed

        both = stack.enter_context(twins(database, tmp_path, key, between=between, more=AUTO, clock=clock))
        fleet = Fleet(nursery, place, "", folder, "")
        stack.callback(fleet.end)
        yield Rehearsal(both, fleet, proxies, database)


def first_plan(made: Rehearsal) -> tuple[str, dict[str, str], dict[tuple[str, str], str]]:
    """Score a test, join the people and let a person approve the first plan; workers apply it."""
    both = made.both
    item, expected = class_test(both)
    before = both.journal.marks()
    plan_connection(both.runtime, both.school, both.connection)
    assert join(both).applied
    plan = plan_connection(both.runtime, both.school, both.connection)
    assert plan.counts["create_right"] == len(expected)
    approve(both.runtime, both.school, plan.id, plan.hash, "person-1")
    request_apply(both.runtime, both.school, plan.id, actor="person-1")
    return item, expected, before


def fresh(made: Rehearsal, before: dict[tuple[str, str], str]) -> dict[str, str]:
    found = {cell: mark for cell, mark in made.both.journal.marks().items() if cell not in before}
    assert len({work for _person, work in found}) <= 1, "a work was made twice"
    return {person: mark for (person, _work), mark in found.items()}


def rescore(made: Rehearsal, item: str, expected: dict[str, str]) -> None:
    """Let the teacher change a few marks in the LMS, and say what the journal must show then."""
    ids, users = made.both.journal.person_ids(), made.both.pupils()
    for one in made.chance.sample(pupils(), 4):
        points = made.chance.randrange(4, 40)
        made.both.score(item, users[one.idnumber], str(points))
        expected[ids[one.number]] = str(max(1, int(Decimal(points) / 4 + Decimal("0.5"))))


def everything_stands(made: Rehearsal) -> None:
    both = made.both
    with made.database.school(both.school, write=False) as db:
        chain = audit.links(db, both.school, both.connection)
        base = dict(cells.all_bases(db, both.school, both.connection))
        sent = db.execute(select(effect).order_by(effect.c.id)).all()
    audit.verify(chain)
    assert audit.replay(chain) == base
    assert not [key for key, number in Counter(row.key for row in sent).items() if number > 1]
    stamps: dict[tuple[str, str, str], Any] = {}
    for row in sent:
        cell = (row.system, row.item, row.person)
        assert cell not in stamps or stamps[cell] < row.stamp
        stamps[cell] = row.stamp


def report(made: Rehearsal, began: float) -> None:
    happened = sum((proxy.happened for proxy in made.proxies), Counter())
    calls = sum(proxy.asked for proxy in made.proxies)
    kind = "sqlite" if made.database.is_sqlite else "postgres"
    print(  # noqa: T201
        f"chaos on {kind}: seed {SEED}, {made.deaths} kills, {sum(happened.values())} of {calls} calls spoiled "
        f"({', '.join(f'{name} {happened[name]}' for name in FAULTS)}), {time.monotonic() - began:.0f} s"
    )


@pytest.mark.timeout(0)
@pytest.mark.property("P3", "P8", "P9", "P10", "P11", "P26")
def test_every_mark_arrives_once_though_workers_die_and_the_network_lies(rehearsal: Rehearsal) -> None:
    made, began = rehearsal, time.monotonic()
    item, expected, before = first_plan(made)
    points = list(POINTS)
    for point in points:
        made.fleet.faults.plan("kill", point, 1 if point not in ("apply.before_write", "apply.after_write") else 5)
    made.quiet(False)
    made.start()
    made.run_until(lambda: made.fleet.faults.left() == [] and fresh(made, before) == expected, 100)
    while made.deaths < KILLS:
        rescore_quietly(made, item, expected)
        for point in made.chance.sample(POINTS, 6):
            made.fleet.faults.plan("kill", point, made.chance.randrange(1, 4))
        goal = made.deaths + 3
        made.run_until(lambda goal=goal: made.deaths >= goal and fresh(made, before) == expected, 300)  # type: ignore[misc]
        for path in made.fleet.folder.glob("kill@*"):
            path.unlink()
    made.quiet(True)
    settle(made, before, expected)
    report(made, began)
    assert made.deaths >= len(points) - 3


def rescore_quietly(made: Rehearsal, item: str, expected: dict[str, str]) -> None:
    made.quiet(True)
    rescore(made, item, expected)
    made.quiet(False)


def settle(made: Rehearsal, before: dict[tuple[str, str], str], expected: dict[str, str]) -> None:
    """Without faults everything comes to rest: all marks once, and nothing left to write."""
    both = made.both

    def rests() -> bool:
        with made.database.school(both.school, write=False) as db:
            newest = plans.latest(db, both.school, both.connection)
        return newest is not None and newest.state == "empty" and fresh(made, before) == expected

    made.run_until(rests, 120)
    everything_stands(made)


def test_a_worker_stopped_past_its_lease_and_a_second_one_write_each_mark_once(rehearsal: Rehearsal) -> None:
    made = rehearsal
    _item, expected, before = first_plan(made)
    made.fleet.faults.plan("hold", "apply.before_write", 4)
    made.start(1)
    wait_for((made.fleet.folder / "held").exists, made.fleet)
    [paused] = made.fleet.processes
    paused.send_signal(signal.SIGSTOP)
    made.start(1)
    made.run_until(lambda: fresh(made, before) == expected, 60)
    (made.fleet.folder / "go").touch()
    paused.send_signal(signal.SIGCONT)
    wait_for(lambda: "lease lost" in made.fleet.errors(), made.fleet, 30)
    settle(made, before, expected)


@pytest.mark.postgres
def test_connections_cut_by_postgres_lose_and_double_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, nursery: Nursery, key: RSAKey
) -> None:
    server = request.getfixturevalue("postgres")
    database = server.place.open()
    (tmp_path / "fleet").mkdir()
    clock = RunningClock()
    with (
        ExitStack() as stack,
        twins(
            database,
            tmp_path,
            key,
            more=AUTO,
            clock=clock,
            between=lambda address: stack.enter_context(proxied(address, share=0.0, clock=clock))[0],
        ) as both,
    ):
        fleet = Fleet(nursery, server.place, "", tmp_path / "fleet", "")
        made = Rehearsal(both, fleet, [], database)
        try:
            _item, expected, before = first_plan(made)
            made.start()
            for _ in range(6):
                time.sleep(0.25)
                cut_connections(server)
            made.run_until(lambda: fresh(made, before) == expected, 90)
            settle(made, before, expected)
        finally:
            fleet.end()
            database.close()


def cut_connections(server: Any) -> None:
    """Let the server end every connection of the workers, as a restart does."""
    address = make_url(server._admin_url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (server.name,),
        )
