"""Keep refused records apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0017_quarantine"
down_revision = "0016_telling"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("side", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), nullable=False),
        sa.Column("wanted", types.Key(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("muted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("since", types.Instant(), nullable=False),
        sa.Column("last_at", types.Instant(), nullable=False),
        sa.CheckConstraint("muted IN (0, 1)", name=op.f("ck_quarantine_muted")),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_quarantine_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_quarantine_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "key", name=op.f("pk_quarantine")),
    )


def downgrade() -> None:
    op.drop_table("quarantine")
