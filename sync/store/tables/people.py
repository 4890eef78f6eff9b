"""People as the school's own record keeps them, their ids in each system, and proposals to join them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Integer, Text, UniqueConstraint, text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Key

person = school_table(
    "person",
    Column("family", Text, nullable=False, server_default=""),
    Column("given", Text, nullable=False, server_default=""),
    Column("patronymic", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    # Set by an erasure: the row stays, so that marks keep their chain, and holds no name any more.
    Column("erased_at", Instant),
    # Set while the person's data may not be processed (law 94-V): every write stops at the next record.
    Column("blocked_at", Instant),
)

identifier = school_table(
    "identifier",
    Column("person", Key, nullable=False),
    # lti_sub, kundelik_person, idnumber, iin_hmac, …; an IIN is here as its keyed hash only.
    Column("type", Key, nullable=False),
    # The system or platform that gave it: its key, or the issuer.
    Column("issuer", Key, nullable=False),
    Column("value", Key, nullable=False),
    Column("confidence", Key, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("ended_at", Instant),
    ref("person", "person"),
    CheckConstraint("confidence IN ('linked', 'proven', 'proposed')", name="confidence"),
    Index(
        "uq_identifier_active",
        "school_id",
        "type",
        "issuer",
        "value",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    # One person has one live id of a kind from one issuer.
    Index(
        "uq_identifier_person",
        "school_id",
        "person",
        "type",
        "issuer",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

iin_vault = school_table(
    "iin_vault",
    # Only for systems that must send the IIN itself; each opening is audited.
    Column("person", Key, nullable=False),
    Column("sealed_iin", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    ref("person", "person"),
    key=("person",),
)

person_link = school_table(
    "person_link",
    # A person and the right side's id they may be, waiting for somebody's word.
    Column("connection", Key, nullable=False),
    Column("group_link", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("right_id", Key, nullable=False),
    Column("how", Key, nullable=False),
    Column("reason", Key, nullable=False, server_default=""),
    Column("state", Key, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("decided_by", Key),
    Column("decided_at", Instant),
    UniqueConstraint("school_id", "connection", "person", "right_id"),
    ref("connection", "connection"),
    ref("group_link", "group_link"),
    ref("person", "person"),
    CheckConstraint("state IN ('proposed', 'waiting', 'accepted', 'rejected')", name="state"),
)

enrolment = school_table(
    "enrolment",
    # Who is in a group, by side; Kopir's own record of both rosters.
    Column("group_link", Key, nullable=False),
    Column("side", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("person", Key),
    Column("role", Key, nullable=False),
    Column("position", Integer, nullable=False),
    Column("active", Integer, nullable=False, server_default="1"),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    ref("group_link", "group_link"),
    ForeignKeyConstraint(["school_id", "person"], ["person.school_id", "person.id"]),
    CheckConstraint("side IN ('left', 'right')", name="side"),
    key=("group_link", "side", "external_id"),
)
