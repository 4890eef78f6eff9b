"""The sync's jobs: a plan made at its hour or when a score arrived, and an approved plan applied."""

from __future__ import annotations

from connector.base.errors import Hold
from sync.jobs import queue
from sync.jobs.runner import Handlers, JobContext
from sync.reconcile.apply import apply_plan
from sync.runs.approving import POLICY, approve
from sync.runs.planning import PLAN_JOB, plan_connection
from sync.runs.runtime import SyncRuntime
from sync.store import plans
from sync.store.plans import StoredPlan

APPLY_JOB = "sync_apply"


def register_sync_jobs(handlers: Handlers, runtime: SyncRuntime) -> None:
    """Register the sync's kinds of jobs."""
    handlers.add(PLAN_JOB, lambda context: _plan(runtime, context))
    handlers.add(APPLY_JOB, lambda context: _apply(runtime, context))


def request_plan(runtime: SyncRuntime, school: str, connection: str, *, trigger: str) -> None:
    """Ask for a plan soon; requests that come before it starts are one."""
    with runtime.writing(school) as db:
        queue.put(db, school, PLAN_JOB, connection, {"connection": connection, "trigger": trigger})
    runtime.dispatcher.ring()


def request_apply(runtime: SyncRuntime, school: str, plan: str, *, actor: str) -> None:
    """Ask for an approved plan to be applied soon."""
    with runtime.writing(school) as db:
        queue.put(db, school, APPLY_JOB, plan, {"plan": plan, "actor": actor})
    runtime.dispatcher.ring()


def _plan(runtime: SyncRuntime, context: JobContext) -> None:
    """Make a plan; what the mapping lets flow goes on by itself, everything else waits for a person."""
    school = context.school_id
    trigger = context.payload.get("trigger", "schedule")
    connection = runtime.connection(school, context.payload["connection"])
    if connection.state != "active":
        return
    plan = plan_connection(runtime, school, connection.id, trigger=trigger)
    context.extend()
    if flows(plan):
        approve(runtime, school, plan.id, plan.hash, POLICY)
        request_apply(runtime, school, plan.id, actor=POLICY)


def flows(plan: StoredPlan) -> bool:
    """Tell whether anything of a plan may be written without a person."""
    return plan.state == "planned" and not plan.header.first and plan.kind == "sync" and plan.counts.get("ready", 0) > 0


def _apply(runtime: SyncRuntime, context: JobContext) -> None:
    """Apply a plan; between chunks the lease is held anew, so that a worker that lost it writes nothing more."""
    try:
        apply_plan(
            runtime,
            context.school_id,
            context.payload["plan"],
            actor=context.payload.get("actor", "system"),
            fence=context.extend,
        )
    except Hold as hold:
        if hold.reason == "plan_stale":
            plan_id = context.payload["plan"]
            with runtime.reading(context.school_id) as db:
                connection = plans.get(db, context.school_id, plan_id).connection
            request_plan(runtime, context.school_id, connection, trigger="retry")
        raise
