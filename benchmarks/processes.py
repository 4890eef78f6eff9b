"""Servers under measurement: started as processes of their own, and their CPU time read from ``/proc``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 25.0


class BenchmarkFailed(Exception):
    """A benchmark found that what it measured did not do its work; no figure of it may be believed."""


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """Run a command to its end in the project's folder and return what it printed.

    Raises:
        BenchmarkFailed: It ended with another status than 0.
    """
    done = subprocess.run(  # noqa: S603 - the commands are this package's own.
        command, cwd=ROOT, env={**os.environ, **(environ or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(command[:6])} …: {done.stderr[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def run_with_input(command: Sequence[str], given: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command that reads standard input and return what it printed.

    Raises:
        BenchmarkFailed: It ended with another status than 0.
    """
    done = subprocess.run(  # noqa: S603 - the commands are this package's own.
        command,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(command[:4])} …: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def server(command: Sequence[str], port: int, log: Path, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a server until the block ends; yield the id of its first process once it listens.

    Raises:
        BenchmarkFailed: It ended or did not listen in time.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - the commands are this package's own.
            command, cwd=ROOT, env={**os.environ, **(environ or {})}, stdout=out, stderr=out, start_new_session=True
        )
        try:
            _wait(process, port, log)
            yield process.pid
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise BenchmarkFailed(f"no server on port {port}: {log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole group that was started here, politely first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants that live now."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time these processes have used, threads that have ended included.

    The kernel scales both parts to the scheduler's own count and tells them in ticks of 10 ms; over the windows of a
    round that is far below the noise.
    """
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def peak_mib() -> float:
    """Return the largest resident size this process has had so far, in MiB."""
    return _status("VmHWM")


def resident_mib() -> float:
    """Return the resident size of this process now, in MiB."""
    return _status("VmRSS")


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))
