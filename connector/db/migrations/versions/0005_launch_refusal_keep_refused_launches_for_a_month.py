"""Keep refused launches for a month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0005_launch_refusal"
down_revision = "0004_refusals_periods"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "launch_refusal",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("reason", types.Key(), nullable=False),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("trace", types.Json(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_launch_refusal_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launch_refusal")),
    )
    with op.batch_alter_table("launch_refusal", schema=None) as batch_op:
        batch_op.create_index("ix_launch_refusal_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_launch_refusal_school", ["school_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("launch_refusal", schema=None) as batch_op:
        batch_op.drop_index("ix_launch_refusal_school")
        batch_op.drop_index("ix_launch_refusal_created_at")

    op.drop_table("launch_refusal")
