"""Which hour comes next, by the school's own clock, whatever clocks and zones do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.errors import Fatal
from mappings.schema import Schedule
from sync.schedule.rules import Pauses, free_from, instant_of, is_paused, merged, next_slot, year_end_of

ALMATY = ZoneInfo("Asia/Almaty")
BERLIN = ZoneInfo("Europe/Berlin")


def schedule(**keys: object) -> Schedule:
    return merged(Schedule(), {"quiet": "none", "year_end": "none", **keys})


def names(
    rules: Schedule, zone: ZoneInfo, after: datetime, count: int, pauses: Pauses | None = None, last: str = ""
) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        slot = next_slot(rules, zone, after, pauses or Pauses(), last)
        if slot is None:
            break
        found.append(slot.name)
        after, last = slot.at, slot.name
    return found


def test_hours_and_days_are_the_schools_own() -> None:
    rules = schedule(hours=["14:00", "07:00"], days=["mon", "wed"])
    friday = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert names(rules, ALMATY, friday, 3) == ["2026-11-23T07:00", "2026-11-23T14:00", "2026-11-25T07:00"]
    assert instant_of("2026-11-23T07:00", ALMATY) == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def test_hour_that_the_zones_change_of_2024_repeated_happens_once() -> None:
    # At midnight of 1 March 2024 Almaty went from +06 to +05: 23:30 of 29 February came twice.
    rules = schedule(hours=["23:30"], days=["thu", "fri"])
    before = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
    assert names(rules, ALMATY, before, 2) == ["2024-02-29T23:30", "2024-03-01T23:30"]
    assert instant_of("2024-02-29T23:30", ALMATY) == datetime(2024, 2, 29, 17, 30, tzinfo=UTC)


def test_hour_that_summer_time_skips_happens_when_the_gap_ends() -> None:
    assert instant_of("2026-03-29T02:30", BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    rules = schedule(hours=["02:30"], days=["sun", "mon"])
    found = names(rules, BERLIN, datetime(2026, 3, 28, 12, 0, tzinfo=UTC), 2)
    assert found == ["2026-03-29T02:30", "2026-03-30T02:30"]


def test_clock_that_was_set_back_meets_no_hour_again() -> None:
    rules = schedule(hours=["07:00", "14:00"])
    set_back = instant_of("2026-11-23T06:00", ALMATY)
    assert names(rules, ALMATY, set_back, 1, last="2026-11-23T07:00") == ["2026-11-23T14:00"]


@settings(max_examples=60, deadline=None)
@given(
    at=st.datetimes(datetime(2023, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 -- made aware below.
    hours=st.lists(st.times().map(lambda t: f"{t:%H:%M}"), min_size=1, max_size=4),
    zone=st.sampled_from([ALMATY, BERLIN, ZoneInfo("Asia/Qyzylorda"), ZoneInfo("America/St_Johns")]),
    back=st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_slots_rise_and_none_comes_twice_even_when_the_clock_falls_back(
    at: datetime, hours: list[str], zone: ZoneInfo, back: timedelta
) -> None:
    rules, after, last, seen = schedule(hours=hours), at.replace(tzinfo=UTC), "", []
    for turn in range(6):
        slot = next_slot(rules, zone, after, Pauses(), last)
        assert slot is not None
        assert slot.at > after
        seen.append(slot.name)
        after, last = slot.at - (back if turn == 2 else timedelta()), slot.name
    assert seen == sorted(set(seen))


def test_quiet_hours_pass_midnight() -> None:
    rules = schedule(quiet={"from": "22:00", "to": "06:00"})
    late, early = (
        datetime.fromisoformat(text).replace(tzinfo=ALMATY) for text in ("2026-11-23T23:10", "2026-11-24T05:59")
    )
    morning = datetime(2026, 11, 24, 6, 0, tzinfo=ALMATY)
    assert free_from(rules, ALMATY, late, Pauses()) == morning
    assert free_from(rules, ALMATY, early, Pauses()) == morning
    assert free_from(rules, ALMATY, morning, Pauses()) == morning


def test_pause_between_two_school_years_begins_after_the_journals_last_period() -> None:
    rules = merged(Schedule(), {})
    assert not is_paused(rules, date(2026, 5, 25), Pauses())
    assert is_paused(rules, date(2026, 5, 26), Pauses())
    assert not is_paused(rules, date(2026, 5, 30), Pauses(last_day=date(2026, 5, 31)))
    assert is_paused(rules, date(2026, 9, 14), Pauses(last_day=date(2026, 5, 31)))
    assert not is_paused(rules, date(2026, 9, 15), Pauses())
    # A journal that shows the first half-year only says nothing about the spring.
    assert year_end_of(rules, date(2026, 6, 1), date(2025, 12, 28)) == (date(2026, 5, 26), date(2026, 9, 14))


def test_pause_that_was_lifted_is_lifted_this_year_only() -> None:
    rules = merged(Schedule(), {"hours": ["07:00"]})
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert names(rules, ALMATY, summer, 1) == ["2026-09-15T07:00"]
    lifted = Pauses(lifted=date(2026, 9, 14))
    assert names(rules, ALMATY, summer, 1, lifted) == ["2026-07-02T07:00"]
    assert is_paused(rules, date(2027, 7, 1), lifted)


def test_pause_by_hand_ends_with_its_last_day_or_never() -> None:
    rules = schedule(hours=["07:00"])
    now = datetime(2026, 12, 25, 12, 0, tzinfo=UTC)
    assert names(rules, ALMATY, now, 1, Pauses(paused=True, until=date(2027, 1, 10))) == ["2027-01-11T07:00"]
    assert next_slot(rules, ALMATY, now, Pauses(paused=True)) is None
    assert free_from(rules, ALMATY, now, Pauses(paused=True)) is None


def test_no_hours_are_no_slots() -> None:
    assert next_slot(schedule(hours=[]), ALMATY, datetime(2026, 1, 1, tzinfo=UTC), Pauses()) is None


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"hours": ["7 o'clock"]}, "hours"),
        ({"days": []}, "days"),
        ({"hours": ["23:00"], "quiet": {"from": "22:00", "to": "06:00"}}, "23:00"),
        ({"year_end": {"from": "02-29", "to": "09-01"}}, "02-29"),
        ({"after_score": -1}, "after_score"),
        ({"lunch": True}, "lunch"),
    ],
)
def test_schedule_that_cannot_be_is_refused_and_named(keys: dict[str, object], word: str) -> None:
    with pytest.raises(Fatal, match=word) as refused:
        merged(Schedule(), keys)
    assert refused.value.reason == "bad_schedule"
