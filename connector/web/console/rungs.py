"""How browsers were recognised at launches, in words: the rungs of the launch ladder."""

from __future__ import annotations

from collections.abc import Mapping

from connector.base.i18n import N_, Message
from connector.web.console.words import said
from lti.tool.ladder import Rung

RUNGS: dict[str, str] = {
    Rung.STORAGE: N_("The LMS's own storage"),
    Rung.COOKIE: N_("A cookie"),
    Rung.ACCESS: N_("A cookie the browser asked about"),
    Rung.WINDOW: N_("A new window"),
    "": N_("Not recorded"),
}


def rung_words(rung: str) -> Message | str:
    """Return a rung in words."""
    return said(RUNGS, rung)


def counted(counts: Mapping[tuple[str, str], int], registration_id: str) -> list[tuple[Message | str, int]]:
    """Return how often each rung served one platform, the most frequent first."""
    found = [(rung, number) for (platform, rung), number in counts.items() if platform == registration_id]
    return [(rung_words(rung), number) for rung, number in sorted(found, key=lambda one: -one[1])]
