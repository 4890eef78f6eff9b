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

import urllib3
from requests.adapters import HTTPAdapter
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


def _tls(ca_file: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.sslsocket_class = _SecureSocket
    if ca_file:
        # requests adds the public authorities to this context when it connects.
        context.load_verify_locations(cafile=ca_file)
    return context


class GuardedAdapter(HTTPAdapter):
    """Connections of a requests session that obey a policy and the time of each answer."""

    def __init__(self, policy: NetworkPolicy) -> None:
        """Take the policy."""
        self._policy = policy
        super().__init__(pool_connections=20, pool_maxsize=20)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """Make the pools; requests calls this."""
        self.poolmanager = urllib3.PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, ssl_context=_tls(self._policy.ca_file), **kwargs
        )
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._policy)
