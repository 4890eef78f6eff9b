"""Asking for a comparison nobody pressed a button for: at its hour, after a score, once more after a failure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from sync.jobs import queue
from sync.schedule import store
from sync.store import connections
from sync.store.connections import SyncConnection
from sync.store.tables.connections import group_link

PLAN_JOB = "sync_plan"


def ask(db: Connection, connection: SyncConnection, at: datetime, trigger: str) -> datetime | None:
    """Ask for a comparison at an instant, or when the quiet hours and pauses after it end.

    Returns:
        When it may begin; None when a pause without end stands in the way, and nothing was asked.
    """
    free = store.of(db, connection).free_from(at)
    if free is not None:
        payload = {"connection": connection.id, "trigger": trigger}
        queue.put(db, connection.school, PLAN_JOB, connection.id, payload, run_after=free)
    return free


def pairs_of(db: Connection, school: str, context_id: str) -> list[str]:
    """Return the connections that map a course of the LMS, by the LMS's own id of it."""
    query = select(group_link.c.connection).where(
        group_link.c.school_id == school, group_link.c.left_group == context_id, group_link.c.active == 1
    )
    return sorted(set(db.scalars(query)))


def after_score(db: Connection, school: str, pairs: Iterable[str], now: datetime) -> list[str]:
    """Ask for a comparison of the live ones among these pairs, a few minutes from now; return those.

    The first score sets the time; those that follow within it are served by the same run.
    """
    asked = []
    for which in pairs:
        connection = connections.get(db, school, which)
        plan = store.of(db, connection)
        wait = timedelta(minutes=plan.rules.after_score)
        if plan.live and wait and ask(db, connection, now + wait, "score") is not None:
            asked.append(which)
    return asked
