"""Errors, grouped by who can mend them and how.

The five families say what a caller does next, not where the fault was: a job's boundary needs nothing else to
decide between retrying, holding, skipping one record and stopping.
"""

from __future__ import annotations

from datetime import timedelta

from connector.base.i18n import Message


class KopirError(Exception):
    """Carry a stable reason code and a message a person can read in their language.

    Attributes:
        reason: A short code, stable across releases, that screens, logs and metrics use.
        message: What happened and what to do, translatable.
    """

    def __init__(self, reason: str, message: Message) -> None:
        """Keep the code and the message; ``str()`` gives the English text for logs."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Fatal(KopirError):
    """Stop: nothing but a change of configuration or code mends this."""


class Retriable(KopirError):
    """Try again later: the other side or the network is at fault."""

    def __init__(self, reason: str, message: Message, retry_after: timedelta | None = None) -> None:
        """Keep the wait the other side asked for, when it asked for one."""
        super().__init__(reason, message)
        self.retry_after = retry_after


class Record(KopirError):
    """Skip this one record and go on: it is quarantined under its reason."""


class Conflict(KopirError):
    """Two people changed one value: show both, write neither."""


class Hold(KopirError):
    """Wait for a person: the step is dangerous or has no certain place."""
