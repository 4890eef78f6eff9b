"""Guard: hold what is dangerous, let the rest flow; bind an approval to one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from sync.model import AcademicSession
from sync.reconcile.plan import Summary
from sync.reconcile.types import CellKind, Change, Operation, PlanHeader, State


class Ask(StrEnum):
    """Who says yes."""

    AUTO = "auto"
    ASK = "ask"
    PERSON = "person"


@dataclass(frozen=True)
class Approve:
    """The approve block of a mapping."""

    first: Ask = Ask.PERSON
    create: Ask = Ask.AUTO
    update: Ask = Ask.AUTO
    delete: Ask = Ask.ASK
    over_guard: Ask = Ask.ASK


@dataclass(frozen=True)
class Limit:
    """How many changes of one kind and operation pass without a person; None is no limit."""

    count: int | None = None
    percent: Decimal | None = None


class Window(NamedTuple):
    """Civil days, both included, in which nothing is written."""

    first: date
    last: date


@dataclass(frozen=True)
class GuardRules:
    """Limits by (kind, operation), else by operation; ``floor``: fewer known cells are judged by count alone."""

    limits: Mapping[tuple[CellKind, Operation], Limit] = field(default_factory=dict)
    defaults: Mapping[Operation, Limit] = field(default_factory=dict)
    floor: int = 25
    freeze: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Which (kind, operation) is held, and by which reason code."""

    held: Mapping[tuple[CellKind, Operation], str]


class Standing(NamedTuple):
    """What may happen to a change after the guard spoke."""

    state: State
    held_by: str = ""


@dataclass(frozen=True)
class Approval:
    """A person's or policy's yes to one plan; ``releases`` names guard reasons it also covers."""

    plan_hash: str
    by: str
    releases: frozenset[str] = frozenset()


def assess(
    summary: Summary, rules: GuardRules, today: date, recent: Mapping[tuple[CellKind, Operation], int]
) -> Verdict:
    """Judge a plan's counts; ``recent`` are removals of the last 24 hours."""
    raise NotImplementedError


def stand(change: Change, verdict: Verdict, approve: Approve, *, first: bool, approval: Approval | None) -> Standing:
    """Resolve the state of one change under the guard, the approve policy and an approval, if there is one."""
    raise NotImplementedError


def check_approval(approval: Approval, header: PlanHeader, changes: Iterable[Change], current: PlanHeader) -> None:
    """Raise unless the approval is for exactly these rows and the inputs that outlive a read still hold."""
    raise NotImplementedError


def period_closed(day: date, sessions: Iterable[AcademicSession]) -> bool:
    """Tell whether a civil day lies in a closed session."""
    raise NotImplementedError
