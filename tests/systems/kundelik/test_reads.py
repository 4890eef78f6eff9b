import dataclasses
import os
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from connector.base.errors import Fatal, Retriable
from connector.base.outbound import NetworkPolicy, Outbound
from sync.model import GradeKind, Role
from sync.systems.contract import Evidence, Read, Scope, Writing
from sync.systems.kundelik import KundelikClient, KundelikSystem
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.kundelik.signin import Credentials, renew, sign_in
from sync.twins import sample_school
from tests.systems.kundelik.conftest import client_of
from tests.twins.kundelik_site import NOW


def reads(system, scope):
    """Every read of the contract, by name."""
    lessons, items = system.read_lessons(scope).records, system.read_line_items(scope).records
    return {
        "groups": system.read_groups,
        "people": lambda: system.read_people(scope),
        "lessons": lambda: system.read_lessons(scope),
        "line_items": lambda: system.read_line_items(scope),
        "results": lambda: system.read_results(scope, items),
        "attendance": lambda: system.read_attendance(scope, lessons),
    }


READS = ("groups", "people", "lessons", "line_items", "results", "attendance")


def test_groups_are_classes_with_their_subjects(system, journal):
    read = system.read_groups()
    assert read.complete
    assert {(group.id, group.subject_id, group.subject) for group in read.records} == {
        (journal.group_id, journal.subject_id, "алгебра"),
        (journal.group_id, journal.other_subject_id, "информатика"),
    }


def test_people_are_the_class_in_the_journals_order_with_exact_ids(system, scope, journal):
    read = system.read_people(scope)
    pupils = [person for person in read.records if person.role is Role.PUPIL]
    assert read.complete
    assert {person.id for person in pupils} == set(journal.person_ids().values())
    assert [person.family for person in pupils][:3] == ["Әбдірахманова", "Әлімхан", "Байжанова"]
    assert all(person.identifiers["kundelik_user"] != person.id for person in pupils)
    assert not any(person.birth_date for person in pupils)


def test_teachers_in_pascal_case_without_text_ids_are_read_exactly(system, scope):
    teachers = [person for person in system.read_people(scope).records if person.role is Role.TEACHER]
    assert {(person.family, person.id) for person in teachers} == {
        ("Сейітқали", "1000012345678900101"),
        ("Ахметова", "1000012345678900102"),
    }


def test_names_are_as_the_journal_spells_them(system, scope, journal):
    by_id = {person.id: person for person in system.read_people(scope).records}
    for pupil in sample_school.pupils():
        person = by_id[journal.person_ids()[pupil.number]]
        assert (person.family, person.given, person.patronymic) == pupil.journal_name


def test_lessons_have_civil_dates_inside_the_scope(system, scope, journal):
    read = system.read_lessons(scope)
    expected = [(lesson, day) for lesson, day, _ in journal.lessons() if scope.first <= day <= scope.last]
    assert read.complete
    assert [(lesson.id, lesson.day) for lesson in read.records] == expected
    assert len(expected) == 12


def test_a_scope_without_days_covers_the_reporting_periods(system, journal, scope):
    whole = dataclasses.replace(scope, first=date.min, last=date.max)
    assert [lesson.id for lesson in system.read_lessons(whole).records] == [key for key, _, _ in journal.lessons()]


def test_columns_are_works_with_their_scale_and_lesson(system, scope, journal):
    read = system.read_line_items(scope)
    expected = [(work, lesson, day) for lesson, day, work in journal.lessons() if scope.first <= day <= scope.last]
    assert read.complete
    assert [(item.id, item.lesson_id, item.due) for item in read.records] == expected
    assert {(item.scale, item.maximum, item.kind) for item in read.records} == {("mark10", Decimal(10), GradeKind.FO)}


