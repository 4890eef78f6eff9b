"""The background work of this installation: which handler runs which job, and who runs them."""

from __future__ import annotations

import json
import signal
import threading
from multiprocessing import util

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.host.groups import READ_GROUPS, groups_handler
from connector.host.healing import on_context_copy
from connector.host.notices import SUBSCRIBE, TAKE_NOTICE, ContextCopied, notice_handler, subscribe_handler
from connector.host.rooms import PLUGIN_JOB, SchoolRoom
from connector.host.rotation import ROTATE_KEYS, rotation_handler
from connector.host.runtime import Runtime
from connector.host.scores import score_handler
from connector.host.syncing import sync_handlers, sync_runtime
from connector.host.telling.work import TELL, look, tell_handler
from sync.jobs.celery_app import CeleryDispatcher
from sync.jobs.dispatch import Dispatcher, LocalDispatcher
from sync.jobs.duties import Duty
from sync.jobs.runner import Handlers, JobContext
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.worker import run_worker as run_celery_worker
from sync.schedule.sweep import sweep
from sync.scores.deliver import DELIVER_SCORES

STOP_SECONDS = 15.0
# Who is told when an LMS says that a course was copied.
ON_CONTEXT_COPY: tuple[ContextCopied, ...] = (on_context_copy,)


def make_handlers(runtime: Runtime) -> Handlers:
    """Register every kind of job there is."""
    handlers = Handlers()
    handlers.add(PLUGIN_JOB, lambda context: _plugin_job(runtime, context))
    handlers.add(DELIVER_SCORES, score_handler(runtime))
    handlers.add(ROTATE_KEYS, rotation_handler(runtime))
    handlers.add(TAKE_NOTICE, notice_handler(runtime, ON_CONTEXT_COPY))
    handlers.add(SUBSCRIBE, subscribe_handler(runtime))
    handlers.add(READ_GROUPS, groups_handler(runtime))
    handlers.add(TELL, tell_handler(runtime))
    for kind, handler in sync_handlers(runtime).items():
        handlers.add(kind, handler)
    return handlers


def _plugin_job(runtime: Runtime, context: JobContext) -> None:
    plugin = runtime.plugins.get(context.payload["plugin"])
    handler = plugin.jobs().get(context.payload["kind"]) if plugin else None
    if handler is None:
        text = N_("The job {kind} belongs to a plugin that is switched off.")
        raise Fatal("plugin_off", say(text, kind=context.payload["kind"]))
    room = SchoolRoom(runtime, context.school_id, context.payload["plugin"])
    handler(room, json.loads(context.payload["payload"]))


def make_job_runtime(runtime: Runtime, threads: int = 4) -> JobRuntime:
    """Return what running jobs needs in this process.

    One lane takes half of the threads at most: an LMS that hangs must leave some to the others.
    """
    handlers = make_handlers(runtime)
    return JobRuntime(
        runtime.database,
        handlers,
        clock=runtime.clock,
        lane_limit=lane_limit(threads),
        duties=make_duties(runtime),
    )


def lane_limit(threads: int) -> int:
    """Return how many jobs of one lane may run at once."""
    return max(1, min(2, threads // 2))


def make_duties(runtime: Runtime) -> tuple[Duty, ...]:
    """Return what every working process looks at besides the queue."""
    clock = sync_runtime(runtime)
    return (Duty("schedule", lambda: sweep(clock)), Duty("notices", lambda: look(runtime), every=30.0))


def start_work(runtime: Runtime) -> Dispatcher:
    """Give this server process its doorbell: Celery's where there is a broker, else threads that run the jobs.

    The threads are stopped and joined when the process ends, also when a server forked it and runs no ``atexit``.
    """
    settings = runtime.settings
    if settings.broker_url:
        bell: Dispatcher = CeleryDispatcher(settings.broker_url)
        runtime.doorbell = bell
        return bell
    local = LocalDispatcher(make_job_runtime(runtime, settings.job_threads), settings.job_threads)
    local.start()
    runtime.doorbell = local
    util.Finalize(None, local.stop, args=(STOP_SECONDS,), exitpriority=10)
    return local


def run_worker(runtime: Runtime, threads: int) -> int:
    """Run jobs until a signal ends it; return the exit status for a supervisor."""
    jobs = make_job_runtime(runtime, threads)
    if runtime.settings.broker_url:
        runtime.doorbell = CeleryDispatcher(runtime.settings.broker_url)
        return run_celery_worker(jobs, runtime.settings.broker_url, threads=threads)
    local = LocalDispatcher(jobs, threads)
    runtime.doorbell = local
    local.start()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    # A job that runs is let finish, so that its lease does not have to expire first.
    return 0 if local.stop(STOP_SECONDS) else 1
