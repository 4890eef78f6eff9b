"""The guarded way to a network: which addresses may be reached, and how long reading may take.

Both are judged at the socket: the address that is connected to, after the name was resolved, and every read.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context


@dataclass(frozen=True)
class NetworkPolicy:
    """Which private addresses outbound calls may reach.

    Attributes:
        everything: All addresses are allowed (the demo, tests).
        entries: Hosts, ``host:port`` pairs and CIDR networks that are allowed.
        registered: Hosts an administrator allowed while registering a platform; asked at each call.
        ca_file: PEM file of certificate authorities to trust beside the public ones; empty for none.
    """

    everything: bool = False
    entries: tuple[str, ...] = ()
    registered: Callable[[], frozenset[str]] = frozenset
    ca_file: str = ""

    @classmethod
    def from_setting(
        cls,
        value: str | tuple[str, ...],
        registered: Callable[[], frozenset[str]] = frozenset,
        ca_file: str = "",
    ) -> NetworkPolicy:
        """Build the policy from ``ALLOW_PRIVATE_NETWORKS`` and ``CA_FILE``."""
        if isinstance(value, str):
            return cls(everything=value == "on", registered=registered, ca_file=ca_file)
        return cls(entries=value, registered=registered, ca_file=ca_file)

    def allows(self, host: str, port: int, address: str) -> bool:
        """Tell whether a resolved address may be connected to for this host and port."""
        ip = _meant(address)
        if self.everything or (ip.is_global and not ip.is_multicast):
            return True
        hosts = {host.lower(), f"{host.lower()}:{port}"}
        if hosts & set(self.entries) or hosts & self.registered():
            return True
        return any("/" in entry and ip in ipaddress.ip_network(entry) for entry in self.entries)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _meant(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address a packet would go to: an IPv4 address written into an IPv6 one is judged as itself."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return inner or ip
    return ip


class BlockedAddressError(OSError):
    """The name resolved only to addresses that outbound calls may not reach."""


class Budget(threading.local):
    """When the answer being read in this thread must be whole, on the monotonic clock; None when none is read."""

    deadline: float | None = None

    def shorten(self, timeout: float | None) -> float | None:
        """Return a socket's timeout, cut to what is left.

        Raises:
            TimeoutError: Nothing is left.
        """
        if self.deadline is None:
            return timeout
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer took too long")
        return left if timeout is None else min(timeout, left)


budget = Budget()


class _PlainSocket(socket.socket):
    """A socket whose every read counts against the time of the whole answer, headers too."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        """Read, but no longer than the answer has left: a drip of bytes restarts a plain timeout for ever."""
        self.settimeout(budget.shorten(self.gettimeout()))
        return super().recv_into(*args, **options)


class _SecureSocket(ssl.SSLSocket):
    """The same over TLS."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        """Read, but no longer than the answer has left."""
        self.settimeout(budget.shorten(self.gettimeout()))
        return super().recv_into(*args, **options)


def _connect(connection: HTTPConnection, policy: NetworkPolicy) -> socket.socket:
    host, port = connection._dns_host, connection.port or 80
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(f"{host} is no name of a host") from error
    allowed = [info for info in found if policy.allows(host, port, str(info[4][0]))]
    if not allowed:
        raise BlockedAddressError(host)
    last: OSError | None = None
    for family, kind, proto, _, address in allowed:
        sock = _PlainSocket(family, kind, proto)
        try:
            timeout = connection.timeout
            sock.settimeout(budget.shorten(timeout if isinstance(timeout, int | float) else None))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last or OSError(host)


class _OneSend(HTTPConnection):
    """A connection that sends a request's head and body with one call: half the system calls and packets."""

    _held: list[bytes] | None = None

    def request(self, *args: Any, **options: Any) -> None:
        """Collect what makes up the request, and send it."""
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **options)
        finally:
            self._held = None
        super().send(b"".join(held))

    def send(self, data: Any) -> None:
        """Send, or keep for the request that is being made."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


def _guarded_pools(policy: NetworkPolicy) -> dict[str, Any]:
    class Plain(_OneSend):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class Secure(_OneSend, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, policy)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


CA_BUNDLE = certifi.where()
"""Whose certificates are believed."""


def _tls(ca_file: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.sslsocket_class = _SecureSocket
    context.load_verify_locations(CA_BUNDLE)
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


class GuardedConnections:
    """Kept connections that obey a policy and the time of each answer; safe to share between threads."""

    def __init__(self, policy: NetworkPolicy, *, hosts: int = 64, each: int = 16) -> None:
        """Keep at most so many connections.

        Args:
            policy: Which addresses may be connected to.
            hosts: How many hosts' connections are kept.
            each: How many are kept per host; more are opened when more threads ask, and closed after use.
        """
        self._kinds = _guarded_pools(policy)
        self._tls = _tls(policy.ca_file)
        self._hosts, self._each = hosts, each
        self._pools: dict[tuple[str, str, int | None], HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def pool(self, scheme: str, host: str, port: int | None) -> HTTPConnectionPool:
        """Return the connections to one host."""
        key = (scheme, host, port)
        found = self._pools.get(key)
        return found if found is not None else self._make(key)

    def _make(self, key: tuple[str, str, int | None]) -> HTTPConnectionPool:
        scheme, host, port = key
        tls = {"ssl_context": self._tls} if scheme == "https" else {}
        with self._lock:
            if len(self._pools) >= self._hosts:
                # The one that was made first goes; whoever still uses it keeps it until the answer is read.
                self._pools.pop(next(iter(self._pools)))
            return self._pools.setdefault(key, self._kinds[scheme](host, port, maxsize=self._each, **tls))
