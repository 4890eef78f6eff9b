"""Guard: hold what is dangerous, let the rest flow, and bind a yes to one plan.

The guard never changes a plan: its word stands beside each change, so that the plan's hash stays what a person saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from connector.base.errors import Fatal, Hold
from connector.base.i18n import N_, Message, say
from sync.model import AcademicSession
from sync.reconcile.plan import ScopeCounts, Summary, hash_changes
from sync.reconcile.types import CellKey, CellKind, Change, Operation, PlanHeader, Side, State

Counted = tuple[CellKind, Operation]
REMOVALS = frozenset({Operation.CLEAR, Operation.DELETE})
WRITES = frozenset({Operation.CREATE, Operation.UPDATE}) | REMOVALS


class Ask(StrEnum):
    """Who says yes: nobody need be asked, or a person."""

    AUTO = "auto"
    ASK = "ask"
    PERSON = "person"


@dataclass(frozen=True)
class Approve:
    """The approve block of a mapping.

    Attributes:
        first: The first plan of a pair.
        create: Values that are new on a side.
        update: Values that replace others.
        delete: Removals.
        over_guard: What the guard holds; AUTO would be no guard, so it is refused.
    """

    first: Ask = Ask.PERSON
    create: Ask = Ask.AUTO
    update: Ask = Ask.AUTO
    delete: Ask = Ask.ASK
    over_guard: Ask = Ask.ASK

    def __post_init__(self) -> None:
        """Refuse to let the guard wave everything through.

        Raises:
            ValueError: ``over_guard`` is AUTO.
        """
        if self.over_guard is Ask.AUTO:
            raise ValueError("over_guard cannot be auto")

    def of(self, operation: Operation) -> Ask:
        """Return who says yes to an operation."""
        if operation in REMOVALS:
            return self.delete
        return self.create if operation is Operation.CREATE else self.update


@dataclass(frozen=True)
class Limit:
    """How many changes pass without a person.

    Attributes:
        count: At most so many of one kind in a plan (removals: in a plan and the last 24 hours); None is no limit.
        percent: At most this share of the known cells, of the kind and of each scope; None is no limit.
    """

    count: int | None = None
    percent: Decimal | None = None


class Window(NamedTuple):
    """Civil days, both included, on which nothing is written."""

    first: date
    last: date


@dataclass(frozen=True)
class GuardRules:
    """What the guard goes by.

    Attributes:
        limits: By kind and operation.
        defaults: By operation, where ``limits`` is silent.
        floor: With fewer known cells a share says nothing, so only ``count`` is looked at.
        freeze: Days without writes.
    """

    limits: Mapping[Counted, Limit] = field(default_factory=dict)
    defaults: Mapping[Operation, Limit] = field(default_factory=dict)
    floor: int = 25
    freeze: tuple[Window, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        max_delete: int = 0,
        max_change_pct: Decimal | None = None,
        freeze: Iterable[Window] = (),
        limits: Mapping[Counted, Limit] | None = None,
        floor: int = 25,
    ) -> GuardRules:
        """Make rules from a mapping's guard block: a count for removals, a share for updates and removals.

        ``limits`` are those of one kind and operation; they hold instead of the others.
        """
        removal = Limit(max_delete, max_change_pct)
        update = Limit(None, max_change_pct)
        defaults = {Operation.UPDATE: update, Operation.CLEAR: removal, Operation.DELETE: removal}
        return cls(dict(limits or {}), defaults, floor, tuple(freeze))

    def limit(self, kind: CellKind, operation: Operation) -> Limit:
        """Return the limit that counts."""
        return self.limits.get((kind, operation)) or self.defaults.get(operation) or Limit()


@dataclass(frozen=True)
class Verdict:
    """What the guard holds.

    Attributes:
        everything: Reason code that holds every write (``freeze``, ``canary``), or empty.
        kinds: Reason code by kind and operation.
        scopes: Reason code by scope text and operation.
        closed: Columns (``CellKey`` with an empty person) of the right side, the journal's, whose period is closed.
    """

    everything: str = ""
    kinds: Mapping[Counted, str] = field(default_factory=dict)
    scopes: Mapping[tuple[str, Operation], str] = field(default_factory=dict)
    closed: frozenset[CellKey] = frozenset()

    def reason(self, change: Change) -> str:
        """Return why a change is held, or an empty text."""
        key = CellKey.parse(change.key)
        if change.side is Side.RIGHT and key._replace(person="") in self.closed:
            return "closed_period"
        operation = change.operation
        return (
            self.everything
            or self.kinds.get((change.kind, operation), "")
            or self.scopes.get((key.scope, operation), "")
        )


class Standing(NamedTuple):
    """What may happen to a change once the guard and the approvals have spoken."""

    state: State
    held_by: str = ""


@dataclass(frozen=True)
class Approval:
    """A yes to one plan, by its hash.

    Attributes:
        plan_hash: The plan that was looked at.
        by: Internal id of the person, or ``policy``.
        releases: Hold reasons the yes also covers, by name; without them it covers only what waits for a yes.
    """

    plan_hash: str
    by: str
    releases: frozenset[str] = frozenset()


WAITS_FOR_A_YES = frozenset({"first_plan", "ask_create", "ask_update", "ask_delete"})
"""Holds that a plain approval of the plan lifts."""
RELEASABLE = frozenset(
    {
        "over_count",
        "over_percent",
        "canary",
        "impact",
        "hidden_value",
        "base_corrupt",
        "create_work",
        "left_out",
        "quarantined",
    }
)
"""Holds that an approval lifts only by naming them; the others (no place, freeze, closed) end when their cause does."""


def assess(
    summary: Summary,
    rules: GuardRules,
    today: date,
    recent: Mapping[Counted, int] | None = None,
    closed: Iterable[CellKey] = (),
) -> Verdict:
    """Judge the counts of a plan whose stream has ended.

    Args:
        summary: The plan's counts.
        rules: Limits and freeze windows.
        today: The school's civil day.
        recent: Removals applied in the last 24 hours, by kind and operation, so that small bites do not add up.
        closed: Columns whose period is closed by now; any person in them.
    """
    everything = "freeze" if any(window.first <= today <= window.last for window in rules.freeze) else ""
    if not everything and summary.broken_canaries:
        everything = "canary"
    return Verdict(
        everything,
        dict(_kinds(summary, rules, recent or {})),
        dict(_scopes(summary, rules)),
        frozenset(key._replace(person="") for key in closed),
    )


def _kinds(summary: Summary, rules: GuardRules, recent: Mapping[Counted, int]) -> Iterator[tuple[Counted, str]]:
    for kind in CellKind:
        counts = summary.kind(kind)
        for operation in WRITES:
            number = counts.operations.get(operation, 0)
            if number:
                before = recent.get((kind, operation), 0) if operation in REMOVALS else 0
                reason = _judge(number + before, counts, rules.limit(kind, operation), rules.floor)
                if reason:
                    yield (kind, operation), reason


def _scopes(summary: Summary, rules: GuardRules) -> Iterator[tuple[tuple[str, Operation], str]]:
    """Judge each scope by its share too: one class wiped out is a small share of a school."""
    for scope, counts in summary.scopes.items():
        kind = CellKind(scope.partition("|")[0])
        for operation in WRITES & counts.operations.keys():
            share = Limit(percent=rules.limit(kind, operation).percent)
            reason = _judge(counts.operations[operation], counts, share, rules.floor)
            if reason:
                yield (scope, operation), reason


def _judge(number: int, counts: ScopeCounts, limit: Limit, floor: int) -> str:
    if limit.count is not None and number > limit.count:
        return "over_count"
    if limit.percent is not None and counts.known >= floor and number * 100 > limit.percent * counts.known:
        return "over_percent"
    return ""


def stand(
    change: Change,
    verdict: Verdict,
    approve: Approve,
    *,
    first: bool = False,
    approval: Approval | None = None,
    left_out: bool = False,
) -> Standing:
    """Say what may happen to one change; ``approval`` must have passed ``check_approval``.

    Args:
        change: A row of the plan.
        verdict: The guard's word on this plan.
        approve: The mapping's approve block.
        first: The pair's first plan, as its header says.
        approval: A yes to this plan, if there is one.
        left_out: A person did not tick it in an earlier plan, and nobody took it in since.
    """
    if change.operation not in WRITES or change.state not in (State.READY, State.HELD):
        return Standing(change.state, change.held_by)
    reason = verdict.reason(change)
    if reason == "closed_period":
        return Standing(State.REPORTED, reason)
    holds = (change.held_by, reason, "left_out" if left_out else "", _ask(change, approve, first))
    waiting = [code for code in holds if code and not _lifted(code, approval)]
    return Standing(State.HELD, waiting[0]) if waiting else Standing(State.READY)


def _ask(change: Change, approve: Approve, first: bool) -> str:
    if first and approve.first is not Ask.AUTO:
        return "first_plan"
    operation = Operation.DELETE if change.operation in REMOVALS else change.operation
    return "" if approve.of(operation) is Ask.AUTO else f"ask_{operation.value}"


def _lifted(code: str, approval: Approval | None) -> bool:
    if approval is None:
        return False
    return code in WAITS_FOR_A_YES or (code in RELEASABLE and code in approval.releases)


LASTING = frozenset({"mapping", "identity"})
"""Inputs that must not have moved between plan and apply; cells that moved drop out one by one instead."""


def check_approval(approval: Approval, header: PlanHeader, changes: Iterable[Change], current: PlanHeader) -> None:
    """Refuse a plan that is not the one that was approved, or that no longer fits.

    Args:
        approval: The yes.
        header: The stored plan's header.
        changes: The stored plan's rows, in key order, exactly as planned.
        current: The header a plan made now would have.

    Raises:
        Fatal: ``plan_foreign``: of another school or pair; ``plan_edited``: the rows or header are not those
            that were approved.
        Hold: ``plan_stale``: mapping, identity or scope moved since; plan again.
    """
    if (header.school, header.pair) != (current.school, current.pair):
        raise Fatal("plan_foreign", say(N_("This plan belongs to another school or pair of systems.")))
    if hash_changes(header, changes) != approval.plan_hash:
        raise Fatal("plan_edited", say(N_("This plan is not the one that was approved; plan again.")))
    moved = _moved(header, current)
    if moved:
        text = N_("Since this plan was made the {what} changed; plan again.")
        raise Hold("plan_stale", say(text, what=say(_INPUTS.get(moved, moved))))


_INPUTS = {
    "mapping": N_("mapping"),
    "identity": N_("list of matched people"),
    "scopes": N_("choice of classes"),
    "first": N_("state of the pair"),
}


def _moved(header: PlanHeader, current: PlanHeader) -> str:
    then, now = dict(header.inputs), dict(current.inputs)
    for name in sorted(LASTING):
        if then.get(name) != now.get(name):
            return name
    if header.scopes != current.scopes:
        return "scopes"
    return "" if header.first == current.first else "first"


def period_closed(day: date, sessions: Iterable[AcademicSession]) -> bool:
    """Tell whether a civil day lies in a session that is closed."""
    return any(session.closed and session.first <= day <= session.last for session in sessions)


_HOLDS = {
    "first_plan": N_("The first plan of a pair is always looked at by a person."),
    "ask_create": N_("New values wait for a person's yes, as the mapping says."),
    "ask_update": N_("Changed values wait for a person's yes, as the mapping says."),
    "ask_delete": N_("Removals wait for a person's yes, as the mapping says."),
    "over_count": N_("There are more changes of this kind than the guard lets pass."),
    "over_percent": N_("The changes are a larger share of the known values than the guard lets pass."),
    "freeze": N_("Nothing is written on these days, as the mapping says."),
    "canary": N_("A value that is known to be on both sides is missing or changed, so the reads are not trusted."),
    "closed_period": N_("The period is closed, and closed marks are not revised."),
    "sessions_unknown": N_("It is not known whether the period is closed, so nothing is written into it."),
    "impact": N_("The mapping changed, so old values would be written anew."),
    "hidden_value": N_("The system does not tell this value from an empty cell."),
    "base_corrupt": N_("What was last agreed is damaged, so nobody can tell which value is newer."),
    "no_place": N_("It is not certain where this value belongs."),
    "quarantined": N_("The system refused this value several times, so it waits for a person or for another value."),
    "left_out": N_("A person left it out of an earlier plan, and nobody has taken it in since."),
    "create_work": N_("A new column in the journal waits for a person's yes."),
    "no_new_work": N_("The mapping makes no works in the journal; make the work by hand."),
}
HOLD_CODES = frozenset(_HOLDS)


def explain_hold(code: str) -> Message:
    """Return why a change waits, for a person; a code of a mapping's own is shown as it is."""
    return say(_HOLDS.get(code, code))
