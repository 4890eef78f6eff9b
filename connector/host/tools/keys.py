"""The platform's own keys: apart from those we sign with as a tool, sealed at rest, rotated in two phases by the clock.

A key is published when it is made, signs from ``signs_from`` on and stays published until ``ends_at``: no job has to
run for a rotation to go on, and every process agrees at every moment.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select

from connector.db.tables.tools import platform_key
from connector.host.runtime import Runtime
from lti.platform.keys import KeyRing, PlatformKey
from lti.platform.tokens import TOKEN_SECONDS

WAIT = timedelta(hours=24)
"""How long tools may keep a copy of our keys: what they see for a day before the first token needs it."""
LINGER = timedelta(seconds=TOKEN_SECONDS) + timedelta(minutes=10)

_parsed: dict[str, PlatformKey] = {}
_lock = threading.Lock()


def key_ring(runtime: Runtime) -> KeyRing:
    """Return the keys as they stand now, making the first one where there is none."""
    now = runtime.clock()
    with runtime.database.service(write=False) as db:
        rows = _current(db, now)
    if not any(row.signs_from <= now for row in rows):
        rows = _first(runtime, now)
    # The youngest of those that may sign does; a thumbprint names a key, so what is parsed once stays good.
    signing = max((row for row in rows if row.signs_from <= now), key=lambda row: (row.signs_from, row.kid))
    return KeyRing(_key(runtime, signing), *(_key(runtime, row) for row in rows if row.kid != signing.kid))


def rotate(runtime: Runtime, *, wait: timedelta = WAIT) -> datetime:
    """Publish a new key that signs after ``wait``; return when that is.

    With no wait the present keys are dropped at once, and with them every token they signed: for a key that leaked.
    """
    now = runtime.clock()
    begins = now + wait
    ends = begins + LINGER if wait else now
    values = _new(runtime, now, begins)
    with runtime.database.service() as db:
        db.execute(platform_key.update().where(platform_key.c.ends_at.is_(None)).values(ends_at=ends))
        if not wait:
            db.execute(platform_key.update().where(platform_key.c.ends_at > now).values(ends_at=now))
        db.execute(platform_key.delete().where(platform_key.c.ends_at < now - LINGER))
        db.execute(platform_key.insert().values(values))
    return begins


def key_states(runtime: Runtime) -> list[dict[str, Any]]:
    """Return every published key, the one that signs first, without its private half."""
    now, ring = runtime.clock(), key_ring(runtime)
    with runtime.database.service(write=False) as db:
        rows = _current(db, now)
    states = [
        {"kid": row.kid, "signs": row.kid == ring.kid, "signs_from": row.signs_from, "ends_at": row.ends_at}
        for row in rows
    ]
    return sorted(states, key=lambda state: (not state["signs"], state["signs_from"]))


def _current(db: Connection, now: datetime) -> list[Any]:
    held = or_(platform_key.c.ends_at.is_(None), platform_key.c.ends_at > now)
    return list(db.execute(select(platform_key).where(held).order_by(platform_key.c.signs_from)))


def _first(runtime: Runtime, now: datetime) -> list[Any]:
    values = _new(runtime, now, now)
    with runtime.database.service() as db:
        # Two processes may get here together; on SQLite the second finds the first one's key, and two keys on
        # PostgreSQL do no harm: both are published and every process picks the same one.
        if not any(row.signs_from <= now for row in _current(db, now)):
            db.execute(platform_key.insert().values(values))
        return _current(db, now)


def _new(runtime: Runtime, now: datetime, begins: datetime) -> dict[str, Any]:
    pem = PlatformKey.new_pem()
    kid = PlatformKey(pem).kid
    return {"kid": kid, "sealed_pem": runtime.vault.seal(pem), "signs_from": begins, "created_at": now}


def _key(runtime: Runtime, row: Any) -> PlatformKey:
    with _lock:
        if row.kid not in _parsed:
            _parsed[row.kid] = PlatformKey(runtime.vault.open(row.sealed_pem))
        return _parsed[row.kid]
