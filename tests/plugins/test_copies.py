"""The contract of a copy, for every plugin that ships: content goes with it, nothing of the pupils does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from plugins.contract import Activity, Outcome, Page, Placed, Plugin, Progress, Redirect, Role
from plugins.online_test import plugin as online_test
from plugins.portfolio import plugin as portfolio
from plugins.testkit import TestRoom, make_room
from plugins.virtual_lab import plugin as virtual_lab
from tests.plugins.online_test import kit


def simple(room: TestRoom) -> Activity:
    """Place what asks for a name only."""
    placed = room.visit(room.person("Сәуле", Role.TEACHER)).post("pick", {"title": "Атауы"})
    assert isinstance(placed, Placed)
    (placement,) = placed.placements
    return room.place(placement.title, placement.settings, placement.score_maximum)


@dataclass
class Case:
    plugin: Plugin
    place: Callable[[TestRoom], Activity]
    begun: bool = True


CASES = {
    "online_test": Case(online_test, kit.place),
    "virtual_lab": Case(virtual_lab, simple),
    "portfolio": Case(portfolio, simple, begun=False),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_copy_has_the_content_and_none_of_the_pupils_work(case: Case, tmp_path: Path) -> None:
    room = make_room(case.plugin, tmp_path)
    original = case.place(room)
    pupil = room.person("Аружан")
    if case.begun:
        assert isinstance(room.visit(pupil, original).post("start"), Redirect)
    with room.write() as db:
        room.hand_in(db, original.id, pupil.account_id, Outcome(Progress.STARTED, None, None, room.now()))
        before = case.plugin.export_person(db, room.school_id, pupil.account_id)
    copy = room.copy(original)
    assert copy.id != original.id
    assert (copy.title, copy.settings, copy.score_maximum) == (
        original.title,
        original.settings,
        original.score_maximum,
    )
    with room.read() as db:
        assert room.results_in(db, copy.id) == []
        assert case.plugin.export_person(db, room.school_id, pupil.account_id) == before
    fresh = room.visit(pupil, copy).get()
    assert isinstance(fresh, Page)
    if case.begun:
        assert "start" in fresh.template or "start" in room.visit(pupil, copy).html(fresh)
        assert isinstance(room.visit(pupil, copy).post("start"), Redirect)
    room.database.close()


def test_copy_s_settings_are_its_own(case: Case, tmp_path: Path) -> None:
    room = make_room(case.plugin, tmp_path)
    original = room.place("Атауы", {"nothing": "of", "use": 1}, Decimal(10))
    with room.write() as db:
        settings = case.plugin.copy_activity(room, db, original, "copy")
    assert settings == original.settings
    assert settings is not original.settings
    room.database.close()
