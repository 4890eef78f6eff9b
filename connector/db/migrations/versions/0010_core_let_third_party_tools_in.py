"""Let third-party tools in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0010_outside_tools"
down_revision = "0009_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "platform_key",
        sa.Column("kid", types.Key(), nullable=False),
        sa.Column("sealed_pem", sa.Text(), nullable=False),
        sa.Column("signs_from", types.Instant(), nullable=False),
        sa.Column("ends_at", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_platform_key")),
    )
    op.create_table(
        "platform_spent",
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("value_hash", types.Key(), nullable=False),
        sa.Column("until", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value_hash", name=op.f("pk_platform_spent")),
    )
    with op.batch_alter_table("platform_spent", schema=None) as batch_op:
        batch_op.create_index("ix_platform_spent_until", ["until"], unique=False)

    op.create_table(
        "outside_tool",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", types.Key(), nullable=False),
        sa.Column("login_url", sa.Text(), nullable=False),
        sa.Column("redirect_uris", types.Json(), nullable=False),
        sa.Column("target_link_uri", sa.Text(), nullable=False),
        sa.Column("deep_linking_url", sa.Text(), nullable=True),
        sa.Column("jwks_url", sa.Text(), nullable=False),
        sa.Column("frame_origins", types.Json(), nullable=False),
        sa.Column("private_hosts", types.Json(), nullable=False),
        sa.Column("custom", types.Json(), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("claims", types.Json(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'on', 'off')", name=op.f("ck_outside_tool_state")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_outside_tool_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_outside_tool")),
        sa.UniqueConstraint("client_id", name=op.f("uq_outside_tool_client_id")),
    )
    op.create_table(
        "tool_invitation",
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("allow_hosts", types.Json(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("used_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_tool_invitation_school_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tool_invitation")),
    )
    op.create_table(
        "tool_subject",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("tool", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("subject", types.Key(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "account"],
            ["account.school_id", "account.id"],
            name=op.f("fk_tool_subject_school_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "tool"],
            ["outside_tool.school_id", "outside_tool.id"],
            name=op.f("fk_tool_subject_school_id_tool"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_tool_subject_school_id")),
        sa.PrimaryKeyConstraint("school_id", "tool", "account", name=op.f("pk_tool_subject")),
        sa.UniqueConstraint("school_id", "tool", "subject", name=op.f("uq_tool_subject_school_id_tool_subject")),
    )
    op.create_table(
        "tool_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("tool", types.Key(), nullable=False),
        sa.Column("activity", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("custom", types.Json(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "activity"],
            ["activity.school_id", "activity.id"],
            name=op.f("fk_tool_link_school_id_activity"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "context"], ["context.school_id", "context.id"], name=op.f("fk_tool_link_school_id_context")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "tool"],
            ["outside_tool.school_id", "outside_tool.id"],
            name=op.f("fk_tool_link_school_id_tool"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_tool_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_tool_link")),
        sa.UniqueConstraint(
            "school_id", "tool", "activity", "context", name=op.f("uq_tool_link_school_id_tool_activity_context")
        ),
    )
    op.create_table(
        "tool_line_item",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("tool", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("link", types.Key(), nullable=True),
        sa.Column("goes_on", sa.Integer(), server_default="0", nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("maximum", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), server_default="", nullable=False),
        sa.Column("tag", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", types.Instant(), nullable=True),
        sa.Column("ends_at", types.Instant(), nullable=True),
        sa.Column("released", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "context"],
            ["context.school_id", "context.id"],
            name=op.f("fk_tool_line_item_school_id_context"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "link"],
            ["tool_link.school_id", "tool_link.id"],
            name=op.f("fk_tool_line_item_school_id_link"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "tool"],
            ["outside_tool.school_id", "outside_tool.id"],
            name=op.f("fk_tool_line_item_school_id_tool"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_tool_line_item_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_tool_line_item")),
    )
    with op.batch_alter_table("tool_line_item", schema=None) as batch_op:
        batch_op.create_index("ix_tool_line_item_place", ["school_id", "tool", "context"], unique=False)

    op.create_table(
        "tool_score",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("line_item", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("given", sa.Text(), nullable=True),
        sa.Column("maximum", sa.Text(), nullable=True),
        sa.Column("activity_progress", types.Key(), nullable=False),
        sa.Column("grading_progress", types.Key(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("scoring_user", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", types.Instant(), nullable=True),
        sa.Column("submitted_at", types.Instant(), nullable=True),
        sa.Column("received_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "account"],
            ["account.school_id", "account.id"],
            name=op.f("fk_tool_score_school_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "line_item"],
            ["tool_line_item.school_id", "tool_line_item.id"],
            name=op.f("fk_tool_score_school_id_line_item"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_tool_score_school_id")),
        sa.PrimaryKeyConstraint("school_id", "line_item", "account", name=op.f("pk_tool_score")),
    )


def downgrade() -> None:
    op.drop_table("tool_score")
    with op.batch_alter_table("tool_line_item", schema=None) as batch_op:
        batch_op.drop_index("ix_tool_line_item_place")

    op.drop_table("tool_line_item")
    op.drop_table("tool_link")
    op.drop_table("tool_subject")
    op.drop_table("tool_invitation")
    op.drop_table("outside_tool")
    with op.batch_alter_table("platform_spent", schema=None) as batch_op:
        batch_op.drop_index("ix_platform_spent_until")

    op.drop_table("platform_spent")
    op.drop_table("platform_key")
