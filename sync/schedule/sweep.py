"""The look at the clock that every process takes: claim the hours that are due, one run each."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import and_, or_, select

from connector.base.errors import KopirError
from connector.base.log import get_logger
from sync.jobs import queue
from sync.runs.runtime import SyncRuntime
from sync.schedule import store
from sync.schedule.asking import PLAN_JOB
from sync.store.tables.connections import schedule

AT_ONCE = 200
"""Schedules looked at in one sweep; the next sweep takes the rest."""

log = get_logger("schedule")


def sweep(runtime: SyncRuntime) -> int:
    """Claim every hour that is due; return how many runs were asked for.

    Any number of processes may do so at the same time: each claim is a compare-and-set of one row, and the job is put
    in its transaction.
    """
    now = runtime.clock()
    due = or_(schedule.c.next_at <= now, and_(schedule.c.next_at.is_(None), schedule.c.slot == ""))
    query = select(schedule.c.school_id, schedule.c.connection).where(due).order_by(schedule.c.next_at).limit(AT_ONCE)
    with runtime.database.service(write=False) as db:
        found = db.execute(query).all()
    asked = sum(_one(runtime, row.school_id, row.connection) for row in found)
    if asked:
        runtime.dispatcher.ring()
    return asked


def _one(runtime: SyncRuntime, school: str, which: str) -> bool:
    now = runtime.clock()
    try:
        with runtime.writing(school) as db:
            begin = store.claim(db, school, which, now)
            if begin is not None:
                payload = {"connection": which, "trigger": "schedule"}
                queue.put(db, school, PLAN_JOB, which, payload, run_after=max(begin, now))
    except KopirError as error:
        # One connection's broken mapping keeps no other from its hour.
        log.warning("schedule not read", connection=which, reason=error.reason)
        with runtime.writing(school) as db:
            store.put_off(db, school, which, now + timedelta(hours=1))
        return False
    return begin is not None
