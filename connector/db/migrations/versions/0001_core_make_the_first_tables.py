"""Make the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.db import types

revision = "0001_core"
down_revision = None
branch_labels = ("core",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("value_hash", types.Key(), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_access_token")),
    )
    op.create_table(
        "job_lane",
        sa.Column("lane", types.Key(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", types.Instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_job_lane")),
    )
    op.create_table(
        "job_worker",
        sa.Column("worker", types.Key(), nullable=False),
        sa.Column("started_at", types.Instant(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.Column("leased_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_job_worker")),
    )
    op.create_table(
        "key_set",
        sa.Column("jwks_url", sa.Text(), nullable=False),
        sa.Column("document", types.Json(), nullable=False),
        sa.Column("fetched_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("jwks_url", name=op.f("pk_key_set")),
    )
    op.create_table(
        "school",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("code", types.Key(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", types.Key(), server_default="kk", nullable=False),
        sa.Column("time_zone", types.Key(), server_default="Asia/Almaty", nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("language IN ('kk', 'ru', 'en')", name=op.f("ck_school_language")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_school")),
        sa.UniqueConstraint("code", name=op.f("uq_school_code")),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", types.Key(), nullable=False),
        sa.Column("sealed_pem", sa.Text(), nullable=False),
        sa.Column("public_jwk", types.Json(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('published', 'signing', 'retired')", name=op.f("ck_signing_key_state")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "account",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("sub", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("family_name", sa.Text(), server_default="", nullable=False),
        sa.Column("given_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sourcedid", types.Key(), server_default="", nullable=False),
        sa.Column("language", types.Key(), nullable=True),
        sa.Column("person_id", types.Key(), nullable=True),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_account_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_account")),
        sa.UniqueConstraint("school_id", "issuer", "sub", name=op.f("uq_account_school_id_issuer_sub")),
    )
    op.create_table(
        "connection",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("left_key", types.Key(), nullable=False),
        sa.Column("right_key", types.Key(), nullable=False),
        sa.Column("mapping_text", sa.Text(), nullable=False),
        sa.Column("mapping_hash", types.Key(), nullable=False),
        sa.Column("mapping_version", sa.Integer(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("sealed_credentials", sa.Text(), server_default="", nullable=False),
        sa.Column("read_only", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", types.Key(), server_default="active", nullable=False),
        sa.Column("first_approved_at", types.Instant(), nullable=True),
        sa.Column("last_run", types.Key(), nullable=True),
        sa.Column("last_good_at", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'removed')", name=op.f("ck_connection_state")),
        sa.CheckConstraint("read_only IN (0, 1)", name=op.f("ck_connection_read_only")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_connection_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_connection")),
        sa.UniqueConstraint(
            "school_id", "left_key", "right_key", name=op.f("uq_connection_school_id_left_key_right_key")
        ),
    )
    op.create_table(
        "context",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("context_id", types.Key(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("memberships_url", sa.Text(), nullable=True),
        sa.Column("line_items_url", sa.Text(), nullable=True),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_context_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_context")),
        sa.UniqueConstraint(
            "school_id",
            "issuer",
            "deployment_id",
            "context_id",
            name=op.f("uq_context_school_id_issuer_deployment_id_context_id"),
        ),
    )
    op.create_table(
        "effect_cell",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("system", types.Key(), nullable=False),
        sa.Column("item", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("last_stamp", types.Instant(), nullable=True),
        sa.Column("agreed", sa.Text(), nullable=True),
        sa.Column("agreed_maximum", sa.Text(), nullable=True),
        sa.Column("agreed_at", types.Instant(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("seen_maximum", sa.Text(), nullable=True),
        sa.Column("seen_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_effect_cell_school_id")),
        sa.PrimaryKeyConstraint("school_id", "system", "item", "person", name=op.f("pk_effect_cell")),
    )
    op.create_table(
        "job",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("payload", types.Json(), nullable=False),
        sa.Column("lane", types.Key(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_after", types.Instant(), nullable=False),
        sa.Column("state", types.Key(), server_default="ready", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", types.Instant(), nullable=True),
        sa.Column("worker", types.Key(), nullable=True),
        sa.Column("token", sa.Integer(), server_default="0", nullable=False),
        sa.Column("again_after", types.Instant(), nullable=True),
        sa.Column("last_reason", types.Key(), nullable=True),
        sa.Column("rung_at", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.Column("finished_at", types.Instant(), nullable=True),
        sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name=op.f("ck_job_leased")),
        sa.CheckConstraint("state IN ('ready', 'leased', 'done', 'dead')", name=op.f("ck_job_state")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_job_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_due", ["state", "run_after"], unique=False)
        batch_op.create_index("ix_job_finished_at", ["finished_at"], unique=False)
        batch_op.create_index(
            "uq_job_open",
            ["school_id", "kind", "key"],
            unique=True,
            sqlite_where=sa.text("state IN ('ready', 'leased')"),
            postgresql_where=sa.text("state IN ('ready', 'leased')"),
        )

    op.create_table(
        "operator_invitation",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_operator_invitation_school_id")),
        sa.PrimaryKeyConstraint("school_id", "hash", name=op.f("pk_operator_invitation")),
    )
    op.create_table(
        "operator_session",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_operator_session_school_id")),
        sa.PrimaryKeyConstraint("school_id", "hash", name=op.f("pk_operator_session")),
    )
    op.create_table(
        "person",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("family", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("patronymic", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("erased_at", types.Instant(), nullable=True),
        sa.Column("blocked_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_person")),
    )
    op.create_table(
        "register_lesson",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("lesson", types.Key(), nullable=False),
        sa.Column("group_id", types.Key(), nullable=False),
        sa.Column("subject_id", types.Key(), server_default="", nullable=False),
        sa.Column("day", types.Key(), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_register_lesson_school_id")),
        sa.PrimaryKeyConstraint("school_id", "lesson", name=op.f("pk_register_lesson")),
    )
    op.create_table(
        "registration",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("client_id", types.Key(), nullable=False),
        sa.Column("auth_url", sa.Text(), nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("jwks_url", sa.Text(), nullable=False),
        sa.Column("token_audience", sa.Text(), nullable=True),
        sa.Column("frame_origins", types.Json(), nullable=False),
        sa.Column("private_hosts", types.Json(), nullable=False),
        sa.Column("profile", types.Key(), server_default="generic", nullable=False),
        sa.Column("allow_anonymous", sa.Integer(), server_default="0", nullable=False),
        sa.Column("kid", types.Key(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["kid"], ["signing_key.kid"], name=op.f("fk_registration_kid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
        sa.UniqueConstraint("issuer", "client_id", name=op.f("uq_registration_issuer_client_id")),
    )
    op.create_table(
        "ticket",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("launch", types.Key(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_ticket_school_id")),
        sa.PrimaryKeyConstraint("school_id", "hash", name=op.f("pk_ticket")),
    )
    op.create_table(
        "activity",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("plugin", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("score_maximum", sa.Text(), nullable=True),
        sa.Column("tag", types.Key(), server_default="", nullable=False),
        sa.Column("created_by", types.Key(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("removed_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id", "context"], ["context.school_id", "context.id"], name=op.f("fk_activity_school_id_context")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_activity_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_activity")),
    )
    op.create_table(
        "audit",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("previous", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("action", types.Key(), nullable=False),
        sa.Column("actor", types.Key(), nullable=False),
        sa.Column("run", types.Key(), nullable=True),
        sa.Column("entries", types.Json(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_audit_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_audit_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "base",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("item", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("left_raw", sa.Text(), nullable=True),
        sa.Column("right_raw", sa.Text(), nullable=True),
        sa.Column("mapping_version", types.Key(), nullable=False),
        sa.Column("run", types.Key(), nullable=False),
        sa.Column("agreed_at", types.Instant(), nullable=False),
        sa.CheckConstraint("kind IN ('grade', 'attendance')", name=op.f("ck_base_kind")),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_base_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_base_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_base_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "key", name=op.f("pk_base")),
    )
    op.create_table(
        "conflict",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("item", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("left_raw", sa.Text(), nullable=True),
        sa.Column("right_raw", sa.Text(), nullable=True),
        sa.Column("base_left", sa.Text(), nullable=True),
        sa.Column("base_right", sa.Text(), nullable=True),
        sa.Column("reason", types.Key(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("resolution", types.Key(), nullable=True),
        sa.Column("run", types.Key(), nullable=False),
        sa.Column("opened_at", types.Instant(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.Column("resolved_by", types.Key(), nullable=True),
        sa.Column("resolved_at", types.Instant(), nullable=True),
        sa.CheckConstraint("resolution IN ('left', 'right', 'gone', 'agreed')", name=op.f("ck_conflict_resolution")),
        sa.CheckConstraint("state IN ('open', 'resolved')", name=op.f("ck_conflict_state")),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_conflict_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_conflict_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_conflict_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_conflict")),
    )
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.create_index(
            "uq_conflict_open",
            ["school_id", "connection", "key"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "deployment",
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("deployment_id", types.Key(), nullable=False),
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["registration_id"], ["registration.id"], name=op.f("fk_deployment_registration_id")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_deployment_school_id")),
        sa.PrimaryKeyConstraint("registration_id", "deployment_id", name=op.f("pk_deployment")),
    )
    op.create_table(
        "effect",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("system", types.Key(), nullable=False),
        sa.Column("item", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("origin", types.Key(), nullable=False),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("after_maximum", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("expect", sa.Text(), nullable=True),
        sa.Column("expect_maximum", sa.Text(), nullable=True),
        sa.Column("stamp", types.Instant(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("seen_maximum", sa.Text(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("sent_at", types.Instant(), nullable=True),
        sa.Column("settled_at", types.Instant(), nullable=True),
        sa.CheckConstraint("origin IN ('score', 'sync', 'undo', 'resend')", name=op.f("ck_effect_origin")),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'unknown', 'delivered', 'already', 'conflict', 'kept', 'refused', 'superseded')",
            name=op.f("ck_effect_state"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "system", "item", "person"],
            ["effect_cell.school_id", "effect_cell.system", "effect_cell.item", "effect_cell.person"],
            name=op.f("fk_effect_school_id_system_item_person"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_effect_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_effect")),
        sa.UniqueConstraint("school_id", "key", name=op.f("uq_effect_school_id_key")),
    )
    with op.batch_alter_table("effect", schema=None) as batch_op:
        batch_op.create_index("ix_effect_cell", ["school_id", "system", "item", "person", "state"], unique=False)
        batch_op.create_index(
            "uq_effect_in_flight",
            ["school_id", "system", "item", "person"],
            unique=True,
            sqlite_where=sa.text("state IN ('sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('sent', 'unknown')"),
        )
        batch_op.create_index(
            "uq_effect_planned",
            ["school_id", "system", "item", "person"],
            unique=True,
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )

    op.create_table(
        "group_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("left_group", types.Key(), nullable=False),
        sa.Column("right_group", types.Key(), nullable=False),
        sa.Column("right_subject", types.Key(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_group_link_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_group_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_group_link")),
        sa.UniqueConstraint(
            "school_id",
            "connection",
            "left_group",
            "right_group",
            "right_subject",
            name=op.f("uq_group_link_school_id_connection_left_group_right_group_right_subject"),
        ),
    )
    op.create_table(
        "identifier",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("type", types.Key(), nullable=False),
        sa.Column("issuer", types.Key(), nullable=False),
        sa.Column("value", types.Key(), nullable=False),
        sa.Column("confidence", types.Key(), nullable=False),
        sa.Column("first_seen", types.Instant(), nullable=False),
        sa.Column("last_seen", types.Instant(), nullable=False),
        sa.Column("ended_at", types.Instant(), nullable=True),
        sa.CheckConstraint("confidence IN ('linked', 'proven', 'proposed')", name=op.f("ck_identifier_confidence")),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_identifier_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_identifier_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_identifier")),
    )
    with op.batch_alter_table("identifier", schema=None) as batch_op:
        batch_op.create_index(
            "uq_identifier_active",
            ["school_id", "type", "issuer", "value"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_identifier_person",
            ["school_id", "person", "type", "issuer"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "iin_vault",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("sealed_iin", sa.Text(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_iin_vault_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_iin_vault_school_id")),
        sa.PrimaryKeyConstraint("school_id", "person", name=op.f("pk_iin_vault")),
    )
    op.create_table(
        "mapping_version",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_mapping_version_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_mapping_version_school_id")),
        sa.PrimaryKeyConstraint("school_id", "connection", "version", name=op.f("pk_mapping_version")),
    )
    op.create_table(
        "register_entry",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("lesson", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("day", types.Key(), nullable=False),
        sa.Column("code", types.Key(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_register_entry_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_register_entry_school_id")),
        sa.PrimaryKeyConstraint("school_id", "lesson", "person", name=op.f("pk_register_entry")),
    )
    with op.batch_alter_table("register_entry", schema=None) as batch_op:
        batch_op.create_index("ix_register_entry_person", ["school_id", "person", "day"], unique=False)

    op.create_table(
        "resource_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("context", types.Key(), nullable=False),
        sa.Column("link_id", types.Key(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("activity", types.Key(), nullable=True),
        sa.Column("line_item_url", sa.Text(), nullable=True),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "context"],
            ["context.school_id", "context.id"],
            name=op.f("fk_resource_link_school_id_context"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_resource_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_resource_link")),
        sa.UniqueConstraint("school_id", "context", "link_id", name=op.f("uq_resource_link_school_id_context_link_id")),
    )
    op.create_table(
        "run",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("trigger", types.Key(), nullable=False),
        sa.Column("actor", types.Key(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("counts", types.Json(), nullable=False),
        sa.Column("phases", types.Json(), nullable=False),
        sa.Column("not_compared", types.Json(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("plan", types.Key(), nullable=True),
        sa.Column("started_at", types.Instant(), nullable=False),
        sa.Column("finished_at", types.Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('reading', 'planned', 'applying', 'verifying', 'done', 'partial', 'not_compared', 'failed')",
            name=op.f("ck_run_state"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_run_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_run_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_run")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_connection_started_at", ["connection", "started_at"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("side", types.Key(), nullable=False),
        sa.Column("external_id", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=True),
        sa.Column("role", types.Key(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_seen", types.Instant(), nullable=False),
        sa.Column("last_seen", types.Instant(), nullable=False),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_enrolment_side")),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_enrolment_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_enrolment_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_enrolment_school_id")),
        sa.PrimaryKeyConstraint("school_id", "group_link", "side", "external_id", name=op.f("pk_enrolment")),
    )
    op.create_table(
        "item_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("left_item", types.Key(), nullable=False),
        sa.Column("right_item", types.Key(), nullable=True),
        sa.Column("right_lesson", types.Key(), nullable=True),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("how", types.Key(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.CheckConstraint("how IN ('linked', 'tag', 'title+date', 'placed', 'person')", name=op.f("ck_item_link_how")),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_item_link_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_item_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_item_link")),
        sa.UniqueConstraint(
            "school_id", "group_link", "left_item", name=op.f("uq_item_link_school_id_group_link_left_item")
        ),
    )
    op.create_table(
        "launch",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("registration_id", types.Key(), nullable=False),
        sa.Column("nonce", types.Key(), nullable=False),
        sa.Column("secret_hash", types.Key(), nullable=False),
        sa.Column("message_type", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=True),
        sa.Column("context", types.Key(), nullable=True),
        sa.Column("resource_link", types.Key(), nullable=True),
        sa.Column("role", types.Key(), nullable=False),
        sa.Column("roles", types.Json(), nullable=False),
        sa.Column("language", types.Key(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("trace", types.Json(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("used_ticket_at", types.Instant(), nullable=True),
        sa.CheckConstraint("role IN ('teacher', 'pupil', 'other')", name=op.f("ck_launch_role")),
        sa.ForeignKeyConstraint(
            ["school_id", "account"], ["account.school_id", "account.id"], name=op.f("fk_launch_school_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "context"], ["context.school_id", "context.id"], name=op.f("fk_launch_school_id_context")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "resource_link"],
            ["resource_link.school_id", "resource_link.id"],
            name=op.f("fk_launch_school_id_resource_link"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_launch_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_launch")),
        sa.UniqueConstraint("registration_id", "nonce", name=op.f("uq_launch_registration_id_nonce")),
    )
    with op.batch_alter_table("launch", schema=None) as batch_op:
        batch_op.create_index("ix_launch_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "person_link",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("right_id", types.Key(), nullable=False),
        sa.Column("how", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.Column("decided_by", types.Key(), nullable=True),
        sa.Column("decided_at", types.Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'waiting', 'accepted', 'rejected')", name=op.f("ck_person_link_state")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_person_link_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_person_link_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_person_link_school_id_person")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_person_link_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_person_link")),
        sa.UniqueConstraint(
            "school_id",
            "connection",
            "person",
            "right_id",
            name=op.f("uq_person_link_school_id_connection_person_right_id"),
        ),
    )
    op.create_table(
        "plan",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("run", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("header", types.Json(), nullable=False),
        sa.Column("works", types.Json(), nullable=False),
        sa.Column("verdict", types.Json(), nullable=True),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("counts", types.Json(), nullable=False),
        sa.Column("undoes", types.Key(), nullable=True),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.Column("approved_by", types.Key(), nullable=True),
        sa.Column("approved_at", types.Instant(), nullable=True),
        sa.Column("applied_at", types.Instant(), nullable=True),
        sa.CheckConstraint("kind IN ('sync', 'impact', 'undo')", name=op.f("ck_plan_kind")),
        sa.CheckConstraint(
            "state IN ('empty', 'planned', 'approved', 'applying', 'applied', 'stale', 'discarded')",
            name=op.f("ck_plan_state"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_plan_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(["school_id", "run"], ["run.school_id", "run.id"], name=op.f("fk_plan_school_id_run")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_plan_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_plan")),
    )
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.create_index(
            "uq_plan_applying",
            ["school_id", "connection"],
            unique=True,
            sqlite_where=sa.text("state = 'applying'"),
            postgresql_where=sa.text("state = 'applying'"),
        )

    op.create_table(
        "result",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("activity", types.Key(), nullable=False),
        sa.Column("account", types.Key(), nullable=False),
        sa.Column("resource_link", types.Key(), nullable=True),
        sa.Column("score_given", sa.Text(), nullable=True),
        sa.Column("score_maximum", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("progress", types.Key(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("finished_at", types.Instant(), nullable=False),
        sa.Column("evidence", types.Json(), nullable=False),
        sa.CheckConstraint(
            "progress IN ('started', 'submitted', 'graded', 'cleared')", name=op.f("ck_result_progress")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "account"], ["account.school_id", "account.id"], name=op.f("fk_result_school_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "activity"], ["activity.school_id", "activity.id"], name=op.f("fk_result_school_id_activity")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_result_school_id")),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_result")),
        sa.UniqueConstraint("school_id", "activity", "account", name=op.f("uq_result_school_id_activity_account")),
    )
    op.create_table(
        "scope_read",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("side", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("evidence", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), server_default="0", nullable=False),
        sa.Column("read_at", types.Instant(), nullable=False),
        sa.Column("complete_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_scope_read_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_scope_read_school_id")),
        sa.PrimaryKeyConstraint("school_id", "group_link", "side", "kind", name=op.f("pk_scope_read")),
    )
    op.create_table(
        "score_column",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("activity", types.Key(), nullable=False),
        sa.Column("link", types.Key(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('wanted', 'ready', 'missing')", name=op.f("ck_score_column_state")),
        sa.ForeignKeyConstraint(
            ["school_id", "activity"],
            ["activity.school_id", "activity.id"],
            name=op.f("fk_score_column_school_id_activity"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_score_column_school_id")),
        sa.PrimaryKeyConstraint("school_id", "activity", "link", name=op.f("pk_score_column")),
    )
    op.create_table(
        "snapshot",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("side", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("raw", types.Json(), nullable=False),
        sa.Column("hash", types.Key(), nullable=False),
        sa.Column("seen_at", types.Instant(), nullable=False),
        sa.Column("missing", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "kind IN ('person', 'lesson', 'item', 'result', 'attendance')", name=op.f("ck_snapshot_kind")
        ),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_snapshot_side")),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_snapshot_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "group_link"],
            ["group_link.school_id", "group_link.id"],
            name=op.f("fk_snapshot_school_id_group_link"),
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_snapshot_school_id")),
        sa.PrimaryKeyConstraint(
            "school_id", "connection", "side", "group_link", "kind", "key", name=op.f("pk_snapshot")
        ),
    )
    op.create_table(
        "delivery",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("result", types.Key(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("effect", types.Key(), nullable=True),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.CheckConstraint(
            "state IN ('none', 'delivered', 'kept_by_teacher', 'refused')", name=op.f("ck_delivery_state")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "effect"], ["effect.school_id", "effect.id"], name=op.f("fk_delivery_school_id_effect")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "result"], ["result.school_id", "result.id"], name=op.f("fk_delivery_school_id_result")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_delivery_school_id")),
        sa.PrimaryKeyConstraint("school_id", "result", name=op.f("pk_delivery")),
    )
    op.create_table(
        "entry_line",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("connection", types.Key(), nullable=False),
        sa.Column("plan", types.Key(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("lesson_day", types.Key(), nullable=False),
        sa.Column("lesson_number", sa.Integer(), nullable=False),
        sa.Column("lesson", types.Key(), server_default="", nullable=False),
        sa.Column("work", sa.Text(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("external_person", types.Key(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=True),
        sa.Column("left_raw", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.Column("checked_at", types.Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('to_type', 'typed', 'missed', 'different', 'withdrawn')", name=op.f("ck_entry_line_state")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "connection"],
            ["connection.school_id", "connection.id"],
            name=op.f("fk_entry_line_school_id_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "person"], ["person.school_id", "person.id"], name=op.f("fk_entry_line_school_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "plan"], ["plan.school_id", "plan.id"], name=op.f("fk_entry_line_school_id_plan")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_entry_line_school_id")),
        sa.PrimaryKeyConstraint("school_id", "plan", "seq", name=op.f("pk_entry_line")),
    )
    with op.batch_alter_table("entry_line", schema=None) as batch_op:
        batch_op.create_index(
            "uq_entry_line_open",
            ["school_id", "connection", "key"],
            unique=True,
            sqlite_where=sa.text("state IN ('to_type', 'missed', 'different')"),
            postgresql_where=sa.text("state IN ('to_type', 'missed', 'different')"),
        )

    op.create_table(
        "plan_change",
        sa.Column("school_id", types.Key(), nullable=False),
        sa.Column("plan", types.Key(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("group_link", types.Key(), nullable=False),
        sa.Column("kind", types.Key(), nullable=False),
        sa.Column("action", types.Key(), nullable=False),
        sa.Column("side", types.Key(), nullable=False),
        sa.Column("item", types.Key(), nullable=False),
        sa.Column("person", types.Key(), nullable=False),
        sa.Column("change", types.Json(), nullable=False),
        sa.Column("external_item", types.Key(), nullable=True),
        sa.Column("external_person", types.Key(), nullable=True),
        sa.Column("maximum", sa.Text(), nullable=True),
        sa.Column("read_at", types.Instant(), nullable=False),
        sa.Column("stamp", types.Instant(), nullable=False),
        sa.Column("state", types.Key(), nullable=False),
        sa.Column("held_by", types.Key(), server_default="", nullable=False),
        sa.Column("reason", types.Key(), server_default="", nullable=False),
        sa.Column("written", sa.Text(), nullable=True),
        sa.Column("applied_at", types.Instant(), nullable=True),
        sa.CheckConstraint("side IN ('left', 'right', 'none')", name=op.f("ck_plan_change_side")),
        sa.CheckConstraint(
            "state IN ('ready', 'held', 'conflict', 'reported', 'silent', 'not_compared', 'approved', 'sent', 'written', 'applied', 'moved', 'refused', 'retry', 'unknown', 'lost', 'entry', 'skipped')",
            name=op.f("ck_plan_change_state"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "plan"], ["plan.school_id", "plan.id"], name=op.f("fk_plan_change_school_id_plan")
        ),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_plan_change_school_id")),
        sa.PrimaryKeyConstraint("school_id", "plan", "seq", name=op.f("pk_plan_change")),
    )
    with op.batch_alter_table("plan_change", schema=None) as batch_op:
        batch_op.create_index("ix_plan_change_key", ["school_id", "key"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("plan_change", schema=None) as batch_op:
        batch_op.drop_index("ix_plan_change_key")

    op.drop_table("plan_change")
    with op.batch_alter_table("entry_line", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_entry_line_open",
            sqlite_where=sa.text("state IN ('to_type', 'missed', 'different')"),
            postgresql_where=sa.text("state IN ('to_type', 'missed', 'different')"),
        )

    op.drop_table("entry_line")
    op.drop_table("delivery")
    op.drop_table("snapshot")
    op.drop_table("score_column")
    op.drop_table("scope_read")
    op.drop_table("result")
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_plan_applying",
            sqlite_where=sa.text("state = 'applying'"),
            postgresql_where=sa.text("state = 'applying'"),
        )

    op.drop_table("plan")
    op.drop_table("person_link")
    with op.batch_alter_table("launch", schema=None) as batch_op:
        batch_op.drop_index("ix_launch_expires_at")

    op.drop_table("launch")
    op.drop_table("item_link")
    op.drop_table("enrolment")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_connection_started_at")

    op.drop_table("run")
    op.drop_table("resource_link")
    with op.batch_alter_table("register_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_register_entry_person")

    op.drop_table("register_entry")
    op.drop_table("mapping_version")
    op.drop_table("iin_vault")
    with op.batch_alter_table("identifier", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_identifier_person",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_identifier_active",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("identifier")
    op.drop_table("group_link")
    with op.batch_alter_table("effect", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_effect_planned",
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )
        batch_op.drop_index(
            "uq_effect_in_flight",
            sqlite_where=sa.text("state IN ('sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('sent', 'unknown')"),
        )
        batch_op.drop_index("ix_effect_cell")

    op.drop_table("effect")
    op.drop_table("deployment")
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_conflict_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )

    op.drop_table("conflict")
    op.drop_table("base")
    op.drop_table("audit")
    op.drop_table("activity")
    op.drop_table("ticket")
    op.drop_table("registration")
    op.drop_table("register_lesson")
    op.drop_table("person")
    op.drop_table("operator_session")
    op.drop_table("operator_invitation")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_job_open",
            sqlite_where=sa.text("state IN ('ready', 'leased')"),
            postgresql_where=sa.text("state IN ('ready', 'leased')"),
        )
        batch_op.drop_index("ix_job_finished_at")
        batch_op.drop_index("ix_job_due")

    op.drop_table("job")
    op.drop_table("effect_cell")
    op.drop_table("context")
    op.drop_table("connection")
    op.drop_table("account")
    op.drop_table("signing_key")
    op.drop_table("school")
    op.drop_table("key_set")
    op.drop_table("job_worker")
    op.drop_table("job_lane")
    op.drop_table("access_token")
