"""What a teacher decides when placing a test, and what a form says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from plugins.contract import N_, Message, Request, is_id, say

GRACE = timedelta(seconds=10)
MAX_MINUTES = 600
MAX_ATTEMPTS = 10
MAX_TITLE = 200


class Release(StrEnum):
    """When a pupil may see the right answers."""

    SUBMITTED = "submitted"
    TEACHER = "teacher"
    NEVER = "never"


class Tag(StrEnum):
    """What kind of work it is for the journal: formative, summative for a unit, summative for a quarter."""

    FO = "fo"
    SOR = "sor"
    SOCH = "soch"


@dataclass(frozen=True)
class Settings:
    """The settings of one placed test; ``minutes`` 0 is no limit."""

    test_id: str
    minutes: int = 0
    attempts: int = 1
    shuffle: bool = True
    release: Release = Release.SUBMITTED
    tag: Tag = Tag.FO
    one_by_one: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the activity keeps them."""
        return {
            "test": self.test_id,
            "minutes": self.minutes,
            "attempts": self.attempts,
            "shuffle": self.shuffle,
            "release": self.release.value,
            "tag": self.tag.value,
            "one_by_one": self.one_by_one,
        }


def from_activity(value: Mapping[str, Any]) -> Settings | None:
    """Read an activity's settings; None when they are not this plugin's."""
    try:
        return Settings(
            str(value["test"]),
            int(value["minutes"]),
            int(value["attempts"]),
            bool(value["shuffle"]),
            Release(value["release"]),
            Tag(value["tag"]),
            bool(value["one_by_one"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class Filled:
    """A filled form: the settings and title, or what is wrong by field."""

    title: str
    settings: Settings
    faults: Mapping[str, Message]


def from_request(test_id: str, request: Request) -> Filled:
    """Read the settings form."""
    faults: dict[str, Message] = {}
    title = " ".join(request.value("title").split())
    if not title or len(title) > MAX_TITLE:
        faults["title"] = say(N_("Give the test a title of at most {count} letters."), count=MAX_TITLE)
    minutes = _whole(request.value("minutes") or "0", 0, MAX_MINUTES)
    if minutes is None:
        faults["minutes"] = say(N_("Minutes are a whole number from 0 (no limit) to {count}."), count=MAX_MINUTES)
    attempts = _whole(request.value("attempts") or "1", 1, MAX_ATTEMPTS)
    if attempts is None:
        faults["attempts"] = say(N_("Attempts are a whole number from 1 to {count}."), count=MAX_ATTEMPTS)
    release, tag = request.value("release", Release.SUBMITTED), request.value("tag", Tag.FO)
    if release not in set(Release):
        faults["release"] = say(N_("Choose when the right answers are shown."))
    if tag not in set(Tag):
        faults["tag"] = say(N_("Choose the kind of work."))
    if not is_id(test_id):
        faults["test"] = say(N_("Choose a test."))
    settings = Settings(
        test_id,
        minutes or 0,
        attempts or 1,
        request.value("shuffle") == "yes",
        Release(release) if "release" not in faults else Release.SUBMITTED,
        Tag(tag) if "tag" not in faults else Tag.FO,
        request.value("paging") == "one",
    )
    return Filled(title, settings, faults)


def _whole(text: str, low: int, high: int) -> int | None:
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return int(text) if low <= int(text) <= high else None
