"""The three sites of a rehearsal, each on its own port of the loopback and each with its own SQLite file."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# The LMS is `localhost`, the others `127.0.0.1`: to a browser another site, as two schools' domains would be.
LMS_HOST, OTHER_HOST = "localhost", "127.0.0.1"
PORTS = {"lms": 8000, "kopir": 8001, "journal": 8002}


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing: a rehearsal's terminal is for its page."""


@dataclass
class Site:
    """One site: a socket that is bound at once, and a server that starts when its application is made."""

    name: str
    socket: socket.socket
    server: BaseWSGIServer | None = None
    thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The site's address."""
        host = LMS_HOST if self.name == "lms" else OTHER_HOST
        return f"http://{host}:{self.socket.getsockname()[1]}"

    def start(self, app: WSGIApplication) -> None:
        """Serve an application in threads of this process."""
        host, port = self.socket.getsockname()
        self.server = make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=self.socket.fileno())
        self.thread = threading.Thread(target=self.server.serve_forever, name=f"site-{self.name}", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        if self.thread is not None:
            self.thread.join(10)
        self.socket.close()


@dataclass
class Sites:
    """The rehearsal's sites by name, and what must be closed after them."""

    by_name: dict[str, Site]
    closing: list[Callable[[], object]] = field(default_factory=list)

    def __getitem__(self, name: str) -> Site:
        """Return a site by name."""
        return self.by_name[name]

    def stop(self) -> None:
        """Stop every site, then close what stood behind them."""
        for site in self.by_name.values():
            site.stop()
        for close in reversed(self.closing):
            close()


def bind_sites(ports: dict[str, int] | None = None) -> Sites:
    """Bind the usual ports, or a free one where a port is taken."""
    wanted = PORTS if ports is None else ports
    return Sites({name: Site(name, _bind(port)) for name, port in wanted.items()})


def _bind(port: int) -> socket.socket:
    for candidate in (port, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", candidate))
        except OSError:
            sock.close()
            if candidate == 0:
                raise
            continue
        sock.listen(128)
        return sock
    raise AssertionError("a free port is always found or an error raised")


def is_free(port: int) -> bool:
    """Tell whether a port of the loopback can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
