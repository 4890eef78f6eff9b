"""Dates the LMS set for a link, kept by the plugins: no work before they begin or after they end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from plugins.contract import Dates, Page, Redirect, Reply
from plugins.online_test import attempts
from plugins.online_test import plugin as online_test
from plugins.testkit import TestRoom, make_room
from plugins.virtual_lab import plugin as virtual_lab
from plugins.virtual_lab.ohm import MAXIMUM
from tests.plugins.online_test import kit

HOUR = timedelta(hours=1)


def window(room: TestRoom) -> Dates:
    """Open in an hour, for an hour."""
    return Dates(opens_at=room.now() + HOUR, submit_until=room.now() + 2 * HOUR)


def test_span_of_dates_is_the_narrowest_of_what_was_said(tmp_path: Path) -> None:
    room = make_room(virtual_lab, tmp_path)
    now = room.now()
    dates = Dates(now - HOUR, now + 3 * HOUR, now, now + HOUR)
    assert (dates.begins_at, dates.ends_at) == (now, now + HOUR)
    assert [dates.may_work(now + hours * HOUR) for hours in (-1, 0, 1, 2)] == [False, True, True, False]
    assert Dates().may_work(now)
    room.database.close()


def test_test_opens_within_its_dates_and_its_sitting_ends_with_them(tmp_path: Path) -> None:
    room = make_room(online_test, tmp_path)
    activity, pupil = kit.place(room, minutes="600"), room.person("Аружан")
    visit, other = room.visit(pupil, activity), room.visit(room.person("Дана"), activity)
    visit.dates = other.dates = window(room)
    assert visit.post("start") == Redirect("")
    page = visit.get()
    assert isinstance(page, Page)
    assert "start" not in visit.html(page).split("</h1>")[1]
    room.advance(hours=1.5)
    assert visit.post("start") == Redirect("sit")
    with room.read() as db:
        (attempt,) = attempts.attempts_of(db, room.school_id, activity.id, pupil.account_id)
    assert attempt.deadline_at == visit.dates.submit_until
    room.advance(hours=1)
    assert room.run_due_jobs() >= 1
    with room.read() as db:
        (attempt,) = attempts.attempts_of(db, room.school_id, activity.id, pupil.account_id)
    assert not attempt.is_open
    assert other.post("start") == Redirect("")
    room.database.close()


def test_lab_takes_no_reading_and_no_report_outside_its_dates(tmp_path: Path) -> None:
    room = make_room(virtual_lab, tmp_path)
    activity = room.place("Ом", {"lab": "ohm"}, MAXIMUM)
    visit = room.visit(room.person("Аружан"), activity)
    visit.dates = window(room)
    visit.post("start")
    assert room.results == []
    with room.read() as db:
        assert virtual_lab.export_person(db, room.school_id, visit.viewer.account_id)["p_virtual_lab_run"] == []
    room.advance(hours=1.5)
    visit.post("start")
    assert visit.post("measure", json={"voltage": "5"}).status == 200  # type: ignore[union-attr]
    room.advance(hours=1)
    late = visit.post("measure", json={"voltage": "6"})
    assert isinstance(late, Reply)
    assert late.status == 409
    report = visit.post("report", {"resistance": "10", "current": "1", "law": "direct"})
    assert isinstance(report, Page)
    assert report.status == 409
    assert all(one.score_given in (None, Decimal(0)) for one in room.results)
    room.database.close()
