"""Keep who is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0016_telling"
down_revision = "0015_quiet_scopes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recipient",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("channel", types.Key(), nullable=False),
        sa.Column("sealed_address", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), server_default="", nullable=False),
        sa.Column("language", types.Key(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("digest_day", sa.Integer(), nullable=False),
        sa.Column("stale_days", sa.Integer(), nullable=False),
        sa.Column("known", types.Json(), server_default="{}", nullable=False),
        sa.Column("look_at", types.Instant(), nullable=False),
        sa.Column("digest_at", types.Instant(), nullable=True),
        sa.Column("made_by", types.Key(), server_default="", nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.CheckConstraint("channel IN ('email', 'webhook')", name=op.f("ck_recipient_channel")),
        sa.CheckConstraint("at_once IN (0, 1)", name=op.f("ck_recipient_at_once")),
        sa.CheckConstraint("digest_day BETWEEN -1 AND 6", name=op.f("ck_recipient_digest_day")),
        sa.CheckConstraint("stale_days BETWEEN 1 AND 90", name=op.f("ck_recipient_stale_days")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_recipient_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_recipient")),
    )
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.create_index("ix_recipient_look_at", ["look_at"], unique=False)

    op.create_table(
        "telling",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("recipient", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("items", types.Json(), nullable=False),
        sa.Column("state", types.Key(), server_default="waiting", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.Column("sent_at", types.Instant(), nullable=True),
        sa.CheckConstraint("kind IN ('notice', 'digest', 'test')", name=op.f("ck_telling_kind")),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name=op.f("ck_telling_state")),
        sa.ForeignKeyConstraint(
            ["school_id", "recipient"],
            ["recipient.school_id", "recipient.id"],
            name=op.f("fk_telling_school_id_recipient"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_telling_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_telling")),
    )
    with op.batch_alter_table("telling", schema=None) as batch_op:
        batch_op.create_index("ix_telling_recipient", ["school_id", "recipient"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("telling", schema=None) as batch_op:
        batch_op.drop_index("ix_telling_recipient")

    op.drop_table("telling")
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.drop_index("ix_recipient_look_at")

    op.drop_table("recipient")
