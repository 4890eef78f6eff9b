"""A worker may die anywhere: every mark is written once, and what was begun is brought to its end.

An apply killed at every single point is property 8, in ``tests/properties/test_writing.py``.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import select

from connector.db.database import Database
from sync.effects.tables import effect
from tests.sync.kit import Bench, joined


class Killed(BaseException):
    """Stands for SIGKILL inside one process: nothing of ours catches it."""


def kill_at(made: Bench, number: int) -> None:
    left = number

    def step(_name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    made.step = step


def steps_of_one_apply(database: Database) -> int:
    made = joined(database)
    plan = made.plan()
    made.approve(plan)
    names: list[str] = []
    made.step = names.append
    made.apply(plan)
    return len(names)


def expected(made: Bench) -> dict[str, str]:
    return {person[-1]: mark for (_item, person), mark in made.right.marks.items()}


def test_a_plan_killed_at_every_point_leaves_nothing_half_decided(sqlite_database: Database) -> None:
    counter = joined(sqlite_database)
    names: list[str] = []
    counter.step = names.append
    counter.plan()
    for point in range(1, len(names) + 1):
        made = joined(sqlite_database)
        kill_at(made, point)
        with pytest.raises(Killed):
            made.plan()
        made.step = lambda _name: None
        assert made.right.writes == []
        assert made.sync().clean
        assert expected(made) == {"1": "8", "2": "5", "3": "10"}


def test_every_remote_write_is_in_the_ledger(database: Database) -> None:
    made = joined(database)
    made.sync()
    with database.school(made.school, write=False) as db:
        rows = db.execute(select(effect).where(effect.c.school_id == made.school)).all()
    written = {(write.item_id, write.person_id, write.after) for write in made.right.writes}
    assert {(row.item, row.person, row.after) for row in rows} == written
    assert {row.state for row in rows} == {"delivered"}
    assert {row.origin for row in rows} == {"sync"}


SCRIPT = """
import os, signal, sys
from pathlib import Path
from connector.base.secrets import Vault
from connector.db.database import Database
from sync.reconcile.apply import apply_plan
from sync.runs.runtime import SyncRuntime
from tests.sync.kit import TwoSystems
from tests.sync.on_disk import open_systems

url, key, school, plan, store, point = sys.argv[1:]
left, right = open_systems(Path(store))
remaining = int(point)

def step(name):
    global remaining
    remaining -= 1
    if remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)

runtime = SyncRuntime(Database(url), Vault([key]), TwoSystems(left, right), step=step)
apply_plan(runtime, school, plan, actor="person-1")
"""


@pytest.mark.parametrize("point", [4, 7, 12])
def test_a_process_killed_by_the_system_is_followed_by_one_that_finishes(
    sqlite_database: Database, tmp_path: Path, point: int
) -> None:
    from connector.base.secrets import Vault, new_key
    from tests.sync.on_disk import open_systems, writes

    store = tmp_path / "systems.sqlite3"
    left, right = open_systems(store)
    made = joined(sqlite_database, left=left, right=right)
    plan = made.plan()
    made.approve(plan)
    root = Path(__file__).parents[2]
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(SCRIPT))
    key = new_key()
    assert Vault([key])
    url = str(sqlite_database.engine.url)

    def work(number: int) -> int:
        arguments = [sys.executable, str(script), url, key, made.school, plan.id, str(store), str(number)]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        return subprocess.run(arguments, env=environment, cwd=root, check=False, timeout=60).returncode

    assert work(point) == -signal.SIGKILL
    assert work(10_000) == 0
    assert sorted(mark for _item, _person, mark in writes(store)) == ["10", "5", "8"]
    with sqlite3.connect(store) as db:
        assert db.execute("SELECT count(*) FROM work").fetchone() == (1,)
    assert made.plan().state == "empty"
