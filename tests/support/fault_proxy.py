"""A proxy that spoils HTTP between Kopir and another system: late, cut, doubled, refused, or lost after the commit.

It stands between real sockets. Which answers are spoiled comes from a seeded chance or from a list, so that a run can
be repeated.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = (
    "latency",
    "reset_mid_body",
    "truncate",
    "429",
    "500_after_commit",
    "lost_answer",
    "duplicate",
    "stall",
    "refuse",
)
"""What can happen to a call. After ``500_after_commit``, ``lost_answer`` and ``duplicate`` the other side has acted."""
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "host", "content-length", "date", "server"})


class FaultProxy:
    """One proxy before one server.

    Attributes:
        happened: How often each fault happened.
        asked: Calls that reached the proxy.
        quiet: Nothing is spoiled while this is set.
        clock: What the answers' ``Date`` says; the real time when not given.
    """

    def __init__(
        self, target: str, *, seed: int = 0, share: float = 0.2, faults: Sequence[str] = FAULTS, clock: Any = None
    ) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._chance = random.Random(seed)
        self._share, self._faults = share, tuple(faults)
        self._lock = threading.Lock()
        self.clock = clock
        self.happened: Counter[str] = Counter()
        self.asked = 0
        self.quiet = False

    def draw(self) -> str:
        """Return the fault of the next call, or an empty text."""
        with self._lock:
            self.asked += 1
            if self.quiet or self._chance.random() >= self._share:
                return ""
            fault = self._chance.choice(self._faults)
            self.happened[fault] += 1
            return fault

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        """Pass a call on and return status, headers and body."""
        link = HTTPConnection(*self._target, timeout=20)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            link.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        # The name the caller used goes on: links that the other side makes lead through the proxy again.
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP - {"host"}}
        fault = self.proxy.draw()
        self.close_connection = True
        with suppress(OSError, HTTPException):
            self._act(fault, headers, body)

    do_GET = do_POST = do_PUT = do_DELETE = _any

    def _act(self, fault: str, headers: dict[str, str], body: bytes) -> None:
        if fault == "refuse":
            return self._reset()
        if fault == "429":
            return self._answer(429, [("Retry-After", "0")], b"slow down")
        if fault == "latency":
            time.sleep(0.05)
        if fault == "stall":
            time.sleep(0.4)
            return self._reset()
        status, received, content = self.proxy.forward(self.command, self.path, headers, body)
        if fault == "duplicate":
            status, received, content = self.proxy.forward(self.command, self.path, headers, body)
        if fault == "500_after_commit":
            return self._answer(500, [], b"broken")
        if fault == "lost_answer":
            return self._reset()
        cut = len(content) // 2 if fault in ("truncate", "reset_mid_body") else None
        return self._answer(status, received, content, cut=cut, reset=fault == "reset_mid_body")

    def _answer(
        self, status: int, headers: Any, content: bytes, *, cut: int | None = None, reset: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        now = self.proxy.clock() if self.proxy.clock is not None else datetime.now(UTC)
        self.send_header("Date", format_datetime(now, usegmt=True))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        self.wfile.flush()
        if reset:
            self._reset()

    def _reset(self) -> None:
        """End the connection with a reset instead of a farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@contextmanager
def proxied(target: str, **options: Any) -> Iterator[tuple[str, FaultProxy]]:
    """Serve a proxy before a server; yield the address to use instead."""
    proxy = FaultProxy(target, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
