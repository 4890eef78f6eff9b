"""Which column a link's scores go to, and how far each result's delivery is."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, Text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Key

DELIVER_SCORES = "deliver_scores"
"""The kind of the jobs that deliver an activity's scores."""

score_column = school_table(
    "score_column",
    Column("activity", Key, nullable=False),
    # The resource link's id; empty for an activity that was placed without one.
    Column("link", Key, nullable=False),
    # Null while a column is only wanted: written before it is looked for or made, so that a process killed in
    # between leaves word of what it was about to do.
    Column("url", Text),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("updated_at", Instant, nullable=False),
    ref("activity", "activity"),
    CheckConstraint("state IN ('wanted', 'ready', 'missing')", name="state"),
    key=("activity", "link"),
)

delivery = school_table(
    "delivery",
    Column("result", Key, nullable=False),
    # The result's revision that was dealt with; a later one waits.
    Column("revision", Integer, nullable=False),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("effect", Key),
    Column("updated_at", Instant, nullable=False),
    ref("result", "result"),
    ref("effect", "effect"),
    CheckConstraint("state IN ('none', 'delivered', 'kept_by_teacher', 'refused')", name="state"),
    key=("result",),
)
