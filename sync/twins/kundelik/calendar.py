"""The school year of the rehearsal journal: quarters, days off, the bell, and the week's timetable.

Quarters follow order №213-НҚ of 29.07.2026 for 2026-27; another year takes the same days and months.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

SCHOOL_ZONE = ZoneInfo("Asia/Almaty")

# Number, first day, last day (month, day).
_QUARTERS = (
    (1, (9, 1), (10, 25)),
    (2, (11, 2), (12, 27)),
    (3, (1, 11), (3, 21)),
    (4, (3, 29), (5, 25)),
)
_DAYS_OFF = frozenset({(10, 25), (12, 16), (3, 8), (3, 15), (3, 21), (3, 22), (3, 23), (5, 1), (5, 7), (5, 9)})

# Lesson number to start and end of the lesson.
BELLS = {
    1: ("08:00", "08:45"),
    2: ("08:50", "09:35"),
    3: ("09:45", "10:30"),
    4: ("10:45", "11:30"),
    5: ("11:40", "12:25"),
}


@dataclass(frozen=True)
class Quarter:
    """One reporting period; both days belong to it."""

    number: int
    start: date
    finish: date


def school_year(day: date) -> int:
    """Return the calendar year in which the school year of a day began; summer belongs to the year before."""
    return day.year if day.month >= 9 else day.year - 1


def quarters(year: int) -> tuple[Quarter, ...]:
    """Return the four quarters of the school year that began in ``year``."""
    return tuple(Quarter(number, _day(year, start), _day(year, finish)) for number, start, finish in _QUARTERS)


def _day(year: int, month_day: tuple[int, int]) -> date:
    month, day = month_day
    return date(year if month >= 9 else year + 1, month, day)


def breaks(year: int) -> tuple[tuple[date, date], ...]:
    """Return the first and last day of each break between quarters."""
    found = quarters(year)
    one = timedelta(days=1)
    return tuple((before.finish + one, after.start - one) for before, after in itertools.pairwise(found))


def rehearsal_day(day: date) -> date:
    """Return the day a rehearsal takes for today: the day itself, or the nearest one with lessons on both sides.

    The first three weeks of September and the time from mid-May to the end of August have no lessons behind or
    ahead to rehearse with.
    """
    year = school_year(day)
    first, last = date(year, 9, 21), date(year + 1, 5, 11)
    return min(max(day, first), last)


def school_days(year: int) -> tuple[date, ...]:
    """Return the days with lessons: Monday to Friday inside a quarter, days off left out."""
    days = []
    for quarter in quarters(year):
        for step in range((quarter.finish - quarter.start).days + 1):
            day = quarter.start + timedelta(days=step)
            if day.weekday() < 5 and (day.month, day.day) not in _DAYS_OFF:
                days.append(day)
    return tuple(days)
