"""Kopir's own register of attendance: an LMS that speaks LTI alone has none."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Key

register_lesson = school_table(
    "register_lesson",
    # The lesson's own id in the system it came from is its id here too.
    Column("lesson", Key, nullable=False),
    Column("group_id", Key, nullable=False),
    Column("subject_id", Key, nullable=False, server_default=""),
    # A civil date, ISO text.
    Column("day", Key, nullable=False),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("title", Text, nullable=False, server_default=""),
    Column("seen_at", Instant, nullable=False),
    key=("lesson",),
)

register_entry = school_table(
    "register_entry",
    Column("lesson", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("day", Key, nullable=False),
    # A canonical code (present, absent_ill, …); the journal's own word it came from is in the base.
    Column("code", Key, nullable=False),
    Column("changed_at", Instant, nullable=False),
    ref("person", "person"),
    Index("ix_register_entry_person", "school_id", "person", "day"),
    key=("lesson", "person"),
)
