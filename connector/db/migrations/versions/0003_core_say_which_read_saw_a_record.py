"""Say which read saw a record, so that a long read is kept in short transactions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0003_snapshot_read"
down_revision = "0002_registration"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshot", sa.Column("read", types.Key(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("snapshot", "read")
