"""What reconciliation speaks of: cells, their base, the rules of one cell, decisions, changes and plans.

A *cell* is the smallest thing two systems can agree on: one pupil's mark in one column, one entry of a register,
one place in a group. Both sides hold it under one key, each with its own raw value. Nothing here does I/O or reads
a clock, and equal values have equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

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
        return "|".join((self.kind.value, *(part.translate(_ESCAPES) for part in self[1:])))

    @classmethod
    def parse(cls, text: str) -> CellKey:
        """Read a canonical text back.

        Raises:
            ValueError: It has not four parts, or its kind is unknown.
        """
        kind, group, item, person = text.split("|")
        return cls(CellKind(kind), _unescape(group), _unescape(item), _unescape(person))

    @property
    def scope(self) -> str:
        """``kind|group``: what is read and proved complete as a whole."""
        return scope_text(self.kind, self.group)


def scope_text(kind: CellKind, group: str) -> str:
    """Return the canonical text of a scope, the beginning of the key of every cell in it."""
    return f"{kind.value}|{group.translate(_ESCAPES)}"


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


class Translated(NamedTuple):
    """One side's value in the other side's words.

    Attributes:
        raw: The value to write; None when there is none, and ``reason`` says why.
        lossy: Several source values become this one.
        reason: ``finer_scale``, ``no_such_value``, ``below_minimum``, …
    """

    raw: str | None
    lossy: bool = False
    reason: str = ""


class Translate(Protocol):
    """How the values of one column correspond; made from the mapping file."""

    @property
    def version(self) -> str:
        """A fingerprint of the part of the mapping that these values depend on."""

    def agree(self, left: str, right: str) -> bool:
        """Tell whether two raw values mean the same, compared in the coarser scale."""

    def to_right(self, left: str) -> Translated:
        """Say left's value in right's words."""

    def to_left(self, right: str) -> Translated:
        """Say right's value in left's words; a coarser scale is never refined: reason ``finer_scale``."""

    def order(self, left: str, right: str) -> int | None:
        """Compare: negative when left is lower, positive when higher, None when it cannot be told."""


class Owner(StrEnum):
    """Whose edit counts, and who settles a cell that both sides changed."""

    MANUAL = "manual"
    LEFT = "left"
    RIGHT = "right"
    NEWEST = "newest"
    STICKY = "sticky"
    MAX = "max"
    MIN = "min"
    APPEND = "append"


class Direction(StrEnum):
    """Which way values may flow at all."""

    BOTH = "both"
    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"

    def may_write(self, side: Side) -> bool:
        """Tell whether a side may be written."""
        return self is Direction.BOTH or self is (
            Direction.LEFT_TO_RIGHT if side is Side.RIGHT else Direction.RIGHT_TO_LEFT
        )


class First(StrEnum):
    """What happens when two unequal values meet without a base."""

    CONFLICT = "conflict"
    LEFT = "left"
    RIGHT = "right"


class Removal(StrEnum):
    """What a proved removal on one side does on the other."""

    NEVER = "never"
    CLEAR = "clear"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class SideRules:
    """What one side allows for one column.

    Attributes:
        hides: Raw values the system cannot tell from none (Moodle's results omit ``0``).
        closed: The column lies in a closed period: nothing is written to it.
        hold: Why a write here waits for a person (``no_place``, ``create_work``, …), or empty.
    """

    hides: frozenset[str] = frozenset()
    closed: bool = False
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of the cells of one column.

    Attributes:
        owner: See Owner.
        direction: See Direction.
        first: See First.
        removal: See Removal; NEVER is the ``never_delete`` policy.
        left: What left allows.
        right: What right allows.
    """

    owner: Owner = Owner.MANUAL
    direction: Direction = Direction.BOTH
    first: First = First.CONFLICT
    removal: Removal = Removal.NEVER
    left: SideRules = field(default_factory=SideRules)
    right: SideRules = field(default_factory=SideRules)

    def of(self, side: Side) -> SideRules:
        """Return the rules of one side."""
        return self.left if side is Side.LEFT else self.right


class Rules(NamedTuple):
    """Policy and translation of one column."""

    policy: Policy
    translate: Translate


RulesFor = Callable[[CellKey], Rules]
"""Find the rules of a column; asked once per column, with the key of its first cell."""


class Operation(StrEnum):
    """What a change does: the unit in which a guard counts."""

    CREATE = "create"
    UPDATE = "update"
    CLEAR = "clear"
    DELETE = "delete"
    BOOKKEEPING = "bookkeeping"
    NOTHING = "nothing"


class Action(StrEnum):
    """What to do about one cell."""

    NONE = "none"
    ADOPT = "adopt"
    WRITE_LEFT = "write_left"
    WRITE_RIGHT = "write_right"
    CREATE_LEFT = "create_left"
    CREATE_RIGHT = "create_right"
    CLEAR_LEFT = "clear_left"
    CLEAR_RIGHT = "clear_right"
    DELETE_LEFT = "delete_left"
    DELETE_RIGHT = "delete_right"
    CONFLICT = "conflict"
    REPORT = "report"
    DROP_BASE = "drop_base"
    NOT_COMPARED = "not_compared"

    @property
    def side(self) -> Side | None:
        """The side that is written, or None."""
        return _WRITES[self][1] if self in _WRITES else None

    @property
    def operation(self) -> Operation:
        """What the guard counts it as."""
        if self in _WRITES:
            return _WRITES[self][0]
        return Operation.BOOKKEEPING if self in (Action.ADOPT, Action.DROP_BASE) else Operation.NOTHING

    @classmethod
    def writing(cls, operation: Operation, side: Side) -> Action:
        """Return the action that does this on that side."""
        return next(action for action, pair in _WRITES.items() if pair == (operation, side))


_WRITES: dict[Action, tuple[Operation, Side]] = {
    Action.WRITE_LEFT: (Operation.UPDATE, Side.LEFT),
    Action.WRITE_RIGHT: (Operation.UPDATE, Side.RIGHT),
    Action.CREATE_LEFT: (Operation.CREATE, Side.LEFT),
    Action.CREATE_RIGHT: (Operation.CREATE, Side.RIGHT),
    Action.CLEAR_LEFT: (Operation.CLEAR, Side.LEFT),
    Action.CLEAR_RIGHT: (Operation.CLEAR, Side.RIGHT),
    Action.DELETE_LEFT: (Operation.DELETE, Side.LEFT),
    Action.DELETE_RIGHT: (Operation.DELETE, Side.RIGHT),
}


class Risk(StrEnum):
    """What a person should look at before saying yes."""

    ROUTINE = "routine"
    LOSSY = "lossy"
    FIRST_CONTACT = "first_contact"
    REMOVES = "removes"
    IMPACT = "impact"


class State(StrEnum):
    """What may happen to a change now.

    READY may be applied; HELD waits for a person, ``held_by`` says why; CONFLICT is in the inbox; REPORTED is shown
    and never written; SILENT touches only our own base; NOT_COMPARED means that a side is unknown.
    """

    READY = "ready"
    HELD = "held"
    CONFLICT = "conflict"
    REPORTED = "reported"
    SILENT = "silent"
    NOT_COMPARED = "not_compared"


class Values(NamedTuple):
    """Left's and right's raw value; None stands for nothing there."""

    left: str | None
    right: str | None

    def of(self, side: Side) -> str | None:
        """Return one side's value."""
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one cell, and which rule said so.

    Attributes:
        action: What to do.
        rule: Stable id of the rule that fired; ``explain_rule`` puts it into words.
        after: Raw value to write; None clears.
        settles: What base becomes once this is done; None leaves base as it is (DROP_BASE removes it).
        held_by: Why it must wait for a person even when nothing else holds it, or empty.
        reason: A finer code where the rule alone does not say it: the read's or the translation's reason.
        risk: See Risk.
        lossy: The value loses detail on its way.
    """

    action: Action
    rule: str
    after: str | None = None
    settles: Values | None = None
    held_by: str = ""
    reason: str = ""
    risk: Risk = Risk.ROUTINE
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a plan; immutable, with the same bytes for the same inputs.

    Attributes:
        key: Canonical text of the cell's key.
        kind: What the cell holds.
        action: What to do.
        rule: The rule that decided.
        left: Left's raw value as read; None for nothing or unknown.
        right: Right's raw value as read.
        after: Raw value to write on ``side``; None clears.
        base_left: Left's raw value as last agreed.
        base_right: Right's raw value as last agreed.
        has_base: A usable base was there (so that None in it means "agreed to be empty").
        settles: What base becomes once applied; the written side's part is replaced by what is read back.
        state: What may happen before the guard speaks.
        held_by: Reason code of a hold.
        reason: Finer reason code.
        risk: See Risk.
        lossy: The value loses detail on its way.
        mapping_version: ``Translate.version`` of the decision.
        left_at: Left's own time of its last change.
        right_at: Right's own time of its last change.
    """

    key: str
    kind: CellKind
    action: Action
    rule: str
    left: str | None
    right: str | None
    after: str | None
    base_left: str | None
    base_right: str | None
    has_base: bool
    settles: Values | None
    state: State
    held_by: str
    reason: str
    risk: Risk
    lossy: bool
    mapping_version: str
    left_at: datetime | None = None
    right_at: datetime | None = None

    @property
    def side(self) -> Side | None:
        """The side that is written, or None."""
        return self.action.side

    @property
    def operation(self) -> Operation:
        """What the guard counts it as."""
        return self.action.operation

    @property
    def before(self) -> str | None:
        """What the written side must still hold (compare-and-set); None for an empty cell."""
        return self.left if self.side is Side.LEFT else self.right

    @property
    def other(self) -> str | None:
        """The other side's value: where ``after`` comes from."""
        return self.right if self.side is Side.LEFT else self.left

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return {**asdict(self), "left_at": _text(self.left_at), "right_at": _text(self.right_at)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Change:
        """Read ``to_dict`` back.

        Raises:
            KeyError: A field is missing.
            ValueError: An enum's value or an instant is unknown.
        """
        values = {item.name: data[item.name] for item in fields(cls)}
        for name, enum in (("kind", CellKind), ("action", Action), ("state", State), ("risk", Risk)):
            values[name] = enum(values[name])
        for name in ("left_at", "right_at"):
            values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
        values["settles"] = None if values["settles"] is None else Values(*values["settles"])
        return cls(**values)

    def canonical(self) -> bytes:
        """Return the canonical JSON of this row: what the plan's hash is made of."""
        return canonical_json(self.to_dict())

    def with_state(self, state: State, held_by: str = "") -> Change:
        """Return it with another state (its bytes change: the guard's word is kept apart, see ``guard.Standing``)."""
        return replace(self, state=state, held_by=held_by)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="microseconds")


def canonical_json(value: object) -> bytes:
    """Return compact JSON with sorted keys in UTF-8: equal values are equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan was made from.

    Attributes:
        school: The school's id; a plan of another school is refused.
        pair: The pair (connection) the plan belongs to.
        scopes: The planned scopes (``kind|group``), sorted.
        inputs: Version or digest of each input by name: ``mapping``, ``identity``, ``left``, ``right``, ``base``, …
        first: The pair has never been applied: the plan is a person's.
        undoes: Hash of the plan this one undoes, or empty.
    """

    school: str
    pair: str
    scopes: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    first: bool = False
    undoes: str = ""

    @classmethod
    def of(
        cls,
        school: str,
        pair: str,
        scopes: Iterable[str] = (),
        inputs: Mapping[str, str] | None = None,
        *,
        first: bool = False,
        undoes: str = "",
    ) -> PlanHeader:
        """Make a header whose parts are in one order whatever order they come in."""
        return cls(school, pair, tuple(sorted(scopes)), tuple(sorted((inputs or {}).items())), first, undoes)

    def canonical(self) -> bytes:
        """Return the canonical JSON of the header, the first part of what is hashed."""
        return canonical_json({"format": 1, **asdict(self)})


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

    def cell(self, side: Side, key: CellKey, found: Cell | None) -> Cell:
        """Say what a side holds: a missing record is absent only in a complete read.

        Records of a partial read are facts; records of a suspicious or refused one are not.
        """
        evidence = self.evidence(side, key.scope)
        if found is not None and evidence in (Evidence.COMPLETE, Evidence.PARTIAL):
            return found
        if found is None and evidence is Evidence.COMPLETE:
            return Cell(key.text, None, CellState.ABSENT)
        reason = self.reasons.get((side, key.scope), "") or f"read_{evidence.value}"
        return Cell(key.text, None, CellState.UNKNOWN, note=reason)
