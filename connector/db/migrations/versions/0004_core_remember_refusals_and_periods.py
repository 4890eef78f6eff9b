"""Remember what a journal was seen not to take, and a group's reporting periods."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0004_refusals_periods"
down_revision = "0003_snapshot_read"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("refusals", types.Json(), server_default="{}", nullable=False))
    op.add_column("group_link", sa.Column("sessions", types.Json(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("group_link", "sessions")
    op.drop_column("connection", "refusals")
