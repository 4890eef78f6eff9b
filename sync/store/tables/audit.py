"""The audit: append-only, one hash chain per (school, connection), one link per transaction."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

audit = school_table(
    "audit",
    Column("connection", Key, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("previous", Key, nullable=False),
    Column("hash", Key, nullable=False),
    Column("action", Key, nullable=False),
    Column("actor", Key, nullable=False),
    Column("run", Key),
    # What happened, value by value; people by internal id only.
    Column("entries", Json, nullable=False),
    Column("at", Instant, nullable=False),
    ref("connection", "connection"),
    key=("connection", "seq"),
)
