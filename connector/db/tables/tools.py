"""Third-party tools that a school lets in through Kopir's own platform, and what they said."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from connector.db.schema import metadata, ref, school_table
from connector.db.types import Instant, Json, Key

outside_tool = school_table(
    "outside_tool",
    Column("name", Text, nullable=False),
    # Unguessable and unique above schools: it alone tells whose tool asks for a token.
    Column("client_id", Key, nullable=False),
    Column("login_url", Text, nullable=False),
    Column("redirect_uris", Json, nullable=False),
    Column("target_link_uri", Text, nullable=False),
    Column("deep_linking_url", Text),
    Column("jwks_url", Text, nullable=False),
    # Further origins its pages may come from inside our frame.
    Column("frame_origins", Json, nullable=False),
    Column("private_hosts", Json, nullable=False),
    Column("custom", Json, nullable=False),
    # What the school grants: service scopes, and which personal claims go along.
    Column("scopes", Json, nullable=False),
    Column("claims", Json, nullable=False),
    Column("state", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("client_id"),
    CheckConstraint("state IN ('pending', 'on', 'off')", name="state"),
    service="SELECT",
)

tool_invitation = Table(
    "tool_invitation",
    metadata,
    # One-time permission for a tool to register itself; the secret is kept as its SHA-256.
    Column("hash", Key, primary_key=True),
    Column("school_id", Key, ForeignKey("school.id"), nullable=False),
    Column("allow_hosts", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    info={"app_access": ""},
)

platform_key = Table(
    "platform_key",
    metadata,
    Column("kid", Key, primary_key=True),
    Column("sealed_pem", Text, nullable=False),
    # Published from the start; signs from then on; gone from the key set at the end.
    Column("signs_from", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("created_at", Instant, nullable=False),
    info={"app_access": ""},
)

platform_spent = Table(
    "platform_spent",
    metadata,
    # What was used up: message hints, assertions, answers to deep linking, one-use addresses.
    Column("kind", Key, primary_key=True),
    Column("value_hash", Key, primary_key=True),
    Column("until", Instant, nullable=False),
    Index("ix_platform_spent_until", "until"),
    info={"app_access": ""},
)

tool_subject = school_table(
    "tool_subject",
    # The name one tool knows one person under.
    Column("tool", Key, nullable=False),
    Column("account", Key, nullable=False),
    Column("subject", Key, nullable=False),
    UniqueConstraint("school_id", "tool", "subject"),
    ref("tool", "outside_tool", ondelete="CASCADE"),
    ref("account", "account", ondelete="CASCADE"),
    key=("tool", "account"),
)

tool_link = school_table(
    "tool_link",
    # An activity of a tool in one course: the resource link the tool sees, and what lets it into the course at all.
    Column("tool", Key, nullable=False),
    Column("activity", Key, nullable=False),
    Column("context", Key, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    Column("custom", Json, nullable=False),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("school_id", "tool", "activity", "context"),
    ref("tool", "outside_tool", ondelete="CASCADE"),
    ref("activity", "activity"),
    ref("context", "context"),
)

tool_line_item = school_table(
    "tool_line_item",
    Column("tool", Key, nullable=False),
    Column("context", Key, nullable=False),
    Column("link", Key),
    # 1: the column of the activity itself, whose marks go on to the LMS; the others are kept and shown.
    Column("goes_on", Integer, nullable=False, server_default="0"),
    Column("label", Text, nullable=False),
    Column("maximum", Text, nullable=False),
    Column("resource_id", Text, nullable=False, server_default=""),
    Column("tag", Text, nullable=False, server_default=""),
    Column("starts_at", Instant),
    Column("ends_at", Instant),
    Column("released", Integer, nullable=False, server_default="1"),
    Column("created_at", Instant, nullable=False),
    ref("tool", "outside_tool", ondelete="CASCADE"),
    ref("context", "context"),
    ref("link", "tool_link", ondelete="CASCADE"),
    Index("ix_tool_line_item_place", "school_id", "tool", "context"),
)

tool_score = school_table(
    "tool_score",
    Column("line_item", Key, nullable=False),
    Column("account", Key, nullable=False),
    # The tool's own time of the score; only a later one replaces it.
    Column("at", Instant, nullable=False),
    Column("given", Text),
    Column("maximum", Text),
    Column("activity_progress", Key, nullable=False),
    Column("grading_progress", Key, nullable=False),
    Column("comment", Text, nullable=False, server_default=""),
    Column("scoring_user", Text, nullable=False, server_default=""),
    Column("started_at", Instant),
    Column("submitted_at", Instant),
    Column("received_at", Instant, nullable=False),
    ref("line_item", "tool_line_item", ondelete="CASCADE"),
    ref("account", "account", ondelete="CASCADE"),
    key=("line_item", "account"),
)
