from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from plugins.contract import Member, NotFound, Page, Placed, Redirect, Upload
from plugins.online_test import tables as t
from plugins.testkit import TestRoom, TestVisit
from tests.plugins.online_test.kit import place, sit

BAD = "::A:: One? {T}\n\n::B:: Two? {F}\n\n// here\n\n::C:: Three? {=yes ~no\n\n::D:: Four? {#4}\n"


@pytest.fixture
def visit(room: TestRoom, teacher: Member) -> TestVisit:
    return room.visit(teacher)


def send(visit: TestVisit, text: str, name: str = "алгебра_7.gift") -> str:
    sent = visit.post("pick/upload", files={"file": Upload(name, text.encode())})
    assert isinstance(sent, Redirect), sent
    return sent.path


def shown(visit: TestVisit, answer: object) -> str:
    assert isinstance(answer, Page), answer
    return visit.html(answer)


def count(room: TestRoom, table: object) -> int:
    with room.read() as db:
        return db.execute(select(func.count()).select_from(table)).scalar() or 0  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_report_names_line_7_lists_the_rest_and_imports_nothing(room: TestRoom, teacher: Member, language: str):
    visit = room.visit(teacher, language=language)
    html = shown(visit, visit.get(send(visit, BAD)))
    assert all(words in html for words in (">A<", ">B<", ">D<")) or all(f">{w}\n" in html for w in "ABD")
    expected = {
        "kk": "7-жол: { белгісі келесі бос жолға дейін } белгісімен жабылмаған.",
        "ru": "Строка 7: Скобка { не закрыта парной } до следующей пустой строки.",
        "en": "Line 7: A { is not closed by } before the next blank line.",
    }
    assert expected[language] in " ".join(html.split())
    assert count(room, t.test) == 0
    assert count(room, t.question) == 0


def test_a_file_with_errors_is_taken_only_when_the_teacher_says_so(room: TestRoom, visit: TestVisit):
    path = send(visit, BAD)
    refused = visit.post(f"{path}/take", {"title": "A"})
    assert isinstance(refused, Page)
    assert refused.status == 422
    assert "Some questions were refused" in visit.html(refused)
    assert count(room, t.test) == 0
    taken = visit.post(f"{path}/take", {"title": "A", "take": "good"})
    assert isinstance(taken, Redirect)
    assert count(room, t.question) == 3


def test_a_file_without_a_good_question_cannot_be_taken(room: TestRoom, visit: TestVisit):
    path = send(visit, "a {")
    assert "nothing to take" in shown(visit, visit.get(path))
    answer = visit.post(f"{path}/take", {"title": "A", "take": "good"})
    assert isinstance(answer, Page)
    assert answer.status == 422
    assert count(room, t.test) == 0


def test_no_file_and_no_title_are_said_on_the_form(visit: TestVisit):
    answer = visit.post("pick/upload")
    assert isinstance(answer, Page)
    assert answer.status == 422
    assert "Choose a file first." in visit.html(answer)
    assert "Give the test a title" in shown(visit, visit.post(f"{send(visit, 'a {T}')}/take", {"title": "  "}))


def test_a_file_name_with_folders_and_markup_is_shown_harmlessly(visit: TestVisit):
    html = shown(visit, visit.get(send(visit, "a {T}", "C:\\Users\\me\\<b>x</b>.gift")))
    assert "&lt;b&gt;x&lt;" in html or "b&gt;.gift" in html
    assert "<b>x" not in html
    assert "Users" not in html


def test_another_teachers_report_is_not_reachable(room: TestRoom, visit: TestVisit):
    from plugins.contract import Role

    path = send(visit, "a {T}")
    other = room.visit(room.person("Ерлан", Role.TEACHER))
    assert other.get(path) == NotFound()
    assert other.post(f"{path}/take", {"title": "A"}) == NotFound()
    assert visit.get("pick/report/nonsense") == NotFound()


