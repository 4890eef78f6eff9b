"""A class in which nothing moved is not compared again, and never is anything lost by that."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from connector.db.database import Database
from sync.model import AcademicSession, Person
from sync.reconcile.plan import Planner
from sync.runs import people as joining
from sync.runs.compare import Comparison
from sync.runs.planning import current_header
from sync.runs.quiet import BELIEVED, Quiet
from sync.store import connections, identity
from sync.store.tables.cells import base
from sync.store.tables.people import person
from sync.systems.contract import Evidence
from tests.properties.field import BOTH_WAYS
from tests.sync.kit import Bench, joined
from tests.sync.memory import DAY


def small(database: Database) -> Bench:
    """Join a school whose marks are in one scale on both sides."""
    made = joined(database, mapping=BOTH_WAYS)
    made.left.marks = {("li-1", "u1"): "8", ("li-1", "u2"): "5"}
    return made


def compared(made: Bench, *, shortcut: bool) -> tuple[list[bytes], str, dict[str, Any], int]:
    """Compare what is kept, with or without passing over quiet classes: changes, hash, counts, how many were passed."""
    runtime = made.runtime
    connection = runtime.connection(made.school, made.connection)
    comparison = Comparison(runtime, connection, runtime.sides(connection))
    header = current_header(runtime, connection)
    planner = Planner(header, comparison.rules, comparison.coverage())
    quiet = Quiet(runtime, comparison, header, made.clock.now)
    skipped = set(quiet.scopes) if shortcut else set()
    if shortcut:
        quiet.count(planner.summary)
    found = [change.canonical() for change in planner.compare(comparison.columns(skipped))]
    return found, planner.plan_hash, planner.summary.to_dict(), len(skipped)


def same_either_way(made: Bench) -> int:
    """Make sure that passing over quiet classes changes nothing; return how many were passed over."""
    short, whole = compared(made, shortcut=True), compared(made, shortcut=False)
    assert short[:3] == whole[:3]
    return short[3]


def _mark(side: str) -> Callable[[Bench, random.Random], None]:
    def change(made: Bench, draw: random.Random) -> None:
        system = getattr(made, side)
        items = [item.id for item in system.items]
        if not items:
            return
        cell = (draw.choice(items), draw.choice([one.id for one in system.people]))
        if draw.random() < 0.3:
            system.marks.pop(cell, None)
        else:
            system.marks[cell] = str(draw.randint(1, 10))

    return change


def _register(made: Bench, draw: random.Random) -> None:
    cell = ("L1", draw.choice([one.id for one in made.right.people]))
    made.right.register[cell] = draw.choice(["Attend", "Absent", "Ill"])


def _roster(made: Bench, draw: random.Random) -> None:
    system = draw.choice([made.left, made.right])
    gone = [one for one in (*made.left.people, *made.right.people) if one.id not in {p.id for p in system.people}]
    if len(system.people) > 3:
        system.people.pop(draw.randrange(3))
    elif gone:
        system.people.append(Person(gone[0].id, "Тегі1", "Аты1"))


def _period(made: Bench, draw: random.Random) -> None:
    first, last = DAY - timedelta(days=20), DAY + timedelta(days=20)
    made.right.sessions = [AcademicSession("q2", "quarter", 2, first, last, draw.random() < 0.5)]


def _work(made: Bench, draw: random.Random) -> None:
    made.left.items[0] = replace(
        made.left.items[0], due=draw.choice([DAY, date(2026, 11, 24)]), title=draw.choice(["А", "Б"])
    )


def _mapping(made: Bench, draw: random.Random) -> None:
    text = BOTH_WAYS.replace("owner: manual", f"owner: {draw.choice(['manual', 'left', 'right'])}")
    with made.database.school(made.school) as db:
        connections.change_mapping(db, made.school, made.connection, text, made.clock.now)


def _read_only(made: Bench, draw: random.Random) -> None:
    with made.database.school(made.school) as db:
        connections.set_read_only(db, made.school, made.connection, read_only=draw.random() < 0.5)


def _blocked(made: Bench, draw: random.Random) -> None:
    at = draw.choice([None, made.clock.now])
    with made.database.school(made.school) as db:
        db.execute(update(person).where(person.c.school_id == made.school).values(blocked_at=at))


def _part(made: Bench, draw: random.Random) -> None:
    with made.database.school(made.school, write=False) as db:
        known = sorted(joining.links(db, connections.get(db, made.school, made.connection)))
    if len(known) > 2:
        joining.part(made.runtime, made.school, made.connection, draw.choice(known), who="person-1")


def _join(made: Bench, _draw: random.Random) -> None:
    made.join()


def _spoil(made: Bench, draw: random.Random) -> None:
    side = draw.choice([made.left, made.right])
    side.spoiled = draw.choice([{}, {"result": (Evidence.PARTIAL, "half_list")}, {"person": (Evidence.UNKNOWN, "x")}])


def _later(made: Bench, _draw: random.Random) -> None:
    made.clock.now += timedelta(hours=7)


EVENTS = [
    _mark("left"), _mark("left"), _mark("right"), _register, _roster, _period, _work, _mapping, _read_only, _blocked,
    _part, _join, _spoil, _later,
]  # fmt: skip


def wander(made: Bench, seed: int, steps: int) -> int:
    """Let things happen at random; return how many classes were passed over on the way."""
    draw, passed = random.Random(seed), 0
    for _ in range(steps):
        draw.choice(EVENTS)(made, draw)
        passed += same_either_way(made)
        made.plan()
        passed += same_either_way(made)
        if draw.random() < 0.5:
            made.left.spoiled = made.right.spoiled = {}
            found = made.plan()
            if found.state == "planned":
                made.approve(found)
                made.apply(found)
            made.plan()
        passed += same_either_way(made)
    return passed


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_a_plan_is_the_same_with_quiet_classes_passed_over(database: Database, seed: int) -> None:
    assert wander(small(database), seed, 12) > 5


def test_a_write_that_does_not_say_so_would_be_found(sqlite_database: Database, monkeypatch: Any) -> None:
    made = small(sqlite_database)
    monkeypatch.setattr(connections, "touch", lambda *_: None)
    with pytest.raises(AssertionError):
        for seed in range(1, 6):
            wander(made, seed, 12)


def settled(database: Database) -> Bench:
    made = small(database)
    made.plan()
    found = made.plan()
    made.approve(found)
    made.apply(found)
    made.plan()
    made.plan()
    return made


def test_a_run_in_which_nothing_moved_compares_nothing_and_writes_no_mark_of_a_read(sqlite_database: Database) -> None:
    made = settled(sqlite_database)
    assert compared(made, shortcut=True)[3] == 2


def test_a_base_that_was_lost_is_noticed_at_once(database: Database) -> None:
    made = settled(database)
    with database.school(made.school) as db:
        db.execute(delete(base).where(base.c.school_id == made.school, base.c.kind == "grade"))
    assert compared(made, shortcut=True)[3] == 1


def test_a_day_later_everything_is_compared_again(sqlite_database: Database) -> None:
    made = settled(sqlite_database)
    made.clock.now += BELIEVED + timedelta(minutes=1)
    assert compared(made, shortcut=True)[3] == 0


def test_a_pupil_whose_doubt_is_lifted_is_compared_again(sqlite_database: Database) -> None:
    made = settled(sqlite_database)
    made.left.marks["li-1", "u1"] = "3"
    made.plan()
    whom, when = made.person("u1"), made.clock.now

    def doubt(*found: identity.Doubt) -> None:
        with sqlite_database.school(made.school) as db:
            link = connections.groups(db, made.school, made.connection)[0].id
            identity.save_doubts(
                db, made.school, made.connection, link, [whom], [one._replace(group_link=link) for one in found]
            )

    doubt(identity.Doubt(whom, "", "two_sources", (), when))
    made.plan(read=False)
    assert same_either_way(made) == 2
    doubt()
    assert same_either_way(made) < 2
    assert any(whom.encode() in change for change in compared(made, shortcut=True)[0])
