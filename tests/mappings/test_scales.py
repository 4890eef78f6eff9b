from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.base.errors import Record
from mappings.scales import (
    SCALES,
    Scale,
    agree,
    canonical_text,
    convert,
    invertible,
    parse_number,
    round_to,
)

PERCENT = Scale("percent")
FORMAL = [Scale(name) for name in ("mark5", "mark10", "mark12", "mark100")]

percents = st.decimals(0, 100, places=2).map(canonical_text)
points = st.integers(0, 40).map(str)


@pytest.mark.parametrize(
    ("percent", "mark"),
    [
        ("0", "2"), ("39", "2"), ("39.49", "2"), ("39.5", "3"), ("40", "3"), ("64.49", "3"), ("64.5", "4"),
        ("65", "4"), ("84.49", "4"), ("84.5", "5"), ("85", "5"), ("100", "5"),
    ],
)  # fmt: skip
def test_percent_becomes_the_five_point_mark_of_order_125(percent: str, mark: str) -> None:
    assert convert(percent, PERCENT, Scale("mark5")).text == mark


def test_rounding_down_keeps_a_half_below_the_threshold() -> None:
    assert convert("39.5", PERCENT, Scale("mark5"), rounding="down").text == "2"
    assert convert("39.1", PERCENT, Scale("mark5"), rounding="up").text == "3"


@pytest.mark.parametrize(("raw", "mark"), [("84.5", "8"), ("85", "9"), ("4.9", "1"), ("5", "1"), ("100", "10")])
def test_percent_becomes_ten_points_half_up(raw: str, mark: str) -> None:
    assert convert(raw, PERCENT, Scale("mark10"), minimum=Decimal(1)).text == mark


def test_nothing_is_rounded_to_the_even_neighbour() -> None:
    assert [convert(f"{n}5", PERCENT, Scale("mark10")).text for n in (1, 2, 3, 4)] == ["2", "3", "4", "5"]


def test_zero_percent_has_no_ten_point_mark_unless_min_names_one() -> None:
    with pytest.raises(Record) as refused:
        convert("0", PERCENT, Scale("mark10"))
    assert refused.value.reason == "below_scale"
    done = convert("0", PERCENT, Scale("mark10"), minimum=Decimal(1))
    assert (done.text, done.clipped) == ("1", True)


def test_a_comma_is_a_decimal_point_and_the_raw_text_is_kept() -> None:
    done = convert("8,50", Scale("points", Decimal(10)), PERCENT)
    assert (done.text, done.raw, done.exact) == ("85", "8,50", Decimal(85))


@pytest.mark.parametrize(
    ("value", "text"),
    [("8", "8"), ("8.0", "8"), ("8.50", "8.5"), ("1E+1", "10"), ("0E-7", "0"), ("-0", "0"), ("100", "100")],
)
def test_canonical_text_has_no_exponent_and_no_trailing_zeros(value: str, text: str) -> None:
    assert canonical_text(Decimal(value)) == text


@pytest.mark.parametrize("raw", ["12/15", "2*", "1e1", "NaN", "-3", "+4", "٣", "1 000", "0x1", "--"])
def test_odd_texts_are_no_numbers(raw: str) -> None:
    assert parse_number(raw) is None


@pytest.mark.parametrize(("scale", "raw"), [("mark5", "6"), ("mark5", "4.5"), ("mark5", "4-"), ("mark10", "0"),
                                            ("mark10", "11"), ("mark12", "13"), ("mark100", "101"), ("mark10", "2*"),
                                            ("mark5pm", "6+"), ("percent", "12/15")])  # fmt: skip
def test_a_mark_off_its_scale_is_refused(scale: str, raw: str) -> None:
    with pytest.raises(Record) as refused:
        Scale(scale).parse(raw)  # type: ignore[arg-type]
    assert refused.value.reason == "not_on_scale"


@pytest.mark.parametrize("word", ["н/а", "УДВ", "осв", "ПЛХ"])
def test_a_word_is_kept_and_never_made_a_number(word: str) -> None:
    assert Scale("mark10").parse(word) == word
    with pytest.raises(Record) as refused:
        convert(word, Scale("mark10"), Scale("mark5"))
    assert refused.value.reason == "word_mark"


