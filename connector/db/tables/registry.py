"""What stands above schools: schools themselves, platforms' registrations, deployments and keys."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from connector.db.schema import metadata
from connector.db.types import Instant, Json, Key

school = Table(
    "school",
    metadata,
    Column("id", Key, primary_key=True),
    Column("code", Key, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("language", Key, nullable=False, server_default="kk"),
    Column("time_zone", Key, nullable=False, server_default="Asia/Almaty"),
    # The school's own HMAC key for IINs, sealed with the installation's keys.
    Column("sealed_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("language IN ('kk', 'ru', 'en')", name="language"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Key, primary_key=True),
    Column("sealed_pem", Text, nullable=False),
    Column("public_jwk", Json, nullable=False),
    Column("state", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("state IN ('published', 'signing', 'retired')", name="state"),
    info={"app_access": "SELECT"},
)

registration = Table(
    "registration",
    metadata,
    Column("id", Key, primary_key=True),
    Column("issuer", Key, nullable=False),
    Column("client_id", Key, nullable=False),
    Column("auth_url", Text, nullable=False),
    Column("token_url", Text, nullable=False),
    Column("jwks_url", Text, nullable=False),
    Column("token_audience", Text),
    # Origins that may frame our pages; the issuer's own origin is always among them.
    Column("frame_origins", Json, nullable=False),
    # Hosts inside private networks that an administrator allowed for this platform only.
    Column("private_hosts", Json, nullable=False),
    Column("profile", Key, nullable=False, server_default="generic"),
    Column("allow_anonymous", Integer, nullable=False, server_default="0"),
    Column("kid", Key, ForeignKey("signing_key.kid"), nullable=False),
    Column("created_at", Instant, nullable=False),
    # Where its logins begin on the launch ladder, and since when; empty while nothing is known.
    Column("rung", Key, nullable=False, server_default=""),
    Column("rung_at", Instant),
    UniqueConstraint("issuer", "client_id"),
)

deployment = Table(
    "deployment",
    metadata,
    Column("registration_id", Key, ForeignKey("registration.id"), primary_key=True),
    Column("deployment_id", Key, primary_key=True),
    Column("school_id", Key, ForeignKey("school.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
)

key_set = Table(
    "key_set",
    metadata,
    Column("jwks_url", Text, primary_key=True),
    Column("document", Json, nullable=False),
    Column("fetched_at", Instant, nullable=False),
    # When a process last fetched the set early, for a key that was not in it.
    Column("forced_at", Instant),
)

access_token = Table(
    "access_token",
    metadata,
    Column("key", Key, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("value_hash", Key, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("expires_at", Instant, nullable=False),
    info={"app_access": ""},
)

invitation = Table(
    "invitation",
    metadata,
    Column("id", Key, primary_key=True),
    # SHA-256 of the secret in the registration URL.
    Column("hash", Key, nullable=False, unique=True),
    Column("school_id", Key, ForeignKey("school.id"), nullable=False),
    # The tool's name in the LMS; empty means our own.
    Column("label", Text, nullable=False, server_default=""),
    # Hosts inside private networks that this one registration may reach.
    Column("allow_hosts", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Column("registration_id", Key, ForeignKey("registration.id", ondelete="SET NULL")),
    info={"app_access": ""},
)

registration_request = Table(
    "registration_request",
    metadata,
    # SHA-256 of the preview's form key: what was shown is what is asked.
    Column("hash", Key, primary_key=True),
    Column("invitation_id", Key, ForeignKey("invitation.id"), nullable=False),
    Column("configuration", Json, nullable=False),
    # The platform's registration token, sealed; gone once it was sent.
    Column("sealed_token", Text),
    Column("state", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    CheckConstraint("state IN ('shown', 'sent', 'registered', 'refused')", name="state"),
    Index("ix_registration_request_invitation", "invitation_id"),
    info={"app_access": ""},
)

dynamic_registration = Table(
    "dynamic_registration",
    metadata,
    # How a registration came about by itself: who invited it, what it said it was and what it granted.
    Column("registration_id", Key, ForeignKey("registration.id"), primary_key=True),
    Column("school_id", Key, ForeignKey("school.id"), nullable=False),
    Column("product", Text, nullable=False, server_default=""),
    Column("scopes", Json, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    info={"app_access": ""},
)

deployment_request = Table(
    "deployment_request",
    metadata,
    # Deployments that launched and belong to no school yet; a person says whose they are.
    Column("registration_id", Key, ForeignKey("registration.id"), primary_key=True),
    Column("deployment_id", Key, primary_key=True),
    # The school whose invitation brought the registration, where one did.
    Column("school_id", Key, ForeignKey("school.id")),
    Column("launches", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    info={"app_access": ""},
)

key_rotation = Table(
    "key_rotation",
    metadata,
    Column("registration_id", Key, ForeignKey("registration.id"), primary_key=True),
    Column("new_kid", Key, ForeignKey("signing_key.kid"), primary_key=True),
    Column("old_kid", Key, ForeignKey("signing_key.kid"), nullable=False),
    # How long platforms may keep a copy of our keys.
    Column("wait_seconds", Integer, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("sign_at", Instant, nullable=False),
    Column("signed_at", Instant),
    # Until then the old key stays published, for what it signed last.
    Column("retire_at", Instant),
    Column("retired_at", Instant),
    # One rotation of a registration at a time.
    Index(
        "uq_key_rotation_open",
        "registration_id",
        unique=True,
        sqlite_where=text("retired_at IS NULL"),
        postgresql_where=text("retired_at IS NULL"),
    ),
    info={"app_access": ""},
)
