"""Identifiers: UUIDv7, so that keys sort by the time they were made."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 as 32 lower-case hexadecimal digits (RFC 9562, section 5.7).

    Ids made by one process rise strictly: the 12 bits behind the millisecond are a counter, not random.
    """
    global _last
    now = time.time_ns() // 1_000_000 << 12
    with _lock:
        _last = tick = max(now, _last + 1)
    head = (tick >> 12) << 16 | 0x7000 | tick & 0xFFF
    tail = 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=head << 64 | tail).hex


_ID = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Tell whether a text taken from an address has the shape of one of our ids."""
    return _ID.fullmatch(text) is not None
