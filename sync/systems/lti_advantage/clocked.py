"""The platform's own clock, learnt from the ``Date`` header of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from connector.base.clock import Clock
from connector.base.outbound import MAX_BYTES, Outbound, Reply


class ClockedOutbound(Outbound):
    """An outbound session that remembers how far the platform's clock is from ours."""

    def __init__(self, http: Outbound, clock: Clock) -> None:
        """Pass every call on to ``http``."""
        self._http = http
        self._clock = clock
        self._ahead = timedelta(0)

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
        """Send as ``Outbound.request`` does, and note the answer's ``Date``."""
        reply = self._http.request(method, url, headers=headers, body=body, form=form, max_bytes=max_bytes, retry=retry)
        self._note(reply.headers.get("date", ""))
        return reply

    def _note(self, date: str) -> None:
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs.tzinfo is not None:
            self._ahead = theirs.astimezone(UTC) - self._clock().replace(microsecond=0)

    def now(self) -> datetime:
        """Return the platform's time in whole seconds; ours until it has answered once.

        The header is up to a second old when it arrives, so this is never ahead of the platform by more than that.
        """
        return self._clock().replace(microsecond=0) + self._ahead
