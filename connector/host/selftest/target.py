"""What is tested: the shipped server over a throw-away data folder, or a live installation with a school of the run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from connector.base.config import load_settings
from connector.base.errors import Fatal, KopirError
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from connector.db.tables.registry import school as school_table
from connector.host.directory import FRESH_SECONDS
from connector.host.install import install
from connector.host.platforms import Registered, register_platform
from connector.host.registry import Platform
from connector.host.runtime import ROOT, Runtime, build_runtime
from connector.host.selftest.lms import SelftestLms
from connector.host.selftest.probe import Target
from connector.host.selftest.sweep import SCHOOL_PREFIX, is_selftest, remove

START_SECONDS, STOP_SECONDS = 60.0, 25.0
_ABANDONED = timedelta(hours=1)


def platform_of(lms: SelftestLms) -> Platform:
    """Return what is registered for a run."""
    return Platform(
        issuer=lms.issuer, client_id=lms.client_id, auth_url=lms.url("auth"), token_url=lms.url("token"),
        jwks_url=lms.url("jwks"), deployment_id=lms.deployment,
    )  # fmt: skip


def school_code(lms: SelftestLms) -> str:
    """Return the code of the run's own school."""
    return f"{SCHOOL_PREFIX}{lms.run}"


def command_line(lms: SelftestLms) -> str:
    """Return the command that registers the run's platform by hand."""
    one = platform_of(lms)
    return (
        f"kopir lti platforms add --school {school_code(lms)} --issuer {one.issuer} --client-id {one.client_id} "
        f"--deployment {one.deployment_id} --auth-url {one.auth_url} --token-url {one.token_url} "
        f"--jwks-url {one.jwks_url} --profile generic"
    )


def _register(runtime: Runtime, lms: SelftestLms) -> Registered:
    return register_platform(runtime, platform_of(lms), school_code(lms), "Self-test")


def _target(runtime: Runtime, made: Registered, url: str, server: str) -> Target:
    return Target(url.rstrip("/"), server, made.launch_url, runtime, made.school_id, made.registration_id)


@contextmanager
def shipped(lms: SelftestLms) -> Iterator[Target]:
    """Start the shipped server with an empty data folder; nothing of it is left afterwards.

    Private networks stay closed to it but for the run's own platform, which is registered as an administrator would.

    Raises:
        Fatal: The server did not start (``server_not_started``).
    """
    with tempfile.TemporaryDirectory(prefix="kopir-selftest-") as name:
        folder, port = Path(name), _free_port()
        environ = {"DATA_DIR": str(folder / "data"), "PUBLIC_URL": f"http://127.0.0.1:{port}", "LOG_LEVEL": "WARNING"}
        install(environ=environ)
        runtime = build_runtime(load_settings(environ))
        try:
            made = _register(runtime, lms)
            with _server(folder, port, environ):
                yield _target(runtime, made, environ["PUBLIC_URL"], "shipped")
        finally:
            runtime.database.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _server(folder: Path, port: int, environ: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-c", "from connector.cli.main import main; main()", "serve", "--port", str(port)]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR") if name in os.environ}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- this program itself.
            command, cwd=folder, env={**kept, **environ, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(process, port, log)
            yield
        finally:
            _stop(process)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["-"]
    raise Fatal("server_not_started", say(N_("The server did not start: {error}"), error=last[0][:300]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait(STOP_SECONDS)


@contextmanager
def live(runtime: Runtime, url: str, lms: SelftestLms, outbound: Outbound) -> Iterator[Target]:
    """Make a school and a registration of the run in this installation; both are removed afterwards.

    Raises:
        Fatal: The address is served by another installation than this one (``other_installation``).
    """
    _sweep_abandoned(runtime)
    made = _register(runtime, lms)
    try:
        # Server processes look at registered platforms' private addresses anew after this long.
        time.sleep(FRESH_SECONDS + 1)
        target = _target(runtime, made, url, "live")
        _check_same(runtime, target, outbound)
        yield target
    finally:
        remove(runtime, made.school_id, lms)


def _check_same(runtime: Runtime, target: Target, outbound: Outbound) -> None:
    """Make sure that what answers at the address reads this database: it publishes the key just made."""
    registration = runtime.registry.get(target.registration_id)
    kid = runtime.keys.for_registration(registration).kid if registration else ""
    try:
        document = outbound.request("GET", f"{target.url}/lti/jwks.json").json()
        found = {key.get("kid") for key in document["keys"]}
    except (KopirError, ValueError, KeyError, TypeError, AttributeError):
        found = set()
    if kid not in found:
        text = N_(
            "{url} is not served by this installation. Run the command where Kopir runs, with its settings "
            "(with Compose: docker compose exec web)."
        )
        raise Fatal("other_installation", say(text, url=target.url))


def _sweep_abandoned(runtime: Runtime) -> None:
    """Remove what a run left behind that was killed before it could clean up."""
    before = runtime.clock() - _ABANDONED
    query = select(school_table.c.id, school_table.c.code).where(school_table.c.created_at < before)
    with runtime.database.service(write=False) as db:
        found = [row.id for row in db.execute(query) if is_selftest(row.code)]
    for school_id in found:
        remove(runtime, school_id)
