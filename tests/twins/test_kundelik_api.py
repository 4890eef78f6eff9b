import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.errors import Retriable
from sync.twins import sample_school
from sync.twins.kundelik import Journal, calendar
from tests.twins.kundelik_site import TODAY, Asker, new_journal, served


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with served(new_journal(tmp_path)) as site:
        yield site


@pytest.fixture
def ask(journal: Journal) -> Asker:
    return Asker(journal)


def dump(journal: Journal) -> list[str]:
    with closing(sqlite3.connect(journal.store_path)) as db:
        return list(db.iterdump())


def blank_cell(journal: Journal) -> tuple[str, str]:
    """A pupil and a work of the last lesson before today, which has no marks yet."""
    work = [work for _, day, work in journal.lessons() if day <= TODAY][-1]
    return journal.person_ids()[5], work


def test_two_journals_made_for_one_day_are_equal(tmp_path):
    first, second = new_journal(tmp_path / "a"), new_journal(tmp_path / "b")
    assert dump(first) == dump(second)


def test_a_filled_store_is_opened_again_as_it_was_left(tmp_path):
    first = new_journal(tmp_path)
    person, work = blank_cell(first)
    first.set_mark(person, work, "9")
    assert new_journal(tmp_path).marks()[person, work] == "9"


def test_a_number_of_a_deleted_mark_is_not_given_again(journal, ask):
    person, work = blank_cell(journal)
    path = f"persons/{person}/works/{work}/mark"
    first = ask("POST", path, {"value": "7"})["id"]
    ask("DELETE", path)
    assert ask("POST", path, {"value": "7"})["id"] == first + 1


def test_pupils_come_in_the_order_of_the_kazakh_alphabet(journal, ask):
    names = [pupil["lastName"] for pupil in ask("GET", f"edu-groups/{journal.group_id}/students")]
    assert len(names) == 30
    assert names[:4] == ["Әбдірахманова", "Әлімхан", "Байжанова", "Бекболат"]
    assert names.index("Кадырбек") < names.index("Қабдолла")
    assert names[-1] == "Шәріп"


def test_ids_are_beyond_what_a_float_holds_and_have_a_text_twin(journal, ask):
    pupils = ask("GET", f"edu-groups/{journal.group_id}/students")
    assert all(pupil["id"] > 2**53 and pupil["id_str"] == str(pupil["id"]) for pupil in pupils)
    assert len({float(pupil["id"]) for pupil in pupils}) < 30


def test_nothing_about_pupils_tells_an_iin_or_a_birth_date(journal, ask):
    text = ask.reply("GET", f"edu-groups/{journal.group_id}/students").text
    for pupil in sample_school.pupils():
        assert pupil.iin not in text
        assert pupil.birth_date.isoformat() not in text


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Access-Token": "wrong"}, "authorizationInvalidToken"),
        ({}, "authorizationTokenRequired"),
    ],
)
def test_a_bad_token_is_told_in_the_body_of_a_200(ask, headers, kind):
    ask.headers = headers
    reply = ask.reply("GET", "users/me")
    assert (reply.status, reply.json()["type"]) == (200, kind)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "no/such/thing", "apiResourceUnavailable"),
        ("GET", "works/1/marks", "apiResourceUnavailable"),
        ("GET", f"lessons/{2**70}", "parameterInvalid"),
        ("PATCH", "users/me", "apiMethodNotSupported"),
        ("POST", "lessons/many", "parameterInvalid"),
    ],
)
def test_what_is_not_there_is_an_error_in_the_body(ask, method, path, kind):
    reply = ask.reply(method, path)
    assert (reply.status, reply.json()["type"]) == (200, kind)


def test_signing_in_gives_a_token_with_the_asked_scope(journal, ask):
    ask.headers = {}
    login = {"client_id": journal.client_id, "client_secret": journal.client_secret, "username": journal.login}
    granted = ask("POST", "authorizations/bycredentials", {**login, "password": journal.password, "scope": "EduGroups"})
    ask.headers = {"Access-Token": granted["accessToken"]}
    assert ask("GET", "users/me")["lastName"] == "Сейітқали"
    assert ask("GET", "marks/values")["type"] == "authorizationOutOfScope"
    renewal = {"client_id": journal.client_id, "grant_type": "RefreshToken", "refreshToken": granted["refreshToken"]}
    renewed = ask("POST", "authorizations", renewal)
    assert renewed["accessToken"] != granted["accessToken"]


def test_a_wrong_password_is_not_let_in(journal, ask):
    login = {"client_id": journal.client_id, "client_secret": journal.client_secret, "username": journal.login}
    assert ask("POST", "authorizations/bycredentials", {**login, "password": "x"})["type"] == "authorizationFailed"


