"""Checks shared by every token a tool signs: audience and the times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LEEWAY = timedelta(seconds=60)


def audience_is(claims: Mapping[str, Any], *wanted: str) -> bool:
    """Tell whether ``aud`` names us and nobody but us."""
    value = claims.get("aud")
    listed = [value] if isinstance(value, str) else value
    return isinstance(listed, list) and bool(listed) and all(entry in wanted for entry in listed)


def instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    """Return a NumericDate claim as an instant, or None when it is absent or not a number."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def is_current(claims: Mapping[str, Any], now: datetime, longest: timedelta) -> bool:
    """Tell whether ``exp`` and ``iat`` are there, hold now, and span no more than the longest life we accept."""
    expires, issued = instant(claims, "exp"), instant(claims, "iat")
    if expires is None or issued is None:
        return False
    return issued - LEEWAY <= now < expires + LEEWAY and expires - issued <= longest
