"""What becomes of a job is decided by the family of the error its handler raised, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.base.errors import Conflict, Fatal, Hold, Record, Retriable
from connector.base.i18n import say
from connector.db.database import Database
from connector.db.tables.launches import account
from sync.jobs import lanes, leases, queue
from sync.jobs.backoff import Backoff
from sync.jobs.errors import LaneDown, LeaseLost
from sync.jobs.runner import Handlers, JobContext, Runtime, execute_job
from sync.jobs.tables import job
from tests.support import factories as make

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def runtime_of(database: Database, handler: Callable[[JobContext], None] | None, **values: Any) -> Runtime:
    handlers = Handlers()
    if handler is not None:
        handlers.add("work", handler)
    defaults: dict[str, Any] = {"clock": Time(), "worker": "w", "backoff": Backoff(first=10, jitter=0)}
    return Runtime(database, handlers, **{**defaults, **values})


def put(database: Database, school_id: str, key: str = "k", **values: Any) -> str:
    with database.school(school_id) as db:
        job_id = queue.put(db, school_id, "work", key, {"id": key}, run_after=NOW, **values)
    assert job_id is not None
    return job_id


def row(database: Database, job_id: str) -> Any:
    with database.service(write=False) as db:
        return db.execute(select(job).where(job.c.id == job_id)).one()


def raising(error: Exception) -> Callable[[JobContext], None]:
    def handler(_: JobContext) -> None:
        raise error

    return handler


def test_handler_gets_its_payload_and_the_job_ends(database: Database, school_id: str) -> None:
    seen: list[Any] = []
    job_id = put(database, school_id)
    runtime = runtime_of(database, lambda context: seen.append((context.school_id, dict(context.payload))))
    assert execute_job(runtime, job_id)
    assert seen == [(school_id, {"id": "k"})]
    assert row(database, job_id).state == "done"
    assert not execute_job(runtime, job_id)
    assert not execute_job(runtime)


def test_retriable_error_waits_longer_each_time_and_at_least_as_asked(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    runtime = runtime_of(database, raising(Retriable("busy", say("Busy."))))
    assert execute_job(runtime)
    assert row(database, job_id).run_after == NOW + timedelta(seconds=10)
    runtime.clock.now = NOW + timedelta(seconds=10)  # type: ignore[attr-defined]
    assert execute_job(runtime)
    found = row(database, job_id)
    assert (found.state, found.run_after, found.last_reason) == ("ready", NOW + timedelta(seconds=30), "busy")
    asked = put(database, school_id, "asked")
    runtime = runtime_of(database, raising(Retriable("busy", say("Busy."), timedelta(minutes=7))))
    assert execute_job(runtime, asked)
    assert row(database, asked).run_after == NOW + timedelta(minutes=7)


@pytest.mark.parametrize("family", [Record, Conflict, Hold])
def test_error_that_more_tries_cannot_mend_ends_the_job_with_its_reason(
    database: Database, school_id: str, family: type[Record]
) -> None:
    job_id = put(database, school_id)
    execute_job(runtime_of(database, raising(family("no_column", say("No column.")))))
    found = row(database, job_id)
    assert (found.state, found.last_reason) == ("done", "no_column")


def test_fatal_error_is_a_dead_letter(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    execute_job(runtime_of(database, raising(Fatal("bad_key", say("Bad key.")))))
    found = row(database, job_id)
    assert (found.state, found.last_reason) == ("dead", "bad_key")
    assert found.finished_at is not None


def test_unknown_exception_is_tried_again_and_then_buried(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    runtime = runtime_of(database, raising(KeyError("Айгерім")), max_crashes=3)
    for _ in range(3):
        assert execute_job(runtime)
        runtime.clock.now += timedelta(hours=1)  # type: ignore[attr-defined]
    found = row(database, job_id)
    assert (found.state, found.last_reason, found.attempts) == ("dead", "crash:KeyError", 3)


def test_text_of_an_unknown_exception_is_not_logged(
    database: Database, school_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(database, school_id)
    execute_job(runtime_of(database, raising(KeyError("Айгерім"))))
    out = "".join(capsys.readouterr())
    assert "job crashed" in out
    assert "Айгерім" not in out


def test_job_no_handler_knows_waits_for_a_newer_process(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    execute_job(runtime_of(database, None))
    found = row(database, job_id)
    assert (found.state, found.last_reason) == ("ready", "no_handler")


def test_attempts_have_an_end(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    with database.service() as db:
        db.execute(update(job).values(max_attempts=1))
    execute_job(runtime_of(database, raising(Retriable("busy", say("Busy.")))))
    assert row(database, job_id).state == "dead"


def test_platform_that_is_down_pauses_its_lane_and_no_other(database: Database, school_id: str) -> None:
    first, second = put(database, school_id, "1", lane="lms"), put(database, school_id, "2", lane="lms")
    other = put(database, school_id, "3", lane="journal")
    down = runtime_of(
        database, raising(LaneDown("unreachable", say("Down."))), lane_backoff=Backoff(first=30, jitter=0)
    )
    assert execute_job(down, first)
    assert not execute_job(down, second)
    up = runtime_of(database, lambda _: None)
    assert execute_job(up, other)
    up.clock.now = down.clock.now = NOW + timedelta(seconds=30)  # type: ignore[attr-defined]
    assert len(leases.peek(database, up.clock(), limit=9)) == 1
    assert execute_job(up)
    assert lanes.paused(database, up.clock()) == {}
    assert execute_job(up)
    assert {row(database, one).state for one in (first, second, other)} == {"done"}


def test_effects_and_completion_commit_together_or_not_at_all(database: Database, school_id: str) -> None:
    pupil = make.make_account(database, school_id)
    job_id = put(database, school_id)
    fail = [True]

    def handler(context: JobContext) -> None:
        with context.database.school(context.school_id) as db:
            db.execute(update(account).where(account.c.id == pupil).values(sourcedid=account.c.sourcedid + "x"))
            context.finish_in(db, "partly")
            if fail.pop():
                fail.append(False)
                raise RuntimeError

    runtime = runtime_of(database, handler)
    execute_job(runtime)
    assert row(database, job_id).state == "ready"
    runtime.clock.now += timedelta(hours=1)  # type: ignore[attr-defined]
    execute_job(runtime)
    with database.school(school_id, write=False) as db:
        assert db.scalar(select(account.c.sourcedid).where(account.c.id == pupil)) == "x"
    found = row(database, job_id)
    assert (found.state, found.last_reason) == ("done", "partly")


def test_worker_that_lost_its_lease_commits_nothing_and_leaves_the_job_to_the_other(
    database: Database, school_id: str
) -> None:
    pupil = make.make_account(database, school_id)
    job_id = put(database, school_id)
    refused: list[bool] = []

    def handler(context: JobContext) -> None:
        leases.lease(database, "other", NOW + timedelta(hours=1))
        with pytest.raises(LeaseLost):
            context.extend()
        try:
            with context.database.school(context.school_id) as db:
                db.execute(update(account).where(account.c.id == pupil).values(sourcedid="late"))
                context.finish_in(db)
        except LeaseLost:
            refused.append(True)
            raise

    assert execute_job(runtime_of(database, handler))
    assert refused == [True]
    with database.school(school_id, write=False) as db:
        assert db.scalar(select(account.c.sourcedid).where(account.c.id == pupil)) == ""
    found = row(database, job_id)
    assert (found.state, found.worker) == ("leased", "other")


def test_kind_has_one_handler() -> None:
    handlers = Handlers()
    handlers.add("work", lambda _: None)
    with pytest.raises(ValueError, match="work"):
        handlers.add("work", lambda _: None)
    assert handlers.kinds() == ("work",)
