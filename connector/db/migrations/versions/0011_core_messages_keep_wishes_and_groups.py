"""Keep wishes to be erased, LTI 1.1 ids, groups and rosters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0011_core_messages"
down_revision = "0010_outside_tools"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("url_hash", types.Key(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("read_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_roster_school_id")),
        sa.PrimaryKeyConstraint("school_id", "url_hash", name=op.f("pk_roster")),
    )
    op.create_table(
        "course_group",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("group_id", types.Key(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "context"],
            ["context.school_id", "context.id"],
            name=op.f("fk_course_group_school_id_context"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_course_group_school_id")),
        sa.PrimaryKeyConstraint("school_id", "context", "group_id", name=op.f("pk_course_group")),
    )
    op.create_table(
        "course_group_member",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("group_id", types.Key(), nullable=False),
        sa.Column("sub", types.Key(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "context"],
            ["context.school_id", "context.id"],
            name=op.f("fk_course_group_member_school_id_context"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_course_group_member_school_id")),
        sa.PrimaryKeyConstraint("school_id", "context", "group_id", "sub", name=op.f("pk_course_group_member")),
    )
    op.create_table(
        "group_source",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("groups_url", sa.Text(), nullable=False),
        sa.Column("sets_url", sa.Text(), nullable=True),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('asked', 'read', 'refused')", name=op.f("ck_group_source_state")),
        sa.ForeignKeyConstraint(
            ["school_id", "context"],
            ["context.school_id", "context.id"],
            name=op.f("fk_group_source_school_id_context"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_group_source_school_id")),
        sa.PrimaryKeyConstraint("school_id", "context", name=op.f("pk_group_source")),
    )
    op.create_table(
        "legacy_account",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("consumer_key", types.Key(), nullable=False),
        sa.Column("user_id", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "account"],
            ["account.school_id", "account.id"],
            name=op.f("fk_legacy_account_school_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_legacy_account_school_id")),
        sa.PrimaryKeyConstraint("school_id", "issuer", "consumer_key", "user_id", name=op.f("pk_legacy_account")),
    )
    op.create_table(
        "legacy_secret",
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("consumer_key", types.Key(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_legacy_secret_registration_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("registration_id", "consumer_key", name=op.f("pk_legacy_secret")),
    )
    op.create_table(
        "privacy_request",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("asked_by", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("asked_at", types.Instant(), nullable=False),
        sa.Column("settled_at", types.Instant(), nullable=True),
        sa.CheckConstraint("kind IN ('erase')", name=op.f("ck_privacy_request_kind")),
        sa.CheckConstraint("state IN ('open', 'done', 'declined')", name=op.f("ck_privacy_request_state")),
        sa.ForeignKeyConstraint(
            ["school_id", "account"],
            ["account.school_id", "account.id"],
            name=op.f("fk_privacy_request_school_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "asked_by"],
            ["account.school_id", "account.id"],
            name=op.f("fk_privacy_request_school_id_asked_by"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_privacy_request_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_privacy_request")),
    )
    with op.batch_alter_table("privacy_request", schema=None) as batch_op:
        batch_op.create_index(
            "uq_privacy_request_open",
            ["school_id", "account", "kind"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "legacy_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("consumer_key", types.Key(), nullable=False),
        sa.Column("link_id", types.Key(), nullable=False),
        sa.Column("resource_link", types.Key(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "resource_link"],
            ["resource_link.school_id", "resource_link.id"],
            name=op.f("fk_legacy_link_school_id_resource_link"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_legacy_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "issuer", "consumer_key", "link_id", name=op.f("pk_legacy_link")),
    )


def downgrade() -> None:
    op.drop_table("legacy_link")
    with op.batch_alter_table("privacy_request", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_privacy_request_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.drop_table("privacy_request")
    op.drop_table("legacy_secret")
    op.drop_table("legacy_account")
    op.drop_table("group_source")
    op.drop_table("course_group_member")
    op.drop_table("course_group")
    op.drop_table("roster")
