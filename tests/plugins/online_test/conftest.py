from __future__ import annotations

from pathlib import Path

import pytest

from plugins.contract import Member, Role
from plugins.online_test import plugin
from plugins.testkit import TestRoom, make_room


@pytest.fixture
def room(tmp_path: Path) -> TestRoom:
    return make_room(plugin, tmp_path)


@pytest.fixture
def teacher(room: TestRoom) -> Member:
    return room.person("Сәуле Қалиева", Role.TEACHER)


@pytest.fixture
def pupil(room: TestRoom) -> Member:
    return room.person("Айгүл Ахметова")
