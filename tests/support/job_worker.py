"""Worker processes for tests: each line of JSON on stdin is one more.

It runs ``effect`` jobs (look whether the counting server has the job's key, post it if not, then finish together
with a row of its own) and, when told of an LMS, ``deliver_scores``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import traceback
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any, NoReturn

from sqlalchemy import insert

import sync.jobs.tables
import sync.scores.tables  # noqa: F401
from connector.base.ids import new_id
from connector.db.tables.launches import account
from sync.jobs.backoff import Backoff
from sync.jobs.dispatch import LocalDispatcher
from sync.jobs.runner import Handlers, JobContext, Runtime
from sync.jobs.worker import run_worker
from sync.scores.deliver import DELIVER_SCORES, deliver_handler
from tests.support.databases import Place
from tests.support.factories import NOW
from tests.support.faults import Faults
from tests.support.lms import Facts
from tests.support.sync_sides import add_sync_jobs


def effect(url: str, name: str) -> Any:
    def handler(context: JobContext) -> None:
        address = f"{url}/effects/{context.job.key}"
        context.step("effect.before_look")
        try:
            urllib.request.urlopen(address, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
            context.step("effect.before_post")
            request = urllib.request.Request(address, data=b"{}", method="POST")
            urllib.request.urlopen(request, timeout=10).close()
        context.step("effect.after_post")
        with context.database.school(context.school_id) as db:
            context.finish_in(db)
            context.step("effect.before_commit")
            row = {"school_id": context.school_id, "id": new_id(), "issuer": name, "sub": context.job.key}
            db.execute(insert(account).values(**row, registration_id="r", seen_at=NOW))
        context.step("effect.after_commit")

    return handler


def run(options: dict[str, Any]) -> int:
    database = Place(**options["place"]).open()
    faults = Faults(options["faults"])
    runtime = Runtime(
        database,
        Handlers(),
        lease=timedelta(seconds=options.get("lease", 2)),
        lane_limit=options.get("lane_limit", 4),
        max_crashes=1000,
        backoff=Backoff(first=0.2, cap=1),
        lane_backoff=Backoff(first=0.2, cap=1),
        step=faults.step,
    )
    if options.get("sides"):
        add_sync_jobs(runtime.handlers, database, options["sides"], faults.step)
    if options.get("lms"):
        runtime.handlers.add(DELIVER_SCORES, deliver_handler(Facts(**json.loads(options["lms"])).gradebooks()))
    runtime.handlers.add("effect", effect(options["url"], options["name"]))
    if options.get("broker"):
        return run_worker(
            runtime,
            options["broker"],
            queue=options["queue"],
            threads=2,
            sweep_seconds=options.get("sweep", 0.3),
            stall_seconds=options.get("stall", 120),
        )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    dispatcher = LocalDispatcher(runtime, threads=2, sweep_seconds=options.get("sweep", 0.3))
    dispatcher.start()
    ended.wait()
    return 0 if dispatcher.stop() else 1


def nurse() -> None:
    """Fork a worker for each line of options, and tell when each ended: importing is paid for once."""
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], 0.03)
        if readable:
            line = sys.stdin.readline()
            if not line:
                return
            pid = os.fork()
            if pid == 0:
                _become(json.loads(line))
            _tell(started=pid)
        _reap()


def _become(options: dict[str, Any]) -> NoReturn:
    # Closing it would give its number to the next socket, and Celery's loop takes descriptor 0 for none.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    out = os.open(options["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    status = 1
    try:
        status = run(options)
    except BaseException:
        # Nobody is above this frame to print it.
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap() -> None:
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(ended=ended[0], status=os.waitstatus_to_exitcode(ended[1]))
    except ChildProcessError:
        return


def _tell(**facts: int) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    nurse()
