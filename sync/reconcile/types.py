"""What reconciliation speaks of: the rules of one cell, decisions, changes and plans; cells come from ``cells``.

A *cell* is the smallest thing two systems can agree on: one pupil's mark in one column, one entry of a register,
one place in a group. Both sides hold it under one key, each with its own raw value. Nothing here does I/O or reads
a clock, and equal values have equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from sync.reconcile.cells import KIND_ORDER as KIND_ORDER
from sync.reconcile.cells import Base as Base
from sync.reconcile.cells import BaseState as BaseState
from sync.reconcile.cells import Cell as Cell
from sync.reconcile.cells import CellKey as CellKey
from sync.reconcile.cells import CellKind as CellKind
from sync.reconcile.cells import CellState as CellState
from sync.reconcile.cells import Coverage as Coverage
from sync.reconcile.cells import Proof as Proof
from sync.reconcile.cells import Side as Side
from sync.reconcile.cells import escaped as escaped
from sync.reconcile.cells import scope_text as scope_text


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
        closed: The column lies in a closed period: what would be written to it is reported.
        barred: Why every write to it is held for as long as the cause lasts, whatever a person says
            (``closed_period``, ``sessions_unknown``), or empty.
        hold: Why a write here waits for a person (``no_place``, ``create_work``, …), or empty.
    """

    hides: frozenset[str] = frozenset()
    closed: bool = False
    hold: str = ""
    barred: str = ""


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
        return _SIDES.get(self)

    @property
    def operation(self) -> Operation:
        """What the guard counts it as."""
        return _OPERATIONS.get(self, Operation.NOTHING)

    @classmethod
    def writing(cls, operation: Operation, side: Side) -> Action:
        """Return the action that does this on that side."""
        return _ACTIONS[operation, side]


_ACTIONS: dict[tuple[Operation, Side], Action] = {
    (Operation.UPDATE, Side.LEFT): Action.WRITE_LEFT,
    (Operation.UPDATE, Side.RIGHT): Action.WRITE_RIGHT,
    (Operation.CREATE, Side.LEFT): Action.CREATE_LEFT,
    (Operation.CREATE, Side.RIGHT): Action.CREATE_RIGHT,
    (Operation.CLEAR, Side.LEFT): Action.CLEAR_LEFT,
    (Operation.CLEAR, Side.RIGHT): Action.CLEAR_RIGHT,
    (Operation.DELETE, Side.LEFT): Action.DELETE_LEFT,
    (Operation.DELETE, Side.RIGHT): Action.DELETE_RIGHT,
}
_SIDES = {action: side for (_, side), action in _ACTIONS.items()}
_OPERATIONS = {action: operation for (operation, _), action in _ACTIONS.items()} | {
    Action.ADOPT: Operation.BOOKKEEPING,
    Action.DROP_BASE: Operation.BOOKKEEPING,
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
        settles: What base becomes once this is done; ``Values(None, None)`` removes the row (a tombstone stays),
            None leaves base as it is.
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
            ``Values(None, None)`` removes the row, None leaves base as it is.
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
        return dict(zip(FIELDS, self._row(), strict=True))

    def _row(self) -> tuple[Any, ...]:
        row = _values_of(self)
        return row if row[-2:] == (None, None) else (*row[:-2], _text(self.left_at), _text(self.right_at))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Change:
        """Read ``to_dict`` back.

        Raises:
            KeyError: A field is missing.
            ValueError: An enum's value or an instant is unknown.
        """
        values = {name: data[name] for name in FIELDS}
        for name, enum in (("kind", CellKind), ("action", Action), ("state", State), ("risk", Risk)):
            values[name] = enum(values[name])
        for name in ("left_at", "right_at"):
            values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
        values["settles"] = None if values["settles"] is None else Values(*values["settles"])
        return cls(**values)

    def canonical(self) -> bytes:
        """Return this row as a JSON array in the order of ``FIELDS``: what the plan's hash is made of."""
        return canonical_json(self._row())


FIELDS = tuple(item.name for item in fields(Change))
_values_of = attrgetter(*FIELDS)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="microseconds")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_json(value: object) -> bytes:
    """Return compact JSON with sorted keys in UTF-8: equal values are equal bytes."""
    return _encode(value).encode("utf-8", "surrogatepass")


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
