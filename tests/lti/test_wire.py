"""Exact numbers and instants on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti.tool.wire import canonical, from_json, instant, number, read_instant, text, to_json

MARKS = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=5)


@given(MARKS)
def test_a_mark_is_written_with_exactly_its_value(mark):
    shown = to_json(mark)
    assert Decimal(shown) == mark
    assert "e" not in shown.lower()
    assert not (("." in shown) and shown.endswith(("0", ".")))
    assert from_json(shown) == mark


@given(MARKS)
def test_every_json_reader_takes_the_number(mark):
    assert json.loads(to_json({"scoreGiven": mark})) == {"scoreGiven": float(mark) if mark % 1 else int(mark)}


@pytest.mark.parametrize(
    ("mark", "shown"),
    [("87.5", "87.5"), ("87.50", "87.5"), ("100", "100"), ("1E+2", "100"), ("0", "0"), ("-0", "0"), ("0.00", "0"),
     ("0.1", "0.1"), ("33.333333333333333333", "33.333333333333333333"), ("5E-3", "0.005")],
)  # fmt: skip
def test_canonical_text(mark, shown):
    assert canonical(Decimal(mark)) == shown


@pytest.mark.parametrize("mark", ["NaN", "Infinity", "-Infinity", "1E+999999", "1E-999999"])
def test_what_no_mark_can_be_is_not_written(mark):
    with pytest.raises(ValueError, match="number"):
        to_json(Decimal(mark))
    assert number(mark) is None


@pytest.mark.parametrize("value", [0.1, {"a": 0.1}, [1.5], object(), {1, 2}, b"x"])
def test_floats_are_never_written(value):
    with pytest.raises(TypeError):
        to_json(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_everything_else_is_written_as_the_standard_library_reads_it(value):
    assert json.loads(to_json(value)) == value


def test_numbers_are_read_without_a_float_between():
    assert from_json(b'{"a": 0.1, "b": 35, "c": 1e2}') == {"a": Decimal("0.1"), "b": 35, "c": Decimal("1E+2")}


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b"<html>", b"", b"[" * 100_000])
def test_what_is_not_json_is_a_value_error(body):
    with pytest.raises(ValueError):
        from_json(body)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (35, Decimal(35)),
        ("35.5", Decimal("35.5")),
        (True, None),
        (None, None),
        ("x", None),
        ([], None),
        (Decimal("1.5"), Decimal("1.5")),
    ],
)
def test_a_number_may_come_as_text(value, read):
    assert number(value) == read


@pytest.mark.parametrize(("value", "read"), [("a", "a"), (" ", None), ("", None), (5, "5"), (True, None), (None, None)])
def test_ids_are_text_even_when_sent_as_numbers(value, read):
    assert text(value) == read


def test_an_instant_is_utc_with_milliseconds_and_z():
    moment = datetime(2026, 11, 22, 2, 52, 17, 123456, tzinfo=timezone(timedelta(hours=5)))
    assert instant(moment) == "2026-11-21T21:52:17.123Z"
    with pytest.raises(ValueError, match="zone"):
        instant(datetime(2026, 11, 22))  # noqa: DTZ001 - the very thing refused.


def test_moodles_instants_in_the_sites_zone_are_read():
    assert read_instant("2026-11-22T02:52:13+05:00") == datetime(2026, 11, 21, 21, 52, 13, tzinfo=UTC)
    assert read_instant("2026-11-22T02:52:13") is None
    assert read_instant("yesterday") is None
    assert read_instant(None) is None
