"""What every system on either side of the bridge gives the engine.

An adapter is a table (capabilities, limits, quirks) and small functions. It reads with a proof of completeness,
writes one cell at a time with compare-and-set as far as the system allows, and never decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from sync.model import AcademicSession, AttendanceMark, Group, Lesson, LineItem, Person, Result

T_co = TypeVar("T_co", covariant=True)


class Evidence(StrEnum):
    """How much a read proves. Only COMPLETE makes what is missing absent."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    SUSPICIOUS = "suspicious"
    UNAUTHORISED = "unauthorised"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Read(Generic[T_co]):
    """Records of one scope and what the read proves about those that are missing.

    Attributes:
        records: What was read; may be non-empty even when the read is partial.
        evidence: What absence means.
        read_at: When the read began, aware UTC, by the other side's clock where it gives one (HTTP ``Date``).
        reason: A code for anything but COMPLETE: ``html_page``, ``half_list``, ``empty_list``, ``http_503``, …
    """

    records: tuple[T_co, ...]
    evidence: Evidence
    read_at: datetime
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Tell whether a record that is not here does not exist."""
        return self.evidence is Evidence.COMPLETE


class Writing(StrEnum):
    """Whether a class of records can be written."""

    YES = "yes"
    NO = "no"
    VENDOR_GATED = "vendor_gated"


class Cas(StrEnum):
    """How a write makes sure that nobody changed the cell since it was read."""

    NATIVE = "native"
    TIMESTAMP = "timestamp"
    CHECK_THEN_WRITE = "check_then_write"


@dataclass(frozen=True)
class Access:
    """What can be done with one class of records.

    Attributes:
        read: It can be read.
        write: It can be written.
        cas: How a write is protected.
        hides: Values this system cannot tell from none, as raw text (Moodle's results omit ``0``).
        reason: Why, for a person.
        source: Public link or document.
    """

    read: bool = False
    write: Writing = Writing.NO
    cas: Cas = Cas.CHECK_THEN_WRITE
    hides: frozenset[str] = frozenset()
    reason: str = ""
    source: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What one system can do, class by class."""

    people: Access = field(default_factory=Access)
    lessons: Access = field(default_factory=Access)
    line_items: Access = field(default_factory=Access)
    results: Access = field(default_factory=Access)
    attendance: Access = field(default_factory=Access)


@dataclass(frozen=True)
class Scope:
    """One group of one system: the smallest thing that is read and planned as a whole.

    Attributes:
        group: The system's id of the class, course or edu-group.
        subject: The system's id of the subject, where a group has several.
        first: First civil day that counts.
        last: Last civil day that counts.
        known_people: How many pupils the last complete read found; a floor against half lists.
        known_items: How many line items the last complete read found.
        known_lessons: How many lessons the last complete read found.
    """

    group: str
    subject: str = ""
    first: date = date.min
    last: date = date.max
    known_people: int = 0
    known_items: int = 0
    known_lessons: int = 0


class Outcome(StrEnum):
    """What became of one write."""

    APPLIED = "applied"
    ALREADY = "already"
    CONFLICT = "conflict"
    REFUSED = "refused"
    RETRY = "retry"
    UNKNOWN = "unknown"


UNWRITABLE = frozenset({"not_offered", "out_of_scope"})
"""Reasons of a refused write that speak of every record of its kind: the next one would be refused too."""


@dataclass(frozen=True)
class CellWrite:
    """One change of one cell.

    Attributes:
        item_id: Line item (results) or lesson (attendance), in the system's own id.
        person_id: The pupil, in the system's own id.
        after: New raw value; None clears the cell.
        expect: Raw value that the plan saw there; None for an empty cell. Anything else there is a conflict.
        stamp: Frozen instant of the change, rising by whole seconds per cell.
        read_at: The system's own time of the read the plan was made from.
        maximum: Maximum of ``after`` in points, for systems that want it.
        comment: Plain text for the person, or empty.
    """

    item_id: str
    person_id: str
    after: str | None
    expect: str | None
    stamp: datetime
    read_at: datetime
    maximum: str | None = None
    comment: str = ""


@dataclass(frozen=True)
class WriteResult:
    """What became of a write, and what stands in the cell now where that was read.

    Attributes:
        outcome: See Outcome.
        reason: A stable code for anything but APPLIED and ALREADY.
        seen: Raw value found in the cell, when it was read.
        seen_known: True when ``seen`` was read (so that None means empty).
    """

    outcome: Outcome
    reason: str = ""
    seen: str | None = None
    seen_known: bool = False


class System(Protocol):
    """One side of a pair. Methods a system lacks answer Read(…, evidence=GONE, reason="not_offered")."""

    @property
    def key(self) -> str:
        """``kind:tenant``, as in a mapping's pair: ``kundelik:1000001234567``."""

    @property
    def capabilities(self) -> Capabilities:
        """What can be read and written."""

    def read_groups(self) -> Read[Group]:
        """Read the groups this account can see."""

    def read_people(self, scope: Scope) -> Read[Person]:
        """Read the members of a group, pupils and staff."""

    def read_lessons(self, scope: Scope) -> Read[Lesson]:
        """Read the lessons of a group and subject inside the scope's days."""

    def read_sessions(self, scope: Scope) -> Read[AcademicSession]:
        """Read the reporting periods of a group and subject, and which of them are closed by now."""

    def read_line_items(self, scope: Scope) -> Read[LineItem]:
        """Read the columns of a group's gradebook."""

    def read_results(self, scope: Scope, items: Sequence[LineItem]) -> Read[Result]:
        """Read every mark of these columns; evidence covers all of them together."""

    def read_attendance(self, scope: Scope, lessons: Sequence[Lesson]) -> Read[AttendanceMark]:
        """Read the register of these lessons."""

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        """Make a column, after looking for one with the same ``resource_id``; return it as the system holds it.

        Raises:
            KopirError: Of the family that says what to do next.
        """

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Write or clear one mark."""

    def write_attendance(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Write or clear one register entry."""
