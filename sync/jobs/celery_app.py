"""Celery as a doorbell: a message says which job is due, the database says whether it is so.

Losing a message, getting it twice or late does no harm, so nothing here tries to be exact. The settings follow
from what Celery does otherwise: a visibility timeout shorter than a task brings endless duplicates, prefetching
hoards jobs behind a slow one, results are kept that nobody reads.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from connector.base.log import get_logger

QUEUE = "kopir"
RUN_JOB = "kopir.run_job"
# Longer than any lease, so that Redis gives no message back while its job may still be running.
VISIBILITY_SECONDS = 600

log = get_logger("jobs")


def make_celery(broker_url: str, queue: str = QUEUE) -> Celery:
    """Return a Celery application with the settings both sides need; it knows no task yet.

    Args:
        broker_url: Redis or AMQP.
        queue: Name of the queue; installations that share a broker need one each.
    """
    app = Celery("kopir", broker=broker_url, set_as_current=False)
    amqp = broker_url.startswith("amqp")
    arguments = {"x-queue-type": "quorum"} if amqp else None
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=queue,
        task_queues=[Queue(queue, Exchange(queue, type="direct"), routing_key=queue, queue_arguments=arguments)],
        task_default_exchange=queue,
        task_default_routing_key=queue,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_soft_shutdown_timeout=30,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=3,
        broker_transport_options=_transport(amqp),
    )
    return app


def _transport(amqp: bool) -> dict[str, Any]:
    if amqp:
        return {"confirm_publish": True}
    return {"visibility_timeout": VISIBILITY_SECONDS, "socket_connect_timeout": 3, "socket_timeout": 10}


class CeleryDispatcher:
    """Ring by publishing a message; a broker that is down is left alone for a while."""

    def __init__(self, broker_url: str, queue: str = QUEUE, *, quiet_seconds: float = 5.0) -> None:
        """Connect at the first ring.

        Args:
            broker_url: Redis or AMQP.
            queue: As for ``make_celery``.
            quiet_seconds: How long nothing is published after a failure; the workers' sweepers find the jobs.
        """
        self._app = make_celery(broker_url, queue)
        self._quiet = quiet_seconds
        self._silent_until = 0.0
        self._lock = threading.Lock()
        self.failures = 0

    def ring(self, job_id: str | None = None) -> None:
        """Publish the job's id; without one, a message that says "look for yourself". Never raises."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._app.send_task(
                RUN_JOB,
                args=[job_id or ""],
                ignore_result=True,
                retry=True,
                retry_policy={"max_retries": 2, "interval_start": 0.2, "interval_step": 0.2},
            )
        except (KombuError, OSError) as error:
            with self._lock:
                self.failures += 1
                self._silent_until = time.monotonic() + self._quiet
            log.warning("ring failed", error=type(error).__name__)

    def close(self) -> None:
        """Close the connections to the broker."""
        self._app.close()
