"""Runs, the plans they make, every change of a plan, what was left out, and a read-only journal's entry sheet."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

run = school_table(
    "run",
    Column("connection", Key, nullable=False),
    Column("trigger", Key, nullable=False),
    Column("actor", Key, nullable=False),
    Column("state", Key, nullable=False),
    # Counts by word, and per phase when it began and ended.
    Column("counts", Json, nullable=False),
    Column("phases", Json, nullable=False),
    # Scopes and kinds that were not compared, with the reason of each.
    Column("not_compared", Json, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("plan", Key),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    # How far the phase under way is: its name, records done and in all, when it began.
    Column("progress", Json, nullable=False, server_default="{}"),
    # Who asked to stop; looked at between two records, and taken away when the run is let go on.
    Column("cancelled_by", Key, nullable=False, server_default=""),
    ref("connection", "connection"),
    CheckConstraint(
        "state IN ('reading', 'planned', 'applying', 'verifying', 'done', 'partial', 'not_compared', 'failed', "
        "'cancelled')",
        name="state",
    ),
    Index("ix_run_connection_started_at", "connection", "started_at"),
)

plan = school_table(
    "plan",
    Column("connection", Key, nullable=False),
    Column("run", Key, nullable=False),
    Column("kind", Key, nullable=False),
    # SHA-256 over the inputs' versions and every change: what is approved is exactly this.
    Column("hash", Key, nullable=False),
    # What it was made from: scopes and the version of each input.
    Column("header", Json, nullable=False),
    # The works that applying it makes: group link, lesson, title, kind.
    Column("works", Json, nullable=False),
    # The guard's word, kept beside the plan so that its hash stays what a person saw.
    Column("verdict", Json),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("counts", Json, nullable=False),
    # The run this plan takes back, for an undo.
    Column("undoes", Key),
    Column("made_at", Instant, nullable=False),
    Column("approved_by", Key),
    Column("approved_at", Instant),
    Column("applied_at", Instant),
    ref("connection", "connection"),
    ref("run", "run"),
    CheckConstraint("kind IN ('sync', 'impact', 'undo')", name="kind"),
    CheckConstraint(
        "state IN ('empty', 'planned', 'approved', 'applying', 'applied', 'stale', 'discarded')", name="state"
    ),
    # One plan of a connection is being applied at a time.
    Index(
        "uq_plan_applying",
        "school_id",
        "connection",
        unique=True,
        sqlite_where=text("state = 'applying'"),
        postgresql_where=text("state = 'applying'"),
    ),
)

plan_change = school_table(
    "plan_change",
    Column("plan", Key, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("key", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("action", Key, nullable=False),
    # The side that is written, or none for what changes only what we remember.
    Column("side", Key, nullable=False),
    Column("item", Key, nullable=False),
    Column("person", Key, nullable=False),
    # The whole row of the plan, as it was hashed.
    Column("change", Json, nullable=False),
    # The written system's own ids; the item's stays empty until the work is made.
    Column("external_item", Key),
    Column("external_person", Key),
    Column("maximum", Text),
    # The written side's own time of the read, and the frozen instant of the write.
    Column("read_at", Instant, nullable=False),
    Column("stamp", Instant, nullable=False),
    Column("state", Key, nullable=False),
    Column("held_by", Key, nullable=False, server_default=""),
    Column("reason", Key, nullable=False, server_default=""),
    # What was read back in the written cell.
    Column("written", Text),
    Column("applied_at", Instant),
    ref("plan", "plan"),
    CheckConstraint("side IN ('left', 'right', 'none')", name="side"),
    CheckConstraint(
        "state IN ('ready', 'held', 'conflict', 'reported', 'silent', 'not_compared', 'approved', 'sent', 'written', "
        "'applied', 'moved', 'refused', 'retry', 'unknown', 'lost', 'entry', 'skipped')",
        name="state",
    ),
    Index("ix_plan_change_key", "school_id", "key"),
    key=("plan", "seq"),
)

left_out = school_table(
    "left_out",
    # What a person did not tick when approving a plan: a cell, or a whole column where the key names no person.
    Column("connection", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("plan", Key, nullable=False),
    Column("left_by", Key, nullable=False),
    Column("left_at", Instant, nullable=False),
    ref("connection", "connection"),
    key=("connection", "key"),
)

entry_line = school_table(
    "entry_line",
    # One mark for a person to type into the journal.
    Column("connection", Key, nullable=False),
    Column("plan", Key, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("key", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("lesson_day", Key, nullable=False),
    Column("lesson_number", Integer, nullable=False),
    Column("lesson", Key, nullable=False, server_default=""),
    Column("work", Text, nullable=False),
    Column("person", Key, nullable=False),
    Column("external_person", Key, nullable=False),
    # The pupil's place in the journal's own list.
    Column("position", Integer, nullable=False),
    # None means: take the mark out.
    Column("mark", Text),
    Column("left_raw", Text),
    Column("before", Text),
    Column("state", Key, nullable=False),
    Column("seen", Text),
    Column("made_at", Instant, nullable=False),
    Column("checked_at", Instant),
    ref("connection", "connection"),
    ref("plan", "plan"),
    ref("person", "person"),
    CheckConstraint("state IN ('to_type', 'typed', 'missed', 'different', 'withdrawn')", name="state"),
    Index(
        "uq_entry_line_open",
        "school_id",
        "connection",
        "key",
        unique=True,
        sqlite_where=text("state IN ('to_type', 'missed', 'different')"),
        postgresql_where=text("state IN ('to_type', 'missed', 'different')"),
    ),
    key=("plan", "seq"),
)

quarantine = school_table(
    "quarantine",
    # A record whose write a system refuses: tried again with each plan, some times, and kept apart after that.
    Column("connection", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("side", Key, nullable=False),
    Column("reason", Key, nullable=False),
    # What was wanted: a change of other values is tried anew.
    Column("wanted", Key, nullable=False),
    Column("attempts", Integer, nullable=False),
    # 1: a person wants to hear nothing of it until the values change.
    Column("muted", Integer, nullable=False, server_default="0"),
    Column("since", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    ref("connection", "connection"),
    CheckConstraint("muted IN (0, 1)", name="muted"),
    key=("connection", "key"),
)
