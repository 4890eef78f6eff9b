"""What people said about who is who: merges, pins, doubts that wait for a word, and the history of it all."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

person_merge = school_table(
    "person_merge",
    # A second account of somebody: its person stays, so that a read finds the account again, but carries no values.
    Column("person", Key, nullable=False),
    Column("kept", Key, nullable=False),
    # The ids that went over to the kept person: [type, issuer, value]; a split brings them back.
    Column("moved", Json, nullable=False),
    Column("merged_by", Key, nullable=False),
    Column("merged_at", Instant, nullable=False),
    ref("person", "person"),
    ref("kept", "person"),
    CheckConstraint("person <> kept", name="another"),
    key=("person",),
)

person_pin = school_table(
    "person_pin",
    # A link that stays whatever else says: no file, no IIN and no proposal moves it.
    Column("connection", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("pinned_by", Key, nullable=False),
    Column("pinned_at", Instant, nullable=False),
    ref("connection", "connection"),
    ref("person", "person"),
    key=("connection", "person"),
)

person_doubt = school_table(
    "person_doubt",
    # Two sources link this person differently: no value of theirs is carried until somebody pins or parts.
    Column("connection", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("reason", Key, nullable=False),
    # The right side's ids in question.
    Column("candidates", Json, nullable=False),
    Column("since", Instant, nullable=False),
    ref("connection", "connection"),
    ref("group_link", "group_link"),
    ref("person", "person"),
    key=("connection", "person"),
)

person_event = school_table(
    "person_event",
    # Never changed; names nobody but by internal id. A note is what a person typed, and goes with an erasure.
    Column("person", Key, nullable=False),
    Column("connection", Key),
    Column("action", Key, nullable=False),
    Column("other", Key),
    Column("external_id", Key, nullable=False, server_default=""),
    Column("how", Key, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("who", Key, nullable=False),
    Column("at", Instant, nullable=False),
    ref("person", "person"),
    CheckConstraint(
        "action IN ('joined', 'parted', 'merged', 'split', 'pinned', 'unpinned', 'renamed', 'id_changed')",
        name="action",
    ),
    Index("ix_person_event_person", "school_id", "person", "at"),
)
