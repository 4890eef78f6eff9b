"""Faults a rehearsal can order: what the real journal has been seen to do, and what networks do to everyone.

They stand in front of the API only; the journal's pages stay well.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_MAINTENANCE = (
    "<!DOCTYPE html><html><head><meta charset='utf-8'><title>Kundelik</title></head><body>"
    "<div class='error__description'><p>Жүйеде техникалық жұмыстар жүріп жатыр. Ведутся технические работы.</p></div>"
    "</body></html>"
)
_BODIES = {
    "invalid_token": ("200 OK", {"type": "authorizationInvalidToken", "description": "Неверный токен"}),
    "session_expired": ("401 Unauthorized", {"type": "authorizationInvalidToken", "description": "Сессия истекла"}),
    "request_limit": ("200 OK", {"type": "apiRequestLimit", "description": "Превышен лимит запросов для токена"}),
    "server_error": ("200 OK", {"type": "apiServerError", "description": "Ошибка сервера"}),
    "500": ("500 Internal Server Error", {"type": "apiServerError", "description": "Ошибка сервера"}),
    "503": ("503 Service Unavailable", None),
}
_LISTS = ("half_list", "empty_list", "cut_body")
_DROPS = ("drop_before_commit", "drop_after_commit")
KINDS = ("html_maintenance", *_BODIES, *_LISTS, "slow", *_DROPS)


@dataclass
class _Planned:
    kind: str
    left: int
    path: re.Pattern[str]
    seconds: float


class FaultPlan:
    """The faults that wait for a request; safe to use from several threads."""

    def __init__(self) -> None:
        """Start with none."""
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def set(self, kind: str, times: int = 1, path: str = "", seconds: float = 1.0) -> None:
        """Order a fault for the next ``times`` requests it fits.

        Args:
            kind: One of KINDS. List faults wait for a GET, drops for a write, the others take any request.
            times: How many requests it strikes; 0 removes what was ordered of this kind.
            path: Regular expression searched in the path; empty fits every path.
            seconds: How long ``slow`` waits.

        Raises:
            ValueError: No such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind}: choose from {', '.join(KINDS)}")
        with self._lock:
            self._planned = [planned for planned in self._planned if planned.kind != kind]
            if times > 0:
                self._planned.append(_Planned(kind, times, re.compile(path), seconds))

    def clear(self) -> None:
        """Remove every fault that waits."""
        with self._lock:
            self._planned.clear()

    def take(self, method: str, path: str) -> tuple[str, float] | None:
        """Return the fault for a request and count it, or None."""
        with self._lock:
            for planned in self._planned:
                if planned.left > 0 and planned.path.search(path) and _fits(planned.kind, method):
                    planned.left -= 1
                    return planned.kind, planned.seconds
        return None


def _fits(kind: str, method: str) -> bool:
    if kind in _LISTS:
        return method == "GET"
    return method != "GET" if kind in _DROPS else True


class FaultyWsgi:
    """WSGI in front of the journal that carries the faults out."""

    def __init__(self, inner: WSGIApplication, plan: FaultPlan, prefixes: tuple[str, ...]) -> None:
        """Take the application, the plan and the path prefixes of the API."""
        self._inner = inner
        self._plan = plan
        self._prefixes = prefixes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, with its fault if one waits."""
        path = str(environ.get("PATH_INFO", ""))
        fault = self._plan.take(str(environ["REQUEST_METHOD"]), path) if path.startswith(self._prefixes) else None
        if fault is None:
            return self._inner(environ, start_response)
        kind, seconds = fault
        if kind == "slow":
            time.sleep(seconds)
            return self._inner(environ, start_response)
        if kind in _DROPS:
            return self._drop(kind, environ)
        if kind in _LISTS:
            return self._spoil(kind, environ, start_response)
        return _answer(kind, start_response)

    def _drop(self, kind: str, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Close the connection without a word, before or after the work was done."""
        if kind == "drop_after_commit":
            self._collect(environ)
        # Werkzeug's server would keep the connection open and silent; a shut socket is what the client must meet.
        connection = environ.get("werkzeug.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(kind)

    def _spoil(self, kind: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, headers, body = self._collect(environ)
        spoiled = _spoiled(kind, body)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(spoiled)))])
        return [spoiled]

    def _collect(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        seen: list[Any] = []

        def note(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Any:
            seen[:] = [status, headers]
            return lambda _data: None

        chunks = self._inner(environ, note)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        return seen[0], seen[1], body


def _spoiled(kind: str, body: bytes) -> bytes:
    if kind == "cut_body":
        return body[: len(body) // 2]
    return json.dumps(_shorten(json.loads(body), keep=kind == "half_list"), ensure_ascii=False).encode()


def _shorten(value: Any, *, keep: bool) -> Any:
    if isinstance(value, list):
        return value[: len(value) // 2] if keep else []
    if isinstance(value, dict):
        return {key: _shorten(item, keep=keep) if isinstance(item, list) else item for key, item in value.items()}
    return value


def _answer(kind: str, start_response: StartResponse) -> Iterable[bytes]:
    status, content = ("200 OK", None) if kind == "html_maintenance" else _BODIES[kind]
    body = _MAINTENANCE.encode() if content is None else json.dumps(content, ensure_ascii=False).encode()
    media = "text/html; charset=utf-8" if content is None else "application/json; charset=utf-8"
    start_response(status, [("Content-Type", media), ("Content-Length", str(len(body)))])
    return [body]
