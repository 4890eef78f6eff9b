"""Approve a plan: a person's, or the mapping's, yes to exactly these rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection

from connector.base.errors import Fatal, Hold, KopirError
from connector.base.i18n import N_, Message, say
from sync.reconcile.guard import RELEASABLE, WAITS_FOR_A_YES, Approval, check_approval
from sync.reconcile.types import State
from sync.runs.planning import current_header, stand_all, verdict_of_json
from sync.runs.runtime import SyncRuntime
from sync.store import audit, left_out, plans
from sync.store.connections import SyncConnection
from sync.store.plans import ChangeRow, StoredPlan

POLICY = "policy"
"""Who approves what the mapping lets flow."""


def approve(
    runtime: SyncRuntime,
    school: str,
    plan_id: str,
    plan_hash: str,
    who: str,
    *,
    releases: Collection[str] = (),
    only: Collection[str] | None = None,
) -> StoredPlan:
    """Say yes to a stored plan.

    Args:
        runtime: The application's parts.
        school: The school.
        plan_id: The plan.
        plan_hash: The hash the person saw; another one is refused.
        who: The person, by internal id, or ``policy`` for what the mapping lets flow by itself.
        releases: Holds the yes also lifts, by code (``create_work``, ``over_percent``, …).
        only: Keys of the cells meant; all when not given.

    Raises:
        Fatal: The plan is not waiting for a yes (``plan_not_waiting``), was edited (``plan_edited``), or belongs
            elsewhere (``plan_foreign``).
        Hold: Mapping, people or classes moved since (``plan_stale``); or ``policy`` may not approve a first plan or
            an undo (``needs_person``).
    """
    with runtime.reading(school) as db:
        plan = plans.get(db, school, plan_id)
        rows = plans.changes(db, school, plan_id)
    connection = runtime.connection(school, plan.connection)
    if plan.state not in ("planned", "approved"):
        raise Fatal("plan_not_waiting", _not_waiting(plan))
    if who == POLICY and (plan.header.first or plan.kind == "undo"):
        text = N_("A person has to look at this plan: it is the first of its pair, or takes something back.")
        raise Hold("needs_person", say(text))
    approval = Approval(plan_hash, who, frozenset(releases) & RELEASABLE)
    check(runtime, connection, plan, rows, approval)
    meant = None if only is None else frozenset(only)
    waiting = [row for row in rows if row.state in ("ready", "held")]
    chosen = [row for row in waiting if meant is None or row.key in meant]
    if who == POLICY:
        approve_flowing(runtime, connection, chosen)
    else:
        stand_plan(runtime, connection, plan, chosen, approval)
    now = runtime.clock()
    with runtime.writing(school) as db:
        if not plans.update_plan(
            db, school, plan_id, states=("planned", "approved"), state="approved", approved_by=who, approved_at=now
        ):
            raise Fatal("plan_not_waiting", _not_waiting(plan))
        if who != POLICY and plan.kind != "undo":
            _keep_choice(db, school, plan, waiting, chosen, approval, now)
        audit.append(db, school, plan.connection, f"plan_approved:{plan.hash}", who, [], now, run=plan.run)
        return plans.get(db, school, plan_id)


def _keep_choice(
    db: Connection,
    school: str,
    plan: StoredPlan,
    waiting: Iterable[ChangeRow],
    chosen: list[ChangeRow],
    approval: Approval,
    now: datetime,
) -> None:
    """Remember what the person left unticked, so that no later plan writes it by itself; forget what was taken in.

    A hold with a reason of its own was never offered for ticking, so leaving it says nothing.
    """
    taken = {row.seq for row in chosen}
    left = [
        row for row in waiting if row.seq not in taken and (row.state == State.READY or row.held_by in WAITS_FOR_A_YES)
    ]
    if "left_out" in approval.releases:
        left_out.lift(db, school, plan.connection, (row.key for row in chosen if row.held_by == "left_out"))
    left_out.note(db, school, plan, left, chosen, approval.by, now)


def _not_waiting(plan: StoredPlan) -> Message:
    return say(N_("This plan waits for no approval: it is {state}."), state=plan.state)


def check(
    runtime: SyncRuntime, connection: SyncConnection, plan: StoredPlan, rows: Iterable[ChangeRow], approval: Approval
) -> None:
    """Refuse a plan that is not the one approved, or no longer fits; a stale one is marked so.

    Raises:
        KopirError: As ``guard.check_approval``.
    """
    current = current_header(runtime, connection, undoes=plan.header.undoes)
    try:
        check_approval(approval, plan.header, [row.change for row in rows], current)
    except KopirError as error:
        with runtime.writing(connection.school) as db:
            plans.update_plan(
                db, connection.school, plan.id, states=("planned", "approved"), state="stale", reason=error.reason
            )
        raise


def stand_plan(
    runtime: SyncRuntime, connection: SyncConnection, plan: StoredPlan, rows: list[ChangeRow], approval: Approval
) -> None:
    """Let a person's yes take effect, as far as it reaches."""
    stand_all(runtime, connection, rows, verdict_of_json(plan.verdict), first=plan.header.first, approval=approval)


def approve_flowing(runtime: SyncRuntime, connection: SyncConnection, rows: list[ChangeRow]) -> None:
    """Take what nothing holds; what waits for a person goes on waiting."""
    seqs = [row.seq for row in rows if row.state == State.READY]
    if seqs:
        with runtime.writing(connection.school) as db:
            plans.set_changes(db, connection.school, rows[0].plan, seqs, state="approved", held_by="")
