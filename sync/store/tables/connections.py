"""Pairs of systems, their mapping versions, and the groups that belong together."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

connection = school_table(
    "connection",
    Column("left_key", Key, nullable=False),
    Column("right_key", Key, nullable=False),
    Column("mapping_text", Text, nullable=False),
    Column("mapping_hash", Key, nullable=False),
    # Rises by one with every change of the mapping's meaning.
    Column("mapping_version", Integer, nullable=False),
    # What is no secret: addresses, registration, profile; by side.
    Column("settings", Json, nullable=False),
    # What is: tokens and passwords, by side, as one sealed JSON text.
    Column("sealed_credentials", Text, nullable=False, server_default=""),
    # 1 when the right side may not be written, whatever it could do: marks come out as an entry sheet.
    Column("read_only", Integer, nullable=False, server_default="0"),
    # What the right side was seen to take no writes of: kind of cells to reason and time; a person, or a write that is
    # taken again, lifts it.
    Column("refusals", Json, nullable=False, server_default="{}"),
    Column("state", Key, nullable=False, server_default="active"),
    # When the first plan was approved by a person; until then every plan asks one.
    Column("first_approved_at", Instant),
    Column("last_run", Key),
    Column("last_good_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("school_id", "left_key", "right_key"),
    CheckConstraint("state IN ('active', 'paused', 'removed')", name="state"),
    CheckConstraint("read_only IN (0, 1)", name="read_only"),
)

mapping_version = school_table(
    "mapping_version",
    Column("connection", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", Key, nullable=False),
    Column("text", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    ref("connection", "connection"),
    key=("connection", "version"),
)

group_link = school_table(
    "group_link",
    # One pair of the mapping's groups, resolved to each system's own ids: the scope of every read and plan.
    Column("connection", Key, nullable=False),
    Column("left_group", Key, nullable=False),
    Column("right_group", Key, nullable=False),
    Column("right_subject", Key, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("active", Integer, nullable=False, server_default="1"),
    # The right side's reporting periods, as the last complete read of them gave them.
    Column("sessions", Json, nullable=False, server_default="[]"),
    # A new word whenever something that a comparison of the group depends on was written.
    Column("touched", Key, nullable=False, server_default=""),
    UniqueConstraint("school_id", "connection", "left_group", "right_group", "right_subject"),
    ref("connection", "connection"),
)

item_link = school_table(
    "item_link",
    # A work on the left and the work on the right that stands for it; right_item is empty until it is made.
    Column("group_link", Key, nullable=False),
    Column("left_item", Key, nullable=False),
    Column("right_item", Key),
    Column("right_lesson", Key),
    Column("kind", Key, nullable=False),
    Column("how", Key, nullable=False),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("school_id", "group_link", "left_item"),
    ref("group_link", "group_link"),
    CheckConstraint("how IN ('linked', 'tag', 'title+date', 'placed', 'person')", name="how"),
)

schedule = school_table(
    "schedule",
    # When a connection is compared by itself; the hours stand in its mapping, a school may set others here.
    Column("connection", Key, nullable=False),
    # What the school set instead of the mapping's schedule, key by key.
    Column("overrides", Json, nullable=False, server_default="{}"),
    # The next civil hour (2026-11-23T07:00) and its instant. Both empty: to be worked out; "never": there is none.
    Column("slot", Key, nullable=False, server_default=""),
    Column("next_at", Instant),
    # The last hour a run was asked for. Hours are compared as civil time, so none happens twice.
    Column("last_slot", Key, nullable=False, server_default=""),
    Column("last_at", Instant),
    # A person's pause: its last day, empty for one without end; and up to which day year-end pauses are lifted.
    Column("paused", Integer, nullable=False, server_default="0"),
    Column("paused_until", Key, nullable=False, server_default=""),
    Column("lifted_until", Key, nullable=False, server_default=""),
    Column("changed_by", Key, nullable=False, server_default=""),
    Column("changed_at", Instant),
    ref("connection", "connection"),
    CheckConstraint("paused IN (0, 1)", name="paused"),
    CheckConstraint("(next_at IS NULL) = (slot IN ('', 'never'))", name="armed"),
    Index("ix_schedule_next_at", "next_at"),
    key=("connection",),
    service="SELECT",
)
