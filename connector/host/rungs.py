"""Which rung of the launch ladder each platform's logins begin at, and how many launches came by each rung.

Written only when something new was learnt, a few times a month per platform: a launch by the rung that is known
costs nothing here. The count is no counter: every launch's row says by which rung it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from connector.base.log import get_logger
from connector.db.tables.launches import launch
from connector.db.tables.registry import registration
from connector.host.runtime import Runtime
from lti.tool.ladder import Rung, learn, remembered
from lti.tool.ports import Registration

COUNTED = timedelta(days=30)
log = get_logger("host.rungs")


def note_way(runtime: Runtime, platform: Registration, way: Rung | None) -> None:
    """Remember what a launch taught: ``way`` is the rung the ladder's page chose, None after a plain redirect.

    A database that cannot take it must not take the person's page away: then it is only logged.
    """
    now = runtime.clock()
    told = learn(remembered(platform, now), platform.rung_at, way, now)
    if told is None:
        return
    try:
        with runtime.database.service() as db:
            mine = registration.c.id == platform.id
            db.execute(registration.update().where(mine).values(rung=str(told), rung_at=now))
    except SQLAlchemyError as error:
        log.warning("rung_not_kept", error=type(error).__name__, registration=platform.id)
        return
    runtime.registry.forget()
    log.info("rung", registration=platform.id, rung=str(told))


def rung_counts(runtime: Runtime, school_id: str) -> Mapping[tuple[str, str], int]:
    """Return how many of a school's launches of the last thirty days came by each rung, by (registration, rung)."""
    query = (
        select(launch.c.registration_id, launch.c.rung, func.count().label("number"))
        .where(launch.c.school_id == school_id, launch.c.created_at > runtime.clock() - COUNTED)
        .group_by(launch.c.registration_id, launch.c.rung)
    )
    with runtime.database.school(school_id, write=False) as db:
        return {(row.registration_id, row.rung): row.number for row in db.execute(query)}
