"""Scales of marks, and how a mark passes from one to another.

Arithmetic is exact (fractions inside, ``Decimal`` outside) and rounds half up; a binary float never touches a mark.
A mark that passes to a coarser scale loses something (``lossy``); one that passes to a finer scale would claim
something nobody said (``widened``), which the rules of a mapping refuse to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Literal, get_args

from connector.base.errors import Record
from connector.base.i18n import N_, say

ScaleName = Literal["points", "percent", "mark5", "mark5pm", "mark10", "mark12", "mark100", "letter", "credit", "text"]
Rounding = Literal["half_up", "down", "up"]
Bands = Mapping[str, Decimal]
SCALES: tuple[ScaleName, ...] = get_args(ScaleName)

ORDER_125_BANDS: Bands = {"2": Decimal(0), "3": Decimal(40), "4": Decimal(65), "5": Decimal(85)}
"""Lowest whole percent of each mark: order №125 of 18.03.2008 of the Minister of Education and Science, annex 1."""

ENDLESS = 10**12
"""The number of levels of a scale that takes fractions: more than any scale of whole marks has."""
PLACES = 5
"""Decimal places kept where a scale takes fractions; Moodle stores grades as NUMERIC(10,5)."""

_NUMBER = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,30}))?")
_PLUS_MINUS = re.compile(r"([1-5])\s?([+\-−–]?)")
_LIMITS = {"mark5": (1, 5), "mark5pm": (1, 5), "mark10": (1, 10), "mark12": (1, 12), "mark100": (0, 100)}
_LETTERS = ("F", "D", "C", "B", "A")
_LOOK_ALIKE = str.maketrans("АВС", "ABC")
_CREDIT = {
    "незачёт": 0, "незачет": 0, "незач": 0, "нз": 0, "сынақ емес": 0, "no credit": 0, "fail": 0,
    "зачёт": 1, "зачет": 1, "зач": 1, "зч": 1, "сынақ": 1, "credit": 1, "pass": 1,
}  # fmt: skip
_CREDIT_WORDS = ("незачёт", "зачёт")
_BANDED = ("mark5", "mark5pm", "letter", "credit")
_STEPS = {"credit": 2, "letter": 5, "mark5": 5, "mark5pm": 5, "mark10": 10, "mark12": 12, "mark100": 101, "text": 1}


def canonical_text(value: Decimal) -> str:
    """Return a number as marks are stored: no exponent, no trailing zeros, no plus (``8``, ``8.5``)."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse_number(raw: str) -> Decimal | None:
    """Return a mark written with a point or a comma as a Decimal, or None when it is no plain number."""
    match = _NUMBER.fullmatch(raw.strip())
    return Decimal(f"{match[1]}.{match[2] or '0'}") if match else None


