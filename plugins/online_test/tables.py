"""The plugin's tables. A test and its questions are written once and never changed: a new version is a new test."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, Text, UniqueConstraint

from plugins.contract import Instant, Json, Key, Mark, plugin_table, ref

ID = "online_test"

upload = plugin_table(
    ID,
    "upload",
    Column("account_id", Key, nullable=False),
    Column("filename", Text, nullable=False),
    Column("report", Json, nullable=False),
    Column("test_id", Key),
    Column("created_at", Instant, nullable=False),
)

test = plugin_table(
    ID,
    "test",
    Column("series", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("questions", Integer, nullable=False),
    Column("points", Mark, nullable=False),
    Column("created_by", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("school_id", "series", "version"),
    CheckConstraint("questions > 0", name="questions"),
)

question = plugin_table(
    ID,
    "question",
    Column("test_id", Key, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Key, nullable=False),
    Column("content", Json, nullable=False),
    ref("test_id", test.name),
    UniqueConstraint("school_id", "test_id", "position"),
)

attempt = plugin_table(
    ID,
    "attempt",
    Column("activity_id", Key, nullable=False),
    Column("account_id", Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("test_id", Key, nullable=False),
    Column("form", Json, nullable=False),
    Column("state", Key, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("deadline_at", Instant),
    Column("submitted_at", Instant),
    Column("closed_by", Key),
    Column("score", Mark),
    Column("score_maximum", Mark, nullable=False),
    Column("erased", Boolean, nullable=False, default=False),
    ref("test_id", test.name),
    UniqueConstraint("school_id", "activity_id", "account_id", "number"),
    CheckConstraint("state IN ('open', 'closed')", name="state"),
    CheckConstraint("(state = 'open') = (submitted_at IS NULL)", name="submitted"),
    CheckConstraint("(submitted_at IS NULL) = (closed_by IS NULL)", name="closed_by"),
    CheckConstraint("number > 0", name="number"),
)

# A second tab cannot open a second sitting, whatever the timing.
Index(
    "uq_p_online_test_attempt_open",
    attempt.c.school_id,
    attempt.c.activity_id,
    attempt.c.account_id,
    unique=True,
    sqlite_where=attempt.c.state == "open",
    postgresql_where=attempt.c.state == "open",
)
Index("ix_p_online_test_attempt_account", attempt.c.school_id, attempt.c.account_id)

answer = plugin_table(
    ID,
    "answer",
    Column("attempt_id", Key, nullable=False),
    Column("question_id", Key, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("value", Json),
    Column("saved_at", Instant, nullable=False),
    ref("attempt_id", attempt.name),
    ref("question_id", question.name),
    CheckConstraint("seq > 0", name="seq"),
    key=("attempt_id", "question_id"),
)

release = plugin_table(
    ID,
    "release",
    Column("activity_id", Key, nullable=False),
    Column("released_by", Key, nullable=False),
    Column("released_at", Instant, nullable=False),
    key=("activity_id",),
)
