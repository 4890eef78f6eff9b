"""The one guarded session through which every outbound call goes.

What it guards: the address that is connected to (judged after the name was resolved, so that a name cannot
change its mind), time (connect, read and the whole answer), size, redirects (never followed), proxies and
cookies (never used), and the User-Agent (always sent: some Moodles answer 403 without one).
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.exceptions import TimeoutError as PoolTimeoutError
from urllib3.util import Url, parse_url

from connector.base.errors import Fatal, Retriable
from connector.base.i18n import N_, say
from connector.base.network import BlockedAddressError, GuardedConnections, NetworkPolicy, budget

__all__ = ["MAX_BYTES", "USER_AGENT", "NetworkPolicy", "Outbound", "Reply"]

USER_AGENT = "Kopir/0.1 (+LTI Advantage tool)"
MAX_BYTES = 8 * 1024 * 1024

_ALWAYS = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


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
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deep") from error

    @property
    def retry_after(self) -> timedelta | None:
        """The wait asked for in seconds, when it was given so."""
        value = self.headers.get("retry-after", "")
        return timedelta(seconds=int(value)) if re.fullmatch("[0-9]{1,7}", value) else None


class Outbound:
    """Make guarded HTTP calls; safe to share between threads."""

    def __init__(self, policy: NetworkPolicy, *, connect: float = 5.0, read: float = 15.0, total: float = 30.0) -> None:
        """Take the network policy and the limits in seconds."""
        self._connections = GuardedConnections(policy)
        self._timeout = Timeout(connect=connect, read=read)
        self._total = total

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
        target = _target(url)
        sent = {**_ALWAYS, **(_FORM if form is not None else {}), **(headers or {})}
        text = urlencode(form) if form is not None else body
        payload = text.encode() if isinstance(text, str) else text
        tries = 2 if (method == "GET" if retry is None else retry) else 1
        for attempt in range(1, tries + 1):
            try:
                return self._once(method, target, sent, payload, max_bytes)
            except Retriable as error:
                if attempt == tries or error.reason == "timeout":
                    raise
        raise AssertionError("unreachable")

    def _once(self, method: str, target: Url, headers: Mapping[str, str], body: bytes | None, max_bytes: int) -> Reply:
        url = target.url
        sent_at, budget.deadline = time.time(), time.monotonic() + self._total
        try:
            answer = self._connections.pool(target.scheme or "", target.host or "", target.port).urlopen(
                method,
                target.request_uri,
                headers=headers,
                body=body,
                timeout=self._timeout,
                redirect=False,
                retries=False,
                assert_same_host=False,
                preload_content=False,
            )
            content = _read(answer, max_bytes, url)
        except (HTTPError, OSError) as error:
            raise _explain(error, url) from error
        finally:
            budget.deadline = None
        names = {name.lower(): _undo_latin1(answer.headers[name]) for name in answer.headers}
        return Reply(answer.status, names, content, url, sent_at, answer.reason or "")


def _read(answer: BaseHTTPResponse, max_bytes: int, url: str) -> bytes:
    """Read a whole answer; its connection is kept only when nothing of it is left in there."""
    chunks: list[bytes] = []
    size, whole = 0, False
    try:
        for chunk in answer.stream(65536, decode_content=True):
            # A compressed answer grows after it was read from the socket, so the time is looked at here too.
            budget.shorten(None)
            size += len(chunk)
            if size > max_bytes:
                text = N_("{host} sent more than {limit} bytes.")
                raise Fatal("answer_too_large", say(text, host=urlsplit(url).hostname, limit=max_bytes))
            chunks.append(chunk)
        whole = True
    finally:
        if whole:
            answer.release_conn()
        else:
            answer.close()
    return b"".join(chunks)


@lru_cache(maxsize=1024)
def _target(url: str) -> Url:
    """Return an address in its parts.

    Raises:
        Fatal: It is not one (``bad_address``).
    """
    try:
        target = parse_url(url)
    except LocationValueError as error:
        raise _bad_address(url) from error
    if target.scheme not in ("http", "https") or not target.host or target.port == 0:
        raise _bad_address(url)
    return target


def _bad_address(url: str) -> Fatal:
    return Fatal("bad_address", say(N_("{url} is not an http or https address."), url=url.split("?")[0]))


def _explain(error: Exception, url: str) -> Fatal | Retriable:
    host = urlsplit(url).hostname
    causes = list(_causes(error))
    if any(isinstance(cause, BlockedAddressError) for cause in causes):
        text = N_("{host} is inside a private network. Allow it with ALLOW_PRIVATE_NETWORKS if that is meant.")
        return Fatal("private_network", say(text, host=host))
    if isinstance(error, LocationValueError):
        return _bad_address(url)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        text = N_("{host} shows a certificate that is not valid: it is over, for another name, or self-signed.")
        return Retriable("certificate", say(text, host=host))
    if any(isinstance(cause, PoolTimeoutError | TimeoutError) for cause in causes):
        return Retriable("timeout", say(N_("{host} did not answer in time."), host=host))
    return Retriable("unreachable", say(N_("{host} cannot be reached."), host=host))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, urllib3's own wrapping in arguments included."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        yield from (inner for inner in seen.args if isinstance(inner, BaseException))
        seen = seen.__cause__ or seen.__context__


def _undo_latin1(value: str) -> str:
    """Return a header as the UTF-8 it was sent in, where it was; Moodle sends curly quotes in ``Link``."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