@dataclass(frozen=True)
class Scale:
    """One scale, with what an item adds to it.

    Attributes:
        name: Which scale.
        maximum: Points of the item, for ``points`` and ``percent`` (percent without a maximum is out of 100).
        decimals: Decimal places the scale takes, for ``points`` and ``percent``; None for any.
    """

    name: ScaleName
    maximum: Decimal | None = None
    decimals: int | None = None

    @property
    def levels(self) -> int:
        """How many values the scale can tell apart: the fewer, the coarser.

        ``mark5pm`` counts as ``mark5``: a sign beside the mark is kept, but no rule says which percent earns it.
        """
        if self.name in ("points", "percent"):
            return ENDLESS if self.decimals is None else int(self.top * 10**self.decimals) + 1
        return _STEPS[self.name]

    @property
    def top(self) -> Fraction:
        """The highest number of the scale.

        Raises:
            Record: Points without a maximum, or a maximum of zero (``no_maximum``).
        """
        if self.name in _LIMITS:
            return Fraction(_LIMITS[self.name][1])
        maximum = Decimal(100) if self.maximum is None and self.name == "percent" else self.maximum
        if maximum is None or maximum <= 0:
            raise Record("no_maximum", say(N_("Points mean nothing without the work's maximum, and it must exceed 0.")))
        return Fraction(maximum)

    def parse(self, raw: str) -> Decimal | str:
        """Return the place of a raw value on the scale, or the word itself where it is a word.

        Letters stand as 0–4 (F–A), credit as 0 and 1, a sign beside a five-point mark as ±0.3.

        Raises:
            Record: The value is not on this scale (``not_on_scale``), or is empty (``empty_mark``).
        """
        text = " ".join(raw.split())
        if not text:
            raise Record("empty_mark", say(N_("The mark is empty.")))
        if self.name == "text":
            return text
        value = _READERS.get(self.name, _read_number)(text)
        if value is None:
            if parse_number(text) is None and not re.search(r"[0-9]", text):
                return text
            raise self._refuse(text)
        if self.name in _LIMITS and not self._has(value):
            raise self._refuse(text)
        return value

    def _has(self, value: Decimal) -> bool:
        low, high = _LIMITS[self.name]
        return low - 1 < value < high + 1 if self.name == "mark5pm" else low <= value <= high and value % 1 == 0

    def _refuse(self, text: str) -> Record:
        return Record("not_on_scale", say(N_("“{mark}” is not on the scale {scale}."), mark=text, scale=self.name))

    def write(self, value: Decimal) -> str:
        """Return the canonical text of a place on the scale."""
        if self.name == "letter":
            return _LETTERS[int(value)]
        if self.name == "credit":
            return _CREDIT_WORDS[int(value)]
        if self.name == "mark5pm":
            mark = int(value + Decimal("0.5"))
            return f"{mark}{'+' if value > mark else '-' if value < mark else ''}"
        return canonical_text(value)

    def canonical(self, raw: str) -> str:
        """Return the raw value's canonical text; a word stays as it is.

        Raises:
            Record: As ``parse``.
        """
        value = self.parse(raw)
        return value if isinstance(value, str) else self.write(value)


def _read_number(text: str) -> Decimal | None:
    return parse_number(text)


def _read_plus_minus(text: str) -> Decimal | None:
    match = _PLUS_MINUS.fullmatch(text)
    if match is None:
        return None
    sign = {"": Decimal(0), "+": Decimal("0.3")}.get(match[2], Decimal("-0.3"))
    return Decimal(match[1]) + sign


def _read_letter(text: str) -> Decimal | None:
    letter = text.upper().translate(_LOOK_ALIKE)
    return Decimal(_LETTERS.index(letter)) if letter in _LETTERS else None


def _read_credit(text: str) -> Decimal | None:
    value = _CREDIT.get(text.casefold().rstrip("."))
    return None if value is None else Decimal(value)


_READERS = {"mark5pm": _read_plus_minus, "letter": _read_letter, "credit": _read_credit}


@dataclass(frozen=True)
class Converted:
    """A mark on its new scale.

    Attributes:
        text: Canonical text to write (``8``, ``8.5``, ``4``).
        exact: The value before rounding, on the new scale (percent, for scales that go by bands).
        raw: What it was made from, as it stood.
        lossy: Rounding, a band or a bound took something of the old value away.
        widened: The new scale is finer than the old: the value claims more than was said, and is not to be written.
        clipped: The value was above the new scale's top, or below its minimum, and was moved to it.
    """

    text: str
    exact: Decimal | None
    raw: str
    lossy: bool = False
    widened: bool = False
    clipped: bool = False


def round_to(value: Fraction, places: int, rounding: Rounding) -> Decimal:
    """Round a value that is not negative to decimal places; halves go up unless told otherwise."""
    shifted = value * 10**places
    whole = {"half_up": floor(shifted + Fraction(1, 2)), "down": floor(shifted), "up": ceil(shifted)}[rounding]
    return Decimal(whole).scaleb(-places)


