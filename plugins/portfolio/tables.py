"""What a portfolio adds to results: a pupil's note and a teacher's verification, each to one result."""

from __future__ import annotations

from sqlalchemy import Column, Text

from plugins.contract import Instant, Key, plugin_table

note = plugin_table(
    "portfolio",
    "note",
    Column("result", Key, nullable=False),
    Column("account", Key, nullable=False),
    Column("body", Text, nullable=False),
    Column("edited_at", Instant, nullable=False),
    key=("result",),
)

verification = plugin_table(
    "portfolio",
    "verification",
    Column("result", Key, nullable=False),
    Column("account", Key, nullable=False),
    Column("teacher", Key, nullable=False),
    # What was verified; a result that changed since is not what the teacher saw.
    Column("fingerprint", Key, nullable=False),
    Column("verified_at", Instant, nullable=False),
    key=("result",),
)
