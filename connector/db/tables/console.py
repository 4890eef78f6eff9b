"""Who runs the console: one-use invitations and the sessions they open."""

from __future__ import annotations

from sqlalchemy import Column, Text

from connector.db.schema import school_table
from connector.db.types import Instant, Key

operator_invitation = school_table(
    "operator_invitation",
    Column("hash", Key, nullable=False),
    Column("operator", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    key=("hash",),
)

operator_session = school_table(
    "operator_session",
    Column("hash", Key, nullable=False),
    Column("operator", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    key=("hash",),
)
