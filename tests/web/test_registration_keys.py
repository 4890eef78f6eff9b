"""Keys rotate in two phases, and at once in an emergency: at no moment does a platform lack the key it needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.base.errors import Fatal
from connector.db.tables.registry import registration, signing_key
from connector.host import rotation
from connector.host.registry import Platform
from connector.host.rotation import Phase, Rotation, next_due, next_phase
from connector.host.runtime import build_runtime
from connector.host.work import make_handlers
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.runner import execute_job
from sync.jobs.tables import job
from tests.support.databases import Place
from tests.support.registering import Kopir, connect, running_kopir, running_vendor

DAY = timedelta(hours=24)
T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def kopir(database_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    with running_kopir(database_place, tmp_path) as running:
        yield running


@pytest.fixture
def platform(kopir: Kopir):
    """A registration that came about by itself."""
    with running_vendor() as lms:
        connect(kopir, lms)
        (one,) = kopir.runtime.registry.find(lms.base, None)
        return one


def signing(kopir: Kopir, platform) -> str:
    return kopir.runtime.keys.for_registration(platform).kid


def run_due_jobs(kopir: Kopir) -> int:
    jobs = JobRuntime(kopir.runtime.database, make_handlers(kopir.runtime), clock=kopir.clock)
    count = 0
    while execute_job(jobs):
        count += 1
    return count


def open_jobs(kopir: Kopir) -> list[datetime]:
    with kopir.runtime.database.school(kopir.school.id, write=False) as db:
        query = select(job.c.run_after).where(job.c.kind == rotation.ROTATE_KEYS, job.c.state == "ready")
        return list(db.execute(query).scalars())


def test_a_new_key_is_published_first_signs_after_a_day_and_the_old_one_goes_a_day_later(kopir, platform):
    old = signing(kopir, platform)
    began = rotation.publish(kopir.runtime, platform.id)
    assert set(kopir.jwks()) == {old, began.new_kid}
    assert signing(kopir, platform) == old

    kopir.clock.tick(hours=23, minutes=59)
    rotation.advance(kopir.runtime, platform.id)
    assert signing(kopir, platform) == old

    kopir.clock.tick(minutes=1)
    rotation.advance(kopir.runtime, platform.id)
    assert signing(kopir, platform) == began.new_kid
    assert set(kopir.jwks()) == {old, began.new_kid}

    kopir.clock.tick(hours=23, minutes=59)
    rotation.advance(kopir.runtime, platform.id)
    assert set(kopir.jwks()) == {old, began.new_kid}

    kopir.clock.tick(minutes=1)
    assert rotation.advance(kopir.runtime, platform.id) is None
    assert set(kopir.jwks()) == {began.new_kid}


def test_an_old_key_leaves_the_key_set_on_time_even_if_nobody_takes_the_step(kopir, platform):
    old = signing(kopir, platform)
    rotation.publish(kopir.runtime, platform.id)
    kopir.clock.tick(hours=24)
    rotation.advance(kopir.runtime, platform.id)
    kopir.clock.tick(hours=24, seconds=1)
    assert old not in kopir.jwks()


def test_a_retired_keys_private_half_is_destroyed(kopir, platform):
    old = signing(kopir, platform)
    rotation.publish(kopir.runtime, platform.id)
    for _ in range(2):
        kopir.clock.tick(hours=24)
        rotation.advance(kopir.runtime, platform.id)
    with kopir.runtime.database.service(write=False) as db:
        row = db.execute(select(signing_key).where(signing_key.c.kid == old)).one()
    assert (row.state, row.sealed_pem) == ("retired", "")


def test_only_one_rotation_of_a_key_runs_at_a_time(kopir, platform):
    rotation.publish(kopir.runtime, platform.id)
    with pytest.raises(Fatal) as refused:
        rotation.publish(kopir.runtime, platform.id)
    assert refused.value.reason == "rotating"
    assert len(kopir.jwks()) == 2


def test_a_registration_that_is_not_there_cannot_rotate(kopir):
    for step in (rotation.publish, rotation.advance, rotation.revoke):
        with pytest.raises(Fatal) as refused:
            step(kopir.runtime, "nobody")
        assert refused.value.reason == "no_registration"


def test_in_an_emergency_a_new_key_signs_at_once_and_every_old_one_is_gone(kopir, platform):
    old = signing(kopir, platform)
    published = rotation.publish(kopir.runtime, platform.id).new_kid
    fresh = rotation.revoke(kopir.runtime, platform.id)
    assert fresh not in (old, published)
    assert signing(kopir, platform) == fresh
    assert set(kopir.jwks()) == {fresh}
    with kopir.runtime.database.service(write=False) as db:
        dead = db.execute(select(signing_key).where(signing_key.c.kid.in_((old, published)))).all()
    assert {(row.state, row.sealed_pem) for row in dead} == {("retired", "")}
    kopir.clock.tick(days=3)
    rotation.advance(kopir.runtime, platform.id)
    assert signing(kopir, platform) == fresh


def test_a_key_still_signed_with_for_another_lms_is_not_retired(kopir, platform):
    shared = signing(kopir, platform)
    twin = Platform("https://b.kz", "c", "https://b.kz/a", "https://b.kz/t", "https://b.kz/j", "1")
    other = kopir.runtime.registry.add_platform(twin, kopir.school.id, shared, kopir.clock())
    rotation.revoke(kopir.runtime, platform.id)
    assert kopir.runtime.keys.for_registration(other).kid == shared
    assert shared in kopir.jwks()


def test_another_process_signs_with_the_new_key_without_being_told(kopir, platform):
    other = build_runtime(kopir.runtime.settings, kopir.clock)
    before = other.keys.for_registration(platform)
    assert other.keys.for_registration(platform) is before
    fresh = rotation.revoke(kopir.runtime, platform.id)
    assert other.keys.for_registration(platform).kid == fresh
    other.database.close()


def test_a_scheduled_rotation_goes_through_its_phases_by_jobs_alone(kopir, platform):
    old = signing(kopir, platform)
    assert open_jobs(kopir) == [kopir.clock() + rotation.KEY_LIFETIME]
    assert run_due_jobs(kopir) == 0
    kopir.clock.tick(days=365, seconds=1)
    assert run_due_jobs(kopir) == 1
    assert signing(kopir, platform) == old
    assert len(kopir.jwks()) == 2
    kopir.clock.tick(hours=24)
    assert run_due_jobs(kopir) == 1
    assert signing(kopir, platform) != old
    assert old in kopir.jwks()
    kopir.clock.tick(hours=24)
    assert run_due_jobs(kopir) == 1
    assert set(kopir.jwks()) == {signing(kopir, platform)}
    (due,) = open_jobs(kopir)
    assert due > kopir.clock() + timedelta(days=360)


def test_an_lms_registered_by_hand_is_rotated_only_when_somebody_says_so(kopir):
    kid = kopir.runtime.keys.make(kopir.clock())
    by_hand = Platform("https://b.kz", "c", "https://b.kz/a", "https://b.kz/t", "https://b.kz/j", "1")
    one = kopir.runtime.registry.add_platform(by_hand, kopir.school.id, kid, kopir.clock())
    assert rotation.lifetime_of(kopir.runtime, one.id) is None
    kopir.clock.tick(days=4000)
    rotation.advance(kopir.runtime, one.id, rotation.lifetime_of(kopir.runtime, one.id))
    assert kopir.runtime.keys.for_registration(one).kid == kid


def test_a_removed_registrations_job_ends_quietly(kopir, platform):
    from connector.host.registered import remove_registration

    remove_registration(kopir.runtime, platform.id)
    kopir.clock.tick(days=366)
    assert run_due_jobs(kopir) == 1
    assert open_jobs(kopir) == []


def test_lists_say_which_key_is_in_which_phase(kopir, platform):
    began = rotation.publish(kopir.runtime, platform.id)
    states = {one.kid: one.state for one in rotation.key_states(kopir.runtime)}
    assert states == {began.old_kid: "signing", began.new_kid: "published"}
    kopir.clock.tick(hours=24)
    rotation.advance(kopir.runtime, platform.id)
    states = {one.kid: one.state for one in rotation.key_states(kopir.runtime)}
    assert states == {began.old_kid: "retiring", began.new_kid: "signing"}
    with kopir.runtime.database.service(write=False) as db:
        assert db.scalar(select(registration.c.kid)) == began.new_kid


def rotating(wait: timedelta, signed_at: datetime | None = None) -> Rotation:
    retire_at = None if signed_at is None else signed_at + max(wait, rotation.LONGEST_SIGNATURE)
    return Rotation("r", "new", "old", wait, T0 + wait, signed_at, retire_at)


_HOURS = st.integers(0, 24 * 800).map(lambda hours: timedelta(hours=hours))


@given(elapsed=_HOURS, wait=st.integers(0, 200).map(lambda hours: timedelta(hours=hours)))
def test_nothing_signs_before_the_wait_is_over(elapsed, wait):
    phase = next_phase(T0 + elapsed, rotating(wait), T0 - timedelta(days=999), DAY)
    assert phase is (Phase.SIGN if elapsed >= wait else Phase.REST)


@given(elapsed=_HOURS, wait=st.integers(0, 200).map(lambda hours: timedelta(hours=hours)))
def test_nothing_is_retired_while_what_it_signed_may_be_on_its_way(elapsed, wait):
    phase = next_phase(T0 + elapsed, rotating(wait, T0), T0, DAY)
    assert phase is (Phase.RETIRE if elapsed >= max(wait, timedelta(minutes=15)) else Phase.REST)


@given(elapsed=_HOURS, lifetime=st.none() | st.integers(1, 700).map(lambda days: timedelta(days=days)))
def test_what_is_due_next_is_when_the_next_phase_begins(elapsed, lifetime):
    now = T0 + elapsed
    due = next_due(None, T0, lifetime)
    phase = next_phase(now, None, T0, lifetime)
    assert phase is (Phase.PUBLISH if due is not None and now >= due else Phase.REST)
