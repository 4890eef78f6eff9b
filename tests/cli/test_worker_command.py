"""``kopir worker`` without a broker, as a real process: it sweeps the queue, and ends politely when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from connector.base.config import load_settings
from connector.db.database import Database
from connector.host.install import install
from sync.jobs import queue
from sync.jobs.tables import job
from tests.support import factories as make

KOPIR = "import sys; from connector.cli.main import main; main(sys.argv[1:])"


def state_of(database: Database) -> str | None:
    with database.service(write=False) as db:
        return db.scalar(select(job.c.state))


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_worker_takes_a_job_and_ends_with_0_when_told_to(tmp_path: Path, told: signal.Signals) -> None:
    folder = tmp_path / "data"
    install(folder, {})
    database = Database(load_settings({}, data_dir=folder).sqlalchemy_url)
    school_id = make.make_school(database)
    with database.school(school_id) as db:
        # A plugin that is not here: the job ends as a dead letter, which needs nothing but a worker.
        queue.put(db, school_id, "plugin_job", "k", {"plugin": "gone", "kind": "any", "payload": "{}"})
    environ = {**os.environ, "DATA_DIR": str(folder), "BROKER_URL": "", "LOG_LEVEL": "ERROR"}
    worker = subprocess.Popen([sys.executable, "-c", KOPIR, "worker"], env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while state_of(database) != "dead" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert state_of(database) == "dead"
        worker.send_signal(told)
        assert worker.wait(60) == 0
    finally:
        worker.kill()
        worker.wait()
        database.close()
