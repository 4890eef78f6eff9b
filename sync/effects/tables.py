"""Cells of other systems that Kopir has written or wants to write, and each single write."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Integer, Text, UniqueConstraint, text

from connector.db.schema import school_table
from connector.db.types import Instant, Key

IN_FLIGHT = text("state IN ('sent', 'unknown')")
PLANNED = text("state = 'planned'")

effect_cell = school_table(
    "effect_cell",
    Column("system", Key, nullable=False),
    Column("item", Key, nullable=False),
    Column("person", Key, nullable=False),
    # The latest instant that any write of ours carried; the next carries a whole second more at least.
    Column("last_stamp", Instant),
    # What the other side showed when a write of ours was last found there; agreed_at tells null from never.
    Column("agreed", Text),
    Column("agreed_maximum", Text),
    Column("agreed_at", Instant),
    Column("seen", Text),
    Column("seen_maximum", Text),
    Column("seen_at", Instant),
    key=("system", "item", "person"),
)

effect = school_table(
    "effect",
    Column("system", Key, nullable=False),
    Column("item", Key, nullable=False),
    Column("person", Key, nullable=False),
    # The idempotency key: one intended change is one row, however often it is asked for.
    Column("key", Key, nullable=False),
    Column("origin", Key, nullable=False),
    Column("after", Text),
    Column("after_maximum", Text),
    # Kept only until the write is settled.
    Column("comment", Text, nullable=False, server_default=""),
    Column("expect", Text),
    Column("expect_maximum", Text),
    Column("stamp", Instant, nullable=False),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("seen", Text),
    Column("seen_maximum", Text),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("settled_at", Instant),
    UniqueConstraint("school_id", "key"),
    ForeignKeyConstraint(
        ["school_id", "system", "item", "person"],
        ["effect_cell.school_id", "effect_cell.system", "effect_cell.item", "effect_cell.person"],
    ),
    CheckConstraint("origin IN ('score', 'sync', 'undo', 'resend')", name="origin"),
    CheckConstraint(
        "state IN ('planned', 'sent', 'unknown', 'delivered', 'already', 'conflict', 'kept', 'refused', 'superseded')",
        name="state",
    ),
    # At most one write of a cell is under way, and at most one waits behind it.
    Index(
        "uq_effect_in_flight",
        "school_id",
        "system",
        "item",
        "person",
        unique=True,
        sqlite_where=IN_FLIGHT,
        postgresql_where=IN_FLIGHT,
    ),
    Index(
        "uq_effect_planned",
        "school_id",
        "system",
        "item",
        "person",
        unique=True,
        sqlite_where=PLANNED,
        postgresql_where=PLANNED,
    ),
    Index("ix_effect_cell", "school_id", "system", "item", "person", "state"),
)
