"""What platforms told without a person, and what was asked of them (Platform Notification Service 1.0)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Text, UniqueConstraint

from connector.db.schema import school_table
from connector.db.types import Instant, Json, Key

notice = school_table(
    "notice",
    Column("registration_id", Key, nullable=False),
    Column("deployment_id", Key, nullable=False),
    # The platform's id: this uniqueness makes a notice count once, whichever process was told.
    Column("notice_id", Key, nullable=False),
    Column("type", Key, nullable=False),
    # Ids of courses; of a type we do not know nothing is kept, it may be about a person.
    Column("details", Json, nullable=False),
    Column("state", Key, nullable=False),
    Column("sent_at", Instant),
    Column("received_at", Instant, nullable=False),
    Column("handled_at", Instant),
    UniqueConstraint("school_id", "registration_id", "notice_id"),
    CheckConstraint("state IN ('waiting', 'done', 'passed_over')", name="state"),
    Index("ix_notice_received_at", "school_id", "received_at"),
)

notice_subscription = school_table(
    "notice_subscription",
    Column("registration_id", Key, nullable=False),
    Column("deployment_id", Key, nullable=False),
    Column("type", Key, nullable=False),
    # Where the platform takes the wish, and where it is to send the notices.
    Column("service_url", Text, nullable=False),
    Column("handler", Text, nullable=False),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("updated_at", Instant, nullable=False),
    # The last notice of this type that came.
    Column("heard_at", Instant),
    CheckConstraint("state IN ('asked', 'subscribed', 'refused')", name="state"),
    key=("registration_id", "deployment_id", "type"),
)
