"""Launches that were refused, kept for a month so that an administrator can see why; nobody is named in them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from connector.db.schema import metadata
from connector.db.types import Instant, Json, Key

launch_refusal = Table(
    "launch_refusal",
    metadata,
    Column("id", Key, primary_key=True),
    # No foreign key: why launches failed is still of use when the registration was removed and made anew.
    Column("registration_id", Key, nullable=False),
    # Null where the registration serves several schools: a refused launch proves no deployment.
    Column("school_id", Key, ForeignKey("school.id")),
    Column("issuer", Text, nullable=False),
    Column("reason", Key, nullable=False),
    Column("clause", Text, nullable=False),
    # What fills the administrator's sentence: names of claims, seconds, ids; no person's data.
    Column("details", Json, nullable=False),
    Column("trace", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_launch_refusal_school", "school_id", "id"),
    Index("ix_launch_refusal_created_at", "created_at"),
    info={"app_access": ""},
)
