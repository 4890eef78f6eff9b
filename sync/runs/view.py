"""What a person asks of a connection, as plain values: its state, a plan row by row, why a cell stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.base.errors import Record
from connector.base.i18n import N_, Message, say
from sync.reconcile.decide import RULE_IDS, explain_rule
from sync.reconcile.guard import explain_hold
from sync.reconcile.plan import explain as explain_cell
from sync.reconcile.types import Action, CellKey, CellKind
from sync.runs import entries, why
from sync.runs import people as joining
from sync.runs.compare import Comparison
from sync.runs.runtime import SyncRuntime
from sync.store import cells, conflicts, connections, people, plans, proposals
from sync.store.cells import ReadProof
from sync.store.connections import Refusal, SyncConnection
from sync.store.plans import ChangeRow, RunRow, StoredPlan


@dataclass(frozen=True)
class ChangeLine:
    """One row of a plan, in words.

    Attributes:
        key: The cell.
        kind: ``grade`` or ``attendance``.
        group: Title of the group.
        item: Title of the work, or the lesson's day and number.
        person: The pupil's name in the school's record; empty once erased.
        side: The side that is written; ``none`` for what is only remembered.
        before: What that side holds.
        after: What it will hold; None takes it out.
        source: What the other side holds.
        base: What the written side held when both last agreed.
        state: ``ready``, ``held``, ``applied``, ``moved``, …
        rule: Why, by code.
        why: Why, in words.
        held_by: Why it waits, by code.
        reason: A finer code where something stood in the way.
    """

    key: str
    kind: str
    group: str
    item: str
    person: str
    side: str
    before: str | None
    after: str | None
    source: str | None
    base: str | None
    state: str
    rule: str
    why: Message
    held_by: str
    reason: str


@dataclass(frozen=True)
class GroupReads:
    """The last reads of a group, by side and kind."""

    group_link: str
    title: str
    reads: tuple[ReadProof, ...]


@dataclass(frozen=True)
class Status:
    """One connection at a glance.

    Attributes:
        connection: Its id.
        left: Key of the left system.
        right: Key of the right system.
        state: ``active``, ``paused`` or ``removed``.
        read_only: Marks come out as an entry sheet.
        told_read_only: A person said so.
        refusals: What the journal was seen to take no writes of, by kind of cells, with since when and why.
        joined: How many people are joined.
        proposals: How many proposals wait.
        conflicts: How many conflicts are open.
        holds: How many changes of the newest plan wait for a person.
        pending: How many values the newest plan would write, held ones included.
        to_type: How many marks are on the entry sheet and not in the journal yet.
        plan: The newest plan's id.
        last_run: The last run.
        last_good_at: When a run last ended well.
        groups: The last reads.
    """

    connection: str
    left: str
    right: str
    state: str
    read_only: bool
    told_read_only: bool
    refusals: Mapping[str, Refusal]
    joined: int
    proposals: int
    conflicts: int
    holds: int
    pending: int
    to_type: int
    plan: str | None
    last_run: RunRow | None
    last_good_at: datetime | None
    groups: tuple[GroupReads, ...]


@dataclass(frozen=True)
class Explained:
    """Why a cell is as it is.

    Attributes:
        key: The cell.
        action: What the next plan would do about it.
        rule: The rule that decides, by code.
        why: The rule, in words.
        left: What left holds, as far as its read lets it be seen.
        right: What right holds.
        base_left: What left held when both last agreed.
        base_right: What right held then.
        held_by: Why it waits in the newest plan (the guard, the mapping's approvals, a freeze, a canary), or would.
        reason: A finer code: the read's or the scale's reason.
        state: Its state in the newest plan; empty where that plan has nothing to do about it.
        waits: Why it waits, in words; None where it does not.
    """

    key: str
    action: str
    rule: str
    why: Message
    left: str | None
    right: str | None
    base_left: str | None
    base_right: str | None
    held_by: str
    reason: str
    state: str = ""
    waits: Message | None = None


def status(runtime: SyncRuntime, school: str, connection_id: str) -> Status:
    """Return one connection at a glance."""
    connection = runtime.connection(school, connection_id)
    with runtime.reading(school) as db:
        plan = plans.latest(db, school, connection.id)
        open_now = plan is not None and plan.state in ("planned", "approved", "applying", "applied")
        groups = connections.groups(db, school, connection.id)
        return Status(
            connection.id,
            connection.left,
            connection.right,
            connection.state,
            connection.read_only,
            connection.told_read_only,
            connection.refusals,
            len(joining.links(db, connection)),
            len(proposals.of(db, school, connection.id)),
            len(conflicts.of(db, school, connection.id)),
            plan.counts.get("held", 0) if plan is not None and open_now else 0,
            plan.pending if plan is not None and open_now else 0,
            entries.sheet(db, connection).open,
            plan.id if plan is not None else None,
            plans.get_run(db, school, connection.last_run) if connection.last_run else None,
            connection.last_good_at,
            tuple(
                GroupReads(link.id, link.title, tuple(cells.proofs(db, school, link.id).values())) for link in groups
            ),
        )


def plan_lines(
    runtime: SyncRuntime, school: str, plan_id: str, states: Iterable[str] | None = None
) -> tuple[StoredPlan, list[ChangeLine]]:
    """Return a plan and its rows in words, by group, work and class list order of keys."""
    with runtime.reading(school) as db:
        plan = plans.get(db, school, plan_id)
        rows = plans.changes(db, school, plan_id, states)
        connection = connections.get(db, school, plan.connection)
        return plan, _lines(db, connection, rows)


def held_lines(runtime: SyncRuntime, school: str, connection_id: str) -> list[ChangeLine]:
    """Return what waits for a person in a connection's newest plan, row by row."""
    with runtime.reading(school) as db:
        plan = plans.latest(db, school, connection_id)
    return plan_lines(runtime, school, plan.id, ("held",))[1] if plan is not None else []


def _lines(db: Connection, connection: SyncConnection, rows: list[ChangeRow]) -> list[ChangeLine]:
    titles = {link.id: link.title for link in connections.groups(db, connection.school, connection.id)}
    known = people.people(db, connection.school, {row.person for row in rows})
    items = _items(db, connection, {row.group_link for row in rows})
    return [_line(row, titles, items, known) for row in rows]


def _items(db: Connection, connection: SyncConnection, links: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for link in links:
        lefts = {item.id: item.title for item in cells.items(db, connection.school, connection.id, "left", link)}
        works = connections.item_links(db, connection.school, link)
        found |= {work.id: lefts.get(work.left_item, "") for work in works}
        lessons = cells.lessons(db, connection.school, connection.id, "right", link)
        found |= {lesson.id: f"{lesson.day.isoformat()} №{lesson.number}" for lesson in lessons}
    return found


def _line(
    row: ChangeRow, titles: dict[str, str], items: dict[str, str], known: dict[str, people.PersonRow]
) -> ChangeLine:
    change = row.change
    left = row.side == "left"
    return ChangeLine(
        row.key,
        row.kind,
        titles.get(row.group_link, ""),
        items.get(row.item, ""),
        known[row.person].name if row.person in known else "",
        row.side,
        change.before if row.side != "none" else None,
        change.after,
        change.right if left else change.left,
        change.base_left if left else change.base_right,
        row.state,
        change.rule,
        _why(change.rule),
        row.held_by,
        row.reason,
    )


def _why(rule: str) -> Message:
    return explain_rule(rule) if rule in RULE_IDS else say(rule)


def why_held(code: str) -> Message:
    """Return why a change waits, in words."""
    return explain_hold(code)


def explain(runtime: SyncRuntime, school: str, connection_id: str, key: str) -> Explained:
    """Say why a cell does not change, or what the next plan does about it, from what the last reads kept.

    Args:
        runtime: The application's parts.
        school: The school.
        connection_id: The connection.
        key: The cell, ``kind|group link|item|person``, as plans and conflicts show it.

    A cell that is not compared at all has the action ``not_compared`` and a rule that says why: who is not linked,
    which work has no place.

    Raises:
        Record: It is no cell of this connection (``no_such_cell``).
    """
    try:
        cell = CellKey.parse(key)
    except ValueError as error:
        raise Record("no_such_cell", say(N_("“{key}” is no cell of this connection."), key=key)) from error
    connection = runtime.connection(school, connection_id)
    comparison = Comparison(runtime, connection, runtime.sides(connection))
    group = comparison.groups.get(cell.group)
    if group is None or cell.kind not in (CellKind.GRADE, CellKind.ATTENDANCE):
        raise Record("no_such_cell", say(N_("“{key}” is no cell of this connection."), key=key))
    with runtime.reading(school) as db:
        code = why.apart(db, connection, comparison, cell)
        state, held_by = why.stands(db, connection, cell)
    if code:
        told = why.explain_apart(code)
        return Explained(key, Action.NOT_COMPARED.value, code, told, None, None, None, None, "", "", state)
    found = explain_cell(cell, comparison.find(cell), comparison.rules, comparison.coverage(), first=connection.first)
    decision, base = found.decision, found.base
    return Explained(
        key,
        decision.action.value,
        decision.rule,
        _why(decision.rule),
        found.left.raw,
        found.right.raw,
        None if base is None else base.left_raw,
        None if base is None else base.right_raw,
        held_by or decision.held_by,
        decision.reason,
        state,
        why.explain_wait(held_by or decision.held_by),
    )
