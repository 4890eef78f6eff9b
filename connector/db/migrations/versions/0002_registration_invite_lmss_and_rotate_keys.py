"""Invite LMSs, let people say whose a deployment is, and rotate keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0002_registration"
down_revision = "0001_core"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deployment_request",
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=True),
        sa.Column("launches", sa.Integer(), nullable=False),
        sa.Column("first_at", types.Instant(), nullable=False),
        sa.Column("last_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_deployment_request_registration_id")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_deployment_request_school_id")),
        sa.PrimaryKeyConstraint("registration_id", "deployment_id", name=op.f("pk_deployment_request")),
    )
    op.create_table(
        "dynamic_registration",
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("product", sa.Text(), server_default="", nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("registered_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_dynamic_registration_registration_id")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_dynamic_registration_school_id")),
        sa.PrimaryKeyConstraint("registration_id", name=op.f("pk_dynamic_registration")),
    )
    op.create_table(
        "invitation",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("allow_hosts", types.Json(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("used_at", types.Instant(), nullable=True),
        sa.Column("revoked_at", types.Instant(), nullable=True),
        sa.Column("registration_id", types.Key(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registration.id"], name=op.f("fk_invitation_registration_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_invitation_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("hash", name=op.f("uq_invitation_hash")),
    )
    op.create_table(
        "key_rotation",
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("new_kid", types.Key(), nullable=False),
        sa.Column("old_kid", types.Key(), nullable=False),
        sa.Column("wait_seconds", sa.Integer(), nullable=False),
        sa.Column("published_at", types.Instant(), nullable=False),
        sa.Column("sign_at", types.Instant(), nullable=False),
        sa.Column("signed_at", types.Instant(), nullable=True),
        sa.Column("retire_at", types.Instant(), nullable=True),
        sa.Column("retired_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["new_kid"], ["signing_key.kid"], name=op.f("fk_key_rotation_new_kid")),
        sa.ForeignKeyConstraint(["old_kid"], ["signing_key.kid"], name=op.f("fk_key_rotation_old_kid")),
        sa.ForeignKeyConstraint(["registration_id"], ["registration.id"], name=op.f("fk_key_rotation_registration_id")),
        sa.PrimaryKeyConstraint("registration_id", "new_kid", name=op.f("pk_key_rotation")),
    )
    with op.batch_alter_table("key_rotation", schema=None) as batch_op:
        batch_op.create_index(
            "uq_key_rotation_open",
            ["registration_id"],
            unique=True,
            sqlite_where=sa.text("retired_at IS NULL"),
            postgresql_where=sa.text("retired_at IS NULL"),
        )

    op.create_table(
        "registration_request",
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("invitation_id", types.Key(), nullable=False),
        sa.Column("configuration", types.Json(), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=True),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.CheckConstraint(
            "state IN ('shown', 'sent', 'registered', 'refused')", name=op.f("ck_registration_request_state")
        ),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_registration_request_invitation_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_registration_request")),
    )
    with op.batch_alter_table("registration_request", schema=None) as batch_op:
        batch_op.create_index("ix_registration_request_invitation", ["invitation_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("registration_request", schema=None) as batch_op:
        batch_op.drop_index("ix_registration_request_invitation")

    op.drop_table("registration_request")
    with op.batch_alter_table("key_rotation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_key_rotation_open",
            sqlite_where=sa.text("retired_at IS NULL"),
            postgresql_where=sa.text("retired_at IS NULL"),
        )

    op.drop_table("key_rotation")
    op.drop_table("invitation")
    op.drop_table("dynamic_registration")
    op.drop_table("deployment_request")
