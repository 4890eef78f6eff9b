"""What services told of a course besides its launches: the roster between two reads, and the groups."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Key

roster = school_table(
    "roster",
    # The last whole roster of a membership address and where its differences are told, sealed: it names people.
    Column("url_hash", Key, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("read_at", Instant, nullable=False),
    key=("url_hash",),
)

group_source = school_table(
    "group_source",
    # Where a course's groups are read (Course Groups 1.0), and how that went last.
    Column("context", Key, nullable=False),
    Column("registration_id", Key, nullable=False),
    Column("deployment_id", Key, nullable=False),
    Column("groups_url", Text, nullable=False),
    Column("sets_url", Text),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("state IN ('asked', 'read', 'refused')", name="state"),
    ref("context", "context"),
    key=("context",),
)

course_group = school_table(
    "course_group",
    Column("context", Key, nullable=False),
    Column("group_id", Key, nullable=False),
    Column("name", Text, nullable=False),
    Column("set_name", Text, nullable=False, server_default=""),
    ref("context", "context"),
    key=("context", "group_id"),
)

course_group_member = school_table(
    "course_group_member",
    Column("context", Key, nullable=False),
    Column("group_id", Key, nullable=False),
    # The person as the LMS calls them; whoever never launched has no account here.
    Column("sub", Key, nullable=False),
    ref("context", "context"),
    key=("context", "group_id", "sub"),
)
