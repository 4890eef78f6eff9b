"""A connection's schedule as it is stored: what is set, which hour comes next, and its claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from connector.base.errors import Fatal
from connector.base.i18n import Message
from mappings.schema import Schedule
from sync.runs.runtime import zone_of
from sync.schedule.rules import Pauses, Slot, free_from, instant_of, is_paused, merged, next_slot, year_end_of
from sync.store import connections
from sync.store.connections import SyncConnection
from sync.store.sql import upsert
from sync.store.tables.connections import group_link, schedule

NEVER = "never"
"""The slot of a connection that no hour ever comes for."""


@dataclass(frozen=True)
class Plan:
    """When one connection is compared by itself, with everything the answer needs.

    Attributes:
        rules: The mapping's schedule with what the school set instead.
        overrides: What the school set.
        pauses: Days without automatic runs.
        zone: The school's time zone.
        slot: The next slot's name as it is stored; empty while it is to be worked out, ``never`` for none.
        next_at: When that is.
        last_slot: The last slot that was claimed.
        last_at: When that was.
        live: The pair's first plan was approved, and nobody paused the connection.
        fault: Why what the school set is not in force.
    """

    rules: Schedule
    overrides: dict[str, Any]
    pauses: Pauses
    zone: ZoneInfo
    slot: str = ""
    next_at: datetime | None = None
    last_slot: str = ""
    last_at: datetime | None = None
    live: bool = True
    fault: Message | None = None

    def next(self, now: datetime) -> Slot | None:
        """Return the next slot after an instant."""
        return next_slot(self.rules, self.zone, now, self.pauses, self.last_slot)

    def free_from(self, at: datetime) -> datetime | None:
        """Return the first instant from ``at`` on when something may begin by itself."""
        return free_from(self.rules, self.zone, at, self.pauses)

    def why_still(self, now: datetime) -> str:
        """Return why nothing begins by itself today: ``not_live``, ``paused``, ``year_end``, or an empty text."""
        today = now.astimezone(self.zone).date()
        if not self.live:
            return "not_live"
        if not is_paused(self.rules, today, self.pauses):
            return ""
        by_hand = self.pauses.paused and (self.pauses.until is None or today <= self.pauses.until)
        return "paused" if by_hand else "year_end"


def of(db: Connection, connection: SyncConnection) -> Plan:
    """Return a connection's schedule; where what the school set no longer fits the mapping, the mapping's counts."""
    row = db.execute(select(schedule).where(*_mine(connection.school, connection.id))).first()
    overrides = dict(row.overrides) if row is not None else {}
    pauses = Pauses(last_day=_last_day(db, connection))
    own, fault = connection.mapping.file.schedule, None
    try:
        rules = merged(own, overrides)
    except Fatal as error:
        rules, fault = own, error.message
    live = connection.state == "active" and not connection.first
    plan = Plan(rules, overrides, pauses, zone_of(db, connection.school), live=live, fault=fault)
    if row is None:
        return plan
    return replace(
        plan,
        pauses=Pauses(bool(row.paused), _date(row.paused_until), _date(row.lifted_until), pauses.last_day),
        slot=row.slot,
        next_at=row.next_at,
        last_slot=row.last_slot,
        last_at=row.last_at,
    )


def _mine(school: str, which: str) -> tuple[Any, Any]:
    return schedule.c.school_id == school, schedule.c.connection == which


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _last_day(db: Connection, connection: SyncConnection) -> date | None:
    """Return the last day of the newest reporting period any group's journal shows."""
    where = (group_link.c.school_id == connection.school, group_link.c.connection == connection.id)
    found = [one["last"] for rows in db.scalars(select(group_link.c.sessions).where(*where)) for one in rows or []]
    return date.fromisoformat(max(found)) if found else None


