"""Keep files a teacher shares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0012_shared_files"
down_revision = "0011_core_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shared_file",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("secret_hash", types.Key(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("media_type", types.Key(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", types.Key(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_shared_file_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_shared_file")),
    )


def downgrade() -> None:
    op.drop_table("shared_file")
