"""A pupil's run of a lab, and every reading they took: the server's own record of what was measured."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, UniqueConstraint

from plugins.contract import Instant, Json, Key, Mark, plugin_table, ref

run = plugin_table(
    "virtual_lab",
    "run",
    Column("activity", Key, nullable=False),
    Column("account", Key, nullable=False),
    # What the pupil's own circuit is made from; never sent to a browser.
    Column("seed", Integer, nullable=False),
    Column("state", Key, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("answers", Json, nullable=False),
    Column("score", Mark),
    UniqueConstraint("school_id", "activity", "account"),
    CheckConstraint("state IN ('running', 'submitted')", name="state"),
)

reading = plugin_table(
    "virtual_lab",
    "reading",
    Column("run", Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("voltage", Mark, nullable=False),
    Column("current", Mark, nullable=False),
    Column("taken_at", Instant, nullable=False),
    ref("run", "p_virtual_lab_run"),
    key=("run", "number"),
)
