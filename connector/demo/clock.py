"""The rehearsal's clock: the real time of day, on a day that has lessons behind and ahead of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from connector.base.clock import Clock
from sync.twins.kundelik.calendar import SCHOOL_ZONE, rehearsal_day


def rehearsal_clock(folder: Path, wall: Clock) -> Clock:
    """Return the clock that the LMS, Kopir and the journal of one rehearsal share.

    In summer and in the first weeks of a school year there is nothing to rehearse with, so the clock goes on some
    days back or ahead. The shift is kept in the folder: a rehearsal opened again must not go back in time.

    Args:
        folder: The rehearsal's folder.
        wall: The real clock.
    """
    file = folder / "clock.json"
    shift = timedelta(days=json.loads(file.read_text("utf-8"))["days"]) if file.exists() else timedelta()
    day = (wall() + shift).astimezone(SCHOOL_ZONE).date()
    # A day out of the school's time is left once, for a day inside it; later openings stay where it led.
    shift += rehearsal_day(day) - day
    file.write_text(json.dumps({"days": shift.days}), "utf-8")
    return lambda: wall() + shift
