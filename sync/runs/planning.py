"""Make a plan: read, match, compare, guard, and store it as rows that can be looked at, approved and applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from connector.base.errors import KopirError
from connector.db.types import canonical
from mappings.schema import Limits
from sync.reconcile.guard import (
    Approval,
    Approve,
    Ask,
    Counted,
    GuardRules,
    Limit,
    Standing,
    Verdict,
    Window,
    assess,
    stand,
)
from sync.reconcile.plan import Planner, Summary
from sync.reconcile.types import CellKey, CellKind, Change, Operation, PlanHeader, Side, State, Values, scope_text
from sync.runs import canaries, entries
from sync.runs import people as joining
from sync.runs.columns import reports_closed
from sync.runs.compare import Comparison, Group, kinds_of, stamp_of
from sync.runs.progress import Meter
from sync.runs.quiet import Quiet
from sync.runs.reading import NotCompared, Reader, demand_groups, resolve_groups
from sync.runs.runtime import SyncRuntime
from sync.schedule import asking
from sync.schedule import store as schedules
from sync.store import audit, cells, conflicts, connections, left_out, plans, quarantine
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow, NewPlan, StoredPlan
from sync.store.sql import batches
from sync.store.tables.plans import plan as plan_table
from sync.store.tables.plans import plan_change
from sync.systems.contract import Evidence

RETRY_AFTER = timedelta(minutes=5)
"""When a run that could not compare everything is tried again."""
PROBE_AFTER = timedelta(days=1)
"""How long a journal that refused to be written is left alone before one mark is tried anew."""
_RETRIED = frozenset({"unknown", "partial"})


def plan_connection(
    runtime: SyncRuntime,
    school: str,
    connection_id: str,
    *,
    trigger: str = "manual",
    actor: str = "system",
    read: bool = True,
) -> StoredPlan:
    """Read both sides of a connection and store the plan that follows.

    What could not be read completely is not compared: nothing is concluded from it, the run says so and is tried
    again. What agrees already, and what both sides removed, is settled at once; everything else waits in the plan.

    Args:
        runtime: The application's parts.
        school: The school.
        connection_id: The connection.
        trigger: ``manual``, ``schedule``, ``score``, ``retry`` or ``join``.
        actor: Who asked, by internal id, or ``system``.
        read: False plans from what the last reads kept.

    Raises:
        KopirError: Nothing could be read or compared at all; the run keeps the reason.
    """
    connection = runtime.connection(school, connection_id)
    with runtime.writing(school) as db:
        run = plans.start_run(db, school, connection.id, trigger, actor, runtime.clock())
    try:
        return _Planning(runtime, connection, run).make(read=read)
    except KopirError as error:
        with runtime.writing(school) as db:
            now = runtime.clock()
            state = "cancelled" if error.reason == "cancelled" else "failed"
            plans.update_run(db, school, run, state=state, reason=error.reason, finished_at=now)
            connections.note_run(db, school, connection.id, run, good_at=None)
        raise


class _Planning:
    """One run up to its stored plan."""

    def __init__(self, runtime: SyncRuntime, connection: SyncConnection, run: str) -> None:
        self._runtime = runtime
        self._connection = connection
        self._school = connection.school
        self._run = run
        self._phases: list[dict[str, str]] = []
        self._meter = Meter(runtime, connection.school, run)

    def make(self, *, read: bool) -> StoredPlan:
        """Go through the phases."""
        sides = self._runtime.sides(self._connection)
        missed: list[NotCompared] = []
        if read:
            self._begin("read")
            groups, missed = resolve_groups(self._runtime, self._connection, sides)
            demand_groups(groups, missed)
            reader = Reader(self._runtime, self._connection, sides)
            self._meter.begin("read", len(groups))
            for link in groups:
                self._meter.stop_if_cancelled()
                reader.read(link)
                self._meter.step()
            self._meter.stop_if_cancelled()
            missed += [one for one in reader.not_compared if one.reason != "not_offered"]
            missed += self._canaries(missed)
        self._begin("plan")
        comparison = Comparison(self._runtime, self._connection, sides)
        stored = self._store(comparison)
        self._close(stored, missed, compared=bool(comparison.scopes()))
        with self._runtime.reading(self._school) as db:
            return plans.get(db, self._school, stored)

    def _canaries(self, missed: Sequence[NotCompared]) -> list[NotCompared]:
        """Tell of a canary that no class ever showed; one that is missing in its class was told by its read."""
        with self._runtime.reading(self._school) as db:
            doubt, side = canaries.broken(db, self._connection)
        if not doubt or any(one.reason in canaries.BROKEN for one in missed):
            return []
        return [NotCompared("", "", side, "group", Evidence.SUSPICIOUS, doubt)]

    def _begin(self, phase: str) -> None:
        self._phases.append({"phase": phase, "at": self._runtime.clock().isoformat()})
        self._runtime.step(phase)

    def _store(self, comparison: Comparison) -> str:
        header = current_header(self._runtime, self._connection)
        planner = Planner(header, comparison.rules, comparison.coverage())
        with self._runtime.writing(self._school) as db:
            unfinished = NewPlan(self._connection.id, self._run, "sync", "", header, "discarded", {})
            stored = plans.add_plan(db, self._school, unfinished, self._runtime.clock())
        seq = 0
        quiet = Quiet(self._runtime, comparison, header, self._runtime.clock())
        quiet.count(planner.summary)
        changes = planner.compare(comparison.columns(quiet.scopes))
        for batch in batches(changes):
            rows = [change_row(stored, seq + place, change, comparison) for place, change in enumerate(batch, 1)]
            seq += len(batch)
            with self._runtime.writing(self._school) as db:
                plans.add_changes(db, self._school, rows)
        quiet.remember(planner.summary)
        self._begin("guard")
        self._judge(stored, planner.summary, header, comparison)
        if not planner.summary.broken_canaries:
            self._remember(stored, comparison)
        self._finish(stored, planner.plan_hash, comparison)
        return stored

    def _judge(self, stored: str, summary: Summary, header: PlanHeader, comparison: Comparison) -> None:
        """Let the guard and the mapping's approvals speak about every write of the plan."""
        with self._runtime.reading(self._school) as db:
            recent = removals(db, self._connection, self._runtime.clock() - timedelta(days=1))
            doubt, _side = canaries.broken(db, self._connection)
            summary.broken_canaries += [doubt] if doubt else []
        closed = comparison.closed_columns() if reports_closed(self._connection) else []
        verdict = assess(summary, guard_rules(self._connection), self._runtime.today(self._school), recent, closed)
        with self._runtime.writing(self._school) as db:
            plans.update_plan(db, self._school, stored, verdict=verdict_to_json(verdict))
        for page in plans.pages(self._reading, self._school, stored, ("ready", "held")):
            with self._runtime.writing(self._school) as db:
                asked = self._asked_already(db, stored, page, comparison)
            rest = [row for row in page if row.seq not in asked]
            stand_all(self._runtime, self._connection, rest, verdict, first=header.first)

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._runtime.reading(self._school)

    def _asked_already(
        self, db: Connection, stored: str, waiting: Sequence[ChangeRow], comparison: Comparison
    ) -> frozenset[int]:
        """Set aside the marks that are on the entry sheet already: nothing new is asked, and nothing will be written.

        On the day on which a refusing journal is tried anew they are planned like any other.
        """
        if comparison.writes_marks or probe_due(self._connection, comparison, self._runtime.clock()):
            return frozenset()
        barred = ("closed_period", "sessions_unknown")
        grades = [row for row in waiting if row.kind == CellKind.GRADE and row.change.held_by not in barred]
        asked = [row.seq for row in entries.waiting_to_be_typed(db, self._connection, grades)]
        plans.set_changes(db, self._school, stored, asked, state="entry", held_by="")
        return frozenset(asked)

    def _remember(self, stored: str, comparison: Comparison) -> None:
        """Settle what needs no write, keep the conflicts, and tick off what was typed from an entry sheet."""
        now = self._runtime.clock()
        for silent in plans.pages(self._reading, self._school, stored, (State.SILENT,)):
            for batch in batches(silent, 200):
                with self._runtime.writing(self._school) as db:
                    seen = as_seen(db, self._connection, batch)
                    settle_rows(db, self._connection, self._run, "agreed", "system", seen, now)
        unsure: set[str] = set()
        for page in plans.pages(self._reading, self._school, stored, (State.CONFLICT, State.NOT_COMPARED)):
            unsure |= {row.key for row in page}
            clashing = [row.change for row in page if row.state == State.CONFLICT]
            with self._runtime.writing(self._school) as db:
                conflicts.keep(db, self._school, self._connection.id, self._run, clashing, now)
        with self._runtime.writing(self._school) as db:
            compared = {scope_text(kind, link) for kind, link in comparison.scopes()}
            over = [
                row.key
                for row in conflicts.of(db, self._school, self._connection.id)
                if CellKey.parse(row.key).scope in compared and row.key not in unsure
            ]
            conflicts.close(db, self._school, self._connection.id, over, "agreed", "system", now)
            entries.tick(db, self._connection, stored, comparison, now)

    def _finish(self, stored: str, plan_hash: str, comparison: Comparison) -> None:
        with self._runtime.writing(self._school) as db:
            counts = counts_of(db, self._school, stored)
            pending = counts.get("ready", 0) + counts.get("held", 0)
            works = works_to_make(plans.without_place(db, self._school, stored), comparison)
            impact = counts.get("impact", 0)
            plans.update_plan(
                db,
                self._school,
                stored,
                hash=plan_hash,
                counts=counts,
                works=works,
                kind="impact" if impact and impact == pending else "sync",
                state="planned" if pending else "empty",
            )
            # An older plan that nobody approved is about a world that has moved on.
            older = select(plan_table.c.id).where(
                plan_table.c.school_id == self._school,
                plan_table.c.connection == self._connection.id,
                plan_table.c.state.in_(["planned", "approved"]),
                plan_table.c.kind != "undo",
                plan_table.c.id != stored,
            )
            for which in db.scalars(older).all():
                plans.update_plan(db, self._school, which, state="stale", reason="newer_plan")

    def _close(self, stored: str, missed: Sequence[NotCompared], *, compared: bool) -> None:
        now = self._runtime.clock()
        with self._runtime.writing(self._school) as db:
            plan = plans.get(db, self._school, stored)
            state = "planned" if not missed else "partial" if compared else "not_compared"
            plans.update_run(
                db,
                self._school,
                self._run,
                state=state,
                plan=stored,
                counts=plan.counts,
                phases=self._phases,
                not_compared=[one.to_json() for one in missed],
                reason=missed[0].reason if missed else "",
                finished_at=now,
            )
            good = now if not missed else None
            connections.note_run(db, self._school, self._connection.id, self._run, good_at=good)
            if any(one.evidence.value in _RETRIED for one in missed):
                asking.ask(db, self._connection, now + RETRY_AFTER, "retry")
            # The journal's periods, which say when the school year ends, may have been read for the first time.
            schedules.arm(db, self._connection, now)
        self._runtime.dispatcher.ring()


