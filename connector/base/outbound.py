"""The one guarded session through which every outbound call goes.

What it guards: the address that is connected to (judged after the name was resolved, so that a name cannot
change its mind), time (connect, read and the whole answer), size, redirects (never followed), proxies and
cookies (never used), and the User-Agent (always sent: some Moodles answer 403 without one).
"""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from connector.base.errors import Fatal, Retriable
from connector.base.i18n import N_, say

USER_AGENT = "Kopir/0.1 (+LTI Advantage tool)"
MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class NetworkPolicy:
    """Which private addresses outbound calls may reach.

    Attributes:
        everything: All addresses are allowed (the demo, tests).
        entries: Hosts, ``host:port`` pairs and CIDR networks that are allowed.
        registered: Hosts an administrator allowed while registering a platform; asked at each call.
    """

    everything: bool = False
    entries: tuple[str, ...] = ()
    registered: Callable[[], frozenset[str]] = frozenset

    @classmethod
    def from_setting(
        cls, value: str | tuple[str, ...], registered: Callable[[], frozenset[str]] = frozenset
    ) -> NetworkPolicy:
        """Build the policy from ``ALLOW_PRIVATE_NETWORKS``."""
        if isinstance(value, str):
            return cls(everything=value == "on", registered=registered)
        return cls(entries=value, registered=registered)

    def allows(self, host: str, port: int, address: str) -> bool:
        """Tell whether a resolved address may be connected to for this host and port."""
        if self.everything or ipaddress.ip_address(address.split("%")[0]).is_global:
            return True
        ip = ipaddress.ip_address(address.split("%")[0])
        hosts = {host, f"{host}:{port}"}
        if hosts & set(self.entries) or hosts & self.registered():
            return True
        return any("/" in entry and ip in ipaddress.ip_network(entry) for entry in self.entries)


class BlockedAddressError(OSError):
    """The name resolved only to addresses that outbound calls may not reach."""


def _connect(connection: HTTPConnection, policy: NetworkPolicy) -> socket.socket:
    host, port = connection._dns_host, connection.port or 80
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [info for info in found if policy.allows(host, port, str(info[4][0]))]
    if not allowed:
        raise BlockedAddressError(host)
    last: OSError | None = None
    for family, kind, proto, _, address in allowed:
        sock = socket.socket(family, kind, proto)
        try:
            timeout = connection.timeout
            sock.settimeout(timeout if isinstance(timeout, int | float) else None)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last or OSError(host)


def _guarded_pools(policy: NetworkPolicy) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, policy: NetworkPolicy) -> None:
        self._policy = policy
        super().__init__(pool_connections=20, pool_maxsize=20)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._policy)


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; values as text, latin-1 bytes already undone to UTF-8 where they were that.
        body: The whole body, at most ``max_bytes``.
        url: The address asked.
        sent_at: When the request left, in seconds of the epoch (to learn the other clock from ``Date``).
        reason: HTTP reason phrase; Moodle explains refused scores there, and echoes personal data in it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    sent_at: float = field(default_factory=time.time)
    reason: str = field(default="", repr=False)

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8, with broken bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body as JSON, whatever its Content-Type says.

        Raises:
            ValueError: It is not JSON (a maintenance page, say).
        """
        return json.loads(self.body)

    @property
    def retry_after(self) -> timedelta | None:
        """The wait asked for in seconds, when it was given so."""
        value = self.headers.get("retry-after", "")
        return timedelta(seconds=int(value)) if value.isdigit() else None


class Outbound:
    """Make guarded HTTP calls; safe to share between threads."""

    def __init__(self, policy: NetworkPolicy, *, connect: float = 5.0, read: float = 15.0, total: float = 30.0) -> None:
        """Take the network policy and the limits in seconds."""
        self._policy = policy
        self._timeouts = (connect, read)
        self._total = total
        self._local = threading.local()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        form: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
        retry: bool | None = None,
    ) -> Reply:
        """Send one request and return its reply, whatever its status.

        Args:
            method: GET, POST, PUT, DELETE.
            url: Absolute http or https address.
            headers: Extra headers.
            body: Body as bytes or text (sent as UTF-8).
            form: Form fields, instead of a body.
            max_bytes: A longer answer is an error, read no further.
            retry: Try once more when the connection broke before an answer; by default only for GET.

        Raises:
            Retriable: Unreachable, too slow, or broken off (``unreachable``, ``timeout``).
            Fatal: The address is not allowed, not http(s), or the answer too large.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Fatal("bad_address", say(N_("{url} is not an http or https address."), url=url))
        tries = 2 if (method == "GET" if retry is None else retry) else 1
        for attempt in range(1, tries + 1):
            try:
                return self._once(method, url, headers or {}, form if form is not None else body, max_bytes)
            except Retriable:
                if attempt == tries:
                    raise
        raise AssertionError("unreachable")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            adapter = _GuardedAdapter(self._policy)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.headers.update({"User-Agent": USER_AGENT, "Accept": "*/*"})
            self._local.session = session
        return session

    def _once(self, method: str, url: str, headers: Mapping[str, str], data: Any, max_bytes: int) -> Reply:
        sent_at = time.time()
        session = self._session()
        session.cookies.clear()
        payload = data.encode() if isinstance(data, str) else data
        host = urlsplit(url).hostname
        try:
            answer = session.request(
                method,
                url,
                headers=dict(headers),
                data=payload,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            with answer:
                content = self._read(answer, max_bytes, sent_at + self._total)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _explain(error, host) from error
        names = {name.lower(): _undo_latin1(value) for name, value in answer.headers.items()}
        return Reply(answer.status_code, names, content, url, sent_at, answer.reason or "")

    def _read(self, answer: requests.Response, max_bytes: int, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in answer.iter_content(65536):
            size += len(chunk)
            if size > max_bytes:
                message = say(
                    N_("{host} sent more than {limit} bytes."),
                    host=urlsplit(answer.url).hostname,
                    limit=max_bytes,
                )
                raise Fatal("answer_too_large", message)
            if time.time() > deadline:
                raise requests.Timeout
            chunks.append(chunk)
        return b"".join(chunks)


def _explain(error: Exception, host: str | None) -> Fatal | Retriable:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BlockedAddressError):
            text = N_("{host} is inside a private network. Allow it with ALLOW_PRIVATE_NETWORKS if that is meant.")
            return Fatal("private_network", say(text, host=host))
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, requests.Timeout):
        return Retriable("timeout", say(N_("{host} did not answer in time."), host=host))
    return Retriable("unreachable", say(N_("{host} cannot be reached."), host=host))


def _undo_latin1(value: str) -> str:
    """Return a header as the UTF-8 it was sent in, where it was; Moodle sends curly quotes in ``Link``."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
