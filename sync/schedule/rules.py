"""The hours of a connection, purely: which civil hour comes next, and from when on something may begin.

A slot is named by the school's own civil time (``2026-11-23T07:00``), so that it happens once whatever the clocks do:
an hour that a change of the zone repeats is one slot, one that it skips happens at the instant the gap ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from mappings.schema import Quiet, Schedule, YearEnd
from mappings.semantics import in_quiet, schedule_faults

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
USUAL_LAST_DAY = (5, 25)
"""The last school day of Kazakhstan's schools, where the journal shows no period that ends later."""
_HORIZON = 800
"""Days looked ahead: a pause lasts a few months at most."""


@dataclass(frozen=True)
class Pauses:
    """What a person said, and what the journal knows, about the days without automatic runs.

    Attributes:
        paused: A person paused the schedule.
        until: The last day of that pause; None while it is without end.
        lifted: Year-end pauses are lifted up to this day, included.
        last_day: The last day of the journal's last reporting period, where it is known.
    """

    paused: bool = False
    until: date | None = None
    lifted: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class Slot:
    """One civil hour at which a run begins.

    Attributes:
        name: Civil date and time, ``2026-11-23T07:00``; names sort as the hours do.
        at: The instant (aware, UTC).
    """

    name: str
    at: datetime


def merged(own: Schedule, overrides: Mapping[str, Any]) -> Schedule:
    """Return the mapping's schedule with what the school set instead.

    Raises:
        Fatal: What was set is no schedule (``bad_schedule``).
    """
    if not overrides:
        return own
    try:
        found = Schedule.model_validate({**own.model_dump(by_alias=True), **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        text = N_("The schedule cannot be used: {place}: {fault}")
        raise Fatal("bad_schedule", say(text, place=place, fault=str(first["msg"]))) from error
    for fault in schedule_faults(found):
        raise Fatal("bad_schedule", fault.message)
    return found


def instant_of(name: str, zone: ZoneInfo) -> datetime:
    """Return when a slot happens: the first of two equal civil times, the end of the gap for one that is skipped."""
    local = datetime.fromisoformat(name).replace(tzinfo=zone, fold=0)
    instant = local.astimezone(UTC)
    back = instant.astimezone(zone)
    # In a gap the offset before it is used, which names an instant as long after the gap as the hour lay in it.
    return instant if back.replace(tzinfo=None) == local.replace(tzinfo=None) else _end_of_gap(local, zone)


def _end_of_gap(local: datetime, zone: ZoneInfo) -> datetime:
    before, after = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    length = abs((before or timedelta()) - (after or timedelta()))
    early = (local - length).replace(fold=0)
    # The last whole minute before the gap is found by halving; the gap ends a minute later.
    low, high = early.astimezone(UTC), (early + 2 * length).astimezone(UTC)
    start = low.astimezone(zone).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == start else (low, middle)
    return high.replace(second=0, microsecond=0)


def next_slot(schedule: Schedule, zone: ZoneInfo, after: datetime, pauses: Pauses, last: str = "") -> Slot | None:
    """Return the next slot, or None when there is none.

    Args:
        schedule: Hours, days and pauses.
        zone: The school's time zone.
        after: It lies later than this instant (aware).
        pauses: What was said about days without runs.
        last: The last slot that was claimed; an hour that is not later by the civil clock is no new one.
    """
    if pauses.paused and pauses.until is None:
        return None
    days = frozenset(WEEKDAYS.index(day) for day in schedule.days)
    hours = sorted(set(schedule.hours))
    first = after.astimezone(zone).date() - timedelta(days=1)
    for day in (first + timedelta(days=number) for number in range(_HORIZON)):
        if day.weekday() in days and not is_paused(schedule, day, pauses):
            for hour in hours:
                name = f"{day.isoformat()}T{hour}"
                if name > last and (at := instant_of(name, zone)) > after:
                    return Slot(name, at)
    return None


def is_paused(schedule: Schedule, day: date, pauses: Pauses) -> bool:
    """Tell whether nothing begins by itself on a day."""
    if pauses.paused and (pauses.until is None or day <= pauses.until):
        return True
    if pauses.lifted is not None and day <= pauses.lifted:
        return False
    return year_end_of(schedule, day, pauses.last_day) is not None


def year_end_of(schedule: Schedule, day: date, last_day: date | None) -> tuple[date, date] | None:
    """Return the year-end pause a day lies in, both days included, or None."""
    if not isinstance(schedule.year_end, YearEnd):
        return None
    spans = _spans(schedule.year_end, day.year, last_day)
    return next(((first, last) for first, last in spans if first <= day <= last), None)


def _spans(rule: YearEnd, year: int, last_day: date | None) -> Iterator[tuple[date, date]]:
    """Yield the pauses that begin in this year or the one before."""
    for start in (year - 1, year):
        first = _first_day(rule, start, last_day)
        last = _day_of(rule.to, first.year)
        yield first, last if last >= first else _day_of(rule.to, first.year + 1)


def _first_day(rule: YearEnd, year: int, last_day: date | None) -> date:
    if rule.from_ != "last_school_day":
        return _day_of(rule.from_, year)
    usual = date(year, *USUAL_LAST_DAY)
    # A journal whose newest period ends in winter has not been told of the spring yet.
    known = last_day is not None and last_day.year == year and abs((last_day - usual).days) <= 45
    return (last_day if known and last_day is not None else usual) + timedelta(days=1)


def _day_of(text: str, year: int) -> date:
    month, _, day = text.partition("-")
    return date(year, int(month), int(day))


def free_from(schedule: Schedule, zone: ZoneInfo, at: datetime, pauses: Pauses) -> datetime | None:
    """Return the first instant, not before ``at``, when something may begin by itself; None: a person must say so.

    Slots and delivered scores pass through here, so that a run asked for at night begins in the morning.
    """
    if pauses.paused and pauses.until is None:
        return None
    moment = at
    for _ in range(_HORIZON):
        local = moment.astimezone(zone)
        if is_paused(schedule, local.date(), pauses):
            moment = instant_of(f"{(local.date() + timedelta(days=1)).isoformat()}T00:00", zone)
        elif (end := _end_of_quiet(schedule, local, zone)) is not None:
            moment = end
        else:
            return moment
    return None


def _end_of_quiet(schedule: Schedule, local: datetime, zone: ZoneInfo) -> datetime | None:
    quiet = schedule.quiet
    if not isinstance(quiet, Quiet):
        return None
    hour = f"{local:%H:%M}"
    if not in_quiet(hour, quiet.from_, quiet.to):
        return None
    end = time.fromisoformat(quiet.to)
    day = local.date() if hour < quiet.to else local.date() + timedelta(days=1)
    found = instant_of(f"{day.isoformat()}T{end:%H:%M}", zone)
    # Where the zone's change repeats the hour at which quiet ends, its first pass ends it.
    return found if found > local.astimezone(UTC) else None
