"""The individual identification number (ИИН/ЖСН): twelve digits, checked both ways round, never shown.

What the digits say of birth date and sex only warns: decree №853 of 26.08.2013 untied the number from both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from connector.base.errors import Record
from connector.base.i18n import N_, say
from connector.base.secrets import keyed_hash
from mappings.findings import Finding

_FIRST = tuple(range(1, 12))
_SECOND = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)
_CENTURIES = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}
_NOT_DIGITS = str.maketrans("OoОо", "0000", " \u00a0\u202f-\t'")
_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")


@dataclass(frozen=True)
class Iin:
    """A valid number; its digits stay out of ``repr`` and so out of logs.

    Attributes:
        text: The twelve digits.
        warnings: What looks odd and stops nothing.
    """

    text: str = field(repr=False)
    warnings: tuple[Finding, ...] = field(default=(), compare=False)

    @property
    def birth_date(self) -> date | None:
        """The birth date the digits give, or None when they give none (foreigners, decree №853)."""
        century = _CENTURIES.get(self.text[6])
        if century is None:
            return None
        try:
            return date(century + int(self.text[:2]), int(self.text[2:4]), int(self.text[4:6]))
        except ValueError:
            return None

    @property
    def sex(self) -> Literal["male", "female"] | None:
        """The sex the seventh digit gives, or None for 0 and unused digits."""
        if self.text[6] not in _CENTURIES:
            return None
        return "male" if self.text[6] in "135" else "female"


def check_digit(first_eleven: str) -> int | None:
    """Return the check digit of eleven digits, or None when both passes give 10 and no number is issued."""
    for weights in (_FIRST, _SECOND):
        remainder = sum(int(digit) * weight for digit, weight in zip(first_eleven, weights, strict=True)) % 11
        if remainder < 10:
            return remainder
    return None


def parse_iin(raw: str, *, birth_date: date | None = None, sex: Literal["male", "female"] | None = None) -> Iin:
    """Read a number as it is typed or exported.

    Args:
        raw: The cell's text; spaces, hyphens and the letter O for zero are forgiven, with a warning.
        birth_date: The person's birth date elsewhere; another one in the digits warns.
        sex: The same for sex.

    Raises:
        Record: Rounded by a spreadsheet (``rounded_id``), not twelve digits (``iin_length``), or the check digit
            is wrong (``iin_checksum``). Messages never hold the digits.
    """
    if _ROUNDED.fullmatch(raw.strip()):
        message = N_("A spreadsheet has rounded the IIN: set the column's format to text and export again.")
        raise Record("rounded_id", say(message))
    digits = raw.strip().translate(_NOT_DIGITS)
    if re.fullmatch(r"[0-9]{9,12}", digits) is None:
        raise Record("iin_length", say(N_("An IIN has 12 digits; here stand {count} characters."), count=len(digits)))
    text = digits.zfill(12)
    if check_digit(text[:11]) != int(text[11]):
        reason = "iin_checksum" if len(digits) == 12 else "iin_length"
        said = N_("The IIN's check digit is wrong: a digit is mistyped or missing ({count} of 12 digits).")
        raise Record(reason, say(said, count=len(digits)))
    found = Iin(text)
    if len(digits) < 12 and found.birth_date is None:
        raise Record("iin_length", say(N_("An IIN has 12 digits; here stand {count} characters."), count=len(digits)))
    return Iin(text, tuple(_warnings(found, raw.strip(), digits, birth_date, sex)))


def _warnings(found: Iin, raw: str, digits: str, birth_date: date | None, sex: str | None) -> list[Finding]:
    warnings = []
    if len(digits) < 12:
        message = N_("The IIN had {count} digits: zeros lost at its beginning were put back.")
        warnings.append(_warning("iin_padded", message, count=len(digits)))
    if re.search(r"[OoОо]", raw):
        warnings.append(_warning("iin_letter_o", N_("The IIN held the letter O for a zero.")))
    if birth_date is not None and found.birth_date is not None and found.birth_date != birth_date:
        warnings.append(_warning("iin_birth_date", N_("The IIN gives another birth date than the one known.")))
    if sex is not None and found.sex is not None and found.sex != sex:
        warnings.append(_warning("iin_sex", N_("The IIN gives another sex than the one known.")))
    return warnings


def _warning(reason: str, msgid: str, **values: object) -> Finding:
    return Finding(reason, say(msgid, **values), "warning")


def iin_hash(key: str, iin: Iin) -> str:
    """Return the join key of a number: HMAC-SHA256 under the school's key, hexadecimal."""
    return keyed_hash(key, iin.text)
