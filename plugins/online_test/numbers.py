"""Numbers as pupils and files write them: decimal comma or point, spaces between thousands, any minus sign."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:[.,]\d{0,30})?|[.,]\d{1,30})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f](?=\d{3}(?!\d))", re.ASCII)
_MINUSES = str.maketrans("\u2212\u2013\u2012", "---")
_CENT = Decimal("0.01")


def parse_number(text: str) -> Fraction | None:
    """Return the number a person wrote, exactly, or None when it is not one.

    ``3,14`` is three and fourteen hundredths, as schools here write it.
    """
    plain = _THOUSANDS.sub("", text.strip().translate(_MINUSES)).replace("- ", "-", 1)
    if not _NUMBER.fullmatch(plain):
        return None
    return Fraction(Decimal(plain.replace(",", ".")))


def rounded(points: Fraction) -> Decimal:
    """Round points, zero or more, half-up to two decimal places, exactly."""
    cents = (points * 200 + 1) // 2
    return (Decimal(cents) * _CENT).quantize(_CENT)


def plain(number: Decimal) -> str:
    """Write a number for a person: no exponent, no trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
