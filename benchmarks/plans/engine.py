"""One way to compare a stored year, in a process of its own: what it took in seconds and memory, what it found."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from benchmarks.plans.year import CONNECTION, LEFT, RIGHT, SCHOOL
from benchmarks.processes import peak_mib, resident_mib

Counts = dict[str, int]
_SNAPSHOT = (
    "SELECT group_link, key, value FROM snapshot WHERE school_id = '{school}' AND connection = '{connection}' "
    "AND side = '{side}' AND kind = 'result' ORDER BY group_link, key"
)
_BASE = (
    """SELECT group_link, '["' || item || '","' || person || '"]', left_raw, right_raw FROM base """
    "WHERE school_id = '{school}' AND connection = '{connection}' ORDER BY key"
)


def merge_with(url: str) -> Callable[[], Counts]:
    """Return a bare three-way merge of the stored rows: it compares, names the operation, and does nothing with it."""
    next(_rows(url, "SELECT 1"))  # The driver is loaded before the clock runs, as it is for the others.

    def make() -> Counts:
        lefts, rights, bases = _streams(url)
        end = ("\U0010ffff", "", "", "")
        left, right, base = (next(stream, end) for stream in (lefts, rights, bases))
        found: Counter[str] = Counter()
        while (key := min(left[:2], right[:2], base[:2])) != end[:2]:
            mine = theirs = agreed = None
            if left[:2] == key:
                mine, left = left[2], next(lefts, end)
            if right[:2] == key:
                theirs, right = right[2], next(rights, end)
            if base[:2] == key:
                agreed, base = base, next(bases, end)
            operation = _judge(mine, theirs, agreed)
            if operation:
                found[operation] += 1
        return dict(found)

    return make


def _judge(mine: str | None, theirs: str | None, agreed: tuple[str, ...] | None) -> str:
    if agreed is None:
        return "create_right" if theirs is None else "conflict"
    changed = (mine != agreed[2], theirs != agreed[3])
    if changed == (True, True):
        return "conflict"
    if changed[0]:
        return "clear_right" if mine is None else "write_right"
    return "report" if changed[1] else ""


def _streams(url: str) -> Iterator[Iterator[tuple[str, ...]]]:
    where = {"school": SCHOOL, "connection": CONNECTION}
    for text in (
        _SNAPSHOT.format(**where, side="left"),
        _SNAPSHOT.format(**where, side="right"),
        _BASE.format(**where),
    ):
        yield _rows(url, text)


def _rows(url: str, text: str) -> Iterator[tuple[str, ...]]:
    """Read rows as they come; on PostgreSQL by a cursor of the server's, as the application's role."""
    if url.startswith("sqlite"):
        yield from sqlite3.connect(url.removeprefix("sqlite:///")).execute(text)
        return
    import psycopg
    from sqlalchemy.engine import make_url

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute("SELECT set_config('kopir.school', %s, false)", (SCHOOL,))
        cursor = connection.cursor(name="rows")
        cursor.itersize = 5_000
        yield from cursor.execute(text.encode())


def sync_with(url: str) -> Any:
    """Return the sync's own runtime over a database, with systems that can do everything and are never asked."""
    from connector.base.secrets import Vault, new_key
    from connector.db.database import Database
    from connector.host.tables import import_tables
    from sync.runs.runtime import SyncRuntime
    from sync.systems.contract import Access, Capabilities, Writing

    import_tables()
    able = Access(read=True, write=Writing.YES)

    class System:
        def __init__(self, key: str) -> None:
            self.key = key
            self.capabilities = Capabilities(able, able, able, able, able)

    class Systems:
        def open(self, _connection: object) -> Any:
            return System(LEFT), System(RIGHT)

    now = datetime(2026, 11, 20, 7, tzinfo=UTC)
    return SyncRuntime(Database(url), Vault([new_key()]), Systems(), clock=lambda: now)


def plan_with(url: str) -> Callable[[], Counts]:
    """Return a plan as every run makes it: compared, decided, hashed, its changes stored, the guard heard."""
    from sqlalchemy import func, select

    from sync.runs.planning import plan_connection
    from sync.store.tables.plans import plan_change

    runtime = sync_with(url)

    def make() -> Counts:
        stored = plan_connection(runtime, SCHOOL, CONNECTION, read=False)
        where = (plan_change.c.school_id == SCHOOL, plan_change.c.plan == stored.id)
        with runtime.reading(SCHOOL) as db:
            counted = select(plan_change.c.action, func.count()).where(*where).group_by(plan_change.c.action)
            return {str(action): int(number) for action, number in db.execute(counted)}

    return make


def compare_with(url: str) -> Callable[[], Counts]:
    """Return the same plan without its storing: its changes made, counted and hashed."""
    from sync.reconcile.plan import Planner
    from sync.runs.compare import Comparison
    from sync.runs.planning import current_header

    runtime = sync_with(url)

    def make() -> Counts:
        connection = runtime.connection(SCHOOL, CONNECTION)
        comparison = Comparison(runtime, connection, runtime.sides(connection))
        planner = Planner(current_header(runtime, connection), comparison.rules, comparison.coverage())
        changes = planner.compare(comparison.columns())
        counts = Counter(change.action.value for change in changes)
        if len(planner.plan_hash) != 64:
            raise ValueError("the plan has no hash")
        return dict(counts)

    return make


ENGINES: dict[str, Callable[[str], Callable[[], Counts]]] = {
    "plan": plan_with, "compare": compare_with, "merge": merge_with,
}  # fmt: skip


def main() -> None:
    """Run ``<engine> <url>`` and print what it took."""
    make = ENGINES[sys.argv[1]](sys.argv[2])
    idle = resident_mib()
    began, cpu = time.perf_counter(), time.process_time()
    counts = make()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    done = {"seconds": seconds, "cpu": cpu, "above_idle": peak_mib() - idle, "counts": counts}
    sys.stdout.write(json.dumps(done))


if __name__ == "__main__":
    main()
