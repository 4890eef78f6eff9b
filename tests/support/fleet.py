"""Worker processes that tests start, kill and count."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from sync.jobs.celery_app import make_celery
from tests.support.databases import Place
from tests.support.faults import Faults

ROOT = Path(__file__).parents[2]


class Fleet:
    """Worker processes on one database and one broker."""

    def __init__(self, place: Place, broker: str, folder: Path, url: str) -> None:
        self.place, self.broker, self.url = place, broker, url
        self.queue = f"kopir-test-{uuid4().hex}"
        self.folder = folder
        self.faults = Faults(folder)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str = "worker", **values: Any) -> subprocess.Popen[bytes]:
        options = {
            "place": asdict(self.place),
            "broker": self.broker,
            "queue": self.queue,
            "faults": str(self.folder),
            "url": self.url,
            "name": name,
            **values,
        }
        command = [sys.executable, "-m", "tests.support.job_worker", json.dumps(options)]
        errors = (self.folder / "errors").open("ab")
        with errors:
            process = subprocess.Popen(command, cwd=ROOT, stdout=errors, stderr=errors)
        self.processes.append(process)
        return process

    def respawn_dead(self) -> int:
        dead = [process for process in self.processes if process.poll() is not None]
        for process in dead:
            self.processes.remove(process)
            self.start()
        return len(dead)

    def errors(self) -> str:
        path = self.folder / "errors"
        return path.read_text("utf-8", "replace")[-3000:] if path.exists() else ""

    def end(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(10)
        if self.broker:
            _delete_queue(self.broker, self.queue)


def _delete_queue(broker: str, name: str) -> None:
    app = make_celery(broker, name)
    with app.connection_for_write() as connection:
        channel = connection.channel()
        channel.queue_delete(name)
        channel.exchange_delete(name)
        if broker.startswith("redis"):
            # Kombu leaves the bindings' own keys behind.
            channel.client.delete(f"_kombu.binding.{name}", f"_kombu.binding_permanent.{name}")
    app.close()


def wait_for(condition: Callable[[], bool], fleet: Fleet, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, fleet.errors()
        time.sleep(0.05)
