"""Note when a platform's keys were last read early."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0006_key_set_forced"
down_revision = "0005_launch_refusal"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("key_set", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forced_at", types.Instant(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("key_set", schema=None) as batch_op:
        batch_op.drop_column("forced_at")