def current_header(runtime: SyncRuntime, connection: SyncConnection, *, undoes: str = "") -> PlanHeader:
    """Return what a plan made now would be made from."""
    with runtime.reading(connection.school) as db:
        identity = joining.identity_hash(db, connection)
        groups = connections.groups(db, connection.school, connection.id)
    scopes = [scope_text(kind, link.id) for kind in kinds_of(connection) for link in groups]
    inputs = {"mapping": connection.mapping.hash, "identity": identity}
    return PlanHeader.of(connection.school, connection.id, scopes, inputs, first=connection.first, undoes=undoes)


def probe_due(connection: SyncConnection, comparison: Comparison, now: datetime) -> bool:
    """Tell whether it is time to try a mark anew in a journal that once refused to be written."""
    known = connection.refusals.get(CellKind.GRADE)
    if known is None or connection.told_read_only or not comparison.could_write_marks:
        return False
    return now - known.tried_at >= PROBE_AFTER


def guard_rules(connection: SyncConnection) -> GuardRules:
    """Return the mapping's guard block as the guard reads it."""
    guard = connection.mapping.file.guard
    return GuardRules.of(
        max_delete=guard.max_delete,
        max_change_pct=guard.max_change_pct,
        freeze=[Window(freeze.from_, freeze.to) for freeze in guard.freeze],
        limits=_limits(guard.limits),
        floor=guard.floor,
    )


