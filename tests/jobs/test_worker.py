"""The scaled worker: a broker that is away disturbs nobody, and a worker that hangs ends itself."""

from __future__ import annotations

import time

import pytest

from sync.jobs.celery_app import CeleryDispatcher, make_celery
from sync.jobs.worker import STALLED
from tests.jobs.test_contract import EffectServer, fleet, opened, put, ring, server  # noqa: F401
from tests.support import factories as make
from tests.support.fleet import Fleet, wait_for
from tests.support.services import require_service

NOBODY = "redis://127.0.0.1:1/0"


def test_ring_without_a_broker_is_quick_quiet_and_not_repeated_at_once() -> None:
    bell = CeleryDispatcher(NOBODY, quiet_seconds=60)
    started = time.monotonic()
    for _ in range(50):
        bell.ring("some-job")
    assert bell.failures == 1
    assert time.monotonic() - started < 5
    bell.close()


def test_settings_keep_celery_from_hoarding_losing_and_answering() -> None:
    for url in ("redis://127.0.0.1/0", "amqp://127.0.0.1//"):
        app = make_celery(url)
        assert app.conf.task_acks_late
        assert app.conf.task_reject_on_worker_lost
        assert app.conf.task_ignore_result
        assert app.conf.worker_prefetch_multiplier == 1
        assert not app.conf.task_always_eager
        assert not app.conf.worker_hijack_root_logger
    assert make_celery("redis://127.0.0.1/0").conf.broker_transport_options["visibility_timeout"] > 180


@pytest.mark.redis
@pytest.mark.postgres
@pytest.mark.parametrize("fleet", ["redis"], indirect=True)
def test_worker_whose_threads_all_hang_exits_non_zero(fleet: Fleet, opened, server: EffectServer) -> None:  # noqa: F811
    require_service("redis")
    school_id = make.make_school(opened)
    # Each of the two threads is held; the jobs fall due again when the leases end, and nobody takes them.
    fleet.faults.plan("hold", "effect.before_look")
    fleet.faults.plan("hold", "effect.before_look", 2)
    ring(fleet, put(opened, school_id, ["job-1", "job-2", "job-3"]))
    process = fleet.start(lease=1, stall=2, sweep=0.2)
    wait_for(lambda: process.poll() is not None, fleet, 40)
    assert process.returncode == STALLED
    assert "worker stalled" in fleet.errors()