def test_quarters_are_those_of_the_order_for_2026(journal, ask):
    found = ask("GET", f"edu-groups/{journal.group_id}/reporting-periods")
    spans = [(quarter["start"][:10], quarter["finish"][:10]) for quarter in found]
    assert spans[:2] == [("2026-09-01", "2026-10-25"), ("2026-11-02", "2026-12-27")]
    group = ask("GET", f"edu-groups/{journal.group_id}/reporting-period-group")
    assert group["holidays"][0]["dateStart"][:10] == "2026-10-26"


def test_there_are_no_lessons_in_breaks_and_on_days_off(journal):
    days = {day for _, day, _ in journal.lessons()} | {day for _, day, _ in journal.lessons(journal.other_subject_id)}
    assert not {day for day in days if day.weekday() > 4}
    assert not {day for day in days if date(2026, 10, 26) <= day <= date(2026, 11, 1)}
    assert date(2026, 12, 16) not in days


@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_any_day_of_the_year_can_be_rehearsed(day):
    today = calendar.rehearsal_day(day)
    days = calendar.school_days(calendar.school_year(today))
    assert len([each for each in days if each <= today]) >= 14
    assert [each for each in days if each > today]
    assert abs((today - day).days) < 120


def test_marks_stand_on_two_date_axes(journal, ask):
    person = journal.person_ids()[5]
    _, held, work = next(lesson for lesson in journal.lessons() if lesson[1] < TODAY - timedelta(days=20))
    if (person, work) in journal.marks():
        journal.delete_mark(person, work)
    ask("POST", f"persons/{person}/works/{work}/mark", {"value": "9"})
    put = ask("GET", f"persons/{person}/marks/{TODAY}")
    assert [mark["work_str"] for mark in put] == [work]
    assert ask("GET", f"persons/{person}/marks/{held}") == []
    assert work in {mark["work_str"] for mark in ask("GET", f"lessons/{held}/persons/{person}/marks")}


def test_a_mark_is_put_changed_and_cleared(journal, ask):
    person, work = blank_cell(journal)
    path = f"persons/{person}/works/{work}/mark"
    assert ask("POST", path, {"value": "8"})["value"] == "8"
    assert ask("POST", path, {"value": "9"})["type"] == "parameterInvalid"
    assert ask("PUT", path, {"value": "9"})["value"] == "9"
    assert journal.marks()[person, work] == "9"
    assert ask("DELETE", path) == {}
    assert (person, work) not in journal.marks()
    assert ask("DELETE", path)["type"] == "parameterInvalid"


@pytest.mark.parametrize("body", [{"value": "11"}, {"value": "0"}, {"value": 8}, {"value": " "}, {}, ["8"]])
def test_a_mark_its_scale_lacks_is_refused(journal, ask, body):
    person, work = blank_cell(journal)
    assert "type" in ask("POST", f"persons/{person}/works/{work}/mark", body)
    assert (person, work) not in journal.marks()


def test_a_five_point_mark_may_have_a_sign(journal):
    work = journal.lessons(journal.other_subject_id)[-1][2]
    journal.set_mark(journal.person_ids()[1], work, "4-")
    assert journal.marks()[journal.person_ids()[1], work] == "4-"


def test_the_register_is_written_changed_and_blanked(journal, ask):
    lesson, person = journal.lessons()[-1][0], journal.person_ids()[2]
    path, entry = f"lessons/{lesson}/log-entries", {"person": int(person), "status": "Ill"}
    assert ask("POST", path, {"lessonLogEntry": entry})["status"] == "Ill"
    assert ask("POST", path, {"lessonLogEntry": entry})["type"] == "parameterInvalid"
    assert ask("PUT", f"{path}?person={person}", {"lessonLogEntry": {"status": "Late"}})["status"] == "Late"
    assert journal.attendance()[person, lesson] == "Late"
    assert ask("DELETE", f"{path}?person={person}") == {}
    assert (person, lesson) not in journal.attendance()


def test_recent_lessons_have_every_status_and_one_register_not_taken(journal):
    recent = [lesson for lesson, day, _ in journal.lessons() if day <= TODAY][-4:]
    entries = {
        lesson: {status for (_, at), status in journal.attendance().items() if at == lesson} for lesson in recent
    }
    assert set().union(*entries.values()) == {"Absent", "Ill", "Late", "Pass"}
    assert [lesson for lesson, found in entries.items() if not found] == [recent[1]]


