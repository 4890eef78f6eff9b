"""One engine over one year, in a process of its own: what it took in seconds and in memory, and what it found."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from benchmarks.processes import peak_mib, resident_mib
from benchmarks.reconcile.year import FILES, rows

MAPPING = """
version: 1
pair: {left: "moodle:bench", right: "kundelik:1"}
identity: {join: [linked_id], create: never}
groups: [{left: {course: "1"}, right: {edu_group: "1", subject: алгебра}}]
grades:
  owner: manual
  kinds: {"quiz": fo}
  scale: {fo: {from: percent, to: mark10, round: half_up, min: 1}}
"""
Counts = dict[str, int]


def plan_with(folder: Path) -> Callable[[], Counts]:
    """Return our planner with a mapping's real scale, its changes read to the end and hashed."""
    from mappings.load import load_mapping
    from sync.reconcile.plan import Planner
    from sync.reconcile.types import CellKey, Coverage, PlanHeader, Policy, Removal, Rules
    from sync.runs.columns import GradeWords
    from sync.systems.contract import Evidence

    mapping = load_mapping(MAPPING)
    policy = Policy(removal=Removal.CLEAR)
    proved = _Everything(Evidence.COMPLETE)

    def rules(_: CellKey) -> Rules:
        return Rules(policy, GradeWords(mapping, "fo", Decimal(100), Decimal(10)))

    def make() -> Counts:
        planner = Planner(PlanHeader.of("school", "pair"), rules, Coverage(proved, proved))
        left, right, base = (rows(folder / name) for name in FILES)
        changes = planner.changes(left, right, base)  # type: ignore[arg-type] # Plain tuples will do.
        counts = Counter(change.action.value for change in changes)
        if len(planner.plan_hash) != 64:
            raise ValueError("the plan has no hash")
        return dict(counts)

    return make


class _Everything(dict[str, object]):
    """Every scope proves the same."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self._value = value

    def get(self, key: str, default: object = None) -> object:
        return self._value


def merge_with(folder: Path) -> Callable[[], Counts]:
    """Return a bare three-way merge: it compares, names the operation, and does nothing with it."""

    def make() -> Counts:
        lefts, rights, bases = (rows(folder / name) for name in FILES)
        end = ("\U0010ffff", "", "")
        left, right, base = (next(stream, end) for stream in (lefts, rights, bases))
        found: Counter[str] = Counter()
        while (key := min(left[0], right[0], base[0])) != end[0]:
            mine = theirs = agreed = None
            if left[0] == key:
                mine, left = left[1], next(lefts, end)
            if right[0] == key:
                theirs, right = right[1], next(rights, end)
            if base[0] == key:
                agreed, base = base, next(bases, end)
            operation = _judge(mine, theirs, agreed)
            if operation:
                found[operation] += 1
        return dict(found)

    return make


def _judge(mine: str | None, theirs: str | None, agreed: tuple[str, ...] | None) -> str:
    if agreed is None:
        return "create_right" if theirs is None else "conflict"
    changed = (mine != agreed[1], theirs != agreed[2])
    if changed == (True, True):
        return "conflict"
    if changed[0]:
        return "clear_right" if mine is None else "write_right"
    return "report" if changed[1] else ""


_SQL = """
SELECT CASE WHEN b.k IS NULL THEN 'create_right'
            WHEN l.raw IS DISTINCT FROM b.mine AND r.raw IS DISTINCT FROM b.theirs THEN 'conflict'
            WHEN l.raw IS NULL THEN 'clear_right'
            WHEN l.raw <> b.mine THEN 'write_right' ELSE 'report' END AS operation, count(*)
FROM l FULL JOIN r ON l.k = r.k FULL JOIN b ON b.k = coalesce(l.k, r.k)
WHERE l.raw IS DISTINCT FROM b.mine OR r.raw IS DISTINCT FROM b.theirs GROUP BY 1
"""
_COLUMNS = {"l": ("k", "raw"), "r": ("k", "raw"), "b": ("k", "mine", "theirs", "version", "state")}


def duckdb_with(folder: Path) -> Callable[[], Counts]:
    """Return the same comparison as one statement of DuckDB."""
    import duckdb

    def make() -> Counts:
        database = duckdb.connect()
        for (table, columns), name in zip(_COLUMNS.items(), FILES, strict=True):
            types = "{" + ", ".join(f"'{column}': 'VARCHAR'" for column in columns) + "}"
            source = f"read_csv('{folder / name}', header=false, columns={types})"
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM {source}")  # noqa: S608 - our own names.
        return dict(database.execute(_SQL).fetchall())

    return make


def polars_with(folder: Path) -> Callable[[], Counts]:
    """Return the same comparison as two joins of Polars."""
    import polars as pl

    def make() -> Counts:
        frames = {
            table: pl.read_csv(
                folder / name,
                has_header=False,
                new_columns=list(columns),
                schema_overrides={f"column_{place}": pl.String for place in range(1, len(columns) + 1)},
            )
            for (table, columns), name in zip(_COLUMNS.items(), FILES, strict=True)
        }
        joined = frames["l"].join(frames["r"], on="k", how="full", coalesce=True, suffix="_right")
        joined = joined.join(frames["b"].select("k", "mine", "theirs"), on="k", how="full", coalesce=True)
        left, right = pl.col("raw").ne_missing(pl.col("mine")), pl.col("raw_right").ne_missing(pl.col("theirs"))
        named = (
            pl.when(pl.col("mine").is_null()).then(pl.lit("create_right"))
            .when(left & right).then(pl.lit("conflict"))
            .when(left & pl.col("raw").is_null()).then(pl.lit("clear_right"))
            .when(left).then(pl.lit("write_right")).otherwise(pl.lit("report"))
        )  # fmt: skip
        counted = joined.filter(left | right).select(named.alias("operation")).group_by("operation").len()
        return dict(counted.iter_rows())

    return make


ENGINES: dict[str, Callable[[Path], Callable[[], Counts]]] = {
    "plan": plan_with, "merge": merge_with, "polars": polars_with, "duckdb": duckdb_with,
}  # fmt: skip


def main() -> None:
    """Run ``<engine> <folder>`` and print what it took."""
    make = ENGINES[sys.argv[1]](Path(sys.argv[2]))
    idle = resident_mib()
    began, cpu = time.perf_counter(), time.process_time()
    counts = make()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    done = {"seconds": seconds, "cpu": cpu, "above_idle": peak_mib() - idle, "counts": counts}
    sys.stdout.write(json.dumps(done))


if __name__ == "__main__":
    main()