def _limits(told: Limits) -> dict[Counted, Limit]:
    """Return the mapping's finer limits as the guard counts: both ways of removing fall under ``delete``."""
    found: dict[Counted, Limit] = {}
    for kind, limits in ((CellKind.GRADE, told.grade), (CellKind.ATTENDANCE, told.attendance)):
        if limits is None:
            continue
        rules = {Operation.CREATE: limits.create, Operation.UPDATE: limits.update}
        rules |= {Operation.CLEAR: limits.delete, Operation.DELETE: limits.delete}
        found |= {(kind, op): Limit(one.count, one.percent) for op, one in rules.items() if one is not None}
    return found


def approve_rules(connection: SyncConnection) -> Approve:
    """Return the mapping's approve block as the guard reads it."""
    wish = connection.mapping.file.approve
    return Approve(Ask.PERSON, Ask(wish.create), Ask(wish.update), Ask(wish.delete), Ask(wish.over_guard))


def removals(db: Connection, connection: SyncConnection, since: datetime) -> dict[Counted, int]:
    """Count the removals applied since an instant, by kind and operation."""
    table = plan_change
    rows = db.execute(
        select(table.c.kind, table.c.action, func.count())
        .join(plan_table, (plan_table.c.school_id == table.c.school_id) & (plan_table.c.id == table.c.plan))
        .where(
            table.c.school_id == connection.school,
            plan_table.c.connection == connection.id,
            table.c.state == "applied",
            table.c.applied_at >= since,
            table.c.action.like("clear_%"),
        )
        .group_by(table.c.kind, table.c.action)
    )
    found: Counter[Counted] = Counter()
    for kind, _action, number in rows:
        found[(CellKind(kind), Operation.CLEAR)] += number
    return dict(found)


