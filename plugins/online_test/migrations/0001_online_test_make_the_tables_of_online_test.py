"""Make the tables of online_test."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0001_online_test"
down_revision = None
branch_labels = ("online_test",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "p_online_test_release",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("activity_id", types.Key(), nullable=False),
        sa.Column("released_by", types.Key(), nullable=False),
        sa.Column("released_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_release_school_id")),
        sa.PrimaryKeyConstraint("school_id", "activity_id", name=op.f("pk_p_online_test_release")),
    )
    op.create_table(
        "p_online_test_test",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("series", types.Key(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("points", types.Mark(), nullable=False),
        sa.Column("created_by", types.Key(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("questions > 0", name=op.f("ck_p_online_test_test_questions")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_test_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_p_online_test_test")),
        sa.UniqueConstraint(
            "school_id", "series", "version", name=op.f("uq_p_online_test_test_school_id_series_version")
        ),
    )
    op.create_table(
        "p_online_test_upload",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("account_id", types.Key(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("report", types.Json(), nullable=False),
        sa.Column("test_id", types.Key(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_upload_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_p_online_test_upload")),
    )
    op.create_table(
        "p_online_test_attempt",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("activity_id", types.Key(), nullable=False),
        sa.Column("account_id", types.Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("test_id", types.Key(), nullable=False),
        sa.Column("form", types.Json(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("started_at", types.Instant(), nullable=False),
        sa.Column("deadline_at", types.Instant(), nullable=True),
        sa.Column("submitted_at", types.Instant(), nullable=True),
        sa.Column("closed_by", types.Key(), nullable=True),
        sa.Column("score", types.Mark(), nullable=True),
        sa.Column("score_maximum", types.Mark(), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (submitted_at IS NULL)", name=op.f("ck_p_online_test_attempt_submitted")
        ),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_p_online_test_attempt_state")),
        sa.CheckConstraint(
            "(submitted_at IS NULL) = (closed_by IS NULL)", name=op.f("ck_p_online_test_attempt_closed_by")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_p_online_test_attempt_number")),
        sa.ForeignKeyConstraint(
            ["school_id", "test_id"],
            ["p_online_test_test.school_id", "p_online_test_test.id"],
            name=op.f("fk_p_online_test_attempt_school_id_test_id"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_attempt_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_p_online_test_attempt")),
        sa.UniqueConstraint(
            "school_id",
            "activity_id",
            "account_id",
            "number",
            name=op.f("uq_p_online_test_attempt_school_id_activity_id_account_id_number"),
        ),
    )
    with op.batch_alter_table("p_online_test_attempt", schema=None) as batch_op:
        batch_op.create_index("ix_p_online_test_attempt_account", ["school_id", "account_id"], unique=False)
        batch_op.create_index(
            "uq_p_online_test_attempt_open",
            ["school_id", "activity_id", "account_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "p_online_test_question",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("test_id", types.Key(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("content", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "test_id"],
            ["p_online_test_test.school_id", "p_online_test_test.id"],
            name=op.f("fk_p_online_test_question_school_id_test_id"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_question_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_p_online_test_question")),
        sa.UniqueConstraint(
            "school_id", "test_id", "position", name=op.f("uq_p_online_test_question_school_id_test_id_position")
        ),
    )
    op.create_table(
        "p_online_test_answer",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("attempt_id", types.Key(), nullable=False),
        sa.Column("question_id", types.Key(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("value", types.Json(), nullable=True),
        sa.Column("saved_at", types.Instant(), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("ck_p_online_test_answer_seq")),
        sa.ForeignKeyConstraint(
            ["school_id", "attempt_id"],
            ["p_online_test_attempt.school_id", "p_online_test_attempt.id"],
            name=op.f("fk_p_online_test_answer_school_id_attempt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "question_id"],
            ["p_online_test_question.school_id", "p_online_test_question.id"],
            name=op.f("fk_p_online_test_answer_school_id_question_id"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_online_test_answer_school_id")),
        sa.PrimaryKeyConstraint("school_id", "attempt_id", "question_id", name=op.f("pk_p_online_test_answer")),
    )


def downgrade() -> None:
    op.drop_table("p_online_test_answer")
    op.drop_table("p_online_test_question")
    with op.batch_alter_table("p_online_test_attempt", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_p_online_test_attempt_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index("ix_p_online_test_attempt_account")

    op.drop_table("p_online_test_attempt")
    op.drop_table("p_online_test_upload")
    op.drop_table("p_online_test_test")
    op.drop_table("p_online_test_release")
