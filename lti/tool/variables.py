"""Substitution variables: what a platform writes into custom parameters for us, asked for and read back.

Source: LTI Core 1.3, appendix B; Deep Linking 2.0 §3.2.1 (dates of a placed link).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from lti.tool.wire import read_instant

CONTEXT_HISTORY, LINK_HISTORY = "context_id_history", "resource_link_id_history"
# Our custom parameters, and the variables that fill them.
PLACED = {
    CONTEXT_HISTORY: "Context.id.history",
    LINK_HISTORY: "ResourceLink.id.history",
    "available_start": "ResourceLink.available.startDateTime",
    "available_end": "ResourceLink.available.endDateTime",
    "submission_start": "ResourceLink.submission.startDateTime",
    "submission_end": "ResourceLink.submission.endDateTime",
}
MAX_HISTORY = 50


@dataclass(frozen=True)
class LinkDates:
    """When a link can be opened, and when work can be handed in; each None where the platform tells nothing."""

    available_from: datetime | None = None
    available_until: datetime | None = None
    submit_from: datetime | None = None
    submit_until: datetime | None = None


def asked_of(supported: Iterable[str]) -> dict[str, str]:
    """Return the custom parameters that ask for the variables a platform fills in; another would come back as text."""
    known = set(supported)
    return {name: f"${variable}" for name, variable in PLACED.items() if variable in known}


def filled(custom: Mapping[str, str]) -> dict[str, str]:
    """Return our parameters that were filled in: a variable the platform does not know comes back as its own name."""
    told = {name: custom.get(name, "").strip() for name in PLACED}
    return {name: value for name, value in told.items() if value and not value.startswith("$")}


def history_of(text: str) -> tuple[str, ...]:
    """Return the ids of a history, the nearest first: parted by commas, each URL-encoded (appendix B.1, B.4)."""
    ids = (unquote(part.strip()) for part in text.split(","))
    return tuple(dict.fromkeys(one for one in ids if one))[:MAX_HISTORY]


def dates_of(told: Mapping[str, str]) -> LinkDates:
    """Return the dates a platform told; what is no instant with a zone is left out."""
    names = ("available_start", "available_end", "submission_start", "submission_end")
    return LinkDates(*(read_instant(told.get(name)) for name in names))