def test_marks_keep_their_text_and_a_pair_is_one_cell(system, scope, journal):
    there = dataclasses.replace(scope, subject=journal.other_subject_id, first=date(2026, 9, 1))
    items = system.read_line_items(there).records
    journal.set_mark(journal.person_ids()[1], items[-1].id, "4-")
    read = system.read_results(there, items)
    works = {item.id for item in items}
    expected = {key: value for key, value in journal.marks().items() if key[1] in works}
    assert read.complete
    assert {(result.person_id, result.item_id): result.raw for result in read.records} == expected
    assert {"4-"} < set(expected.values())
    assert any("/" in value for value in expected.values())


def test_a_mark_was_changed_when_it_was_put_not_on_its_lessons_day(system, scope, journal):
    item = system.read_line_items(scope).records[0]
    person = journal.person_ids()[5]
    journal.set_mark(person, item.id, "8")
    result = next(each for each in system.read_results(scope, [item]).records if each.person_id == person)
    assert result.changed_at == datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def test_the_register_is_read_with_its_blanks_left_blank(system, scope, journal):
    lessons = system.read_lessons(scope).records
    read = system.read_attendance(scope, lessons)
    wanted = {lesson.id for lesson in lessons}
    expected = {key: status for key, status in journal.attendance().items() if key[1] in wanted}
    assert read.complete
    assert {(mark.person_id, mark.lesson_id): mark.raw for mark in read.records} == expected
    assert set(expected.values()) == {"Absent", "Ill", "Late", "Pass"}
    assert {mark.day for mark in read.records} <= {lesson.day for lesson in lessons}


def test_a_year_of_the_register_is_read_in_windows_the_journal_takes(system, journal, scope):
    year = dataclasses.replace(scope, first=date(2026, 9, 1), last=date(2027, 5, 25))
    read = system.read_attendance(year, system.read_lessons(year).records)
    wanted = {lesson for lesson, _, _ in journal.lessons()}
    assert read.complete
    assert len(read.records) == sum(1 for _, lesson in journal.attendance() if lesson in wanted)


def test_summatives_can_be_read(client, journal):
    period = client.periods(journal.group_id).records[0]
    key = (journal.group_id, journal.subject_id, period.id)
    sections, points = client.sections(*key), client.criteria_marks(*key)
    assert [section.kind for section in sections.records] == ["sor", "sor", "soch"]
    assert points.complete
    assert {mark.person_id for mark in points.records} == set(journal.person_ids().values())


def test_scales_are_asked_of_the_journal(client):
    assert "4-" in client.scales()["mark5"]
    assert client.scales()["mark10"][-1] == "10"


def test_the_time_of_a_read_is_the_journals_own(system, scope):
    read = system.read_people(scope)
    assert read.read_at.microsecond == 0
    assert abs(read.read_at - datetime.now(UTC)) < timedelta(minutes=5)


FAULTS = [
    ("html_maintenance", Evidence.UNKNOWN, "html_page"),
    ("cut_body", Evidence.UNKNOWN, "unreadable_answer"),
    ("request_limit", Evidence.UNKNOWN, "rate_limited"),
    ("server_error", Evidence.UNKNOWN, "server_error"),
    ("500", Evidence.UNKNOWN, "server_error"),
    ("503", Evidence.UNKNOWN, "http_503"),
    ("invalid_token", Evidence.UNAUTHORISED, "token_refused"),
    ("session_expired", Evidence.UNAUTHORISED, "token_refused"),
]


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(("fault", "evidence", "reason"), FAULTS)
def test_a_failed_read_is_never_an_absence(system, scope, journal, name, fault, evidence, reason):
    read = reads(system, scope)[name]
    whole = read()
    journal.set_fault(fault)
    failed = read()
    assert (failed.evidence, failed.reason) == (evidence, reason)
    recovered = read()
    assert recovered.complete
    assert recovered.records == whole.records


