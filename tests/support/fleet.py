"""Worker processes that tests start, kill and count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
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


class Worker:
    """One worker process, as ``subprocess.Popen`` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, seconds: float) -> int | None:
        self.ended.wait(seconds)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)


class Nursery:
    """One process with everything imported, which forks the workers of a whole test run."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.job_worker"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._workers: dict[int, Worker] = {}
        self._born: list[Worker] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def fork(self, options: dict[str, Any]) -> Worker:
        """Start a worker; one caller at a time."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(options) + "\n")
        stdin.flush()
        with self._news:
            assert self._news.wait_for(lambda: bool(self._born), 60)
            return self._born.pop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            facts = json.loads(line)
            with self._news:
                if "started" in facts:
                    worker = self._workers[facts["started"]] = Worker(facts["started"])
                    self._born.append(worker)
                else:
                    worker = self._workers.pop(facts["ended"])
                    worker.returncode = facts["status"]
                    worker.ended.set()
                self._news.notify_all()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(10)
        self._process.stdout.close()


class Fleet:
    """Worker processes on one database and one broker."""

    def __init__(self, nursery: Nursery, place: Place, broker: str, folder: Path, url: str) -> None:
        self.nursery = nursery
        self.place, self.broker, self.url = place, broker, url
        self.queue = f"kopir-test-{uuid4().hex}"
        self.folder = folder
        self.faults = Faults(folder)
        self.processes: list[Worker] = []

    def start(self, name: str = "worker", **values: Any) -> Worker:
        options = {
            "place": asdict(self.place),
            "broker": self.broker,
            "queue": self.queue,
            "faults": str(self.folder),
            "log": str(self.folder / "errors"),
            "url": self.url,
            "name": name,
            **values,
        }
        worker = self.nursery.fork(options)
        self.processes.append(worker)
        return worker

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
            process.send_signal(signal.SIGKILL)
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
