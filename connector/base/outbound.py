"""The one guarded session through which every outbound call goes.

What it guards: the address that is connected to (judged after the name was resolved, so that a name cannot
change its mind), time (connect, read and the whole answer), size, redirects (never followed), proxies and
cookies (never used), and the User-Agent (always sent: some Moodles answer 403 without one).
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from connector.base.errors import Fatal, Retriable
from connector.base.i18n import N_, say
from connector.base.network import BlockedAddressError, GuardedAdapter, NetworkPolicy, budget

__all__ = ["MAX_BYTES", "USER_AGENT", "NetworkPolicy", "Outbound", "Reply"]

USER_AGENT = "Kopir/0.1 (+LTI Advantage tool)"
MAX_BYTES = 8 * 1024 * 1024


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
        if not _is_address(url):
            raise _bad_address(url)
        tries = 2 if (method == "GET" if retry is None else retry) else 1
        for attempt in range(1, tries + 1):
            try:
                return self._once(method, url, headers or {}, form if form is not None else body, max_bytes)
            except Retriable as error:
                if attempt == tries or error.reason == "timeout":
                    raise
        raise AssertionError("unreachable")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            adapter = GuardedAdapter(self._policy)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.headers.update({"User-Agent": USER_AGENT, "Accept": "*/*"})
            self._local.session = session
        return session

    def _once(self, method: str, url: str, headers: Mapping[str, str], data: Any, max_bytes: int) -> Reply:
        session = self._session()
        session.cookies.clear()
        payload = data.encode() if isinstance(data, str) else data
        sent_at, budget.deadline = time.time(), time.monotonic() + self._total
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
                content = _read(answer, max_bytes)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _explain(error, url) from error
        finally:
            budget.deadline = None
        names = {name.lower(): _undo_latin1(value) for name, value in answer.headers.items()}
        return Reply(answer.status_code, names, content, url, sent_at, answer.reason or "")


def _read(answer: requests.Response, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in answer.iter_content(65536):
        # A compressed answer grows after it was read from the socket, so the time is looked at here too.
        budget.shorten(None)
        size += len(chunk)
        if size > max_bytes:
            text = N_("{host} sent more than {limit} bytes.")
            raise Fatal("answer_too_large", say(text, host=urlsplit(answer.url).hostname, limit=max_bytes))
        chunks.append(chunk)
    return b"".join(chunks)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _bad_address(url: str) -> Fatal:
    return Fatal("bad_address", say(N_("{url} is not an http or https address."), url=url.split("?")[0]))


def _explain(error: Exception, url: str) -> Fatal | Retriable:
    host = urlsplit(url).hostname
    causes = list(_causes(error))
    if any(isinstance(cause, BlockedAddressError) for cause in causes):
        text = N_("{host} is inside a private network. Allow it with ALLOW_PRIVATE_NETWORKS if that is meant.")
        return Fatal("private_network", say(text, host=host))
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return _bad_address(url)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        text = N_("{host} shows a certificate that is not valid: it is over, for another name, or self-signed.")
        return Retriable("certificate", say(text, host=host))
    if any(isinstance(cause, requests.Timeout | TimeoutError) for cause in causes):
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