@pytest.mark.parametrize("name", ["people", "lessons", "line_items", "results", "attendance"])
@pytest.mark.parametrize("fault", ["half_list", "empty_list"])
def test_a_cut_list_is_found_out_at_the_first_contact(system, scope, journal, name, fault):
    read = reads(system, scope)[name]
    assert read().complete
    path = {
        "people": "students|persons",
        "lessons": "/subjects/.*/lessons",
        "line_items": "/subjects/.*/lessons",
        "results": busy_work(system, scope),
        "attendance": "lesson-log-entries",
    }[name]
    journal.set_fault(fault, path=path)
    assert read().evidence is Evidence.PARTIAL
    assert read().complete


def busy_work(system, scope) -> str:
    """The address of the marks of a work that has several."""
    items = system.read_line_items(scope).records
    results = system.read_results(scope, items).records
    counts = {item.id: sum(1 for result in results if result.item_id == item.id) for item in items}
    best = max(counts, key=lambda key: counts[key])
    assert counts[best] > 2
    return f"works/{best}/marks"


@pytest.mark.parametrize(
    ("fault", "evidence", "reason"),
    [("half_list", Evidence.PARTIAL, "half_list"), ("empty_list", Evidence.SUSPICIOUS, "empty_list")],
)
def test_a_list_cut_the_same_way_twice_meets_the_floor(system, scope, journal, fault, evidence, reason):
    for name, known in (("read_people", "known_people"), ("read_lessons", "known_lessons")):
        floored = dataclasses.replace(scope, **{known: 30 if name == "read_people" else 12})
        journal.set_fault(fault, times=2, path="students|persons|lessons")
        read = getattr(system, name)(floored)
        assert (read.evidence, read.reason) == (evidence, reason)
        assert getattr(system, name)(floored).complete


def test_one_pupil_who_left_is_not_taken_for_a_cut_list(system, scope):
    assert system.read_people(dataclasses.replace(scope, known_people=31)).complete


def test_an_empty_class_is_suspicious_even_at_first_contact(system, scope, journal):
    journal.set_fault("empty_list", times=2, path="students|persons")
    assert system.read_people(scope).evidence is Evidence.SUSPICIOUS


def test_a_class_that_is_gone_is_gone_not_empty(system, scope):
    read = system.read_people(dataclasses.replace(scope, group="77"))
    assert (read.evidence, read.reason) == (Evidence.GONE, "not_found")


def test_a_journal_that_is_too_slow_is_unknown(journal, scope):
    system = KundelikSystem(client_of(journal, read=0.2), journal.school_id)
    journal.set_fault("slow", times=2, seconds=0.6)
    read = system.read_people(scope)
    assert (read.evidence, read.reason) == (Evidence.UNKNOWN, "timeout")


def test_a_journal_that_is_away_is_unknown(journal, scope):
    away = client_of(journal)
    away.wire._base = "http://127.0.0.1:9/v2.0"
    read = KundelikSystem(away, journal.school_id).read_people(scope)
    assert (read.evidence, read.reason) == (Evidence.UNKNOWN, "unreachable")


def test_writing_is_vendor_gated_until_the_school_is_contracted(client, journal):
    plain = KundelikSystem(client, journal.school_id)
    assert plain.key == f"kundelik:{journal.school_id}"
    assert plain.capabilities.results.write is Writing.VENDOR_GATED
    assert plain.capabilities.results.reason
    assert plain.capabilities.results.source.startswith("https://")
    contracted = KundelikSystem(client, journal.school_id, contracted=True)
    assert contracted.capabilities.results.write is Writing.YES


def test_signing_in_and_renewing_give_tokens_that_work(journal):
    outbound = Outbound(NetworkPolicy(everything=True))
    who = Credentials(journal.client_id, journal.client_secret, journal.login, journal.password)
    grant = sign_in(outbound, journal.api_url, who)
    renewed = renew(outbound, journal.api_url, who, grant.refresh)
    assert renewed.token != grant.token
    assert grant.ends_at > datetime.now(UTC) + timedelta(days=20)
    journal.token = renewed.token
    assert client_of(journal).my_groups().complete


