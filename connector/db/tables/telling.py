"""Who is told when something needs somebody, and every message that was to leave."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text

from connector.db.schema import ref, school_table
from connector.db.types import Instant, Json, Key

recipient = school_table(
    "recipient",
    Column("channel", Key, nullable=False),
    # An e-mail address or a webhook's address, and the webhook's secret: sealed, for the first is somebody's name.
    Column("sealed_address", Text, nullable=False),
    Column("sealed_secret", Text, nullable=False, server_default=""),
    Column("language", Key, nullable=False),
    # 1: told at once when something new needs somebody.
    Column("at_once", Integer, nullable=False),
    # The weekday of the digest, Monday 0; -1 for none.
    Column("digest_day", Integer, nullable=False),
    # A pair without a good run for so many days needs somebody.
    Column("stale_days", Integer, nullable=False),
    # Open matters this recipient was told of, each with when it was last seen open.
    Column("known", Json, nullable=False, server_default="{}"),
    # When the school's matters are looked at next, and when the next digest is due; claimed by compare-and-set.
    Column("look_at", Instant, nullable=False),
    Column("digest_at", Instant),
    Column("made_by", Key, nullable=False, server_default=""),
    Column("made_at", Instant, nullable=False),
    CheckConstraint("channel IN ('email', 'webhook')", name="channel"),
    CheckConstraint("at_once IN (0, 1)", name="at_once"),
    CheckConstraint("digest_day BETWEEN -1 AND 6", name="digest_day"),
    CheckConstraint("stale_days BETWEEN 1 AND 90", name="stale_days"),
    Index("ix_recipient_look_at", "look_at"),
    service="SELECT",
)

telling = school_table(
    "telling",
    Column("recipient", Key, nullable=False),
    Column("kind", Key, nullable=False),
    # Matters with their counts; no names.
    Column("items", Json, nullable=False),
    # "sending" is committed before a message leaves: what is found so after a crash may have arrived.
    Column("state", Key, nullable=False, server_default="waiting"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("reason", Key, nullable=False, server_default=""),
    Column("made_at", Instant, nullable=False),
    Column("sent_at", Instant),
    ref("recipient", "recipient"),
    CheckConstraint("kind IN ('notice', 'digest', 'test')", name="kind"),
    CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed')", name="state"),
    Index("ix_telling_recipient", "school_id", "recipient"),
)
