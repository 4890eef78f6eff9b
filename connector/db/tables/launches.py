"""What a launch leaves behind: accounts, contexts, links, and the launch itself."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Text, UniqueConstraint

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

account = school_table(
    "account",
    Column("issuer", Key, nullable=False),
    Column("sub", Key, nullable=False),
    # The registration last used; an attribute, so that registering anew orphans nobody.
    Column("registration_id", Key, nullable=False),
    Column("display_name", Text, nullable=False, server_default=""),
    Column("family_name", Text, nullable=False, server_default=""),
    Column("given_name", Text, nullable=False, server_default=""),
    Column("sourcedid", Key, nullable=False, server_default=""),
    Column("language", Key),
    # The synced person behind this account, once people were joined.
    Column("person_id", Key),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("school_id", "issuer", "sub"),
)

context = school_table(
    "context",
    Column("issuer", Key, nullable=False),
    Column("registration_id", Key, nullable=False),
    Column("deployment_id", Key, nullable=False),
    Column("context_id", Key, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("memberships_url", Text),
    Column("line_items_url", Text),
    Column("scopes", Json, nullable=False),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("school_id", "issuer", "deployment_id", "context_id"),
)

resource_link = school_table(
    "resource_link",
    Column("context", Key, nullable=False),
    Column("link_id", Key, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("activity", Key),
    # The activity the LMS says this link is for: in a copied course still the original's.
    Column("claimed", Key),
    # The one column bound to the link, as the platform named it at the last launch.
    Column("line_item_url", Text),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("school_id", "context", "link_id"),
    ref("context", "context"),
    Index("ix_resource_link_activity", "school_id", "activity"),
)

context_origin = school_table(
    "context_origin",
    # By the LMS's own ids: word of a copied course comes before its first launch.
    Column("issuer", Key, nullable=False),
    Column("context_id", Key, nullable=False),
    Column("origin_id", Key, nullable=False),
    # 0 is the course it was copied from, 1 that one's, and so on.
    Column("distance", Integer, nullable=False),
    Column("learned_at", Instant, nullable=False),
    CheckConstraint("distance >= 0", name="distance"),
    key=("issuer", "context_id", "origin_id"),
)

launch = school_table(
    "launch",
    # Nonce, state, session and trace at once: this uniqueness spends a launch across processes.
    Column("registration_id", Key, nullable=False),
    Column("nonce", Key, nullable=False),
    Column("secret_hash", Key, nullable=False),
    Column("message_type", Key, nullable=False),
    Column("account", Key),
    Column("context", Key),
    Column("resource_link", Key),
    Column("role", Key, nullable=False),
    Column("roles", Json, nullable=False),
    Column("language", Key, nullable=False),
    Column("target", Text, nullable=False),
    # Deep-linking settings, for_user, return_url, custom: what the page after the launch needs.
    Column("details", Json, nullable=False),
    Column("trace", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_ticket_at", Instant),
    # The rung of the launch ladder that let it in; counting them is a look at these rows.
    Column("rung", Key, nullable=False, server_default=""),
    UniqueConstraint("registration_id", "nonce"),
    CheckConstraint("role IN ('teacher', 'pupil', 'other')", name="role"),
    ref("account", "account"),
    ref("context", "context"),
    ref("resource_link", "resource_link"),
    Index("ix_launch_expires_at", "expires_at"),
    service="SELECT, DELETE",
)

ticket = school_table(
    "ticket",
    # One-use addresses for downloads where no cookie lives.
    Column("hash", Key, nullable=False),
    Column("launch", Key, nullable=False),
    Column("path", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    key=("hash",),
)

shared_file = school_table(
    "shared_file",
    # What a teacher put on a course's page; whoever has the address may read it.
    Column("secret_hash", Key, nullable=False),
    Column("filename", Text, nullable=False),
    Column("media_type", Key, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_by", Key),
    Column("created_at", Instant, nullable=False),
    # Null for what an LMS links to instead of fetching it.
    Column("expires_at", Instant),
)

activity = school_table(
    "activity",
    Column("plugin", Key, nullable=False),
    Column("context", Key),
    Column("title", Text, nullable=False),
    Column("settings", Json, nullable=False),
    # Null for an activity that gives no mark.
    Column("score_maximum", Text),
    Column("tag", Key, nullable=False, server_default=""),
    Column("created_by", Key),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
    # A copy's original, and the first of all its originals: what the columns of a copied course still name.
    Column("copied_from", Key),
    Column("root", Key),
    ref("context", "context"),
)

result = school_table(
    "result",
    Column("activity", Key, nullable=False),
    Column("account", Key, nullable=False),
    Column("resource_link", Key),
    Column("score_given", Text),
    Column("score_maximum", Text),
    Column("comment", Text, nullable=False, server_default=""),
    Column("progress", Key, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("finished_at", Instant, nullable=False),
    Column("evidence", Json, nullable=False),
    UniqueConstraint("school_id", "activity", "account"),
    CheckConstraint("progress IN ('started', 'submitted', 'graded', 'cleared')", name="progress"),
    ref("activity", "activity"),
    ref("account", "account"),
)
