"""Cells: the smallest things two systems can agree on, how they are addressed, and what a read proves about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sync.systems.contract import Evidence


class Side(StrEnum):
    """One of the two systems of a pair."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


class CellKind(StrEnum):
    """What a cell holds, in the order in which changes must be applied (undo goes backwards)."""

    PERSON = "person"
    GROUP = "group"
    ENROLMENT = "enrolment"
    LINE_ITEM = "line_item"
    GRADE = "grade"
    COMMENT = "comment"
    ATTENDANCE = "attendance"


KIND_ORDER: tuple[CellKind, ...] = tuple(CellKind)
_KINDS = {kind.value: kind for kind in CellKind}


_ESCAPES = {ord("%"): "%25", ord("|"): "%7C", **{code: f"%{code:02X}" for code in (*range(32), 127)}}


class CellKey(NamedTuple):
    """The address of a cell in the pair's own ids, and its canonical text.

    Attributes:
        kind: What the cell holds.
        group: The mapped group.
        item: The mapped column or lesson; empty for an enrolment.
        person: The linked person.
    """

    kind: CellKind
    group: str
    item: str
    person: str

    @property
    def text(self) -> str:
        """``kind|group|item|person``; ``%``, ``|`` and control characters are percent-escaped.

        Sorted by code point, which is the order of SQLite's BINARY and PostgreSQL's ``COLLATE "C"``.
        """
        return f"{self.kind.value}|{escaped(self.group)}|{escaped(self.item)}|{escaped(self.person)}"

    @classmethod
    def parse(cls, text: str) -> CellKey:
        """Read a canonical text back.

        Raises:
            ValueError: It has not four parts, or its kind is unknown.
        """
        kind, group, item, person = text.split("|")
        if "%" in text:
            group, item, person = _unescape(group), _unescape(item), _unescape(person)
        return cls(_KINDS.get(kind) or CellKind(kind), group, item, person)

    @property
    def scope(self) -> str:
        """``kind|group``: what is read and proved complete as a whole."""
        return scope_text(self.kind, self.group)


def scope_text(kind: CellKind, group: str) -> str:
    """Return the canonical text of a scope, the beginning of the key of every cell in it."""
    return f"{kind.value}|{escaped(group)}"


def escaped(part: str) -> str:
    """Return one id as it stands in a key's text."""
    return part.translate(_ESCAPES)


def _unescape(part: str) -> str:
    head, *rest = part.split("%")
    return head + "".join(chr(int(piece[:2], 16)) + piece[2:] for piece in rest)


class CellState(StrEnum):
    """What a read says about one cell on one side."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Cell(NamedTuple):
    """One side of one cell. The merge also takes plain tuples of this shape, as a database gives them.

    Attributes:
        key: Canonical text of the key.
        raw: The value exactly as the system gave it; None unless present.
        state: ABSENT only where a complete read proves it.
        changed_at: The system's own time of the last change, aware UTC.
        clock: The host whose clock gave ``changed_at``; times are compared only when both clocks are one.
        note: Why it is unknown: a reason code.
    """

    key: str
    raw: str | None
    state: CellState = CellState.PRESENT
    changed_at: datetime | None = None
    clock: str = ""
    note: str = ""


class BaseState(StrEnum):
    """Whether the last agreed values can be trusted."""

    OK = "ok"
    CORRUPT = "corrupt"


class Base(NamedTuple):
    """What both sides held when they last agreed. Plain tuples of this shape are taken too.

    Attributes:
        key: Canonical text of the key.
        left_raw: Left's own raw value then; None when it was agreed that left holds nothing.
        right_raw: Right's own raw value then.
        mapping_version: ``Translate.version`` under which they agreed.
        state: A corrupt base counts as none.
    """

    key: str
    left_raw: str | None
    right_raw: str | None
    mapping_version: str
    state: BaseState = BaseState.OK


class Proof(NamedTuple):
    """What to make of the records of one side and scope.

    Attributes:
        trusted: Records that were read are facts: so in a complete and in a partial read, but not in a suspicious
            or refused one.
        missing: What a record that is not there means: ABSENT only after a complete read.
        reason: Why it is unknown.
    """

    trusted: bool
    missing: CellState
    reason: str = ""

    def cell(self, key: str, found: Cell | None) -> Cell:
        """Say what the side holds under a key."""
        if found is not None and self.trusted:
            return Cell(*found) if type(found) is tuple else found
        state = CellState.UNKNOWN if found is not None else self.missing
        return Cell(key, None, state, None, "", self.reason)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the reads of both sides prove, scope by scope; a scope that is not named proves nothing.

    Attributes:
        left: Evidence by scope text.
        right: Evidence by scope text.
        reasons: Reason code by (side, scope text) for anything but COMPLETE.
    """

    left: Mapping[str, Evidence]
    right: Mapping[str, Evidence]
    reasons: Mapping[tuple[Side, str], str] = field(default_factory=dict)

    def evidence(self, side: Side, scope: str) -> Evidence:
        """Return what the read of a scope proves."""
        return (self.left if side is Side.LEFT else self.right).get(scope, Evidence.UNKNOWN)

    def proof(self, side: Side, scope: str) -> Proof:
        """Return what to make of a side's records in a scope."""
        evidence = self.evidence(side, scope)
        if evidence is Evidence.COMPLETE:
            return Proof(True, CellState.ABSENT)
        reason = self.reasons.get((side, scope), "") or f"read_{evidence.value}"
        return Proof(evidence is Evidence.PARTIAL, CellState.UNKNOWN, reason)
