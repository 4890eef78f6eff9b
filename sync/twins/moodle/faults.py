"""Faults a test or a rehearsal can switch on: maintenance, slowness, errors, answers lost after the work was done."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

KINDS = ("none", "maintenance", "slow", "error", "drop")
_MAINTENANCE = (
    "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Maintenance</title></head>"
    "<body><h1>Site maintenance</h1><p>This site is undergoing maintenance and is currently not available.</p>"
    "</body></html>"
)


@dataclass
class Fault:
    """The fault that is on.

    Attributes:
        kind: ``none``; ``maintenance``: 503 with an HTML page; ``slow``: answers late; ``error``: 500;
            ``drop``: the work is done and committed, but the connection closes without an answer.
        milliseconds: How late, for ``slow``.
        times: How many requests it hits before it ends by itself; None: until switched off.
        path: Only requests whose path contains this text.
    """

    kind: str = "none"
    milliseconds: int = 0
    times: int | None = None
    path: str = ""


class FaultGate:
    """WSGI middleware that puts the fault between the network and the LMS."""

    def __init__(self, app: WsgiApp) -> None:
        """Wrap the application, without a fault."""
        self._app = app
        self._fault = Fault()
        self._lock = threading.Lock()

    def set(self, fault: Fault) -> None:
        """Switch a fault on, or off with the kind ``none``.

        Raises:
            ValueError: No such kind.
        """
        if fault.kind not in KINDS:
            raise ValueError(fault.kind)
        with self._lock:
            self._fault = fault

    def _take(self, path: str) -> Fault:
        with self._lock:
            fault = self._fault
            if fault.kind == "none" or fault.path not in path:
                return Fault()
            if fault.times is not None:
                left = fault.times - 1
                self._fault = Fault(fault.kind, fault.milliseconds, left, fault.path) if left else Fault()
            return fault

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, or spoil it."""
        fault = self._take(str(environ.get("PATH_INFO", "")))
        if fault.kind == "maintenance":
            start_response("503 Service Unavailable", [("Content-Type", "text/html; charset=utf-8")])
            return [_MAINTENANCE.encode()]
        if fault.kind == "error":
            start_response("500 Internal Server Error", [("Content-Type", "text/html; charset=utf-8")])
            return [b"<!DOCTYPE html><html lang='en'><body><h1>Error</h1></body></html>"]
        if fault.kind == "slow":
            time.sleep(fault.milliseconds / 1000)
        if fault.kind == "drop":
            return self._drop(environ)
        return self._app(environ, start_response)

    def _drop(self, environ: dict[str, Any]) -> Iterable[bytes]:
        answered = self._app(environ, lambda *_args, **_kwargs: None)
        for _ in answered:
            pass
        connection = environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("the answer is dropped on purpose")
