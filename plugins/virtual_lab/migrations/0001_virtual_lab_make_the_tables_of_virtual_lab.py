"""Make the tables of virtual_lab."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0001_virtual_lab"
down_revision = None
branch_labels = ("virtual_lab",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "p_virtual_lab_run",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("activity", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("started_at", types.Instant(), nullable=False),
        sa.Column("submitted_at", types.Instant(), nullable=True),
        sa.Column("answers", types.Json(), nullable=False),
        sa.Column("score", types.Mark(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'submitted')", name=op.f("ck_p_virtual_lab_run_state")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_virtual_lab_run_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_p_virtual_lab_run")),
        sa.UniqueConstraint(
            "school_id", "activity", "account", name=op.f("uq_p_virtual_lab_run_school_id_activity_account")
        ),
    )
    op.create_table(
        "p_virtual_lab_reading",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("run", types.Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("voltage", types.Mark(), nullable=False),
        sa.Column("current", types.Mark(), nullable=False),
        sa.Column("taken_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "run"],
            ["p_virtual_lab_run.school_id", "p_virtual_lab_run.id"],
            name=op.f("fk_p_virtual_lab_reading_school_id_run"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_virtual_lab_reading_school_id")),
        sa.PrimaryKeyConstraint("school_id", "run", "number", name=op.f("pk_p_virtual_lab_reading")),
    )


def downgrade() -> None:
    op.drop_table("p_virtual_lab_reading")
    op.drop_table("p_virtual_lab_run")
