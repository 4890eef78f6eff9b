"""The pages of a third-party tool's activity, driven as values."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plugins.contract import NotFound, OpenTool, OutsideTool, Page, Placed, Role, ToolChoice, ToolColumn, ToolScore
from plugins.external_tool import plugin
from plugins.testkit import TestRoom, make_room

CHOOSING, PLAIN = OutsideTool("t1", "Зертхана", True), OutsideTool("t2", "Тренажёр", False)


@pytest.fixture
def room(tmp_path: Path) -> TestRoom:
    made = make_room(plugin, tmp_path)
    made.outside_tools = [CHOOSING, PLAIN]
    return made


def test_tool_is_placed_as_it_is_with_and_without_a_mark(room: TestRoom) -> None:
    visit = room.visit(room.person("Нұрлан", Role.TEACHER))
    assert isinstance(visit.get("pick"), Page)
    placed = visit.post("pick", {"tool": "t2", "title": "Жаттығу", "maximum": "12,5", "tag": "sor"})
    assert isinstance(placed, Placed)
    (one,) = placed.placements
    assert (one.title, one.score_maximum, one.tag, one.settings["tool"]) == ("Жаттығу", Decimal("12.5"), "sor", "t2")
    unmarked = visit.post("pick", {"tool": "t2", "title": "x", "marked": "no", "maximum": "?"})
    assert isinstance(unmarked, Placed)
    assert unmarked.placements[0].score_maximum is None


@pytest.mark.parametrize("changes", [{"title": " "}, {"tool": "gone"}, {"maximum": "0"}, {"maximum": "NaN"}])
def test_form_that_lacks_something_says_what(room: TestRoom, changes: dict[str, str]) -> None:
    visit = room.visit(room.person("Нұрлан", Role.TEACHER))
    page = visit.post("pick", {"tool": "t1", "title": "x", "maximum": "10", **changes})
    assert isinstance(page, Page)
    assert 'role="alert"' in visit.html(page)


def test_choice_inside_a_tool_is_placed_with_what_the_tool_wants_back(room: TestRoom) -> None:
    visit = room.visit(room.person("Нұрлан", Role.TEACHER))
    assert visit.get("pick/choose/t1") == OpenTool("t1", back="pick/chosen?tool=t1")
    assert isinstance(visit.get("pick/choose/t2"), NotFound)
    room.choices["signed"] = (ToolChoice("№7", "https://lab/7", {"c": "7"}, Decimal(5), "r7", "lab"),)
    placed = visit.post("pick/chosen", {"tool": "t1", "chosen": "signed"})
    assert isinstance(placed, Placed)
    activity = room.place("№7", placed.placements[0].settings, placed.placements[0].score_maximum)
    opened = room.visit(room.person("Айгерім"), activity).get()
    assert opened == OpenTool("t1", replace(room.choices["signed"][0]))
    forged = visit.post("pick/chosen", {"tool": "t1", "chosen": "forged"})
    assert isinstance(forged, Page)
    assert forged.status == 400


def test_teacher_sees_the_class_and_that_the_tool_is_off(room: TestRoom) -> None:
    pupil, teacher = room.person("Айгерім"), room.person("Нұрлан", Role.TEACHER)
    activity = room.place("№7", {"tool": "t1"}, Decimal(10))
    score = ToolScore(pupil.account_id, Decimal("8.50"), Decimal(10), False, "жақсы", room.now())
    room.columns[activity.id] = (
        ToolColumn("№7", Decimal(10), True, (score,)),
        ToolColumn("own", Decimal(1), False, ()),
    )
    visit = room.visit(teacher, activity)
    page = visit.get()
    assert isinstance(page, Page)
    html = visit.html(page)
    assert "8.5 / 10" in html
    assert "not final" in html
    assert "Айгерім" in html
    room.outside_tools = []
    off = visit.get()
    assert isinstance(off, Page)
    assert "switched this tool off" in visit.html(off)
