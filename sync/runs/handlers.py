"""The sync's jobs: a plan made at its hour or when a score arrived, and an approved plan applied."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from connector.base.errors import Hold, Retriable
from connector.base.i18n import N_, say
from sync.jobs import leases, queue
from sync.jobs.errors import LeaseLost
from sync.jobs.runner import Handlers, JobContext, Runtime, worker_name
from sync.reconcile.apply import ApplyReport, apply_plan
from sync.runs import progress
from sync.runs.approving import POLICY, approve
from sync.runs.planning import plan_connection
from sync.runs.runtime import SyncRuntime
from sync.schedule.asking import PLAN_JOB
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
        progress.let_go_on(db, school, plans.get(db, school, plan).run)
        queue.put(db, school, APPLY_JOB, plan, {"plan": plan, "actor": actor})
    runtime.dispatcher.ring()


def apply_here(runtime: SyncRuntime, school: str, plan: str, *, actor: str) -> ApplyReport:
    """Apply an approved plan in this process, under the lease a worker would take: one process at a time.

    A process that dies leaves the lease to run out, and the next worker goes on.

    Raises:
        Retriable: Another process is applying it (``applied_elsewhere``).
        KopirError: As ``apply_plan``.
    """
    jobs = Runtime(runtime.database, Handlers(), clock=runtime.clock)
    payload = {"plan": plan, "actor": actor}
    with runtime.writing(school) as db:
        progress.let_go_on(db, school, plans.get(db, school, plan).run)
        job = leases.take(db, school, APPLY_JOB, plan, payload, worker_name(), runtime.clock(), jobs.lease)
    if job is None:
        raise Retriable("applied_elsewhere", say(N_("Another process is applying this plan; look again in a minute.")))
    context = JobContext(jobs, job)
    try:
        mine = replace(runtime, held=context.hold_in)
        return apply_plan(mine, school, plan, actor=actor, fence=context.hold)
    finally:
        with suppress(LeaseLost), runtime.writing(school) as db:
            queue.finish(db, job, now=runtime.clock())


def _plan(runtime: SyncRuntime, context: JobContext) -> None:
    """Make a plan; what the mapping lets flow goes on by itself, everything else waits for a person."""
    school = context.school_id
    trigger = context.payload.get("trigger", "schedule")
    connection = runtime.connection(school, context.payload["connection"])
    if connection.state != "active":
        return
    runtime = replace(runtime, held=context.hold_in)
    plan = plan_connection(runtime, school, connection.id, trigger=trigger)
    if flows(plan):
        approve(runtime, school, plan.id, plan.hash, POLICY)
        request_apply(runtime, school, plan.id, actor=POLICY)


def flows(plan: StoredPlan) -> bool:
    """Tell whether anything of a plan may be written without a person."""
    return plan.state == "planned" and not plan.header.first and plan.kind == "sync" and plan.counts.get("ready", 0) > 0


def _apply(runtime: SyncRuntime, context: JobContext) -> None:
    """Apply a plan; a worker that lost its lease writes nothing more, neither there nor here."""
    mine = replace(runtime, held=context.hold_in)
    actor = context.payload.get("actor", "system")
    try:
        apply_plan(mine, context.school_id, context.payload["plan"], actor=actor, fence=context.hold)
    except Hold as hold:
        if hold.reason == "plan_stale":
            plan_id = context.payload["plan"]
            with runtime.reading(context.school_id) as db:
                connection = plans.get(db, context.school_id, plan_id).connection
            request_plan(runtime, context.school_id, connection, trigger="retry")
        raise
