"""Ohm's law: an unknown resistor, a source that can be set, a voltmeter and an ammeter.

Everything that is scored is recomputed here from the seed; a browser only shows what it was told. Currents are in
amperes, voltages in volts, resistances in ohms, all as Decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from random import Random

MAXIMUM = Decimal(10)
MIN_VOLTAGE, MAX_VOLTAGE, STEP = Decimal("0.5"), Decimal(12), Decimal("0.5")
WANTED_READINGS = 5
WANTED_RANGE = Decimal(6)
MAX_READINGS = 60
# The ammeter shows whole milliamperes.
RESOLUTION = Decimal("0.001")
_E24 = (15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91, 110, 120)


@dataclass(frozen=True)
class Circuit:
    """One pupil's circuit.

    Attributes:
        resistance: The unknown resistor, from the E24 series.
        asked_voltage: Voltage at which the current is to be predicted; the source cannot be set so high.
    """

    resistance: Decimal
    asked_voltage: Decimal

    def current(self, voltage: Decimal) -> Decimal:
        """Return what the ammeter shows at a voltage."""
        return (voltage / self.resistance).quantize(RESOLUTION, ROUND_HALF_UP)


@dataclass(frozen=True)
class Reading:
    """One reading, as the server took it."""

    voltage: Decimal
    current: Decimal


@dataclass(frozen=True)
class Part:
    """One part of the score: ``given`` of ``maximum`` points, under a stable code."""

    code: str
    given: Decimal
    maximum: Decimal


def circuit_of(seed: int) -> Circuit:
    """Return the circuit of a seed; the same seed gives the same circuit for ever."""
    draw = Random(seed)  # noqa: S311 -- reproducible on purpose; the seed itself is drawn from the system's source.
    return Circuit(Decimal(draw.choice(_E24)), Decimal(draw.choice((15, 18, 20, 24))))


def read_voltage(text: str) -> Decimal | None:
    """Return a voltage the source can be set to, or None."""
    value = read_number(text)
    if value is None or not MIN_VOLTAGE <= value <= MAX_VOLTAGE or value % STEP:
        return None
    return value


def read_number(text: str) -> Decimal | None:
    """Return a finite number of a person's input; a comma is a decimal point, spaces are passed over."""
    cleaned = "".join(text.split()).replace(",", ".")
    if not 0 < len(cleaned) <= 20:
        return None
    try:
        value = Decimal(cleaned)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < Decimal(10) ** 9 else None


def score(circuit: Circuit, readings: Sequence[Reading], answers: dict[str, str]) -> tuple[Part, ...]:
    """Score a report: how it was measured, what was found, what follows from it.

    Args:
        circuit: The pupil's circuit.
        readings: What the server recorded.
        answers: ``resistance`` in ohms, ``current`` in amperes at the asked voltage, ``law`` one of ``direct``,
            ``inverse``, ``none``.
    """
    asked = circuit.asked_voltage / circuit.resistance
    return (
        Part("readings", _measured(readings), Decimal(2)),
        Part("resistance", _near(answers.get("resistance", ""), circuit.resistance, Decimal(4)), Decimal(4)),
        Part("prediction", _near(answers.get("current", ""), asked, Decimal(3)), Decimal(3)),
        Part("law", Decimal(1) if answers.get("law") == "direct" else Decimal(0), Decimal(1)),
    )


def _measured(readings: Sequence[Reading]) -> Decimal:
    """Return a point for enough different voltages and a point for a wide enough range of them."""
    voltages = {reading.voltage for reading in readings}
    enough = len(voltages) >= WANTED_READINGS
    wide = bool(voltages) and max(voltages) - min(voltages) >= WANTED_RANGE
    return Decimal(enough) + Decimal(wide)


def _near(text: str, truth: Decimal, points: Decimal) -> Decimal:
    """Return all points within 5 %, half within 10 %."""
    value = read_number(text)
    if value is None:
        return Decimal(0)
    off = abs(value - truth) / truth
    if off <= Decimal("0.05"):
        return points
    return points / 2 if off <= Decimal("0.10") else Decimal(0)


def total(parts: Sequence[Part]) -> Decimal:
    """Return the points of all parts."""
    return sum((part.given for part in parts), Decimal(0))
