"""One column type per kind of value, the same in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine


class Key(TypeDecorator[str]):
    """Text that sorts by code point everywhere: ids, external ids, merge keys, codes."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use ``COLLATE "C"`` on PostgreSQL; SQLite's BINARY is the same order already."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC: TIMESTAMPTZ on PostgreSQL, sortable ISO 8601 text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive datetime; write UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromisoformat(value)


class Mark(TypeDecorator[Decimal]):
    """A number of the gradebook as canonical decimal text, so that no database rounds it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write plain digits without exponent or trailing zeros."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Return a Decimal."""
        return None if value is None else Decimal(value)


def canonical(value: Decimal) -> str:
    """Return ``8``, ``8.5``, ``0``: plain digits, no exponent, no trailing zeros, no minus zero.

    Raises:
        ValueError: It is infinite or no number.
    """
    if not value.is_finite():
        raise ValueError("a mark is a finite number")
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


class Json(TypeDecorator[Any]):
    """A JSON value as text with sorted keys: equal values are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write compact JSON."""
        return None if value is None else dump_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Parse it back."""
        return None if value is None else json.loads(value)


def dump_json(value: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces, letters as they are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
