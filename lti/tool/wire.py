"""JSON on the wire with exact decimal numbers, in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_LARGEST_EXPONENT = 12
_quoted = json.encoder.encode_basestring


def canonical(number: Decimal) -> str:
    """Return the one plain decimal text of a number: ``87.5``, never ``8.75E+1`` or ``87.50``, never ``-0``.

    Raises:
        ValueError: It is not a finite number of reasonable size.
    """
    if not number.is_finite() or (number and abs(number.adjusted()) > _LARGEST_EXPONENT):
        raise ValueError("not a number that a mark can have")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def to_json(value: object) -> str:
    """Write JSON; a Decimal becomes a JSON number with exactly its digits, and a float is refused.

    Raises:
        TypeError: The value holds something JSON has no form for, or a float.
    """
    if isinstance(value, Decimal):
        return canonical(value)
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quoted(str(k))}:{to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} cannot be written exactly")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def from_json(body: bytes | str) -> Any:
    """Read JSON with every number that has a point or an exponent as Decimal.

    Raises:
        ValueError: It is not JSON, or nested too deep.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def number(value: object) -> Decimal | None:
    """Return a JSON number as Decimal; None for anything else. Some platforms send numbers as text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    if not found.is_finite() or (found and abs(found.adjusted()) > _LARGEST_EXPONENT):
        return None
    return found


def text(value: object) -> str | None:
    """Return a non-blank text, an integer as its text (ids), None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def instant(moment: datetime) -> str:
    """Write an instant in UTC with milliseconds and ``Z``; a platform reads a zoneless one as its local time.

    Raises:
        ValueError: It has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(value: object) -> datetime | None:
    """Read an ISO 8601 instant with a zone, as UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
