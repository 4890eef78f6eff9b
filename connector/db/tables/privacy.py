"""Wishes of persons about what is kept of them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Key

privacy_request = school_table(
    "privacy_request",
    # Whom it is about, and who asked: the person, or an administrator of the LMS.
    Column("account", Key, nullable=False),
    Column("asked_by", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("state", Key, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("settled_at", Instant),
    CheckConstraint("kind IN ('erase')", name="kind"),
    CheckConstraint("state IN ('open', 'done', 'declined')", name="state"),
    # Asking twice is one wish.
    Index(
        "uq_privacy_request_open",
        "school_id",
        "account",
        "kind",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    ref("account", "account"),
    ref("asked_by", "account"),
)
