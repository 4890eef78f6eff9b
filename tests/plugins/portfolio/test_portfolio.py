"""The portfolio, driven through the plugin test kit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from plugins.contract import Activity, Outcome, Page, Placed, Progress, Redirect, Role
from plugins.portfolio import plugin
from plugins.portfolio.entries import fingerprint
from plugins.testkit import TestRoom, make_room


@pytest.fixture
def room(tmp_path):
    room = make_room(plugin, tmp_path)
    yield room
    room.database.close()


def finish(room: TestRoom, account: str, title: str = "Теңдеулер", score: str = "7", kind: str = "test") -> Activity:
    """Hand a result in as another plugin would."""
    activity = room.place(title, {}, Decimal(10))
    outcome = Outcome(
        Progress.GRADED, Decimal(score), Decimal(10), room.now(), evidence={"kind": kind, "summary": "8 сұрақ"}
    )
    with room.write() as db:
        room.hand_in(db, activity.id, account, outcome)
    return activity


def html(room: TestRoom, visit, path: str = "") -> str:
    page = visit.get(path)
    assert isinstance(page, Page)
    return visit.html(page)


def test_finished_work_is_in_the_portfolio_without_being_put_there(room):
    pupil = room.person("Аружан")
    finish(room, pupil.account_id)
    finish(room, pupil.account_id, "Ом заңы", kind="lab_report")
    page = html(room, room.visit(pupil, room.place("Портфолио", {})))
    assert "Теңдеулер" in page
    assert "Ом заңы" in page


def test_work_under_way_or_taken_back_is_not_shown(room):
    pupil = room.person("Аружан")
    for progress in (Progress.STARTED, Progress.CLEARED):
        activity = room.place(f"Жұмыс {progress}", {}, Decimal(10))
        with room.write() as db:
            outcome = Outcome(progress, None, None, room.now(), evidence={"kind": "test"})
            room.hand_in(db, activity.id, pupil.account_id, outcome)
    page = html(room, room.visit(pupil, room.place("Портфолио", {})))
    assert "Жұмыс" not in page


def test_a_pupil_never_sees_another_pupils_work(room):
    mine, other = room.person("Аружан"), room.person("Диас")
    finish(room, other.account_id, "Басқаның тесті")
    assert "Басқаның тесті" not in html(room, room.visit(mine, room.place("Портфолио", {})))
    result = room.results[0].id
    answer = room.visit(mine, room.place("Портфолио", {})).post(f"note/{result}", {"note": "менікі"})
    assert not isinstance(answer, Page | Redirect)


def test_a_note_is_kept_changed_and_removed(room):
    pupil = room.person("Аружан")
    finish(room, pupil.account_id)
    visit = room.visit(pupil, room.place("Портфолио", {}))
    result = room.results[0].id
    for text in ("Қиын болды", "Енді түсіндім <b>"):
        visit.post(f"note/{result}", {"note": text})
    page = html(room, visit)
    assert "Енді түсіндім &lt;b&gt;" in page
    assert "Қиын болды" not in page
    visit.post(f"note/{result}", {"note": "  "})
    assert "түсіндім" not in html(room, visit)


def test_a_teacher_verifies_and_takes_it_back(room):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    finish(room, pupil.account_id)
    visit = room.visit(teacher, room.place("Портфолио", {}))
    path = f"pupil/{pupil.account_id}/verify/{room.results[0].id}"
    visit.post(path, {"seen": fingerprint(room.results[0])})
    assert "Verified by a teacher" in html(room, visit, f"pupil/{pupil.account_id}")
    visit.post(path, {"undo": "1"})
    assert "Verified by a teacher" not in html(room, visit, f"pupil/{pupil.account_id}")


def test_a_result_that_changed_after_verification_says_so(room):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    finish(room, pupil.account_id)
    visit = room.visit(teacher, room.place("Портфолио", {}))
    result = room.results[0]
    visit.post(f"pupil/{pupil.account_id}/verify/{result.id}", {"seen": fingerprint(result)})
    room.results[0] = replace(result, score_given=Decimal(10))
    assert "Changed since it was verified" in html(room, visit, f"pupil/{pupil.account_id}")


def test_what_changed_while_the_teacher_looked_is_not_verified_unseen(room):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    finish(room, pupil.account_id)
    visit = room.visit(teacher, room.place("Портфолио", {}))
    seen = fingerprint(room.results[0])
    room.results[0] = replace(room.results[0], score_given=Decimal(1))
    visit.post(f"pupil/{pupil.account_id}/verify/{room.results[0].id}", {"seen": seen})
    assert "Verified by a teacher" not in html(room, visit, f"pupil/{pupil.account_id}")


def test_a_teacher_opens_only_pupils_of_the_course(room):
    teacher, stranger = room.person("Нұрлан", Role.TEACHER), "0" * 32
    finish(room, stranger)
    answer = room.visit(teacher, room.place("Портфолио", {})).get(f"pupil/{stranger}")
    assert not isinstance(answer, Page)


def test_a_pupil_may_not_verify(room):
    pupil = room.person("Аружан")
    finish(room, pupil.account_id)
    visit = room.visit(pupil, room.place("Портфолио", {}))
    with pytest.raises(PermissionError):
        visit.post(f"pupil/{pupil.account_id}/verify/{room.results[0].id}", {"seen": "x"})


def test_the_review_of_one_pupil_opens_that_pupils_portfolio(room):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    visit = room.visit(teacher, room.place("Портфолио", {}), review_of=pupil.account_id)
    assert visit.get() == Redirect(f"pupil/{pupil.account_id}")


def test_the_picker_wants_a_name_and_places_a_portfolio_without_a_mark(room):
    teacher = room.visit(room.person("Нұрлан", Role.TEACHER))
    assert "Give it a name." in teacher.html(teacher.post("pick", {"title": " "}))
    placed = teacher.post("pick", {"title": "Менің портфолиом"})
    assert isinstance(placed, Placed)
    assert placed.placements[0].score_maximum is None


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_page_speaks_three_languages(room, language):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    finish(room, pupil.account_id)
    placed = room.place("Портфолио", {})
    title = {"kk": "Менің портфолиом", "ru": "Моё портфолио", "en": "My portfolio"}[language]
    assert title in html(room, room.visit(pupil, placed, language))
    heading = {"kk": "Курс портфолиолары", "ru": "Портфолио курса", "en": "Portfolios of the course"}[language]
    assert heading in html(room, room.visit(teacher, placed, language))


def test_export_and_erasure_reach_notes_and_verifications(room):
    pupil, teacher = room.person("Аружан"), room.person("Нұрлан", Role.TEACHER)
    finish(room, pupil.account_id)
    placed, result = room.place("Портфолио", {}), room.results[0]
    room.visit(pupil, placed).post(f"note/{result.id}", {"note": "Қиын болды"})
    room.visit(teacher, placed).post(f"pupil/{pupil.account_id}/verify/{result.id}", {"seen": fingerprint(result)})
    with room.read() as db:
        exported = plugin.export_person(db, room.school_id, pupil.account_id)
    assert exported["p_portfolio_note"][0]["body"] == "Қиын болды"
    assert len(exported["p_portfolio_verification"]) == 1
    with room.write() as db:
        assert plugin.erase_person(db, room.school_id, teacher.account_id) == 1
        assert plugin.erase_person(db, room.school_id, pupil.account_id) == 2
        assert plugin.export_person(db, room.school_id, pupil.account_id)["p_portfolio_note"] == []