def test_a_file_nobody_confirmed_is_forgotten_after_a_day(room: TestRoom, visit: TestVisit):
    path = send(visit, "a {T}")
    room.advance(hours=25)
    room.run_due_jobs()
    assert visit.get(path) == NotFound()
    assert count(room, t.upload) == 0


def test_the_placement_carries_maximum_kind_and_settings(visit: TestVisit):
    taken = visit.post(f"{send(visit, 'a {T}' + chr(10) * 2 + 'b {#4}')}/take", {"title": "Алгебра"})
    assert isinstance(taken, Redirect)
    form = {"title": " БЖБ  №1 ", "minutes": "40", "attempts": "2", "release": "teacher", "tag": "sor"}
    placed = visit.post(taken.path, form | {"shuffle": "yes", "paging": "one"})
    assert isinstance(placed, Placed)
    (placement,) = placed.placements
    assert (placement.title, placement.score_maximum, placement.tag) == ("БЖБ №1", Decimal(2), "sor")
    assert placement.settings == {
        "test": taken.path.rsplit("/", 1)[-1],
        "minutes": 40,
        "attempts": 2,
        "shuffle": True,
        "release": "teacher",
        "tag": "sor",
        "one_by_one": True,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": ""}, "Give the test a title"),
        ({"title": "x" * 201}, "Give the test a title"),
        ({"minutes": "-1"}, "Minutes are a whole number"),
        ({"minutes": "601"}, "Minutes are a whole number"),
        ({"minutes": "1.5"}, "Minutes are a whole number"),
        ({"minutes": "²"}, "Minutes are a whole number"),
        ({"attempts": "0"}, "Attempts are a whole number"),
        ({"attempts": "11"}, "Attempts are a whole number"),
        ({"release": "now"}, "Choose when"),
        ({"tag": "exam"}, "Choose the kind"),
    ],
)
def test_bad_settings_are_said_at_their_field_and_nothing_is_placed(
    visit: TestVisit, change: Mapping[str, str], words: str
):
    taken = visit.post(f"{send(visit, 'a {T}')}/take", {"title": "A"})
    assert isinstance(taken, Redirect)
    form = {"title": "A", "minutes": "40", "attempts": "1", "release": "never", "tag": "fo"} | dict(change)
    answer = visit.post(taken.path, form)
    assert isinstance(answer, Page)
    assert answer.status == 422
    assert words in visit.html(answer)


def test_a_new_version_stands_in_the_picker_and_the_old_stays_where_it_was_placed(
    room: TestRoom, visit: TestVisit, pupil: Member
):
    old = place(room, "Old? {T}")
    page = visit.get("pick")
    assert isinstance(page, Page)
    (test,) = page.values["tests"]
    path = send(visit, "New? {T}\n\nNewer? {F}")
    taken = visit.post(f"{path}/take", {"title": "Algebra", "series": test.series})
    assert isinstance(taken, Redirect)
    page = visit.get("pick")
    assert isinstance(page, Page)
    (newer,) = page.values["tests"]
    assert (newer.version, newer.questions, newer.id == taken.path.rsplit("/", 1)[-1]) == (2, 2, True)
    assert [str(v.html) for v in sit(room, old, pupil).views] == ["Old?"]


def test_an_unknown_series_makes_a_new_test(visit: TestVisit):
    taken = visit.post(f"{send(visit, 'a {T}')}/take", {"title": "A", "series": "f" * 32})
    assert isinstance(taken, Redirect)


def test_settings_of_a_test_of_another_school_are_not_found(visit: TestVisit):
    assert visit.get(f"pick/settings/{'f' * 32}") == NotFound()


def test_the_teacher_sees_the_questions_before_placing(visit: TestVisit):
    taken = visit.post(f"{send(visit, '[html]<p>Is <b>it</b>?</p> {T}')}/take", {"title": "A"})
    assert isinstance(taken, Redirect)
    html = shown(visit, visit.get(taken.path))
    assert "<p>Is <b>it</b>?</p>" in html
    assert "disabled" in html
