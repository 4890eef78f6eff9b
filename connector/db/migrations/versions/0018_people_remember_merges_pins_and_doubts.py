"""Remember merges, pins and doubts about people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0018_people"
down_revision = "0017_quarantine"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person_event",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=True),
        sa.Column("action", types.Key(), nullable=False),
        sa.Column("other", types.Key(), nullable=True),
        sa.Column("external_id", types.Key(), server_default="", nullable=False),
        sa.Column("how", types.Key(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("who", types.Key(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.CheckConstraint(
            "action IN ('joined', 'parted', 'merged', 'split', 'pinned', 'unpinned', 'renamed', 'id_changed')",
            name=op.f("ck_person_event_action"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_person_event_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_event_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_person_event")),
    )
    with op.batch_alter_table("person_event", schema=None) as batch_op:
        batch_op.create_index("ix_person_event_person", ["school_id", "person", "at"], unique=False)

    op.create_table(
        "person_merge",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("kept", types.Key(), nullable=False),
        sa.Column("moved", types.Json(), nullable=False),
        sa.Column("merged_by", types.Key(), nullable=False),
        sa.Column("merged_at", types.Instant(), nullable=False),
        sa.CheckConstraint("person <> kept", name=op.f("ck_person_merge_another")),
        sa.ForeignKeyConstraint(
            ["school_id", "kept"], ["person.school_id", "person.id"], name=op.f("fk_person_merge_school_id_kept")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_person_merge_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_merge_school_id")),
        sa.PrimaryKeyConstraint("school_id", "person", name=op.f("pk_person_merge")),
    )
    op.create_table(
        "person_pin",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("pinned_by", types.Key(), nullable=False),
        sa.Column("pinned_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_person_pin_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_person_pin_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_pin_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "person", name=op.f("pk_person_pin")),
    )
    op.create_table(
        "person_doubt",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), nullable=False),
        sa.Column("candidates", types.Json(), nullable=False),
        sa.Column("since", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_person_doubt_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_person_doubt_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_person_doubt_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_doubt_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "person", name=op.f("pk_person_doubt")),
    )


def downgrade() -> None:
    op.drop_table("person_doubt")
    op.drop_table("person_pin")
    op.drop_table("person_merge")
    with op.batch_alter_table("person_event", schema=None) as batch_op:
        batch_op.drop_index("ix_person_event_person")

    op.drop_table("person_event")
