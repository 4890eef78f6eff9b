"""What is needed to know people and links again that an LMS once launched over LTI 1.1."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from connector.db.schema import metadata, ref, school_table
from connector.db.types import Instant, Key

legacy_secret = Table(
    "legacy_secret",
    metadata,
    # The consumer key and shared secret of the tool's LTI 1.1 registration in this LMS.
    Column("registration_id", Key, ForeignKey("registration.id", ondelete="CASCADE"), primary_key=True),
    Column("consumer_key", Key, primary_key=True),
    Column("sealed_secret", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    info={"app_access": ""},
)

legacy_account = school_table(
    "legacy_account",
    # A person's LTI 1.1 id, as a launch proved it by the shared secret.
    Column("issuer", Key, nullable=False),
    Column("consumer_key", Key, nullable=False),
    Column("user_id", Key, nullable=False),
    Column("account", Key, nullable=False),
    Column("seen_at", Instant, nullable=False),
    ref("account", "account", ondelete="CASCADE"),
    key=("issuer", "consumer_key", "user_id"),
)

legacy_link = school_table(
    "legacy_link",
    Column("issuer", Key, nullable=False),
    Column("consumer_key", Key, nullable=False),
    Column("link_id", Key, nullable=False),
    Column("resource_link", Key, nullable=False),
    Column("seen_at", Instant, nullable=False),
    ref("resource_link", "resource_link", ondelete="CASCADE"),
    key=("issuer", "consumer_key", "link_id"),
)
