"""A delivered score leads to a comparison of the pair its course belongs to, and of no other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from connector.db.database import Database
from connector.host import scores
from sync.jobs.tables import job
from sync.schedule.asking import PLAN_JOB
from sync.store import connections
from tests.support.factories import make_activity, make_context, make_link
from tests.sync.kit import Bench, bench


@dataclass
class Stub:
    """What the handler is given of its job."""

    school_id: str
    payload: dict[str, str]


@pytest.fixture
def made(database: Database) -> Bench:
    found = bench(database)
    with database.school(found.school) as db:
        connections.note_first_approval(db, found.school, found.connection, found.clock.now)
        connections.save_groups(db, found.school, found.connection, [("course-77", "2244", "55", "7А")])
    return found


def delivered(made: Bench, course: str, *, linked: bool) -> list[Any]:
    database, school = made.database, made.school
    context = make_context(database, school, context_id=course)
    activity = make_activity(database, school, context_id=None if linked else context)
    link = make_link(database, school, context, activity_id=activity) if linked else ""
    runtime: Any = SimpleNamespace(database=database, clock=made.clock)
    stub: Any = Stub(school, {"activity": activity, "link": link})
    scores._compare_soon(runtime, stub)
    with database.school(school, write=False) as db:
        return list(db.scalars(select(job.c.run_after).where(job.c.kind == PLAN_JOB)))


@pytest.mark.parametrize("linked", [True, False])
def test_course_of_a_pair_is_compared_some_minutes_later(made: Bench, linked: bool) -> None:
    before = made.clock.now
    (due,) = delivered(made, "course-77", linked=linked)
    assert timedelta(minutes=5) <= due - before < timedelta(minutes=6)


def test_course_of_no_pair_asks_for_nothing(made: Bench) -> None:
    assert delivered(made, "course-78", linked=True) == []
