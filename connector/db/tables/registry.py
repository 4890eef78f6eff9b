"""What stands above schools: schools themselves, platforms' registrations, deployments and keys."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

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
