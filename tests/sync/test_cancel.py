"""A run that is cancelled stops between two records, and its plan can be let go on or made anew."""

from __future__ import annotations

import pytest

from connector.base.errors import Hold
from connector.db.database import Database
from sync.runs.handlers import apply_here
from sync.runs.planning import plan_connection
from sync.runs.progress import Progress, cancel
from sync.store import plans
from tests.sync.kit import Bench, joined


@pytest.fixture
def made(database: Database) -> Bench:
    return joined(database)


def stop(made: Bench) -> list[str]:
    with made.database.school(made.school) as db:
        return cancel(db, made.school, made.connection, "person-2")


def stop_after(made: Bench, step: str, times: int) -> list[int]:
    """Cancel once a step was passed so often; return how often it was passed in all."""
    passed = [0]

    def watch(name: str) -> None:
        if name == step:
            passed[0] += 1
            if passed[0] == times:
                assert stop(made)

    made.step = watch
    return passed


def test_cancelled_apply_writes_no_further_record_and_goes_on_when_asked(made: Bench) -> None:
    plan = made.plan()
    made.approve(plan)
    total = len([row for row in made.changes(plan, "approved") if row.side == "right"])
    assert total > 1
    passed = stop_after(made, "apply.after_write", 1)
    report = made.apply(plan)
    assert passed == [1]
    assert report.counts["approved"] > 0
    assert report.counts["applied"] == 1, "what was written is read back and agreed"
    assert (report.plan.state, made.run(plan).state) == ("approved", "cancelled")
    made.step = lambda _name: None
    ended = apply_here(made.runtime, made.school, plan.id, actor="person-1")
    assert ended.plan.state == "applied"
    assert ended.clean
    assert not ended.counts.get("approved")
    assert made.plan().state == "empty"


def test_cancelled_apply_may_be_planned_anew_instead(made: Bench) -> None:
    plan = made.plan()
    made.approve(plan)
    stop_after(made, "apply.after_write", 1)
    made.apply(plan)
    made.step = lambda _name: None
    newer = made.plan()
    made.approve(newer)
    assert made.apply(newer).clean
    assert made.plan().state == "empty"
    with made.database.school(made.school, write=False) as db:
        assert plans.get(db, made.school, plan.id).state == "stale"


def test_comparison_that_is_cancelled_ends_without_a_plan(made: Bench) -> None:
    stop_after(made, "read.left.person", 1)
    with pytest.raises(Hold) as stopped:
        made.plan()
    assert stopped.value.reason == "cancelled"
    with made.database.school(made.school, write=False) as db:
        newest = plans.runs(db, made.school, made.connection, 1)[0]
    assert (newest.state, newest.plan, newest.cancelled_by) == ("cancelled", None, "person-2")


def test_nothing_that_runs_is_nothing_to_cancel(made: Bench) -> None:
    assert stop(made) == []


def test_progress_is_told_and_kept(made: Bench) -> None:
    told: list[Progress] = []
    from dataclasses import replace

    plan_connection(replace(made.runtime, tell=told.append), made.school, made.connection)
    assert [(far.phase, far.done, far.total) for far in told][-1] == ("read", 1, 1)
    plan = made.plan()
    made.approve(plan)
    made.apply(plan)
    far = Progress.of(made.run(plan).progress)
    assert far.phase == "write"
    assert far.total >= 1


def test_time_left_follows_the_pace() -> None:
    from datetime import UTC, datetime, timedelta

    began = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert Progress("write", 25, 100, began).left(began + timedelta(minutes=1)) == timedelta(minutes=3)
    assert Progress("write", 0, 100, began).left(began + timedelta(minutes=1)) is None
