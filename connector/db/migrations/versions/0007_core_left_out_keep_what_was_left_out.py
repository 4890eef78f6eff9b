"""Keep what was left out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0007_core_left_out"
down_revision = "0006_key_set_forced"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "left_out",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("plan", types.Key(), nullable=False),
        sa.Column("left_by", types.Key(), nullable=False),
        sa.Column("left_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_left_out_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_left_out_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "key", name=op.f("pk_left_out")),
    )


def downgrade() -> None:
    op.drop_table("left_out")