def test_a_secret_shows_in_no_repr_and_a_wrong_one_is_refused(journal):
    who = Credentials(journal.client_id, os.urandom(8).hex(), journal.login, "hunter2")
    assert who.client_secret not in repr(who)
    assert "hunter2" not in repr(who)
    with pytest.raises(Fatal) as refused:
        sign_in(Outbound(NetworkPolicy(everything=True)), journal.api_url, who)
    assert refused.value.reason == "sign_in_refused"


def test_signing_in_during_maintenance_is_tried_again_later(journal):
    journal.set_fault("html_maintenance")
    who = Credentials(journal.client_id, journal.client_secret, journal.login, journal.password)
    with pytest.raises(Retriable):
        sign_in(Outbound(NetworkPolicy(everything=True)), journal.api_url, who)


def sessions_on(journal, day):
    def clock():
        return datetime(day.year, day.month, day.day, 3, tzinfo=UTC)

    bucket = TokenBucket(10_000, 10_000, sleep=lambda seconds: None)
    outbound = Outbound(NetworkPolicy(everything=True))
    client = KundelikClient(outbound, journal.api_url, journal.token, bucket=bucket, clock=clock)
    read = KundelikSystem(client, journal.school_id).read_sessions(Scope(journal.group_id, journal.subject_id))
    return read, {one.number: one.closed for one in read.records}


@pytest.mark.parametrize(
    ("day", "closed"),
    [
        (date(2026, 11, 22), [True, False, False, False]),
        (date(2026, 12, 27), [True, False, False, False]),
        (date(2026, 12, 28), [True, True, False, False]),
        (date(2027, 5, 26), [True, True, True, True]),
    ],
)
def test_a_quarter_is_closed_once_its_last_day_is_over(journal, day, closed):
    read, found = sessions_on(journal, day)
    assert read.complete
    assert list(found.values()) == closed
    assert [(one.kind, one.first, one.last) for one in read.records][1] == (
        "quarter", date(2026, 11, 2), date(2026, 12, 27),
    )  # fmt: skip


def final_mark(journal, subject):
    with closing(sqlite3.connect(journal.store_path)) as db, db:
        period = db.execute("SELECT id FROM period WHERE number = 2").fetchone()[0]
        row = (9_000_000_000_000_001, int(journal.person_ids()[1]), int(subject), period, "5", "2026-11-22")
        db.execute("INSERT INTO final_mark VALUES (?, ?, ?, ?, ?, ?)", row)


def test_a_quarter_mark_closes_the_quarter_in_its_subject_only(journal):
    final_mark(journal, journal.other_subject_id)
    assert sessions_on(journal, date(2026, 11, 22))[1][2] is False
    with closing(sqlite3.connect(journal.store_path)) as db, db:
        db.execute("UPDATE final_mark SET subject = ? WHERE id = 9000000000000001", (int(journal.subject_id),))
    assert sessions_on(journal, date(2026, 11, 22))[1][2] is True


@pytest.mark.parametrize("fault", ["html_maintenance", "half_list", "empty_list", "503", "invalid_token"])
@pytest.mark.parametrize("path", ["reporting-periods", "subjects/\\d+/final-marks"])
def test_periods_or_final_marks_that_failed_prove_nothing(journal, fault, path):
    journal.set_fault(fault, 10, path=path)
    read, _ = sessions_on(journal, date(2026, 11, 22))
    if (fault, path) == ("half_list", "reporting-periods"):
        # A day that no period holds is not taken for open, so a short list opens nothing.
        assert [one.number for one in read.records] == [1, 2]
    elif (fault, path) == ("invalid_token", "subjects/\\d+/final-marks"):
        assert not read.complete
    else:
        assert (read.complete, read.records) == (False, ())


def test_where_final_marks_are_not_shown_the_last_day_alone_decides(journal, monkeypatch):
    final_mark(journal, journal.subject_id)
    monkeypatch.setattr(KundelikClient, "final_periods", lambda self, *_: Read((), Evidence.GONE, NOW, "not_offered"))
    read, closed = sessions_on(journal, date(2026, 11, 22))
    assert (read.complete, closed) == (True, {1: True, 2: False, 3: False, 4: False})