def invertible(source: Scale, target: Scale) -> bool:
    """Tell whether every value of the source comes back unchanged from the target (up to five decimal places)."""
    if source.name == target.name and source.name not in ("points", "percent"):
        return True
    if "text" in (source.name, target.name) or "mark5pm" in (source.name, target.name):
        return False
    if source.levels == target.levels == ENDLESS:
        return source.top <= target.top
    return source.levels < target.levels


def convert(
    raw: str,
    source: Scale,
    target: Scale,
    *,
    rounding: Rounding = "half_up",
    minimum: Decimal | None = None,
    bands: Bands | None = None,
) -> Converted:
    """Carry a mark from one scale to another.

    Args:
        raw: The mark as the source system gives it.
        source: Its scale.
        target: The scale wanted.
        rounding: How a value between two marks goes; percents are rounded to whole ones before bands are looked up.
        minimum: Lowest number written, on the target scale.
        bands: Lowest whole percent of each value, for scales that go by bands; order №125 serves five-point marks.

    Raises:
        Record: Not on the scale, empty, a word on a scale of numbers (``word_mark``), no maximum, no bands
            (``no_bands``), or below the lowest mark of the target scale (``below_scale``).
    """
    value = source.parse(raw)
    if isinstance(value, str):
        return _convert_word(value, raw, target)
    if _same_marks(source, target):
        return _convert_same(value, raw, target, minimum)
    ratio = _ratio(value, source, bands)
    if target.name == "text":
        raise Record("no_words", say(N_("A number cannot be turned into words of the scale text.")))
    if target.name in _BANDED:
        return _into_bands(ratio, raw, source, target, (rounding, minimum, _bands_of(target, bands)))
    return _into_numbers(ratio, raw, source, target, (rounding, minimum))


def _same_marks(source: Scale, target: Scale) -> bool:
    pair = {source.name, target.name}
    return pair <= {"mark5", "mark5pm"} or (len(pair) == 1 and source.name not in ("points", "percent"))


def _convert_word(word: str, raw: str, target: Scale) -> Converted:
    if target.name == "text":
        return Converted(word, None, raw)
    message = N_("“{mark}” is a word, and the scale {scale} takes none: a person decides what it becomes.")
    raise Record("word_mark", say(message, mark=word, scale=target.name))


def _convert_same(value: Decimal, raw: str, target: Scale, minimum: Decimal | None) -> Converted:
    kept = value if target.name == "mark5pm" else Decimal(int(value + Decimal("0.5")))
    low = minimum is not None and kept < minimum and target.name in _LIMITS
    written = minimum if low and minimum is not None else kept
    return Converted(target.write(written), value, raw, lossy=written != value, clipped=low)


def _ratio(value: Decimal, source: Scale, bands: Bands | None) -> Fraction:
    """Return the share of the highest result, 1 for all of it; a banded mark stands at its band's lower edge."""
    if source.name not in _BANDED:
        return Fraction(value) / source.top
    plain = source.write(Decimal(int(value + Decimal("0.5"))))
    known = _bands_of(source, bands)
    if plain not in known:
        message = N_("No band says which percent the mark “{mark}” begins at.")
        raise Record("no_bands", say(message, mark=plain))
    return Fraction(known[plain]) / 100


def _bands_of(scale: Scale, bands: Bands | None) -> Bands:
    known = bands or (ORDER_125_BANDS if scale.name in ("mark5", "mark5pm") else None)
    if not known:
        message = N_("The scale {scale} needs bands: the lowest percent of each of its values.")
        raise Record("no_bands", say(message, scale=scale.name))
    return {scale.write(_plain(scale, word)): lowest for word, lowest in known.items()}


def _plain(scale: Scale, word: str) -> Decimal:
    value = scale.parse(word)
    if isinstance(value, str):
        raise Record("not_on_scale", say(N_("“{mark}” is not on the scale {scale}."), mark=word, scale=scale.name))
    return value