def verdict_to_json(verdict: Verdict) -> dict[str, object]:
    """Return the guard's word as JSON values."""
    return {
        "everything": verdict.everything,
        "kinds": [[kind.value, op.value, reason] for (kind, op), reason in sorted(verdict.kinds.items())],
        "scopes": [[scope, op.value, reason] for (scope, op), reason in sorted(verdict.scopes.items())],
    }


def verdict_of_json(data: dict[str, object]) -> Verdict:
    """Read ``verdict_to_json`` back."""
    kinds, scopes = data.get("kinds"), data.get("scopes")
    return Verdict(
        str(data.get("everything", "")),
        {(CellKind(kind), Operation(op)): reason for kind, op, reason in kinds} if isinstance(kinds, list) else {},
        {(scope, Operation(op)): reason for scope, op, reason in scopes} if isinstance(scopes, list) else {},
    )


def stand_all(
    runtime: SyncRuntime,
    connection: SyncConnection,
    rows: Iterable[ChangeRow],
    verdict: Verdict,
    *,
    first: bool,
    approval: Approval | None = None,
) -> Counter[str]:
    """Resolve what may happen to each write, keep it, and return the counts by state; READY becomes approved."""
    approve = approve_rules(connection)
    counts: Counter[str] = Counter()
    groups: dict[tuple[str, str, str], list[int]] = {}
    with runtime.reading(connection.school) as db:
        left = left_out.of(db, connection.school, connection.id)
        apart = {
            key: one.wanted for key, one in quarantine.of(db, connection.school, connection.id).items() if one.waits
        }
    for row in rows:
        # What is taken back was chosen once already.
        out = row.change.rule != "undo" and left_out.covers(left, row.key)
        standing = stand(row.change, verdict, approve, first=first, approval=approval, left_out=out)
        lifted = approval is not None and "quarantined" in approval.releases
        if standing.state is State.READY and not lifted and apart.get(row.key) == quarantine.wanted_of(row):
            standing = Standing(State.HELD, "quarantined")
        state = "approved" if approval is not None and standing.state is State.READY else standing.state.value
        counts[state] += 1
        if (state, standing.held_by) != (row.state, row.held_by):
            groups.setdefault((row.plan, state, standing.held_by), []).append(row.seq)
    for (which, state, held_by), seqs in groups.items():
        for batch in batches(seqs):
            with runtime.writing(connection.school) as db:
                plans.set_changes(db, connection.school, which, batch, state=state, held_by=held_by)
    return counts


def change_row(stored: str, seq: int, change: Change, comparison: Comparison) -> ChangeRow:
    """Say where a change is written: the written system's own ids, the maximum, the times."""
    key = CellKey.parse(change.key)
    group = comparison.groups[key.group]
    side = change.side
    return ChangeRow(
        stored,
        seq,
        change,
        side.value if side is not None else "none",
        key.group,
        key.item,
        key.person,
        _external_item(key, group, side),
        _external_person(key, group, side, own_register=comparison.sides.own_register),
        _maximum(key, group, side),
        group.read_at(key.kind, side or Side.LEFT),
        stamp_of(change.left_at if side is Side.LEFT else None, group.read_at(key.kind, side or Side.LEFT)),
        change.state.value,
        change.held_by,
        change.reason,
    )


def _external_item(key: CellKey, group: Group, side: Side | None) -> str | None:
    if key.kind is CellKind.ATTENDANCE:
        return key.item
    column = group.columns[key.item]
    return column.link.left_item if side is Side.LEFT else column.link.right_item or None


