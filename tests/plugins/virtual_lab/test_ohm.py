"""The lab's arithmetic: pure, seeded and scored the same everywhere."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.virtual_lab.ohm import (
    MAX_VOLTAGE,
    MAXIMUM,
    MIN_VOLTAGE,
    STEP,
    Reading,
    circuit_of,
    read_number,
    read_voltage,
    score,
    total,
)

SEEDS = st.integers(0, 2**31 - 1)


def measured(circuit, voltages):
    return [Reading(Decimal(v), circuit.current(Decimal(v))) for v in voltages]


@given(SEEDS)
def test_the_same_seed_gives_the_same_circuit(seed):
    assert circuit_of(seed) == circuit_of(seed)


@given(SEEDS)
def test_the_asked_voltage_cannot_be_measured(seed):
    assert circuit_of(seed).asked_voltage > MAX_VOLTAGE


def test_pupils_next_to_each_other_have_different_circuits():
    assert len({circuit_of(seed) for seed in range(60)}) > 20


@given(SEEDS)
def test_an_honest_pupil_with_the_ammeters_own_readings_gets_every_point(seed):
    circuit = circuit_of(seed)
    readings = measured(circuit, ("2", "4", "6", "8", "10", "12"))
    resistance = sum(one.voltage for one in readings) / sum(one.current for one in readings)
    current = circuit.asked_voltage / resistance
    answers = {"resistance": f"{resistance:.1f}".replace(".", ","), "current": f"{current:.3f}", "law": "direct"}
    assert total(score(circuit, readings, answers)) == MAXIMUM


@pytest.mark.parametrize(
    ("off", "points"), [("1.00", 4), ("1.05", 4), ("0.95", 4), ("1.0501", 2), ("1.10", 2), ("1.1001", 0), ("0.5", 0)]
)
def test_the_resistance_is_scored_by_its_distance_and_the_bounds_belong_to_the_better_side(off, points):
    circuit = circuit_of(7)
    answers = {"resistance": str(circuit.resistance * Decimal(off))}
    parts = {part.code: part.given for part in score(circuit, [], answers)}
    assert parts["resistance"] == points


@pytest.mark.parametrize(
    ("voltages", "points"),
    [
        ([], 0),
        (["6"] * 9, 0),
        (["1", "2", "3", "4", "5"], 1),
        (["1", "12"], 1),
        (["1", "2", "3", "4", "7"], 2),
        (["6", "7", "8", "9", "11.5"], 1),
    ],
)
def test_measuring_is_scored_by_how_many_voltages_and_how_wide(voltages, points):
    circuit = circuit_of(1)
    assert score(circuit, measured(circuit, voltages), {})[0].given == points


def test_an_empty_report_scores_zero_and_not_less():
    assert total(score(circuit_of(3), [], {})) == 0


@given(SEEDS, st.dictionaries(st.sampled_from(["resistance", "current", "law"]), st.text(max_size=30)))
def test_no_answer_breaks_the_scoring_or_leaves_its_bounds(seed, answers):
    assert 0 <= total(score(circuit_of(seed), [], answers)) <= MAXIMUM


@given(st.text(max_size=12))
def test_only_voltages_of_the_source_are_read(text):
    voltage = read_voltage(text)
    assert voltage is None or (MIN_VOLTAGE <= voltage <= MAX_VOLTAGE and voltage % STEP == 0)


@pytest.mark.parametrize(("text", "value"), [("6", "6"), ("6,5", "6.5"), (" 1 2 ", "12"), ("0.5", "0.5")])
def test_a_comma_and_spaces_are_understood(text, value):
    assert read_voltage(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "0", "13", "6.3", "NaN", "Infinity", "1e9", "-6", "алты", "9" * 30])
def test_what_the_source_cannot_give_is_refused(text):
    assert read_voltage(text) is None


@pytest.mark.parametrize("text", ["NaN", "inf", "1e999", "", "12Ω"])
def test_numbers_that_are_none_are_not_read(text):
    assert read_number(text) is None
