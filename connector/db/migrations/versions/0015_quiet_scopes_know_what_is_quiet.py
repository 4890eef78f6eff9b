"""Know what is quiet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0015_quiet_scopes"
down_revision = "0014_schedule"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quiet_scope",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("digest", types.Key(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("same", sa.Integer(), nullable=False),
        sa.Column("compared_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_quiet_scope_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_quiet_scope_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_quiet_scope_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "group_link", "kind", name=op.f("pk_quiet_scope")),
    )
    with op.batch_alter_table("group_link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("touched", types.Key(), server_default="", nullable=False))

    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.add_column(sa.Column("value", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("changed", types.Key(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.drop_column("changed")
        batch_op.drop_column("value")

    with op.batch_alter_table("group_link", schema=None) as batch_op:
        batch_op.drop_column("touched")

    op.drop_table("quiet_scope")