def _external_person(key: CellKey, group: Group, side: Side | None, *, own_register: bool) -> str:
    if key.kind is CellKind.ATTENDANCE and side is Side.LEFT and own_register:
        return key.person
    pair = group.pairs[key.person]
    return pair[0] if side is Side.LEFT else pair[1]


def _maximum(key: CellKey, group: Group, side: Side | None) -> str | None:
    if key.kind is CellKind.ATTENDANCE:
        return None
    column = group.columns[key.item]
    maximum = column.left.maximum if side is Side.LEFT else column.right_maximum()
    return None if maximum is None else canonical(maximum)


def as_seen(db: Connection, connection: SyncConnection, rows: Sequence[ChangeRow]) -> list[ChangeRow]:
    """Return the changes whose base is still the one they were decided on; the others drop out as ``moved``.

    Somebody else settled those cells since: an older comparison must not take the base back.
    """
    known = cells.base_of(db, connection.school, connection.id, [row.key for row in rows])
    kept: list[ChangeRow] = []
    moved: list[ChangeRow] = []
    for row in rows:
        base = known.get(row.key)
        seen = (row.change.base_left, row.change.base_right) if row.change.has_base else None
        now = None if base is None else (base.left_raw, base.right_raw)
        (kept if now == seen else moved).append(row)
    for which in {row.plan for row in moved}:
        seqs = [row.seq for row in moved if row.plan == which]
        plans.set_changes(db, connection.school, which, seqs, state="moved", reason="base_moved")
    return kept


def settle_rows(
    db: Connection,
    connection: SyncConnection,
    run: str,
    action: str,
    actor: str,
    rows: Sequence[ChangeRow],
    now: datetime,
    values: dict[str, Values | None] | None = None,
) -> None:
    """Set base, audit and the changes' state in the caller's one transaction.

    Args:
        db: A writing transaction.
        connection: The connection.
        run: The run it belongs to.
        action: What the audit calls it.
        actor: Who did it.
        rows: The changes.
        now: The instant.
        values: What each cell's base becomes, where that is not what the change itself says.
    """
    known = cells.base_of(db, connection.school, connection.id, [row.key for row in rows])
    settlings, links = [], []
    for row in rows:
        after = values[row.key] if values is not None and row.key in values else row.change.settles
        settlings.append(cells.Settling(row.key, after, row.change.mapping_version))
        before = known.get(row.key)
        links.append(
            audit.Entry(
                row.key,
                "forget" if after is None else "set",
                (None, None) if before is None else (before.left_raw, before.right_raw),
                (None, None) if after is None else (after.left, after.right),
                row.change.rule,
                row.change.mapping_version,
            )
        )
    cells.settle(db, connection.school, connection.id, run, settlings, now)
    audit.append(db, connection.school, connection.id, action, actor, links, now, run=run)
    for which in {row.plan for row in rows}:
        seqs = [row.seq for row in rows if row.plan == which]
        plans.set_changes(db, connection.school, which, seqs, state="applied", applied_at=now)


def counts_of(db: Connection, school: str, which: str) -> dict[str, int]:
    """Count a plan's changes by state and by action, and those that come from a changed mapping."""
    where = (plan_change.c.school_id == school, plan_change.c.plan == which)
    counts: Counter[str] = Counter()
    rows = db.execute(
        select(plan_change.c.state, plan_change.c.action, plan_change.c.kind, func.count())
        .where(*where)
        .group_by(plan_change.c.state, plan_change.c.action, plan_change.c.kind)
    )
    for state, action, kind, number in rows:
        counts[state] += number
        counts[action] += number
        if state in ("ready", "held"):
            counts[f"{kind}_pending"] += number
    impact = select(func.count()).where(*where, plan_change.c.held_by == "impact")
    if number := db.scalar(impact):
        counts["impact"] = number
    return dict(counts)


def works_to_make(rows: Iterable[ChangeRow], comparison: Comparison) -> list[dict[str, str]]:
    """Return the works of the journal that applying these changes makes, once each."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.side != "right" or row.kind != CellKind.GRADE or row.external_item:
            continue
        column = comparison.groups[row.group_link].columns[row.item]
        found[row.item] = {
            "group_link": row.group_link,
            "item": row.item,
            "lesson": column.link.right_lesson,
            "title": column.title,
            "kind": column.link.kind,
        }
    return [found[item] for item in sorted(found)]