def change(db: Connection, connection: SyncConnection, who: str, now: datetime, **values: Any) -> Plan:
    """Change what is stored and work the next hour out anew; return how it stands then.

    Args:
        db: A writing transaction of the school.
        connection: Whose schedule it is.
        who: Who says so, by internal id.
        now: The present instant.
        values: ``overrides``, ``paused``, ``paused_until``, ``lifted_until``.
    """
    row = {"school_id": connection.school, "connection": connection.id, "overrides": {}}
    said = {**values, "changed_by": who, "changed_at": now, "slot": "", "next_at": None}
    upsert(db, schedule, [{**row, **said}], keep=() if "overrides" in values else ("overrides",))
    return arm(db, connection, now)


def set_overrides(
    db: Connection, connection: SyncConnection, changed: Mapping[str, Any], who: str, now: datetime, *, reset: bool
) -> Plan:
    """Set some keys instead of the mapping's, or go back to the mapping's first.

    Raises:
        Fatal: The result is no schedule (``bad_schedule``); nothing is changed then.
    """
    known = {} if reset else of(db, connection).overrides
    overrides = {**known, **changed}
    merged(connection.mapping.file.schedule, overrides)
    return change(db, connection, who, now, overrides=overrides)


def pause(db: Connection, connection: SyncConnection, until: date | None, who: str, now: datetime) -> Plan:
    """Let nothing begin by itself, up to a day (included) or until somebody resumes it."""
    text = until.isoformat() if until else ""
    return change(db, connection, who, now, paused=1, paused_until=text, lifted_until="")


def resume(db: Connection, connection: SyncConnection, who: str, now: datetime) -> Plan:
    """End a pause; inside a year-end pause, lift that one too, this year only."""
    known = of(db, connection)
    span = year_end_of(known.rules, now.astimezone(known.zone).date(), known.pauses.last_day)
    lifted = span[1].isoformat() if span else ""
    return change(db, connection, who, now, paused=0, paused_until="", lifted_until=lifted)


def arm(db: Connection, connection: SyncConnection, now: datetime) -> Plan:
    """Work out the next hour and keep it; one that is due already stays, for a sweep to claim."""
    plan = of(db, connection)
    if plan.next_at is not None and plan.next_at <= now:
        return plan
    slot = plan.next(now)
    values = {"slot": slot.name if slot else NEVER, "next_at": slot.at if slot else None}
    row = {"school_id": connection.school, "connection": connection.id, "overrides": {}}
    upsert(db, schedule, [{**row, **values}], keep=("overrides",))
    return of(db, connection)


def claim(db: Connection, school: str, which: str, now: datetime) -> datetime | None:
    """Claim the slot that is due, whoever asks first; return when its run may begin; None: there is none to make.

    However many hours were missed, they are one run. A slot whose hour moved into the future, because the school's
    zone or the time zone data changed, waits for it.
    """
    connection = connections.get(db, school, which)
    plan = of(db, connection)
    if plan.slot == "":
        arm(db, connection, now)
        return None
    if plan.slot == NEVER or plan.next_at is None:
        return None
    at = instant_of(plan.slot, plan.zone)
    values: dict[str, Any] = {"next_at": at}
    if at <= now:
        slot = next_slot(plan.rules, plan.zone, now, plan.pauses, plan.slot)
        values = {"slot": slot.name if slot else NEVER, "next_at": slot.at if slot else None}
        values |= {"last_slot": plan.slot, "last_at": now}
    mine = (*_mine(school, which), schedule.c.slot == plan.slot, schedule.c.next_at == plan.next_at)
    won = db.execute(update(schedule).where(*mine).values(**values)).rowcount == 1
    return plan.free_from(now) if won and at <= now and plan.live else None


def put_off(db: Connection, school: str, which: str, at: datetime) -> None:
    """Look at a schedule that could not be read again later."""
    db.execute(update(schedule).where(*_mine(school, which)).values(slot=f"{at:%Y-%m-%dT%H:%M}", next_at=at))
