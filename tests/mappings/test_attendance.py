from __future__ import annotations

from typing import Literal

import pytest

from connector.base.errors import Record
from mappings.attendance import Attendance, from_letter, from_word


@pytest.mark.parametrize(
    ("letter", "language", "meaning"),
    [
        ("н", "ru", "absent_unexcused"), ("П", "ru", "absent_excused"), ("б", "ru", "absent_ill"), ("о", "ru", "late"),
        ("ж", "kk", "absent_unexcused"), ("д", "kk", "absent_excused"), ("А", "kk", "absent_ill"), ("к", "kk", "late"),
        ("H", "ru", "absent_unexcused"), ("o", "ru", "late"), ("B", "ru", "absent_ill"), ("A", "kk", "absent_ill"),
        ("K", "kk", "late"), (" ", "ru", "not_recorded"), ("", "kk", "not_recorded"),
    ],
)  # fmt: skip
def test_letters_mean_what_their_language_says(letter: str, language: Literal["kk", "ru"], meaning: str) -> None:
    assert from_letter(letter, language) == Attendance(meaning)


@pytest.mark.parametrize(("letter", "language"), [("ж", "ru"), ("н", "kk"), ("A", "ru"), ("қ/н", "kk"), ("5", "ru")])
def test_a_letter_of_another_language_is_not_guessed(letter: str, language: Literal["kk", "ru"]) -> None:
    with pytest.raises(Record) as refused:
        from_letter(letter, language)
    assert refused.value.reason == "unknown_attendance"


def test_the_same_letter_says_other_things_in_a_register_and_in_moodle() -> None:
    assert from_letter("A", "kk") is Attendance.ABSENT_ILL
    assert from_word("A", "moodle") is Attendance.ABSENT_UNEXCUSED


@pytest.mark.parametrize(("word", "system"), [("attend", "kundelik"), ("X", "moodle"), ("P", "oneroster")])
def test_an_unknown_word_stays_unknown(word: str, system: str) -> None:
    with pytest.raises(Record):
        from_word(word, system)