def test_an_empty_mark_is_not_a_zero() -> None:
    with pytest.raises(Record) as refused:
        convert("  ", PERCENT, Scale("mark5"))
    assert refused.value.reason == "empty_mark"


@pytest.mark.parametrize("maximum", [None, Decimal(0), Decimal(-1)])
def test_points_need_a_maximum_above_zero(maximum: Decimal | None) -> None:
    with pytest.raises(Record) as refused:
        convert("5", Scale("points", maximum), PERCENT)
    assert refused.value.reason == "no_maximum"


def test_a_bonus_above_the_maximum_is_clipped_and_says_so() -> None:
    done = convert("11", Scale("points", Decimal(10)), Scale("mark10"))
    assert (done.text, done.clipped, done.exact) == ("10", True, Decimal(11))
    assert convert("11", Scale("points", Decimal(10)), Scale("mark5")).clipped


def test_thirds_survive_because_fractions_are_exact() -> None:
    third = Scale("points", Decimal(3))
    assert convert("1", third, Scale("points", Decimal(9))).text == "3"
    assert not convert("1", third, Scale("points", Decimal(9))).lossy
    assert convert("1", third, PERCENT).lossy


def test_bands_are_asked_for_where_no_order_gives_them() -> None:
    with pytest.raises(Record) as refused:
        convert("70", PERCENT, Scale("letter"))
    assert refused.value.reason == "no_bands"
    bands = {"A": Decimal(90), "B": Decimal(70), "F": Decimal(0)}
    assert [convert(p, PERCENT, Scale("letter"), bands=bands).text for p in ("89.4", "89.5", "10")] == ["B", "A", "F"]


@pytest.mark.parametrize(("raw", "text"), [("зач.", "зачёт"), ("ЗАЧЕТ", "зачёт"), ("сынақ", "зачёт"),
                                           ("сынақ емес", "незачёт"), ("Незачёт", "незачёт")])  # fmt: skip
def test_credit_is_understood_in_both_languages(raw: str, text: str) -> None:
    assert Scale("credit").canonical(raw) == text


@pytest.mark.parametrize("raw", ["5", "5+", "5-", "4 -", "1-", "3–"])
def test_signs_beside_five_point_marks_are_legal_and_kept(raw: str) -> None:
    assert Scale("mark5pm").canonical(raw) == raw.replace(" ", "").replace("–", "-")


def test_five_point_signs_are_ordered() -> None:
    order = [f"{n}{sign}" for n in range(1, 6) for sign in ("-", "", "+")]
    values = [Scale("mark5pm").parse(raw) for raw in order]
    assert values == sorted(values, key=Decimal)  # type: ignore[arg-type]
    assert len(set(values)) == 15


def test_a_finer_scale_is_marked_as_widened() -> None:
    assert convert("8", Scale("mark10"), PERCENT).widened
    assert not convert("80", PERCENT, Scale("mark10")).widened


@given(percents, percents, st.sampled_from(FORMAL))
def test_a_better_percent_never_makes_a_worse_mark(one: str, other: str, scale: Scale) -> None:
    low, high = sorted((one, other), key=Decimal)
    marks = [Decimal(convert(raw, PERCENT, scale, minimum=Decimal(1)).text) for raw in (low, high)]
    assert marks[0] <= marks[1]


@given(st.data())
def test_what_is_invertible_comes_back(data: st.DataObject) -> None:
    source, raw = data.draw(_legal_values())
    target = data.draw(
        st.sampled_from([*FORMAL, PERCENT, Scale("points", Decimal(100)), Scale("points", Decimal(36), 0)])
    )
    assume(invertible(source, target))
    there = convert(raw, source, target)
    assert convert(there.text, target, source).text == source.canonical(raw)