def _into_bands(
    ratio: Fraction, raw: str, source: Scale, target: Scale, how: tuple[Rounding, Decimal | None, Bands]
) -> Converted:
    rounding, minimum, bands = how
    percent = round_to(ratio * 100, 0, rounding)
    reached = [(lowest, word) for word, lowest in bands.items() if lowest <= percent]
    if not reached:
        raise _below(percent, target)
    place = _plain(target, max(reached)[1])
    low = minimum is not None and place < minimum and target.name in _LIMITS
    place = minimum if low and minimum is not None else place
    exact = _decimal(ratio * 100)
    wide = target.levels > source.levels
    return Converted(target.write(place), exact, raw, lossy=not wide, widened=wide, clipped=low or ratio > 1)


def _into_numbers(
    ratio: Fraction, raw: str, source: Scale, target: Scale, how: tuple[Rounding, Decimal | None]
) -> Converted:
    rounding, minimum = how
    exact = ratio * target.top
    wide = target.levels > source.levels
    places = target.decimals if target.decimals is not None else PLACES if target.name in ("points", "percent") else 0
    # A banded mark stands at its band's lower edge: rounded down it would fall into the band below.
    rounded = round_to(exact, places, "up" if source.name in _BANDED else rounding)
    bounded = min(rounded, _decimal(target.top))
    if minimum is not None:
        bounded = max(bounded, minimum)
    lowest = _LIMITS.get(target.name, (0, 0))[0]
    if source.name in _BANDED:
        bounded = max(bounded, Decimal(lowest))
    if bounded < lowest:
        raise _below(_decimal(ratio * 100), target)
    lossy = Fraction(bounded) != exact
    return Converted(canonical_text(bounded), _decimal(exact), raw, lossy, wide, clipped=bounded != rounded)


def _below(percent: Decimal, target: Scale) -> Record:
    message = N_("{percent} % is below the lowest mark of {scale}: say with “min” which mark it becomes.")
    return Record("below_scale", say(message, percent=canonical_text(percent), scale=target.name))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@dataclass(frozen=True)
class Agreement:
    """Whether two cells say the same, told in the coarser of their scales.

    Attributes:
        equal: They agree.
        scale: The scale they were compared in.
        writable: Sides that may be written from the other without claiming more than was said.
        left: The left value on that scale, canonical text.
        right: The right value on that scale, canonical text.
    """

    equal: bool
    scale: str
    writable: frozenset[Literal["left", "right"]]
    left: str
    right: str


def agree(
    left_raw: str,
    left: Scale,
    right_raw: str,
    right: Scale,
    *,
    rounding: Rounding = "half_up",
    minimum: Decimal | None = None,
    bands: Bands | None = None,
) -> Agreement:
    """Compare two marks in the coarser of their scales.

    Words agree with the same word only, whatever the scales.

    Raises:
        Record: As ``convert``, for either value.
    """
    writable = _writable(left, right)
    words = [value for value in (left.parse(left_raw), right.parse(right_raw)) if isinstance(value, str)]
    if words:
        a, b = left.canonical(left_raw), right.canonical(right_raw)
        return Agreement(a.casefold() == b.casefold(), "text", frozenset(), a, b)
    coarser = left if left.levels < right.levels else right
    if {left.name, right.name} != {"mark5pm"} and coarser.name == "mark5pm":
        coarser = Scale("mark5")
    a = convert(left_raw, left, coarser, rounding=rounding, minimum=minimum, bands=bands).text
    b = convert(right_raw, right, coarser, rounding=rounding, bands=bands).text
    return Agreement(a == b, coarser.name, writable, a, b)


def _writable(left: Scale, right: Scale) -> frozenset[Literal["left", "right"]]:
    sides: set[Literal["left", "right"]] = set()
    if left.levels >= right.levels:
        sides.add("right")
    if right.levels >= left.levels:
        sides.add("left")
    return frozenset(sides)
