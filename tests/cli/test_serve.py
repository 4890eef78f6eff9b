"""``kopir serve`` as a real process: it answers, runs jobs inside, and ends when it is told to, with nothing left."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from connector.base.secrets import Vault, new_key
from connector.db.database import Database
from connector.host.install import install
from connector.host.keys import Keys
from lti.vocab import Scope
from sync.jobs.tables import job
from sync.scores.deliver import enqueue_delivery
from tests.support import factories as make
from tests.support.raw_server import RawServer, raw_server

PATIENCE = 90.0
KOPIR = "import sys; from connector.cli.main import main; main(sys.argv[1:])"


@dataclass
class Served:
    """A server process.

    Attributes:
        process: The main process.
        url: Where it answers.
        folder: Its data folder.
    """

    process: subprocess.Popen[bytes]
    url: str
    folder: Path

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def workers(self) -> set[int]:
        """Return the ids of the processes it started."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(word) for word in text.split()}


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    keys = {"SECRET_KEY": new_key(), "ENCRYPTION_KEYS": new_key()}
    return {**kept, **keys, "DATA_DIR": str(folder), "ALLOW_PRIVATE_NETWORKS": "on", **more}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    values = environment(tmp_path / "data")
    install(None, values)
    return values


@pytest.fixture
def serve(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start servers that are gone when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> Served:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-c", KOPIR, "serve", "--port", str(port)]
        log = (tmp_path / "serve.log").open("wb")
        process = subprocess.Popen(command, env={**environ, "PUBLIC_URL": url, **more}, stdout=log, stderr=log)
        log.close()
        started.append(process)
        served = Served(process, url, tmp_path / "data")
        until(lambda: served.get("/healthz")[0] == 200 or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "serve.log").read_text()
        return served

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_server_answers_runs_jobs_inside_and_ends_on_sigterm(
    serve: Callable[..., Served], environ: dict[str, str]
) -> None:
    served = serve()
    assert served.get("/healthz") == (200, '{"status":"ok"}\n')
    assert served.get("/readyz")[0] == 200
    assert served.get("/nothing")[0] == 404
    database = Database(f"sqlite:///{served.folder}/kopir.sqlite3")
    school = make.make_school(database)
    activity, pupil = make.make_activity(database, school), make.make_account(database, school)
    result = make.make_result(database, school, activity, pupil)
    with database.school(school) as db:
        enqueue_delivery(db, school, result)

    def tried() -> bool:
        with database.service(write=False) as db:
            row = db.execute(select(job)).one()
        return row.attempts > 0 and row.state != "leased"

    until(tried)
    workers = served.workers()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert served.get("/healthz")[0] == 0
    database.close()


def test_body_without_a_length_is_refused_by_the_real_server_when_it_is_too_large(serve: Callable[..., Served]) -> None:
    served = serve(JOB_THREADS="0")
    host, port = served.url.removeprefix("http://").split(":")
    statuses = []
    for size in (10, 80_000):
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        pieces = (piece for piece in (b"state=", b"x" * size))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"}
        connection.request("POST", "/lti/launch", body=pieces, headers=headers, encode_chunked=True)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [400, 413]


@pytest.fixture
def slow_lms() -> Iterator[RawServer]:
    """An LMS whose token endpoint takes three seconds to say that it is busy."""

    def answer(sock: socket.socket, number: int) -> bool:
        time.sleep(3)
        sock.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        return True

    with raw_server(answer) as server:
        yield server


def test_sigterm_waits_for_a_running_job_and_leaves_no_lease(
    serve: Callable[..., Served], environ: dict[str, str], slow_lms: RawServer
) -> None:
    database = Database(f"sqlite:///{environ['DATA_DIR']}/kopir.sqlite3")
    school = make.make_school(database)
    kid = Keys(database, Vault([environ["ENCRYPTION_KEYS"]])).make(make.NOW)
    registration = make.make_registration(database, base_url=slow_lms.url, kid=kid)
    make.make_deployment(database, school, registration)
    lines = f"{slow_lms.url}/lineitems"
    scopes = (str(Scope.LINEITEM), str(Scope.SCORE), str(Scope.RESULT_READONLY))
    context = make.make_context(database, school, registration_id=registration, line_items_url=lines, scopes=scopes)
    activity = make.make_activity(database, school, context_id=context)
    link = make.make_link(database, school, context, activity_id=activity, line_item_url=f"{lines}/1")
    pupil = make.make_account(database, school, registration_id=registration)
    result = make.make_result(database, school, activity, pupil, resource_link=link)
    served = serve()
    with database.school(school) as db:
        enqueue_delivery(db, school, result)
    until(lambda: bool(slow_lms.requests))
    started = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert time.monotonic() - started > 1
    with database.service(write=False) as db:
        row = db.execute(select(job)).one()
    assert (row.state, row.worker if row.state == "leased" else None) == ("ready", None)
    assert row.last_reason
    database.close()


def test_server_with_a_bad_setting_says_so_in_one_line_and_does_not_start(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KOPIR, "serve", "--port", str(free_port())],
        env={**environ, "TRUSTED_PROXIES": "many", "KOPIR_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "TRUSTED_PROXIES" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
