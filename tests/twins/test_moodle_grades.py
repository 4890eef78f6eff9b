from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from tests.twins.moodle_browser import (
    form_to,
)
from tests.twins.moodle_kit import key_server, new_key
from tests.twins.moodle_school import OTHER_PUPIL, PUPIL, TEACHER, School, open_school


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return new_key()


@pytest.fixture
def school(tmp_path: Path, tool_key: RSAKey) -> Iterator[School]:
    with key_server(tool_key) as keys:
        yield open_school(tmp_path / "lms.sqlite3", tool_key, keys)


def cells(page: str) -> dict[tuple[str, str], str]:
    """Read the marks off the gradebook page."""
    found = {}
    for piece in page.split("<td ")[1:]:
        head = dict(part.split("=", 1) for part in piece.split(">")[0].split() if "=" in part)
        found[head["data-user"].strip('"'), head["data-item"].strip('"')] = head["data-mark"].strip('"')
    return found


def test_the_gradebook_page_shows_every_pupil_and_every_mark(school: School) -> None:
    school.add()
    school.lms.override_grade("2", PUPIL, Decimal("30.5"))
    shown = cells(school.browser(TEACHER).get("/grade/report/grader/index.php", id="2").text)
    assert len(shown) == 30
    assert shown[PUPIL, "2"] == "30.5"
    assert shown[OTHER_PUPIL, "2"] == ""


def test_a_teacher_changes_locks_and_gives_back_a_mark(school: School) -> None:
    school.add()
    teacher = school.browser(TEACHER)
    path = "/grade/edit/tree/grade.php"

    def act(action: str, mark: str = "") -> int:
        fields = form_to(teacher.get(path, itemid="2", userid=PUPIL).text, path)
        return teacher.post(path, **{**fields, "action": action, "mark": mark}).status_code

    assert act("override", "12,5") == 303
    grade = school.lms.gradebook()[0].grades[PUPIL]
    assert (grade.final, grade.overridden) == (Decimal("12.50000"), True)
    assert act("lock") == 303
    assert school.lms.gradebook()[0].grades[PUPIL].locked
    assert act("unlock") == 303
    assert act("release") == 303
    grade = school.lms.gradebook()[0].grades[PUPIL]
    assert (grade.final, grade.overridden, grade.locked) == (None, False, False)


@pytest.mark.parametrize("mark", ["41", "-1", "", "NaN", "1e999", "жақсы", "Infinity"])
def test_a_mark_out_of_range_is_not_saved(school: School, mark: str) -> None:
    school.add()
    teacher = school.browser(TEACHER)
    path = "/grade/edit/tree/grade.php"
    fields = form_to(teacher.get(path, itemid="2", userid=PUPIL).text, path)
    assert teacher.post(path, **{**fields, "action": "override", "mark": mark}).status_code == 400
    assert school.lms.gradebook()[0].marks() == {}


def test_a_pupil_sees_own_grades_only(school: School) -> None:
    school.add()
    school.lms.override_grade("2", PUPIL, Decimal(31))
    school.lms.override_grade("2", OTHER_PUPIL, Decimal(17))
    page = school.browser(PUPIL).get("/grade/report/user/index.php").text
    assert 'data-mark="31"' in page
    assert "17" not in page


def test_the_export_has_a_row_for_every_pupil(school: School) -> None:
    school.add()
    school.lms.override_grade("2", PUPIL, Decimal(31))
    rows = list(csv.reader(io.StringIO(school.browser(TEACHER).get("/grade/export/txt/export.php").text)))
    assert rows[0] == ["ID", "ID number", "First name", "Last name", "Бақылау жұмысы №1"]
    assert rows[1] == ["5", "2026010001", "Айгерім", "Әбдірахманова", "31"]
    assert len(rows) == 31
