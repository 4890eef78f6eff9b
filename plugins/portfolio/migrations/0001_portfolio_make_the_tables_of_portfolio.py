"""Make the tables of portfolio."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0001_portfolio"
down_revision = None
branch_labels = ("portfolio",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "p_portfolio_note",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("result", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("edited_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_portfolio_note_school_id")),
        sa.PrimaryKeyConstraint("school_id", "result", name=op.f("pk_p_portfolio_note")),
    )
    op.create_table(
        "p_portfolio_verification",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("result", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("teacher", types.Key(), nullable=False),
        sa.Column("fingerprint", types.Key(), nullable=False),
        sa.Column("verified_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_p_portfolio_verification_school_id")),
        sa.PrimaryKeyConstraint("school_id", "result", name=op.f("pk_p_portfolio_verification")),
    )


def downgrade() -> None:
    op.drop_table("p_portfolio_verification")
    op.drop_table("p_portfolio_note")
