from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.attendance import Attendance
from mappings.findings import Finding
from mappings.grade_kinds import ItemFacts
from mappings.rules import AttendanceConverted
from mappings.scales import Agreement, Converted, canonical_text
from mappings.schema import GroupRef
from tests.mappings.maker import make

TEN = Decimal(10)


def text(done: Converted | Finding) -> str:
    assert isinstance(done, Converted)
    return done.text


def reason(done: object) -> str:
    assert isinstance(done, Finding)
    return done.reason


def code(done: AttendanceConverted | Finding) -> str | None:
    assert isinstance(done, AttendanceConverted)
    return done.code


def test_a_score_out_of_its_own_maximum_becomes_a_ten_point_mark() -> None:
    assert text(make().grade_to("right", "fo", "12", maximum=Decimal(15))) == "8"


def test_a_ten_point_mark_is_never_written_back_as_a_percent() -> None:
    assert reason(make().grade_to("left", "fo", "8", other_maximum=Decimal(100))) == "finer_scale"


def test_sor_points_keep_their_maximum_without_a_rule() -> None:
    assert text(make("grades/scale/sor", None).grade_to("right", "sor", "27", maximum=Decimal(36))) == "27"


def test_sor_points_follow_the_journals_own_maximum() -> None:
    assert text(make().grade_to("right", "sor", "5", maximum=TEN, other_maximum=Decimal(20))) == "10"


def test_a_kind_without_a_scale_is_not_guessed() -> None:
    assert reason(make().grade_to("right", "homework", "5")) == "no_scale"
    assert reason(make().grades_agree("homework", "5", "5")) == "no_scale"


def test_a_word_in_the_journal_is_a_finding_and_not_an_exception() -> None:
    assert reason(make().grade_to("right", "fo", "осв")) == "word_mark"
    assert reason(make().grades_agree("fo", "84", "12")) == "not_on_scale"


def test_agreement_is_judged_on_the_journals_scale() -> None:
    said = make().grades_agree("fo", "12", "8", left_maximum=Decimal(15))
    assert said == Agreement(True, "mark10", frozenset({"right"}), "8", "8")


@given(st.decimals(0, 15, places=2))
def test_what_is_written_agrees_at_the_next_look(score: Decimal) -> None:
    mapping, raw = make(), canonical_text(score)
    written = text(mapping.grade_to("right", "fo", raw, maximum=Decimal(15)))
    said = mapping.grades_agree("fo", raw, written, left_maximum=Decimal(15))
    assert isinstance(said, Agreement)
    assert said.equal


def test_the_first_selector_that_fits_decides() -> None:
    mapping = make()
    assert mapping.kind_of(ItemFacts("assign", idnumber="SOR-1")) == "sor"
    assert mapping.kind_of(ItemFacts("quiz", idnumber="SOR-1")) == "fo"
    assert mapping.kind_of(ItemFacts("lesson")) is None
    assert mapping.kind_of(ItemFacts("assign", idnumber="HW-1")) is None


def test_sides_are_named_by_system_and_account() -> None:
    mapping = make()
    assert (mapping.system("left"), mapping.account("left")) == ("moodle", "gymnasium")
    assert (mapping.system("right"), mapping.account("right")) == ("kundelik", "1000001234567")


def test_a_group_is_found_from_either_side() -> None:
    mapping = make()
    pair = mapping.file.groups[0]
    assert mapping.groups_with("left", GroupRef(course="7А-ALG")) == [pair]
    assert mapping.groups_with("right", GroupRef(edu_group="2244668800112233445", subject="алгебра")) == [pair]
    assert mapping.groups_with("right", GroupRef(edu_group="2244668800112233445", subject="химия")) == []


@pytest.mark.parametrize(("left", "right"), [("P", "Attend"), ("A", "Absent"), ("L", "Late"), ("E", "Pass")])
def test_attendance_codes_pass_both_ways(left: str, right: str) -> None:
    mapping = make()
    assert code(mapping.attendance_to("right", left)) == right
    assert code(mapping.attendance_to("left", right)) == left


def test_a_code_that_counts_as_the_same_comes_back_by_it() -> None:
    done = make().attendance_to("left", "Ill")
    assert isinstance(done, AttendanceConverted)
    assert (done.code, done.meaning, done.raw) == ("E", Attendance.ABSENT_EXCUSED, "Ill")


def test_an_excused_absence_does_not_overwrite_an_illness() -> None:
    said = make().attendance_agrees("E", "Ill")
    assert isinstance(said, Agreement)
    assert said.equal
    other = make().attendance_agrees("E", "Absent")
    assert isinstance(other, Agreement)
    assert not other.equal


def test_an_unmapped_code_is_named_and_not_guessed() -> None:
    mapping = make()
    for done in (
        mapping.attendance_to("right", "X"),
        mapping.attendance_to("left", "NotSet"),
        mapping.attendance_agrees("X", "Attend"),
        mapping.attendance_agrees("P", "NotSet"),
    ):
        assert reason(done) == "unmapped_attendance"


def test_a_code_two_others_stand_for_is_ambiguous() -> None:
    codes = {"P": {"to": "Attend", "same_as": ["Late"]}, "A": {"to": "Absent", "same_as": ["Late"]}}
    assert reason(make("attendance/codes", codes).attendance_to("left", "Late")) == "ambiguous_attendance"


def test_a_blank_is_not_a_pupil_who_was_present() -> None:
    done = make().attendance_to("right", None, register_taken=True)
    assert done == AttendanceConverted(None, Attendance.NOT_RECORDED, None)


def test_a_blank_means_present_only_once_the_register_was_taken() -> None:
    mapping = make("attendance/blank_is", "present")
    assert code(mapping.attendance_to("right", "", register_taken=True)) == "Attend"
    assert code(mapping.attendance_to("left", None, register_taken=True)) == "P"
    assert code(mapping.attendance_to("left", None)) is None


def test_a_blank_agrees_with_a_blank_only() -> None:
    said = make().attendance_agrees(None, " ")
    assert isinstance(said, Agreement)
    assert said.equal
    other = make().attendance_agrees("P", None)
    assert isinstance(other, Agreement)
    assert not other.equal


def test_a_mapping_without_attendance_says_so() -> None:
    mapping = make("attendance", None)
    assert reason(mapping.attendance_to("left", "Attend")) == "no_attendance"
    assert reason(mapping.attendance_agrees("P", "Attend")) == "no_attendance"
