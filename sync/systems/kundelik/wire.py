"""One call to the journal: the token, the limit of calls, and what the answer really is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from connector.base.errors import KopirError
from connector.base.outbound import Outbound, Reply
from sync.systems.kundelik import errors
from sync.systems.kundelik.bucket import TokenBucket, bucket_for

# How long the host is left alone when it says only that its limit is reached, and at most; a job waits out the rest.
_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(seconds=60)


@dataclass(frozen=True)
class Answer:
    """A JSON value and the instant of the answer, by the journal's clock where it gives one."""

    value: Any
    at: datetime


class Wire:
    """Send calls to one journal with one account; safe to share between threads."""

    def __init__(
        self,
        outbound: Outbound,
        base_url: str,
        token: str | Callable[[], str],
        bucket: TokenBucket | None = None,
    ) -> None:
        """Take the guarded session, the API's base (``https://api.kundelik.kz/v2.0``), and the access token."""
        self._outbound = outbound
        self._base = base_url.rstrip("/")
        self._token = token
        self._bucket = bucket or bucket_for(urlsplit(base_url).netloc)

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one call and return its data.

        Args:
            method: GET, POST, PUT or DELETE.
            path: Path and query under the base.
            body: A JSON value, or None for no body.

        Raises:
            KopirError: The answer is an error, whatever its status; the family says what to do next.
        """
        self._bucket.take()
        headers = {"Accept": "application/json"}
        token = self._token if isinstance(self._token, str) else self._token()
        if token:
            headers["Access-Token"] = token
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = None if body is None else json.dumps(body, ensure_ascii=False)
        reply = self._outbound.request(method, f"{self._base}/{path}", headers=headers, body=sent)
        try:
            return Answer(_value(reply, reading=method == "GET"), _at(reply))
        except KopirError as error:
            if error.reason == errors.RATE_LIMITED.reason:
                self._bucket.pause(min(reply.retry_after or _PAUSE, _LONGEST_PAUSE))
            raise


def _value(reply: Reply, *, reading: bool) -> Any:
    """Return the data of an answer, judging the body before the status; a write may answer nothing."""
    by_status = errors.of_status(reply.status)
    if not reply.body.strip() and not reading and by_status is None:
        return None
    if "html" in reply.media_type or reply.body.lstrip()[:1] == b"<":
        raise errors.make(by_status or errors.HTML_PAGE, reply.retry_after)
    try:
        value = json.loads(reply.body, parse_float=Decimal)
    except ValueError as error:
        raise errors.make(by_status or errors.UNREADABLE, reply.retry_after) from error
    rule = errors.rule_of(value) or by_status
    if rule:
        raise errors.make(rule, reply.retry_after)
    return value


def _at(reply: Reply) -> datetime:
    try:
        found = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return datetime.fromtimestamp(reply.sent_at, UTC)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
