"""Keep schedules, progress and cancelled runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0014_schedule"
down_revision = "0013_launch_rungs"
branch_labels = None
depends_on = None

STATES = "'reading', 'planned', 'applying', 'verifying', 'done', 'partial', 'not_compared', 'failed'"


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("overrides", types.Json(), server_default="{}", nullable=False),
        sa.Column("slot", types.Key(), server_default="", nullable=False),
        sa.Column("next_at", types.Instant(), nullable=True),
        sa.Column("last_slot", types.Key(), server_default="", nullable=False),
        sa.Column("last_at", types.Instant(), nullable=True),
        sa.Column("paused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", types.Key(), server_default="", nullable=False),
        sa.Column("lifted_until", types.Key(), server_default="", nullable=False),
        sa.Column("changed_by", types.Key(), server_default="", nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=True),
        sa.CheckConstraint("(next_at IS NULL) = (slot IN ('', 'never'))", name=op.f("ck_schedule_armed")),
        sa.CheckConstraint("paused IN (0, 1)", name=op.f("ck_schedule_paused")),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_schedule_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_schedule_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", name=op.f("pk_schedule")),
    )
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.create_index("ix_schedule_next_at", ["next_at"], unique=False)

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("progress", types.Json(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("cancelled_by", types.Key(), server_default="", nullable=False))
        batch_op.drop_constraint(op.f("ck_run_state"), type_="check")
        batch_op.create_check_constraint(op.f("ck_run_state"), f"state IN ({STATES}, 'cancelled')")

    # The next hour of each is worked out by the first sweep.
    over_all_schools("connection", "INSERT INTO schedule (school_id, connection) SELECT school_id, id FROM connection")


def over_all_schools(table: str, statement: str) -> None:
    """Run a statement that must see every school's rows; their owner sees none while the policies bind it."""
    bound = op.get_bind().dialect.name == "postgresql"
    if bound:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    if bound:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    over_all_schools("run", "UPDATE run SET state = 'failed' WHERE state = 'cancelled'")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_run_state"), type_="check")
        batch_op.create_check_constraint(op.f("ck_run_state"), f"state IN ({STATES})")
        batch_op.drop_column("cancelled_by")
        batch_op.drop_column("progress")

    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.drop_index("ix_schedule_next_at")

    op.drop_table("schedule")
