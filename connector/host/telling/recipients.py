"""Who is told: kept per school, their addresses sealed."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select

from connector.base.errors import Fatal
from connector.base.i18n import LANGUAGES, N_, say
from connector.base.ids import new_id
from connector.base.secrets import Vault
from connector.db.tables.telling import recipient, telling

DIGEST_HOUR = time(8, 0)
_MAIL = re.compile(r"[^\s@<>\"',;:]{1,64}@[A-Za-z0-9.-]{1,253}\.?")
AT_MOST = 50
"""Recipients of one school."""


@dataclass(frozen=True)
class Recipient:
    """Somebody, or something, that is told.

    Attributes:
        id: Its id.
        channel: ``email`` or ``webhook``.
        address: An e-mail address or a webhook's address.
        secret: The webhook's signing secret, or an empty text.
        language: ``kk``, ``ru`` or ``en``.
        at_once: Told as soon as something new needs somebody.
        digest_day: Weekday of the digest, Monday 0; -1 for none.
        stale_days: Days without a good run that need somebody.
        known: Open matters it was told of, with when each was last seen open.
        look_at: When matters are looked at next.
        digest_at: When the next digest is due.
    """

    id: str
    channel: str
    address: str
    secret: str
    language: str
    at_once: bool
    digest_day: int
    stale_days: int
    known: Mapping[str, str]
    look_at: datetime
    digest_at: datetime | None


def add(
    db: Connection, vault: Vault, school: str, address: str, zone: ZoneInfo, now: datetime, who: str, **wish: Any
) -> Recipient:
    """Add a recipient; an http(s) address is a webhook, anything else must be an e-mail address.

    Args:
        db: A writing transaction of the school.
        vault: Seals the address.
        school: The school.
        address: Where to.
        zone: The school's time zone: digests leave at eight in the morning.
        now: The present instant.
        who: Who adds it.
        wish: ``language``, ``at_once``, ``digest_day``, ``stale_days``.

    Raises:
        Fatal: The address is neither (``bad_recipient``), or there are too many (``too_many_recipients``).
    """
    address = address.strip()
    channel = _channel(address)
    if len(every(db, vault, school)) >= AT_MOST:
        raise Fatal("too_many_recipients", say(N_("A school has at most {limit} recipients."), limit=AT_MOST))
    day = int(wish.get("digest_day", 0))
    language = str(wish.get("language", LANGUAGES[0]))
    if language not in LANGUAGES or not -1 <= day <= 6 or not 1 <= int(wish.get("stale_days", 3)) <= 90:
        raise Fatal("bad_recipient", say(N_("Language, weekday or number of days is out of range.")))
    made = new_id()
    values = {
        "school_id": school, "id": made, "channel": channel, "sealed_address": vault.seal(address),
        "sealed_secret": vault.seal(_new_secret()) if channel == "webhook" else "", "language": language,
        "at_once": int(bool(wish.get("at_once", True))), "digest_day": day,
        "stale_days": int(wish.get("stale_days", 3)), "known": {}, "look_at": now,
        "digest_at": next_digest(day, zone, now), "made_by": who, "made_at": now,
    }  # fmt: skip
    db.execute(insert(recipient).values(**values))
    return get(db, vault, school, made)


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _channel(address: str) -> str:
    if "://" in address:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.username:
            return "webhook"
    elif _MAIL.fullmatch(address):
        return "email"
    text = N_("{address} is neither an e-mail address nor an address of a webhook (https://…).")
    raise Fatal("bad_recipient", say(text, address=address[:200]))


def next_digest(day: int, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the next digest leaves: at eight in the morning of its weekday, by the school's clock."""
    if day < 0:
        return None
    local = now.astimezone(zone)
    ahead = (day - local.weekday()) % 7
    found = datetime.combine(local.date() + timedelta(days=ahead), DIGEST_HOUR, zone)
    return found if found > now else datetime.combine(found.date() + timedelta(days=7), DIGEST_HOUR, zone)


def _of(row: Any, vault: Vault) -> Recipient:
    secret = vault.open(row.sealed_secret) if row.sealed_secret else ""
    return Recipient(
        row.id, row.channel, vault.open(row.sealed_address), secret, row.language, bool(row.at_once), row.digest_day,
        row.stale_days, row.known, row.look_at, row.digest_at,
    )  # fmt: skip


def every(db: Connection, vault: Vault, school: str) -> list[Recipient]:
    """Return a school's recipients, oldest first."""
    rows = db.execute(select(recipient).where(recipient.c.school_id == school).order_by(recipient.c.id))
    return [_of(row, vault) for row in rows]


def get(db: Connection, vault: Vault, school: str, which: str) -> Recipient:
    """Return one recipient.

    Raises:
        Fatal: The school has none with this id (``no_such_recipient``).
    """
    row = db.execute(select(recipient).where(recipient.c.school_id == school, recipient.c.id == which)).first()
    if row is None:
        raise Fatal("no_such_recipient", say(N_("This school has no such recipient.")))
    return _of(row, vault)


def remove(db: Connection, school: str, which: str) -> bool:
    """Remove a recipient with what was sent to it; tell whether there was one."""
    db.execute(delete(telling).where(telling.c.school_id == school, telling.c.recipient == which))
    return db.execute(delete(recipient).where(recipient.c.school_id == school, recipient.c.id == which)).rowcount == 1
