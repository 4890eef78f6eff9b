"""A worker process for tests: ``python -m tests.support.job_worker '<json>'``.

It runs ``effect`` jobs (look whether the counting server has the job's key, post it if not, then finish together
with a row of its own) and, when told of an LMS, ``deliver_scores``.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

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


def main() -> int:
    options = json.loads(sys.argv[1])
    runtime = Runtime(
        Place(**options["place"]).open(),
        Handlers(),
        lease=timedelta(seconds=options.get("lease", 2)),
        lane_limit=options.get("lane_limit", 4),
        max_crashes=1000,
        backoff=Backoff(first=0.2, cap=1),
        lane_backoff=Backoff(first=0.2, cap=1),
        step=Faults(options["faults"]).step,
    )
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


if __name__ == "__main__":
    sys.exit(main())
