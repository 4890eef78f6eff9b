"""Remember what was copied in the LMS."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0009_copies"
down_revision = "0008_core_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "context_origin",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("context_id", types.Key(), nullable=False),
        sa.Column("origin_id", types.Key(), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("learned_at", types.Instant(), nullable=False),
        sa.CheckConstraint("distance >= 0", name=op.f("ck_context_origin_distance")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_context_origin_school_id")),
        sa.PrimaryKeyConstraint("school_id", "issuer", "context_id", "origin_id", name=op.f("pk_context_origin")),
    )
    with op.batch_alter_table("activity", schema=None) as batch_op:
        batch_op.add_column(sa.Column("copied_from", types.Key(), nullable=True))
        batch_op.add_column(sa.Column("root", types.Key(), nullable=True))

    with op.batch_alter_table("resource_link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("claimed", types.Key(), nullable=True))
        batch_op.create_index("ix_resource_link_activity", ["school_id", "activity"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("resource_link", schema=None) as batch_op:
        batch_op.drop_index("ix_resource_link_activity")
        batch_op.drop_column("claimed")

    with op.batch_alter_table("activity", schema=None) as batch_op:
        batch_op.drop_column("root")
        batch_op.drop_column("copied_from")

    op.drop_table("context_origin")
