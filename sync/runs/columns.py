"""The rules of each column of a plan: a mapping's scales, codes and owners in the words of reconciliation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, TypeVar, cast

from connector.db.types import canonical, dump_json
from mappings.attendance import WORDS
from mappings.findings import Finding
from mappings.grade_kinds import Kind
from mappings.rules import Mapping
from mappings.scales import parse_number
from sync.model import LineItem
from sync.reconcile.types import Direction, Owner, Policy, Removal, Rules, SideRules, Translated
from sync.store.connections import ItemLink, SyncConnection
from sync.systems.contract import Access, Writing

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_MOST_SAID = 4096


@dataclass
class _Said:
    """What was found out about one scale: a year has millions of marks and a few hundred different ones."""

    version: str = ""
    agree: dict[tuple[str, str], bool] = field(default_factory=dict)
    right: dict[str, Translated] = field(default_factory=dict)
    left: dict[str, Translated] = field(default_factory=dict)


@lru_cache(maxsize=256)
def _said_of(_mapping: str, _kind: str, _left: Decimal | None, _right: Decimal | None) -> _Said:
    """Return what columns of one mapping, kind and pair of maxima share; by the mapping's hash, not its identity."""
    return _Said()


def _remember(where: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(where) >= _MOST_SAID:
        where.clear()
    where[key] = value
    return value


@dataclass(frozen=True)
class GradeWords:
    """How the marks of one column correspond.

    Attributes:
        mapping: The mapping.
        kind: What the marks count as.
        left_maximum: Points of a full mark on the left.
        right_maximum: Points of a full mark on the right.
    """

    mapping: Mapping
    kind: Kind
    left_maximum: Decimal | None
    right_maximum: Decimal | None

    @cached_property
    def _said(self) -> _Said:
        return _said_of(self.mapping.hash, self.kind, self.left_maximum, self.right_maximum)

    @property
    def version(self) -> str:
        """A fingerprint of the scale rule, and of the maxima where the scale goes by points."""
        said = self._said
        if not said.version:
            said.version = self._version()
        return said.version

    def _version(self) -> str:
        rule = self.mapping.scale_rule(self.kind)
        if rule is None:
            return _fingerprint([self.kind, None])
        left = self.left_maximum if rule.from_ in ("points", "percent") else None
        right = self.right_maximum if rule.to == "points" else None
        maxima = [None if one is None else canonical(one) for one in (left, right)]
        return _fingerprint([self.kind, rule.model_dump(mode="json", by_alias=True), maxima])

    def agree(self, left: str, right: str) -> bool:
        """Tell whether two marks say the same in the coarser scale; marks nobody can compare are not the same."""
        known = self._said.agree.get((left, right))
        return known if known is not None else _remember(self._said.agree, (left, right), self._agree(left, right))

    def _agree(self, left: str, right: str) -> bool:
        found = self.mapping.grades_agree(
            self.kind, left, right, left_maximum=self.left_maximum, right_maximum=self.right_maximum
        )
        return not isinstance(found, Finding) and found.equal

    def to_right(self, left: str) -> Translated:
        """Say left's mark on right's scale."""
        known = self._said.right.get(left)
        return known or _remember(self._said.right, left, self._to("right", left))

    def to_left(self, right: str) -> Translated:
        """Say right's mark on left's scale."""
        known = self._said.left.get(right)
        return known or _remember(self._said.left, right, self._to("left", right))

    def _to(self, side: Literal["left", "right"], raw: str) -> Translated:
        maxima = (self.left_maximum, self.right_maximum)
        own, other = maxima if side == "right" else reversed(maxima)
        done = self.mapping.grade_to(side, self.kind, raw, maximum=own, other_maximum=other)
        return Translated(None, reason=done.reason) if isinstance(done, Finding) else Translated(done.text, done.lossy)

    def order(self, left: str, right: str) -> int | None:
        """Compare two marks in the coarser scale."""
        found = self.mapping.grades_agree(
            self.kind, left, right, left_maximum=self.left_maximum, right_maximum=self.right_maximum
        )
        if isinstance(found, Finding):
            return None
        one, other = parse_number(found.left), parse_number(found.right)
        return None if one is None or other is None else (one > other) - (one < other)


@dataclass(frozen=True)
class AttendanceWords:
    """How attendance codes correspond; an empty raw stands for a blank in a register that was taken.

    Attributes:
        mapping: The mapping.
        own: The left side is Kopir's own register, which keeps canonical codes whatever words the LMS has.
    """

    mapping: Mapping
    own: bool = False

    @property
    def version(self) -> str:
        """A fingerprint of the codes."""
        rules = self.mapping.file.attendance
        return _fingerprint(["attendance", None if rules is None else rules.model_dump(mode="json")])

    def _canonical(self) -> dict[str, str]:
        """Return what the register keeps for each left code of the mapping: by the LMS's word, else the journal's."""
        rules = self.mapping.file.attendance
        mine, theirs = (WORDS.get(self.mapping.system(side), {}) for side in ("left", "right"))
        codes = {} if rules is None or not self.own else rules.codes
        found = {word: mine.get(word) or theirs.get(rule.to) for word, rule in codes.items()}
        return {word: code.value for word, code in found.items() if code is not None}

    def _left_word(self, left: str) -> str:
        """Return the mapping's own code for what the left holds."""
        return next((word for word, code in self._canonical().items() if code == left), left)

    def _left_held(self, code: str | None) -> str | None:
        """Return what the left holds for a code of the mapping."""
        return self._canonical().get(code or "", code)

    def agree(self, left: str, right: str) -> bool:
        """Tell whether two codes say the same, ``same_as`` included."""
        if not right:
            return self.to_left(right).raw == left
        found = self.mapping.attendance_agrees(self._left_word(left), right)
        return not isinstance(found, Finding) and found.equal

    def to_right(self, left: str) -> Translated:
        """Say left's code in right's words."""
        done = self.mapping.attendance_to("right", self._left_word(left), register_taken=True)
        return Translated(None, reason=done.reason) if isinstance(done, Finding) else Translated(done.code)

    def to_left(self, right: str) -> Translated:
        """Say right's code in left's words."""
        done = self.mapping.attendance_to("left", right, register_taken=True)
        if isinstance(done, Finding):
            return Translated(None, reason=done.reason)
        return Translated(self._left_held(done.code), reason="" if done.code else "blank")

    def order(self, left: str, right: str) -> int | None:
        """Codes have no order."""
        return None


def _fingerprint(parts: object) -> str:
    return hashlib.sha256(dump_json(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Column:
    """One work that both sides know, or that has a place on the right.

    Attributes:
        link: The pair of items.
        left: The left item.
        right: The right item; None until it is made.
        hold: Why a write waits for a person, or empty.
    """

    link: ItemLink
    left: LineItem
    right: LineItem | None
    hold: str = ""

    @property
    def title(self) -> str:
        """What teachers see."""
        return self.left.title

    @property
    def facts(self) -> ColumnFacts:
        """What its rules depend on."""
        return ColumnFacts(self.link.kind, self.left.maximum, self.right_maximum(), self.hold)

    def right_maximum(self) -> Decimal | None:
        """Points of a full mark on the right; the left's own while the work is not made."""
        return self.right.maximum if self.right is not None else self.left.maximum


def journal_side(connection: SyncConnection, right: Access, closing: str, hold: str = "") -> SideRules:
    """Return what the journal allows for one column.

    Args:
        connection: The connection.
        right: What the journal can do.
        closing: ``closed_period`` or ``sessions_unknown`` for a lesson whose period is, or may be, closed.
        hold: Why a write waits for a person.
    """
    reported = closing == "closed_period" and reports_closed(connection)
    return SideRules(right.hides, closed=reported, hold=hold, barred="" if reported else closing)


def reports_closed(connection: SyncConnection) -> bool:
    """Tell whether a change in a closed period is only shown, as the mapping says; else it is held."""
    grades = connection.mapping.file.grades
    return grades is not None and grades.closed_period == "report"


class ColumnFacts(NamedTuple):
    """What the rules of a work's marks depend on: columns that are alike in this share them.

    Attributes:
        kind: What the marks count as.
        left_maximum: Points of a full mark on the left.
        right_maximum: Points of a full mark on the right.
        hold: Why a write waits for a person, or empty.
    """

    kind: str
    left_maximum: Decimal | None
    right_maximum: Decimal | None
    hold: str = ""


def grade_rules(
    connection: SyncConnection, column: ColumnFacts, left: Access, right: Access, closing: str = ""
) -> Rules:
    """Return policy and translation of a work's marks; ``closing`` as in ``journal_side``."""
    mapping = connection.mapping
    grades = mapping.file.grades
    owner = Owner(grades.owner) if grades is not None else Owner.MANUAL
    policy = Policy(
        owner,
        direction=Direction.BOTH if left.write is Writing.YES else Direction.LEFT_TO_RIGHT,
        removal=Removal.CLEAR,
        left=SideRules(left.hides),
        right=journal_side(connection, right, closing, column.hold),
    )
    return Rules(policy, GradeWords(mapping, cast(Kind, column.kind), column.left_maximum, column.right_maximum))


def attendance_rules(connection: SyncConnection, left: Access, right: Access, *, own: bool, closing: str = "") -> Rules:
    """Return policy and translation of attendance; a side that cannot be written is only read.

    Args:
        connection: The connection.
        left: What the left register allows.
        right: What the right register allows.
        own: The left register is Kopir's own.
        closing: As in ``journal_side``.
    """
    mapping = connection.mapping
    rules = mapping.file.attendance
    owner = Owner(rules.owner) if rules is not None else Owner.MANUAL
    to_left, to_right = left.write is Writing.YES, right.write is Writing.YES and connection.may_write("attendance")
    direction = Direction.BOTH
    if not (to_left and to_right):
        direction = Direction.RIGHT_TO_LEFT if to_left else Direction.LEFT_TO_RIGHT
    theirs = journal_side(connection, right, closing)
    policy = Policy(owner, direction, removal=Removal.CLEAR, left=SideRules(left.hides), right=theirs)
    return Rules(policy, AttendanceWords(mapping, own))
