"""Keep notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0008_core_notices"
down_revision = "0007_core_left_out"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("notice_id", types.Key(), nullable=False),
        sa.Column("type", types.Key(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("sent_at", types.Instant(), nullable=True),
        sa.Column("received_at", types.Instant(), nullable=False),
        sa.Column("handled_at", types.Instant(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'passed_over')", name=op.f("ck_notice_state")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_notice_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "school_id", "registration_id", "notice_id", name=op.f("uq_notice_school_id_registration_id_notice_id")
        ),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_received_at", ["school_id", "received_at"], unique=False)

    op.create_table(
        "notice_subscription",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("type", types.Key(), nullable=False),
        sa.Column("service_url", sa.Text(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.Column("heard_at", types.Instant(), nullable=True),
        sa.CheckConstraint("state IN ('asked', 'subscribed', 'refused')", name=op.f("ck_notice_subscription_state")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_notice_subscription_school_id")),
        sa.PrimaryKeyConstraint(
            "school_id", "registration_id", "deployment_id", "type", name=op.f("pk_notice_subscription")
        ),
    )


def downgrade() -> None:
    op.drop_table("notice_subscription")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("ix_notice_received_at")

    op.drop_table("notice")
