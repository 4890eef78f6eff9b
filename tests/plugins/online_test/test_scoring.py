from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.online_test.model import Question
from plugins.online_test.numbers import parse_number, rounded
from plugins.online_test.scoring import matches, maximum, points, share, total
from tests.plugins.online_test.kit import question

D, F = Decimal, Fraction
SINGLE = question("q {=a ~%50%b ~c ~%-50%d}")
MULTI = question("q {~%33.33333%a ~%33.33333%b ~%33.33333%c ~%-50%d ~e}")
TRUTH = question("q {F}")
NUMBER = question("q {# =3,14:0,01 =%50%3 =%25%10..20}")
WORD = question("q {=Нұр-Сұлтан* =%50%Астана =\\*звезда\\* =%25%*тау*көл*}")
PAIRS = question("q {=1 -> a =2 -> b =3 -> c =4 -> a = -> d}")


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        (SINGLE, None, F(0)),
        (SINGLE, 0, F(1)),
        (SINGLE, 1, F(1, 2)),
        (SINGLE, 2, F(0)),
        (SINGLE, 3, F(0)),
        (MULTI, None, F(0)),
        (MULTI, [], F(0)),
        (MULTI, [0], F(1, 3)),
        (MULTI, [0, 1], F(2, 3)),
        (MULTI, [0, 1, 2], F(1)),
        (MULTI, [0, 1, 2, 4], F(1)),
        (MULTI, [0, 1, 2, 3], F(1, 2)),
        (MULTI, [0, 3], F(0)),
        (MULTI, [3], F(0)),
        (MULTI, [0, 1, 3], F(1, 6)),
        (TRUTH, None, F(0)),
        (TRUTH, 0, F(0)),
        (TRUTH, 1, F(1)),
        (NUMBER, None, F(0)),
        (NUMBER, "3,14", F(1)),
        (NUMBER, "3.14", F(1)),
        (NUMBER, " +3,140 ", F(1)),
        (NUMBER, "3,13", F(1)),
        (NUMBER, "3.15", F(1)),
        (NUMBER, "3.1500000000000000000000001", F(0)),
        (NUMBER, "3.12999999999999999999999", F(0)),
        (NUMBER, "314e-2", F(1)),
        (NUMBER, "3", F(1, 2)),
        (NUMBER, "10", F(1, 4)),
        (NUMBER, "20", F(1, 4)),
        (NUMBER, "20,0001", F(0)),
        (NUMBER, "", F(0)),
        (NUMBER, "three", F(0)),
        (NUMBER, "3,14 см", F(0)),
        (NUMBER, "NaN", F(0)),
        (NUMBER, "Infinity", F(0)),
        (NUMBER, "1e99999", F(0)),
        (NUMBER, "٣", F(0)),
        (WORD, None, F(0)),
        (WORD, "", F(0)),
        (WORD, "Нұр-Сұлтан", F(1)),
        (WORD, "  нұр-сұлтан   қаласы ", F(1)),
        (WORD, "Астана", F(1, 2)),
        (WORD, "АСТАНА", F(1, 2)),
        (WORD, "Acтaнa", F(1, 2)),
        (WORD, "*звезда*", F(1)),
        (WORD, "звезда", F(0)),
        (WORD, "алатау мен алакөл", F(1, 4)),
        (WORD, "көл тау", F(0)),
        (WORD, "Алматы", F(0)),
        (PAIRS, None, F(0)),
        (PAIRS, [None, None, None, None], F(0)),
        (PAIRS, [0, None, None, None], F(1, 4)),
        (PAIRS, [0, 1, 2, 0], F(1)),
        (PAIRS, [1, 0, 2, 0], F(1, 2)),
        (PAIRS, [3, 3, 3, 3], F(0)),
    ],
)
def test_share_of_the_points(asked: Question, answer: object, expected: Fraction):
    assert share(asked, answer) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "strict", "fits"),
    [
        ("Абай", "абай", False, True),
        ("Абай", "абай", True, False),
        ("Абай", "Абай", True, True),
        ("ғылым", "ғылым ", False, True),
        ("білім", "бiлiм", False, True),
        ("ёлка", "елка", False, True),
        ("a  b", "a b", False, True),
        ("a*", "a", False, True),
        ("*", "anything", False, True),
        ("*", "  ", False, False),
        ("a*b*c", "a1b2c", False, True),
        ("a*b*c", "acb", False, False),
        ("ab*ba", "aba", False, False),
        ("x.y", "xay", False, False),
        ("*a*a*a*a*a*a*a*a*b", "a" * 500, False, False),
        ("cafe\u0301", "caf\u00e9", False, True),
        ("x²", "x2", False, False),
    ],
)
def test_short_answers_are_compared_as_a_teacher_would(pattern: str, text: str, strict: bool, fits: bool):
    assert matches(pattern, text, strict) is fits


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 000 000", F(10**6)),
        ("1\u00a0000,5", F(2001, 2)),
        ("\u22125", F(-5)),
        ("- 5", F(-5)),
        (",5", F(1, 2)),
        ("5,", F(5)),
        ("1 00", None),
        ("1,2,3", None),
        ("", None),
        ("-", None),
        ("0x10", None),
        ("1_000", None),
        ("1" * 40, None),
    ],
)
def test_numbers_as_people_write_them(text: str, value: Fraction | None):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        (F(1, 3), "0.33"),
        (F(2, 3), "0.67"),
        (F(1, 200), "0.01"),
        (F(3, 200), "0.02"),
        (F(1, 1000), "0.00"),
        (F(25, 200), "0.13"),
        (F(7), "7.00"),
        (F(0), "0.00"),
    ],
)
def test_rounding_is_half_up_to_two_places(exact: Fraction, shown: str):
    assert str(rounded(exact)) == shown


def test_thirds_are_added_before_they_are_rounded():
    assert total([(MULTI, [0])] * 3) == D(1)
    assert total([(MULTI, [0])] * 2) == D("0.67")


def test_points_follow_the_weight_of_a_question():
    from dataclasses import replace

    heavy = replace(PAIRS, points=D("2.5"))
    assert points(heavy, [0, 1, 2, None]) == F(15, 8)
    assert total([(heavy, [0, 1, 2, None]), (TRUTH, 1)]) == D("2.88")
    assert maximum([heavy, TRUTH]) == D("3.5")


ANSWERED = st.one_of(
    st.tuples(st.just(SINGLE), st.none() | st.integers(0, 3)),
    st.tuples(st.just(MULTI), st.none() | st.lists(st.integers(0, 4), unique=True)),
    st.tuples(st.just(NUMBER), st.none() | st.text(max_size=20) | st.decimals(-50, 50, places=2).map(str)),
    st.tuples(st.just(WORD), st.none() | st.text(max_size=20)),
    st.tuples(st.just(PAIRS), st.none() | st.lists(st.none() | st.integers(0, 3), min_size=4, max_size=4)),
)


@given(st.lists(ANSWERED, max_size=6))
def test_a_total_is_never_below_zero_nor_above_the_maximum(answered: list[tuple[Question, object]]):
    score = total(answered)
    assert 0 <= score <= maximum(q for q, _ in answered)
    assert score == score.quantize(D("0.01"))
