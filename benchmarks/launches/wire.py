"""A small HTTP/1.1 client for load: prepared requests over kept connections, nothing parsed inside the timed window."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    """One answer as it came, and how long it took."""

    raw: bytes
    seconds: float

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.raw[9:12])

    def header(self, name: str) -> list[str]:
        """Return every value of a header."""
        head = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(":") for line in head.split("\r\n")[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name]

    @property
    def body(self) -> str:
        """The start of the body, for a failure's message."""
        return self.raw.partition(b"\r\n\r\n")[2][:400].decode("utf-8", "replace")


def post(url: str, form: dict[str, str], cookie: str = "") -> bytes:
    """Return the bytes of a form's POST."""
    parts = urlsplit(url)
    body = urlencode(form).encode()
    lines = [
        f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}",
        "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}",
        "Accept: text/html", "User-Agent: load-driver",
    ]  # fmt: skip
    if cookie:
        lines.append(f"Cookie: {cookie}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.buffer = bytearray()
        self.request, self.index, self.started = b"", -1, 0.0
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        made = socket.create_connection(self.address, timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, index: int, request: bytes) -> None:
        self.index, self.request = index, request
        self.buffer.clear()
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def again(self) -> None:
        """Connect anew and repeat a request whose kept connection the server had closed."""
        self.socket.close()
        self.socket = self._connect()
        self.buffer.clear()
        self.socket.sendall(self.request)


def _complete(buffer: bytearray) -> bool:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(buffer[:end]).lower()
    at = head.find(b"content-length:")
    if at >= 0:
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        return len(buffer) >= end + 4 + length
    return b"chunked" in head and buffer.endswith(b"0\r\n\r\n")


def exchange(url: str, requests: Sequence[bytes], connections: int) -> tuple[float, list[Answer]]:
    """Send every request over so many kept connections, each busy all the time; return wall seconds and answers.

    Raises:
        OSError: The server dropped a request it had begun to answer, or did not answer within 30 seconds.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    answers: list[Answer | None] = [None] * len(requests)
    waiting = iter(enumerate(requests))
    with selectors.DefaultSelector() as selector:
        links = [_Connection(address) for _ in range(min(connections, len(requests)))]
        began = time.perf_counter()
        for link in links:
            link.send(*next(waiting))
            selector.register(link.socket, selectors.EVENT_READ, link)
        busy = len(links)
        while busy:
            ready = selector.select(timeout=30)
            if not ready:
                raise OSError("no answer within 30 seconds")
            for key, _ in ready:
                busy -= _read(selector, key.data, waiting, answers)
        seconds = time.perf_counter() - began
        for link in links:
            link.socket.close()
    return seconds, [answer for answer in answers if answer is not None]


def _read(selector: selectors.BaseSelector, link: _Connection, waiting: object, answers: list[Answer | None]) -> int:
    """Take what arrived; return 1 when this connection has nothing left to do."""
    piece = link.socket.recv(65536)
    if piece:
        link.buffer += piece
        if not _complete(link.buffer):
            return 0
    elif not link.buffer:
        selector.unregister(link.socket)
        link.again()
        selector.register(link.socket, selectors.EVENT_READ, link)
        return 0
    answers[link.index] = Answer(bytes(link.buffer), time.perf_counter() - link.started)
    following = next(waiting, None)  # type: ignore[call-overload]
    if following is None:
        selector.unregister(link.socket)
        return 1
    if not piece or b"\r\nconnection: close" in bytes(link.buffer[:2000]).lower():
        selector.unregister(link.socket)
        link.socket.close()
        link.socket = link._connect()
        selector.register(link.socket, selectors.EVENT_READ, link)
    link.send(*following)
    return 0
