"""Alternate the tools under the same load, and refuse every figure when a launch was not stored."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select

from benchmarks.figures import Figure, compare
from benchmarks.launches.driver import Driven, Job
from benchmarks.launches.targets import (
    CLIENT,
    ISSUERS,
    Lms,
    Tool,
    ltijs_is_here,
    running_fftoolkit,
    running_kopir,
    running_lms,
    running_ltijs,
    running_pylti,
)
from benchmarks.postgres import fresh_database, postgres_pids
from benchmarks.processes import BenchmarkFailed, run_with_input, tree
from connector.base.config import load_settings
from connector.db.database import Database
from connector.db.tables.launches import account, context, launch, resource_link

SHIPPED, ON_GUNICORN, ON_POSTGRES = "Kopir (as shipped)", "Kopir (gunicorn 1w×4t)", "Kopir (PostgreSQL)"
PYLTI, PYLTI_GRANIAN = "PyLTI1p3 (gunicorn 1w×4t)", "PyLTI1p3 (granian)"
FF_TOOLKIT, LTIJS = "ff-ltitoolkit (uvicorn)", "ltijs (PostgreSQL)"


@dataclass(frozen=True)
class Size:
    """How long to measure.

    Attributes:
        rounds: Alternated rounds; the medians are reported.
        seconds: Of timed windows per tool and round.
        batch: Flows per batch.
        people: Pupils of the school.
    """

    rounds: int = 5
    seconds: float = 1.2
    batch: int = 200
    people: int = 200


@dataclass
class Seen:
    """All that one tool was asked for, warm-up included, and its measured rounds."""

    rounds: list[Driven] = field(default_factory=list)
    launches: int = 0
    people: set[tuple[str, int]] = field(default_factory=set)
    courses: set[tuple[str, int]] = field(default_factory=set)
    links: set[tuple[str, str]] = field(default_factory=set)

    def add(self, issuer: str, driven: Driven) -> None:
        """Count a drive, measured or not."""
        self.launches += driven.flows
        self.people |= {(issuer, one) for one in driven.people}
        self.courses |= {(issuer, one) for one in driven.courses}
        self.links |= {(issuer, one) for one in driven.links}


def launches(size: Size) -> list[Figure]:
    """Drive every tool that can run here and return the figures.

    Raises:
        BenchmarkFailed: A tool refused a launch, or Kopir's rows are not the launches made.
    """
    with TemporaryDirectory(prefix="kopir-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        lms = stack.enter_context(running_lms(folder))
        tools = [stack.enter_context(tool) for tool in _tools(folder, lms, stack)]
        bench = Bench(lms, size, {tool.name: tool for tool in tools})
        bench.warm_up()
        figures = bench.throughput() + bench.key_sets()
        for tool in tools:
            if tool.environ:
                check_rows(tool, bench.seen[tool.name])
        return figures


def _tools(folder: Path, lms: Lms, stack: contextlib.ExitStack) -> Iterator[contextlib.AbstractContextManager[Tool]]:
    yield running_kopir(SHIPPED, folder / "shipped", lms)
    if find_spec("gunicorn"):
        yield running_kopir(ON_GUNICORN, folder / "gunicorn", lms, shipped=False)
    if find_spec("pylti1p3") and find_spec("gunicorn"):
        yield running_pylti(PYLTI, folder / "pylti", lms)
        yield running_pylti(PYLTI_GRANIAN, folder / "pylti-granian", lms, on_granian=True)
    if find_spec("ltitoolkit") and find_spec("uvicorn"):
        yield running_fftoolkit(FF_TOOLKIT, folder / "fftoolkit", lms)
    urls = stack.enter_context(fresh_database())
    if urls:
        yield running_kopir(ON_POSTGRES, folder / "postgres", lms, urls=urls)
    if urls and ltijs_is_here():
        theirs = stack.enter_context(fresh_database())
        yield running_ltijs(LTIJS, folder / "ltijs", lms, theirs["DATABASE_OWNER_URL"])


class Bench:
    """The tools under one load, with what each has been asked for."""

    def __init__(self, lms: Lms, size: Size, tools: Mapping[str, Tool]) -> None:
        """Take the running LMS and tools."""
        self._lms, self._size, self._tools = lms, size, tools
        self._pids = {name: self._processes(tool) for name, tool in tools.items()}
        self.seen = {name: Seen() for name in tools}
        self._seed = 0

    @staticmethod
    def _processes(tool: Tool) -> list[int]:
        own = tree(tool.pid)
        return own + postgres_pids(tool.database_url) if tool.database_url else own

    def drive(self, name: str, issuer: str = ISSUERS["keys"], seconds: float | None = None) -> Driven:
        """Drive one tool once, in a driver process of its own."""
        tool, size = self._tools[name], self._size
        self._seed += 1
        job = Job(
            tool.login_url, tool.launch_url, issuer, CLIENT, str(self._lms.key_file), tuple(self._pids[name]),
            size.seconds if seconds is None else seconds, size.batch, people=size.people, seed=self._seed,
        )  # fmt: skip
        answer = run_with_input([sys.executable, "-m", "benchmarks.launches.driver"], json.dumps(asdict(job)))
        driven = Driven(**json.loads(answer))
        if driven.failure:
            raise BenchmarkFailed(f"{name}: {driven.failure}")
        self.seen[name].add(issuer, driven)
        return driven

    def warm_up(self) -> None:
        """Let every tool meet the school, so that the rounds measure known people."""
        for name in self._tools:
            for issuer in ISSUERS.values():
                self.drive(name, issuer, 0.4 * self._size.seconds)
            self._pids[name] = self._processes(self._tools[name])

    def throughput(self) -> list[Figure]:
        """Alternate all tools for the rounds."""
        fetched = dict.fromkeys(self._tools, 0)
        for number in range(self._size.rounds):
            order = list(self._tools)
            for name in order if number % 2 == 0 else reversed(order):
                before = self._fetches()
                self.seen[name].rounds.append(self.drive(name))
                fetched[name] += self._fetches() - before
        return [*self._rates(), *self._fetch_figures(fetched)]

    def _rates(self) -> Iterator[Figure]:
        def rate(driven: Driven) -> float:
            return driven.rate

        def slowest(driven: Driven) -> float:
            return driven.p99_ms

        def cpu(driven: Driven) -> float:
            return driven.cpu_us

        pairs = [
            (SHIPPED, PYLTI), (SHIPPED, FF_TOOLKIT), (SHIPPED, LTIJS), (ON_POSTGRES, LTIJS), (ON_GUNICORN, PYLTI),
            (SHIPPED, PYLTI_GRANIAN), (ON_POSTGRES, PYLTI),
        ]  # fmt: skip
        measures: list[tuple[str, str, Callable[[Driven], float]]] = [
            ("login + launch", "flows/s", rate), ("launch p99", "ms", slowest),
            ("server CPU per login + launch", "µs", cpu),
        ]  # fmt: skip
        for ours, theirs in pairs:
            if ours in self._tools:
                for what, unit, of in measures:
                    yield compare(f"{what}: {ours}", unit, self._of(ours, of), theirs, self._of(theirs, of))

    def _of(self, name: str, measure: Callable[[Driven], float]) -> Sequence[float]:
        return [measure(driven) for driven in self.seen[name].rounds] if name in self.seen else []

    def _fetch_figures(self, fetched: Mapping[str, int]) -> Iterator[Figure]:
        def per_launch(name: str) -> list[float]:
            flows = sum(driven.flows for driven in self.seen[name].rounds)
            return [fetched[name] / flows]

        theirs = per_launch(PYLTI) if PYLTI in fetched else []
        yield compare(f"key set fetches per launch: {SHIPPED}", "fetches", per_launch(SHIPPED), PYLTI, theirs)

    def key_sets(self) -> list[Figure]:
        """Alternate a quick key set with a slow and a large one; the ratio is what the worse one keeps of the rate."""
        kept: dict[str, list[float]] = {name: [] for name in ISSUERS}
        for _ in range(self._size.rounds):
            for name, issuer in ISSUERS.items():
                kept[name].append(self.drive(SHIPPED, issuer, 0.5 * self._size.seconds).rate)
        words = {"slow": "login + launch, key set takes 100 ms", "many": "login + launch, key set of 402 keys"}
        return [compare(text, "flows/s", kept[name], "key set of 1 key at once", kept["keys"])
                for name, text in words.items()]  # fmt: skip

    def _fetches(self) -> int:
        with urllib.request.urlopen(self._lms.key_set("counts")) as reply:  # noqa: S310 - our own server.
            counts: dict[str, int] = json.load(reply)
        return sum(counts.get(name, 0) for name in ISSUERS)


def check_rows(tool: Tool, seen: Seen) -> None:
    """Compare what Kopir stored with what was launched.

    Raises:
        BenchmarkFailed: A launch, account, context or link is missing or doubled.
    """
    settings = load_settings(dict(tool.environ), Path(tool.environ["DATA_DIR"]) / "none.toml")
    wanted = {
        "launch": seen.launches, "account": len(seen.people), "context": len(seen.courses),
        "resource_link": len(seen.links),
    }  # fmt: skip
    database = Database(settings.sqlalchemy_url, settings.service_url)
    try:
        stored = _rows(database)
    finally:
        database.close()
    if stored != wanted:
        raise BenchmarkFailed(f"{tool.name}: launched {wanted}, stored {stored}")


def _rows(database: Database) -> dict[str, int]:
    from connector.db.tables.registry import school

    with database.service(write=False) as db:
        school_id = db.execute(select(school.c.id)).scalar_one()
    with database.school(school_id, write=False) as db:
        return {
            table.name: db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (launch, account, context, resource_link)
        }
