"""What the ledger keeps, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Origin(StrEnum):
    """Why a cell is written."""

    SCORE = "score"
    SYNC = "sync"
    UNDO = "undo"
    RESEND = "resend"


class State(StrEnum):
    """How far a write is. SENT and UNKNOWN may or may not have arrived: only reading back tells."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    ALREADY = "already"
    CONFLICT = "conflict"
    KEPT = "kept"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


IN_FLIGHT = frozenset({State.SENT, State.UNKNOWN})


@dataclass(frozen=True, order=True)
class Cell:
    """One mark's place in one system.

    Attributes:
        system: Which system; all that write to one LMS use ``lms_cell``, so that they meet in one row.
        item: The column or lesson, in the system's own id.
        person: The pupil, in the system's own id.
    """

    system: str
    item: str
    person: str


def lms_cell(issuer: str, line_item_url: str, sub: str) -> Cell:
    """Return the cell of an LMS's gradebook."""
    return Cell(f"lti:{issuer}", line_item_url, sub)


@dataclass(frozen=True)
class Change:
    """One intended change of one cell.

    Attributes:
        cell: Which cell.
        after: New raw value; None clears the cell.
        origin: Who asks.
        key: Idempotency key: asking again with it gives the same effect.
        wanted_at: When the change came to be at its source (aware); its stamp starts from it.
        maximum: Maximum of ``after``, where the scale has one.
        comment: Plain text for the pupil.
    """

    cell: Cell
    after: str | None
    origin: Origin
    key: str
    wanted_at: datetime
    maximum: str | None = None
    comment: str = field(default="", repr=False)


@dataclass(frozen=True)
class CellState:
    """What is known of a cell.

    Attributes:
        cell: Which cell.
        last_stamp: The latest stamp that was sent.
        agreed: What the system showed when a write of ours was last found there.
        agreed_maximum: Its maximum then.
        agreed_known: False while nothing of ours was ever found there.
    """

    cell: Cell
    last_stamp: datetime | None = None
    agreed: str | None = None
    agreed_maximum: str | None = None
    agreed_known: bool = False


@dataclass(frozen=True)
class Effect:
    """One write of the ledger; the fields of the table, see ``sync.effects.tables``."""

    id: str
    cell: Cell
    key: str
    origin: Origin
    after: str | None
    maximum: str | None
    comment: str = field(repr=False)
    expect: str | None
    expect_maximum: str | None
    stamp: datetime
    state: State
    reason: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Sighting:
    """What stood in a cell when it was read: raw text and its maximum; None for a cell that showed nothing."""

    value: str | None
    maximum: str | None = None
