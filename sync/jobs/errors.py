"""What a job can meet besides the five families of errors."""

from __future__ import annotations

from datetime import timedelta

from connector.base.errors import Retriable
from connector.base.i18n import Message


class LeaseLost(Exception):
    """Another worker holds the job now: whatever this one still wants to write is refused."""


class LaneDown(Retriable):
    """Everything behind the same lane is to wait: the platform is down, or asked us to slow down."""

    def __init__(self, reason: str, message: Message, retry_after: timedelta | None = None) -> None:
        """Keep the wait the platform asked for, when it asked for one."""
        super().__init__(reason, message, retry_after)
