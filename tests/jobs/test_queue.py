"""The queue: coalescing loses no request, leases are fenced, lanes and schools take turns."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.db.database import Database
from sync.jobs import lanes, leases, queue
from sync.jobs.backoff import Backoff
from sync.jobs.errors import LeaseLost
from sync.jobs.tables import job
from tests.support import factories as make

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def put(database: Database, school_id: str, key: str = "k", kind: str = "work", **values: Any) -> str | None:
    with database.school(school_id) as db:
        return queue.put(db, school_id, kind, key, {"id": key}, **{"run_after": NOW, **values})


def take(database: Database, now: datetime = NOW, **values: Any) -> list[queue.Leased]:
    return list(leases.lease(database, values.pop("worker", "w"), now, lasting=LEASE, **values).leases)


def row(database: Database, school_id: str, job_id: str | None) -> Any:
    with database.school(school_id, write=False) as db:
        return db.execute(select(job).where(job.c.school_id == school_id, job.c.id == job_id)).one()


def finish(database: Database, leased: queue.Leased, now: datetime = NOW) -> None:
    with database.school(leased.school_id) as db:
        queue.finish(db, leased, now=now)


def test_key_that_waits_is_one_job(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    assert job_id is not None
    assert put(database, school_id) is None
    assert put(database, school_id, kind="other") is not None
    assert [one.id for one in take(database, limit=5)].count(job_id) == 1


def test_same_key_in_two_schools_is_two_jobs(database: Database, school_id: str) -> None:
    other = make.make_school(database)
    assert put(database, school_id) is not None
    assert put(database, other) is not None
    assert {one.school_id for one in take(database, limit=5)} == {school_id, other}


def test_request_made_while_the_job_runs_gets_a_run_of_its_own(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    (leased,) = take(database)
    assert put(database, school_id, run_after=NOW + timedelta(seconds=5)) is None
    finish(database, leased)
    assert row(database, school_id, job_id).state == "ready"
    assert take(database) == []
    (again,) = take(database, NOW + timedelta(seconds=5))
    assert again.id == job_id
    assert again.attempts == 1
    finish(database, again)
    assert row(database, school_id, job_id).state == "done"


def test_request_made_while_the_job_runs_survives_its_burial(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    (leased,) = take(database)
    put(database, school_id)
    with database.school(school_id) as db:
        queue.bury(db, leased, "broken", now=NOW)
    assert row(database, school_id, job_id).state == "ready"


def test_finished_key_can_be_asked_for_again(database: Database, school_id: str) -> None:
    first = put(database, school_id)
    finish(database, take(database)[0])
    second = put(database, school_id)
    assert second is not None
    assert second != first


def test_earlier_request_moves_a_job_forward_and_a_later_one_does_not_move_it_back(
    database: Database, school_id: str
) -> None:
    put(database, school_id, run_after=NOW + timedelta(hours=1))
    put(database, school_id, run_after=NOW + timedelta(hours=2))
    assert take(database, NOW + timedelta(minutes=59)) == []
    put(database, school_id, run_after=NOW + timedelta(minutes=1), priority=3)
    assert len(take(database, NOW + timedelta(minutes=1))) == 1


def test_new_request_does_not_cut_a_backoff_short(database: Database, school_id: str) -> None:
    put(database, school_id)
    (leased,) = take(database)
    with database.school(school_id) as db:
        queue.retry(db, leased, NOW + timedelta(minutes=5), "unreachable", now=NOW)
    assert put(database, school_id) is None
    assert take(database, NOW + timedelta(minutes=4)) == []
    assert take(database, NOW + timedelta(minutes=5))[0].attempts == 2


def test_job_put_in_a_transaction_that_fails_does_not_exist(database: Database, school_id: str) -> None:
    with pytest.raises(RuntimeError), database.school(school_id) as db:
        queue.put(db, school_id, "work", "k", {}, run_after=NOW)
        raise RuntimeError
    assert take(database) == []


def test_lease_hides_a_job_until_it_expires_and_then_counts_a_crash(database: Database, school_id: str) -> None:
    put(database, school_id)
    (first,) = take(database, worker="a")
    assert take(database, NOW + timedelta(seconds=59), worker="b") == []
    (second,) = take(database, NOW + LEASE, worker="b")
    assert second.id == first.id
    assert second.token > first.token
    assert (second.attempts, second.crashes) == (2, 1)


def test_late_worker_can_neither_finish_nor_retry_nor_bury_nor_extend(database: Database, school_id: str) -> None:
    put(database, school_id)
    (late,) = take(database, worker="a")
    (holder,) = take(database, NOW + LEASE, worker="b")
    attempts: list[Any] = [
        lambda db: queue.finish(db, late),
        lambda db: queue.retry(db, late, NOW, "x"),
        lambda db: queue.bury(db, late, "x"),
        lambda db: queue.extend(db, late, NOW + timedelta(hours=1)),
        lambda db: queue.check(db, late),
    ]
    for attempt in attempts:
        with pytest.raises(LeaseLost), database.school(school_id) as db:
            attempt(db)
    finish(database, holder)
    with pytest.raises(LeaseLost):
        finish(database, holder)


def test_extended_lease_is_not_retaken(database: Database, school_id: str) -> None:
    put(database, school_id)
    (leased,) = take(database)
    with database.school(school_id) as db:
        queue.extend(db, leased, NOW + timedelta(minutes=5))
    assert take(database, NOW + LEASE) == []
    finish(database, leased)


def test_job_that_keeps_losing_its_worker_is_buried(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    now = NOW
    for _ in range(3):
        assert len(take(database, now, max_crashes=3)) == 1
        now += LEASE
    taken = leases.lease(database, "w", now, lasting=LEASE, max_crashes=3)
    assert (taken.leases, taken.buried) == ((), (job_id,))
    assert row(database, school_id, job_id).last_reason == "crashed_too_often"
    with database.school(school_id) as db:
        assert queue.revive(db, school_id, str(job_id), now=now)
        assert not queue.revive(db, school_id, str(job_id), now=now)
    assert len(take(database, now)) == 1


def test_dead_letter_is_not_revived_beside_an_open_job_of_its_key(database: Database, school_id: str) -> None:
    job_id = put(database, school_id)
    (leased,) = take(database)
    with database.school(school_id) as db:
        queue.bury(db, leased, "broken", now=NOW)
    put(database, school_id)
    with database.school(school_id) as db:
        assert not queue.revive(db, school_id, str(job_id), now=NOW)


def test_named_job_is_leased_only_when_it_is_due(database: Database, school_id: str) -> None:
    later = put(database, school_id, "later", run_after=NOW + timedelta(hours=1))
    put(database, school_id, "now")
    assert take(database, job_id=later) == []
    assert take(database, job_id="no such job") == []
    assert [one.id for one in take(database, NOW + timedelta(hours=1), job_id=later)] == [later]


def test_lane_never_holds_more_than_its_share(database: Database, school_id: str) -> None:
    for number in range(10):
        put(database, school_id, f"slow-{number}", lane="slow")
    put(database, school_id, "quick", lane="quick", run_after=NOW + timedelta(seconds=1))
    later = NOW + timedelta(seconds=2)
    first = take(database, later, limit=8, lane_limit=2)
    assert sorted(one.lane for one in first) == ["quick", "slow", "slow"]
    assert take(database, later, limit=8, lane_limit=2) == []
    finish(database, next(one for one in first if one.lane == "slow"))
    assert [one.lane for one in take(database, later, limit=8, lane_limit=2)] == ["slow"]


def test_lanes_take_turns_whatever_their_length(database: Database, school_id: str) -> None:
    for number in range(6):
        put(database, school_id, f"a-{number}", lane="a")
    for number in range(2):
        put(database, school_id, f"b-{number}", lane="b", run_after=NOW + timedelta(seconds=1))
    taken = take(database, NOW + timedelta(seconds=2), limit=4, lane_limit=9)
    assert [one.lane for one in taken] == ["a", "b", "a", "b"]


def test_noisy_school_does_not_starve_another_in_the_same_lane(database: Database, school_id: str) -> None:
    quiet = make.make_school(database)
    for number in range(20):
        put(database, school_id, f"n-{number}", lane="platform")
    put(database, quiet, "one", lane="platform", run_after=NOW + timedelta(seconds=1))
    taken = take(database, NOW + timedelta(seconds=2), limit=2, lane_limit=2)
    assert {one.school_id for one in taken} == {school_id, quiet}


def test_higher_priority_runs_first(database: Database, school_id: str) -> None:
    put(database, school_id, "low", lane="a")
    put(database, school_id, "high", lane="b", priority=5, run_after=NOW)
    assert take(database, limit=1)[0].key == "high"


def test_lane_that_is_down_waits_and_is_probed_by_one(database: Database, school_id: str) -> None:
    for number in range(4):
        put(database, school_id, f"k-{number}", lane="down")
    put(database, school_id, "fine", lane="up")
    until = lanes.pause(database, "down", NOW, "unreachable", None, Backoff(first=10, jitter=0))
    assert until == NOW + timedelta(seconds=10)
    assert [one.key for one in take(database, limit=9, lane_limit=3)] == ["fine"]
    probe = take(database, until, limit=9, lane_limit=3)
    assert [one.lane_failures for one in probe] == [1]
    assert lanes.pause(database, "down", until, "unreachable", None, Backoff(first=10, jitter=0)) == until + timedelta(
        seconds=20
    )
    lanes.clear(database, "down")
    assert len(take(database, until, limit=9, lane_limit=3)) == 2


def test_jobs_failing_side_by_side_lengthen_a_pause_once(database: Database) -> None:
    first = lanes.pause(database, "x", NOW, "timeout", None, Backoff(first=10, jitter=0))
    assert lanes.pause(database, "x", NOW + timedelta(seconds=1), "timeout", None, Backoff(first=10)) == first
    asked = lanes.pause(database, "x", NOW, "http_429", timedelta(minutes=9), Backoff(first=10))
    assert asked == NOW + timedelta(minutes=9)
    assert lanes.paused(database, NOW) == {"x": ("http_429", asked)}


def test_many_takers_never_get_the_same_job(database: Database, school_id: str) -> None:
    ids = {put(database, school_id, f"k-{number}", lane=f"l-{number % 7}") for number in range(60)}
    gate = threading.Barrier(6)

    def work(worker: int) -> list[str]:
        gate.wait()
        got: list[str] = []
        while found := take(database, worker=str(worker), limit=3, lane_limit=100):
            got += [one.id for one in found]
        return got

    with ThreadPoolExecutor(6) as pool:
        taken = [job_id for part in pool.map(work, range(6)) for job_id in part]
    assert len(taken) == len(set(taken))
    # A row another taker has locked is skipped, so a last look may be needed.
    taken += [one.id for one in take(database, limit=60, lane_limit=100)]
    assert sorted(taken) == sorted(str(job_id) for job_id in ids)


def test_two_takers_do_not_pass_a_lanes_limit_together(database: Database, school_id: str) -> None:
    for number in range(40):
        put(database, school_id, f"k-{number}", lane="one")
    gate = threading.Barrier(6)

    def work(worker: int) -> int:
        gate.wait()
        return sum(len(take(database, worker=str(worker), limit=5, lane_limit=3)) for _ in range(5))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(work, range(6))) == 3


def test_two_sweepers_ring_each_job_once_until_it_has_been_quiet_long_enough(
    database: Database, school_id: str
) -> None:
    ids = {put(database, school_id, f"k-{number}", lane=f"l-{number}") for number in range(30)}
    quiet = timedelta(seconds=10)
    gate = threading.Barrier(2)

    def sweep(_: int) -> list[str]:
        gate.wait()
        return list(leases.claim_rings(database, NOW, quiet))

    with ThreadPoolExecutor(2) as pool:
        rung = [job_id for part in pool.map(sweep, range(2)) for job_id in part]
    assert sorted(rung) == sorted(str(job_id) for job_id in ids)
    assert leases.claim_rings(database, NOW + timedelta(seconds=9), quiet) == ()
    assert len(leases.claim_rings(database, NOW + timedelta(seconds=10), quiet)) == 30


def test_next_due_counts_waiting_jobs_and_leases_that_will_expire(database: Database, school_id: str) -> None:
    assert leases.next_due(database) is None
    put(database, school_id, run_after=NOW + timedelta(minutes=3))
    assert leases.next_due(database) == NOW + timedelta(minutes=3)
    put(database, school_id, "other")
    take(database)
    assert leases.next_due(database) == NOW + LEASE


def test_finished_jobs_are_forgotten_after_a_while_and_dead_letters_kept(database: Database, school_id: str) -> None:
    put(database, school_id, "done")
    finish(database, take(database)[0])
    put(database, school_id, "dead")
    (broken,) = take(database)
    with database.school(school_id) as db:
        queue.bury(db, broken, "broken", now=NOW)
    assert queue.forget_finished(database, NOW) == 0
    assert queue.forget_finished(database, NOW + timedelta(days=1)) == 1
    assert queue.waiting(database) == {"dead": 1}


@pytest.mark.parametrize("round_", range(3))
def test_requests_racing_with_runs_are_all_followed_by_a_run(database: Database, school_id: str, round_: int) -> None:
    """A writer raises a number and asks for a job; the job notes the number it saw. The last number must be seen."""
    seen: list[int] = []
    written = [0]
    stop = threading.Event()

    def run_once() -> bool:
        taken = take(database, datetime.now(UTC))
        for leased in taken:
            seen.append(written[0])
            finish(database, leased, datetime.now(UTC))
        return bool(taken)

    def runner() -> None:
        while not stop.is_set():
            run_once()

    thread = threading.Thread(target=runner)
    thread.start()
    for _ in range(40):
        written[0] += 1
        put(database, school_id, run_after=datetime.now(UTC))
    stop.set()
    thread.join()
    while run_once():
        pass
    assert seen[-1] == 40


@given(st.integers(1, 3000), st.floats(0, 1), st.none() | st.integers(0, 10**6))
def test_backoff_stays_between_what_was_asked_and_the_cap(attempt: int, chance: float, asked: int | None) -> None:
    backoff = Backoff(first=5, cap=900, jitter=0.25)
    wanted = timedelta(seconds=asked) if asked is not None else None
    wait = backoff.wait(attempt, wanted, chance)
    assert wait >= timedelta(seconds=5)
    assert wait >= min(wanted or timedelta(), timedelta(days=1))
    assert wait <= max(timedelta(seconds=900 * 1.25), min(wanted or timedelta(), timedelta(days=1)))


def test_backoff_doubles() -> None:
    waits = [Backoff(first=5, cap=60, jitter=0.5).wait(number, None, 0) for number in range(1, 7)]
    assert [wait.total_seconds() for wait in waits] == [5, 10, 20, 40, 60, 60]
    assert Backoff(first=5, jitter=0.5).wait(1, None, 1).total_seconds() == 7.5
