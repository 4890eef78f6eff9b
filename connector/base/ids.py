"""Identifiers: UUIDv7, so that keys sort by the time they were made."""

from __future__ import annotations

import os
import re
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 as 32 lower-case hexadecimal digits (RFC 9562, section 5.7).

    Ids made by one process rise strictly: the 12 bits behind the millisecond are a counter, not random.
    """
    return _id(_ticks(1), os.urandom(8))


def new_ids(count: int) -> list[str]:
    """Return so many new ids, rising, for rows that are written together; see ``new_id``."""
    first, random = _ticks(count), os.urandom(8 * count)
    return [_id(first + number, random[8 * number : 8 * number + 8]) for number in range(count)]


def _ticks(count: int) -> int:
    """Take so many counted instants in a row and return the first."""
    global _last
    now = time.time_ns() // 1_000_000 << 12
    with _lock:
        first = max(now, _last + 1)
        _last = first + count - 1
    return first


def _id(tick: int, random: bytes) -> str:
    head = (tick >> 12) << 16 | 0x7000 | tick & 0xFFF
    tail = 0b10 << 62 | int.from_bytes(random) >> 2
    return f"{head << 64 | tail:032x}"


_ID = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Tell whether a text taken from an address has the shape of one of our ids."""
    return _ID.fullmatch(text) is not None