def test_a_window_over_thirty_days_is_refused(journal, ask):
    path = f"persons/{journal.person_ids()[3]}/lesson-log-entries"
    assert "logEntries" in ask("GET", f"{path}?startDate=2026-11-01&endDate=2026-12-01")
    assert ask("GET", f"{path}?startDate=2026-11-01&endDate=2026-12-02")["type"] == "parameterInvalid"


def test_a_read_only_journal_refuses_writes_by_body_and_shows_everything(journal, ask):
    journal.set_writable(False)
    person, work = blank_cell(journal)
    lesson = journal.lessons()[0][0]
    assert ask("POST", f"persons/{person}/works/{work}/mark", {"value": "8"})["type"] == "apiMethodNotSupported"
    assert ask("DELETE", f"lessons/{lesson}/log-entries?person={person}")["type"] == "authorizationOutOfScope"
    assert ask("POST", "works", {"lesson": lesson})["type"] == "authorizationOutOfScope"
    assert len(ask("GET", f"edu-groups/{journal.group_id}/students")) == 30
    assert (person, work) not in journal.marks()


def test_summatives_of_the_closed_quarter_can_be_read(journal, ask):
    period = ask("GET", f"edu-groups/{journal.group_id}/reporting-periods")[0]["id_str"]
    base = f"edu-group/{journal.group_id}/subject/{journal.subject_id}/period/{period}"
    sections = ask("GET", f"{base}/criteria-marks-sections")
    assert [section["kind"] for section in sections] == ["Sor", "Sor", "Soch"]
    points = ask("GET", f"{base}/criteria-marks")[0]["personmarks"]
    most = {section["id"]: section["maxMark"] for section in sections}
    assert all(int(mark["value"]) <= most[mark["section"]] for pupil in points for mark in pupil["criteriamarks"])
    finals = ask("GET", f"edu-groups/{journal.group_id}/subjects/{journal.subject_id}/final-marks")
    assert len(finals) == 30
    assert {mark["type"] for mark in finals} == {"Mark10"}
    assert {mark["value"] for mark in finals} <= {"3", "4", "5"}


@pytest.mark.parametrize(
    ("kind", "status", "seen"),
    [
        ("html_maintenance", 200, "error__description"),
        ("invalid_token", 200, "authorizationInvalidToken"),
        ("session_expired", 401, "authorizationInvalidToken"),
        ("request_limit", 200, "apiRequestLimit"),
        ("server_error", 200, "apiServerError"),
        ("500", 500, "apiServerError"),
        ("503", 503, "error__description"),
    ],
)
def test_an_ordered_fault_strikes_as_often_as_ordered(journal, ask, kind, status, seen):
    journal.set_fault(kind, times=2)
    for _ in range(2):
        reply = ask.reply("GET", "users/me")
        assert reply.status == status
        assert seen in reply.text
    assert ask("GET", "users/me")["lastName"] == "Сейітқали"


def test_half_lists_and_empty_lists_look_like_lists(journal, ask):
    path = f"edu-groups/{journal.group_id}/students"
    journal.set_fault("half_list")
    assert len(ask("GET", path)) == 15
    journal.set_fault("empty_list")
    assert ask("GET", path) == []
    journal.set_fault("cut_body")
    with pytest.raises(ValueError, match=r"."):
        ask("GET", path)
    assert len(ask("GET", path)) == 30


def test_a_fault_waits_for_its_path(journal, ask):
    journal.set_fault("503", path="/marks/")
    assert ask.reply("GET", "users/me").status == 200
    assert ask.reply("GET", "marks/values").status == 503
    journal.set_fault("503")
    journal.clear_faults()
    assert ask.reply("GET", "users/me").status == 200


def test_an_unknown_fault_is_named(journal):
    with pytest.raises(ValueError, match="half_list"):
        journal.set_fault("flood")


@pytest.mark.parametrize(("kind", "landed"), [("drop_after_commit", True), ("drop_before_commit", False)])
def test_a_dropped_connection_says_nothing_of_what_was_done(journal, ask, kind, landed):
    person, work = blank_cell(journal)
    journal.set_fault(kind)
    with pytest.raises(Retriable) as broken:
        ask.reply("POST", f"persons/{person}/works/{work}/mark", {"value": "8"})
    assert broken.value.reason == "unreachable"
    assert ((person, work) in journal.marks()) is landed


def test_no_write_is_lost_when_many_write_at_once(journal):
    work = blank_cell(journal)[1]
    people = list(journal.person_ids().values())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda person: journal.set_mark(person, work, "7"), people))
    assert sum(1 for (_, at), value in journal.marks().items() if at == work and value == "7") == 30
