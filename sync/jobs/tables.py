"""The queue's tables: jobs, the lanes they run in, and the workers that took them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, CheckConstraint, Column, Connection, Index, Integer, Table, Text, literal, text
from sqlalchemy.dialects import postgresql, sqlite

from connector.db.schema import metadata, school_table
from connector.db.types import Instant, Json, Key

# Both databases match an upsert to a partial index by this very text, so it is never a bound parameter.
OPEN = text("state IN ('ready', 'leased')")

job = school_table(
    "job",
    Column("kind", Key, nullable=False),
    Column("key", Key, nullable=False),
    # Internal ids only; a queue is read by people who may not see marks.
    Column("payload", Json, nullable=False),
    Column("lane", Key, nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("run_after", Instant, nullable=False),
    Column("state", Key, nullable=False, server_default="ready"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    # Runs that ended in an unknown exception or in a lease nobody finished.
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("lease_until", Instant),
    Column("worker", Key),
    # Rises with every lease: whoever holds an older one can finish nothing.
    Column("token", Integer, nullable=False, server_default="0"),
    # Asked for again while it was running: it becomes ready once more instead of done.
    Column("again_after", Instant),
    Column("last_reason", Key),
    Column("rung_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("finished_at", Instant),
    CheckConstraint("state IN ('ready', 'leased', 'done', 'dead')", name="state"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="leased"),
    Index("uq_job_open", "school_id", "kind", "key", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    Index("ix_job_due", "state", "run_after"),
    Index("ix_job_finished_at", "finished_at"),
    service="SELECT, INSERT, UPDATE, DELETE",
)

job_lane = Table(
    "job_lane",
    metadata,
    Column("lane", Key, primary_key=True),
    # Failures in a row; while it is above zero one job at a time probes the lane.
    Column("failures", Integer, nullable=False),
    Column("open_until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    info={"app_access": ""},
)

job_worker = Table(
    "job_worker",
    metadata,
    Column("worker", Key, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("leased_at", Instant),
    info={"app_access": ""},
)


def at(instant: datetime) -> BindParameter[datetime]:
    """Return an instant as a typed parameter: inside a CASE nothing else says how to write it."""
    return literal(instant, Instant())


def upsert(db: Connection, table: Table) -> Any:
    """Return the database's own INSERT, which knows ``on_conflict_do_update``."""
    return postgresql.insert(table) if db.dialect.name == "postgresql" else sqlite.insert(table)
