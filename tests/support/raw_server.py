"""A server that says exactly the bytes a test wants, on a free port of 127.0.0.1, and keeps what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class RawServer:
    """What came in, connection by connection.

    Attributes:
        port: Where it listens.
        requests: Each request's head, in the order of arrival.
        connections: How many were accepted.
    """

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


# Takes the socket and the number of the request on it (from 0); returns False to end the connection.
Answer = Callable[[socket.socket, int], bool]


def reply(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> Answer:
    """Answer every request with the same whole reply and keep the connection."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""])

    def answer(sock: socket.socket, _number: int) -> bool:
        sock.sendall(head.encode("utf-8") + body)
        return True

    return answer


def read_request(sock: socket.socket) -> bytes:
    """Read one request, with its body when it has a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")), 0
    )
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Serve until the block ends; every connection has its own thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listener.getsockname()[1])
    open_sockets: list[socket.socket] = []

    def converse(sock: socket.socket) -> None:
        try:
            with tls.wrap_socket(sock, server_side=True) if tls else sock as talk:
                number = 0
                while request := read_request(talk):
                    server.requests.append(request)
                    if not answer(talk, number):
                        return
                    number += 1
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            open_sockets.append(sock)
            threading.Thread(target=converse, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in open_sockets:
            sock.close()
