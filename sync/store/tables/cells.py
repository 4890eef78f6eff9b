"""What each side holds, what a read of it proved, what was last agreed, and where they disagree."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

snapshot = school_table(
    "snapshot",
    # One current row per record of one side; replaced in place, so the table does not grow with time.
    Column("connection", Key, nullable=False),
    Column("side", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("raw", Json, nullable=False),
    # What a comparison asks first, so that it need not open the JSON: a mark's or an entry's raw value, a person's
    # role, and the system's own time of the last change as it stands in the JSON; empty in rows of older versions.
    Column("value", Text),
    Column("changed", Key),
    Column("hash", Key, nullable=False),
    # When it was first seen as it is: a read that finds a record unchanged does not write it again.
    Column("seen_at", Instant, nullable=False),
    # The read that gave it this content.
    Column("read", Key, nullable=False, server_default=""),
    # How many complete reads in a row did not find it, ten for more than ten; 0 for what is there.
    Column("missing", Integer, nullable=False, server_default="0"),
    ref("connection", "connection"),
    ref("group_link", "group_link"),
    CheckConstraint("side IN ('left', 'right')", name="side"),
    CheckConstraint("kind IN ('person', 'lesson', 'item', 'result', 'attendance')", name="kind"),
    key=("connection", "side", "group_link", "kind", "key"),
)

scope_read = school_table(
    "scope_read",
    Column("group_link", Key, nullable=False),
    Column("side", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("evidence", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("found", Integer, nullable=False),
    # What the last complete read found: the floor against half lists.
    Column("known", Integer, nullable=False, server_default="0"),
    Column("read_at", Instant, nullable=False),
    Column("complete_at", Instant),
    ref("group_link", "group_link"),
    key=("group_link", "side", "kind"),
)

base = school_table(
    "base",
    # Each side's own raw value as last agreed. A side has changed only against its own.
    Column("connection", Key, nullable=False),
    # kind|group link|item|person, the key of the cell.
    Column("key", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("item", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("left_raw", Text),
    Column("right_raw", Text),
    Column("mapping_version", Key, nullable=False),
    Column("run", Key, nullable=False),
    Column("agreed_at", Instant, nullable=False),
    ref("connection", "connection"),
    ref("person", "person"),
    CheckConstraint("kind IN ('grade', 'attendance')", name="kind"),
    key=("connection", "key"),
)

quiet_scope = school_table(
    "quiet_scope",
    # A scope that was compared and needed nothing: while its digest is the same, it need not be compared again.
    Column("connection", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("kind", Key, nullable=False),
    # SHA-256 over everything the comparison depended on.
    Column("digest", Key, nullable=False),
    Column("known", Integer, nullable=False),
    Column("same", Integer, nullable=False),
    # When it was compared: what was written past the program is noticed a day later at the latest.
    Column("compared_at", Instant, nullable=False),
    ref("connection", "connection"),
    ref("group_link", "group_link"),
    key=("connection", "group_link", "kind"),
)

conflict = school_table(
    "conflict",
    Column("connection", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("item", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("left_raw", Text),
    Column("right_raw", Text),
    Column("base_left", Text),
    Column("base_right", Text),
    Column("reason", Key, nullable=False),
    Column("state", Key, nullable=False),
    Column("resolution", Key),
    Column("run", Key, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("resolved_by", Key),
    Column("resolved_at", Instant),
    ref("connection", "connection"),
    ref("person", "person"),
    CheckConstraint("state IN ('open', 'resolved')", name="state"),
    CheckConstraint("resolution IN ('left', 'right', 'gone', 'agreed')", name="resolution"),
    Index(
        "uq_conflict_open",
        "school_id",
        "connection",
        "key",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)
