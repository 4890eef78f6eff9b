"""Remember rungs of the launch ladder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0013_launch_rungs"
down_revision = "0012_shared_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place: the app's rights and the policies of both tables stay as they are.
    op.add_column("launch", sa.Column("rung", types.Key(), server_default="", nullable=False))
    op.add_column("registration", sa.Column("rung", types.Key(), server_default="", nullable=False))
    op.add_column("registration", sa.Column("rung_at", types.Instant(), nullable=True))


def downgrade() -> None:
    op.drop_column("registration", "rung_at")
    op.drop_column("registration", "rung")
    op.drop_column("launch", "rung")