@st.composite
def _legal_values(draw: st.DrawFn) -> tuple[Scale, str]:
    scale = draw(
        st.sampled_from([Scale("mark5"), Scale("mark10"), Scale("mark12"), Scale("points", Decimal(36)), PERCENT])
    )
    low, high = {"mark5": (2, 5), "mark10": (1, 10), "mark12": (1, 12), "points": (0, 36), "percent": (0, 100)}[
        scale.name
    ]
    whole = st.integers(low, high).map(str)
    fractions = st.decimals(low, high, places=3).map(canonical_text)
    return scale, draw(whole if scale.name.startswith("mark") else st.one_of(whole, fractions))


def test_ten_points_come_back_from_percent_but_percent_not_from_ten_points() -> None:
    assert invertible(Scale("mark10"), PERCENT)
    assert not invertible(PERCENT, Scale("mark10"))
    assert convert(convert("84", PERCENT, Scale("mark10")).text, Scale("mark10"), PERCENT).text != "84"


@given(st.fractions(0, 1000, max_denominator=10**6), st.integers(0, 5))
def test_rounding_is_half_up_to_the_last_place(value: Fraction, places: int) -> None:
    rounded = round_to(value, places, "half_up")
    quantum = Fraction(1, 10**places)
    assert -quantum / 2 < Fraction(rounded) - value <= quantum / 2


@given(st.decimals(0, 1000, places=4), st.integers(0, 3))
def test_rounding_agrees_with_decimal(value: Decimal, places: int) -> None:
    expected = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    assert round_to(Fraction(value), places, "half_up") == expected


@given(percents, st.sampled_from(FORMAL))
def test_a_converted_mark_agrees_with_what_it_was_made_from(raw: str, scale: Scale) -> None:
    made = convert(raw, PERCENT, scale, minimum=Decimal(1)).text
    said = agree(raw, PERCENT, made, scale, minimum=Decimal(1))
    assert said.equal
    assert said.writable == {"right"}
    assert said.scale == scale.name


def test_marks_are_compared_in_the_coarser_scale() -> None:
    five, ten = Scale("mark5"), Scale("mark10")
    said = agree("84.5", PERCENT, "8", ten)
    assert (said.equal, said.left, said.right, said.writable) == (True, "8", "8", frozenset({"right"}))
    assert not agree("85", PERCENT, "8", ten).equal
    assert agree("4", five, "7", ten).writable == {"left"}
    assert agree("4", five, "7", ten).equal
    assert agree("7", ten, "7,0", ten).writable == {"left", "right"}


def test_a_sign_beside_a_mark_does_not_disagree_with_a_percent() -> None:
    assert agree("70", PERCENT, "4-", Scale("mark5pm")).equal
    assert agree("4", Scale("mark5"), "4+", Scale("mark5pm")).equal
    assert not agree("4", Scale("mark5pm"), "4+", Scale("mark5pm")).equal


def test_a_word_agrees_with_the_same_word_only() -> None:
    ten = Scale("mark10")
    assert agree("осв", PERCENT, "ОСВ", ten).equal
    assert not agree("осв", PERCENT, "8", ten).equal
    assert agree("осв", PERCENT, "8", ten).writable == frozenset()


def test_whole_points_of_one_maximum_pass_as_they_are() -> None:
    done = convert("27", Scale("points", Decimal(36)), Scale("points", Decimal(36), 0))
    assert (done.text, done.lossy, done.widened) == ("27", False, False)
    halves = convert("27.5", Scale("points", Decimal(36)), Scale("points", Decimal(36), 0))
    assert (halves.text, halves.lossy) == ("28", True)


def test_every_scale_has_its_number_of_levels() -> None:
    assert {name: Scale(name, Decimal(10), 0).levels for name in SCALES} == {
        "points": 11, "percent": 11, "mark5": 5, "mark5pm": 5, "mark10": 10, "mark12": 12, "mark100": 101,
        "letter": 5, "credit": 2, "text": 1,
    }  # fmt: skip


@given(percents, points)
def test_no_float_ever_touches_a_mark(percent: str, score: str) -> None:
    for done in (convert(percent, PERCENT, Scale("mark5")), convert(score, Scale("points", Decimal(40)), PERCENT)):
        assert isinstance(done.exact, Decimal)
        assert isinstance(done.text, str)
        assert "E" not in done.text
