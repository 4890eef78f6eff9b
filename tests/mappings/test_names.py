from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.names import class_label, fold_name, is_damaged, normalise_name, search_words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Айгүл  Қасымова", " айгүл қасымова"),
        ("Әлия\u00a0Нұрлан", "Əлия Нұрлан"),
        ("Айгүл", unicodedata.normalize("NFD", "Айгүл")),
        ("Семёнова", "СЕМЕНОВА"),
        ("Анна – Мария", "Анна-Мария"),
        ("Iлияс", "Ілияс"),
        ("Cергей", "Сергей"),
        ("Жаhан", "Жаһан"),
    ],
)
def test_spellings_of_one_name_meet(one: str, other: str) -> None:
    assert normalise_name(one) == normalise_name(other)


@pytest.mark.parametrize(("one", "other"), [("Нұрсұлтан", "Нурсултан"), ("Әсел", "Асел"), ("Айым", "Айим")])
def test_kazakh_and_russian_spellings_stay_apart_until_folded(one: str, other: str) -> None:
    assert normalise_name(one) != normalise_name(other)


def test_folding_brings_candidates_together() -> None:
    assert fold_name("Нұрсұлтан Әбіш") == fold_name("Нурсултан Абиш")
    assert search_words("Қасымова Айгүл") == search_words("Айгуль Касымова".replace("ь", ""))


def test_a_latin_name_is_left_latin() -> None:
    assert normalise_name("Anna Schmidt") == "anna schmidt"


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normalise_name(normalise_name(name)) == normalise_name(name)


@pytest.mark.parametrize(("name", "damaged"), [("?йг?л", True), ("Айгүл", False), ("А\ufffdгүл", True), ("?", False)])
def test_letters_lost_on_the_way_are_noticed(name: str, damaged: bool) -> None:
    assert is_damaged(name) is damaged


@pytest.mark.parametrize(
    "text", ["7 «А»", "7А", "7A", "7-А", "7 а", "7-a класс", "7 «А» сыныбы", '7 "А"', "7А.", "7„А“"]
)
def test_labels_of_one_class_meet(text: str) -> None:
    assert class_label(text) == "7А"


@pytest.mark.parametrize(
    ("text", "label"), [("11 Ә", "11Ә"), ("0А", "0А"), ("9", "9"), ("7А-ALG-2026", None), ("13А", None), ("", None)]
)
def test_what_is_no_class_has_no_label(text: str, label: str | None) -> None:
    assert class_label(text) == label
