"""Files that a teacher put on a course's page: kept here, served to whoever has the address.

An LMS fetches a ``file`` within minutes and keeps it (Deep Linking 2.0 §3.4), so that address ends soon; what it links
to stays.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from sqlalchemy import select

from connector.base.ids import is_id, new_id
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.launches import shared_file
from connector.host.launches import Session
from connector.host.runtime import Runtime
from plugins.contract import Material, MaterialKind

MAX_BYTES = 5 * 1024 * 1024
FETCHED_WITHIN = timedelta(minutes=10)
# Shown in the browser; everything else is a download.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "application/pdf"})


@dataclass(frozen=True)
class Shared:
    """A file as it is served."""

    filename: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Address:
    """Where a file is, and until when."""

    url: str = field(repr=False)
    expires_at: datetime | None


def share(runtime: Runtime, session: Session, material: Material) -> Address:
    """Keep a material's content and return its address.

    Raises:
        ValueError: It is empty, too large, or has no name or media type.
    """
    if not (0 < len(material.content) <= MAX_BYTES) or not material.filename or "/" not in material.media_type:
        raise ValueError("a file to share has content of at most 5 MB, a name and a media type")
    now, secret, file_id = runtime.clock(), new_token(), new_id()
    expires_at = now + FETCHED_WITHIN if material.kind is MaterialKind.FILE else None
    values = {
        "school_id": session.school_id, "id": file_id, "secret_hash": fingerprint(secret),
        "filename": material.filename, "media_type": material.media_type, "content": material.content,
        "created_by": session.account_id, "created_at": now, "expires_at": expires_at,
    }  # fmt: skip
    over = (shared_file.c.school_id == session.school_id) & (shared_file.c.expires_at < now)
    with runtime.database.school(session.school_id) as db:
        db.execute(shared_file.delete().where(over))
        db.execute(shared_file.insert().values(values))
    path = f"/shared/{session.school_id}.{file_id}.{secret}/{quote(material.filename, safe='')}"
    return Address(f"{runtime.settings.public_url}{path}", expires_at)


def find_shared(runtime: Runtime, key: str) -> Shared | None:
    """Return the file of an address, or None: there is none, or its time is over."""
    school_id, _, rest = key.partition(".")
    file_id, _, secret = rest.partition(".")
    if not (is_id(school_id) and is_id(file_id) and secret and secret.isascii()):
        return None
    mine = (shared_file.c.school_id == school_id) & (shared_file.c.id == file_id)
    with runtime.database.school(school_id, write=False) as db:
        row = db.execute(select(shared_file).where(mine)).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_hash, fingerprint(secret)):
        return None
    if row.expires_at is not None and row.expires_at <= runtime.clock():
        return None
    return Shared(row.filename, row.media_type, row.content)
