"""Alternate the sync's set-based writes with ORM objects, and tell what a job costs beside its records."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session, registry

from benchmarks.figures import Figure, compare
from benchmarks.plans.place import place, service_of, version
from benchmarks.plans.year import CLASS, CONNECTION, SCHOOL, Year, ident
from connector.db.database import Database
from sync.jobs import queue
from sync.jobs.runner import Handlers, JobContext, Runtime, execute_job
from sync.reconcile.types import Values
from sync.store import cells
from sync.store.cells import Settling
from sync.store.tables.cells import base

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
BOUND_MICROS = 10.0
Way = Callable[[Database, Sequence[Settling], int], None]


@dataclass(frozen=True)
class Size:
    """How much to write.

    Attributes:
        rounds: Alternated rounds.
        rows: Agreed cells written in a round; whole classes of them.
        batch: Records of one transaction, and of one job.
        jobs: Jobs run in a round.
        engines: Databases.
    """

    rounds: int = 3
    rows: int = 20_000
    batch: int = 1_000
    jobs: int = 100
    engines: tuple[str, ...] = ("sqlite", "postgres")


def store(size: Size) -> list[Figure]:
    """Measure agreed cells coming into the store, and jobs that do nothing."""
    return [figure for engine in size.engines for figure in _on(engine, size)]


def _on(engine: str, size: Size) -> Iterator[Figure]:
    year = Year(size.rows, changed=False, version=version())
    with TemporaryDirectory(prefix="kopir-bench-") as name, place(engine, year, Path(name)) as url:
        if not url:
            return
        database = Database(url, service_of(url))
        with contextlib.closing(database):
            ways: dict[str, Way] = {"ours": _ours, "objects": _objects}
            took: dict[str, list[float]] = {way: [] for way in ways}
            again: list[float] = []
            for number in range(size.rounds):
                for way in ways if number % 2 == 0 else reversed(ways):
                    _empty(database)
                    took[way].append(_rate(ways[way], database, _settled(size), size.batch))
                again.append(_rate(_ours, database, _settled(size, changed=True), size.batch))
            name = f"agreed cells stored, {engine}"
            yield compare(f"{name}: new", "rows/s", took["ours"], "ORM add_all", took["objects"])
            yield compare(f"{name}: kept, 1 in 20 differs", "rows/s", again, "ORM add_all of new ones", took["objects"])
            micros = [_job_micros(database, size) for _ in range(size.rounds)]
            jobs = f"a job's cost beside its {size.batch} records, {engine}"
            yield compare(jobs, "µs per record", micros, "bound", [BOUND_MICROS] * size.rounds)


def _rate(way: Way, database: Database, rows: Sequence[Settling], batch: int) -> float:
    began = time.perf_counter()
    way(database, rows, batch)
    return len(rows) / (time.perf_counter() - began)


def _empty(database: Database) -> None:
    with database.school(SCHOOL) as db:
        db.execute(delete(base).where(base.c.school_id == SCHOOL))


def _settled(size: Size, *, changed: bool = False) -> list[Settling]:
    """Return what so many cells were agreed on; of changed ones every twentieth says something else."""
    found = []
    for number in range(size.rows):
        link, item = ident(1, number // CLASS), ident(5, number // 25)
        key = f"grade|{link}|{item}|{ident(2, number % 25)}"
        found.append(Settling(key, Values("50" if changed and number % 20 == 0 else "40", "4"), "v"))
    return found


def _batches(rows: Sequence[Settling], size: int) -> Iterator[Sequence[Settling]]:
    yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _ours(database: Database, rows: Sequence[Settling], size: int) -> None:
    for batch in _batches(rows, size):
        with database.school(SCHOOL) as db:
            cells.settle(db, SCHOOL, CONNECTION, "run", batch, NOW)


class _Agreed:
    """One agreed cell as an object of the toolkit's."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


registry().map_imperatively(_Agreed, base)


def _objects(database: Database, rows: Sequence[Settling], size: int) -> None:
    for batch in _batches(rows, size):
        with database.school(SCHOOL) as db, Session(db) as session:
            session.add_all(_object(one) for one in batch)
            session.flush()


def _object(one: Settling) -> _Agreed:
    kind, link, item, person = one.key.split("|")
    left, right = one.values or (None, None)
    return _Agreed(
        school_id=SCHOOL, connection=CONNECTION, key=one.key, group_link=link, kind=kind, item=item, person=person,
        left_raw=left, right_raw=right, mapping_version=one.mapping_version, run="run", agreed_at=NOW,
    )  # fmt: skip


def _job_micros(database: Database, size: Size) -> float:
    """Return what leasing and finishing a job costs per record, when a job has a batch of them."""
    handlers = Handlers()

    def nothing(_context: JobContext) -> None:
        return

    handlers.add("bench", nothing)
    runtime = Runtime(database, handlers)
    with database.school(SCHOOL) as db:
        ids = [queue.put(db, SCHOOL, "bench", f"{time.perf_counter()}-{number}", {}) for number in range(size.jobs)]
    began = time.perf_counter()
    for which in ids:
        execute_job(runtime, str(which))
    return 1e6 * (time.perf_counter() - began) / (size.jobs * size.batch)
