"""``kopir schedule``: when a pair is compared by itself, its pauses, and the hours that come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.cli.output import explained, json_option, show, show_table
from connector.cli.sync import Chosen, chosen, connection_option, school_option, who_option, words
from mappings.schema import Quiet, YearEnd
from sync.schedule import store
from sync.schedule.rules import WEEKDAYS
from sync.schedule.store import Plan
from sync.store import audit, connections

STILL = {
    "not_live": N_("Nothing runs by itself yet: the first plan waits for a person, or the connection is paused."),
    "paused": N_("The schedule is paused."),
    "year_end": N_("It is the pause between two school years; `kopir schedule resume` lifts it."),
}


@click.group()
def schedule() -> None:
    """Say when a pair is compared by itself, pause it, and see which hours come."""


def _shown(one: Chosen) -> dict[str, Any]:
    with one.runtime.reading(one.school) as db:
        plan = store.of(db, connections.get(db, one.school, one.connection))
    return told(one.connection, plan, one.runtime.clock())


def told(connection: str, plan: Plan, now: datetime) -> dict[str, Any]:
    """Return a schedule as values for a person or a script; times are the school's own."""
    rules, slot = plan.rules, plan.next(now)
    last = plan.last_at.astimezone(plan.zone).isoformat(timespec="minutes") if plan.last_at else None
    return {
        "connection": connection,
        "zone": str(plan.zone),
        "hours": list(rules.hours),
        "days": list(rules.days),
        "quiet": f"{rules.quiet.from_}-{rules.quiet.to}" if isinstance(rules.quiet, Quiet) else "none",
        "after_score": rules.after_score,
        "year_end": f"{rules.year_end.from_}..{rules.year_end.to}" if isinstance(rules.year_end, YearEnd) else "none",
        "set_by_school": sorted(plan.overrides),
        "not_in_force": words(plan.fault) if plan.fault else None,
        "paused": plan.pauses.paused,
        "paused_until": plan.pauses.until,
        "lifted_until": plan.pauses.lifted,
        "still": plan.why_still(now) or None,
        "next": slot.at.astimezone(plan.zone).isoformat(timespec="minutes") if slot and plan.live else None,
        "last": last,
    }


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    lines = [f"{name}: {', '.join(found) if isinstance(found, list) else found}" for name, found in value.items()]
    still = value["still"]
    show(value, as_json=as_json, text="\n".join([*lines, *([words(say(STILL[still]))] if still else [])]))


@schedule.command("show")
@school_option
@connection_option
@json_option
@explained
def show_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Show hours, pauses and the next run; times are the school's own."""
    with chosen(code, wanted) as one:
        _print(_shown(one), as_json=as_json)


@schedule.command("set")
@school_option
@connection_option
@click.option("--hours", help="Hours of the day, 07:00,14:30; an empty text: none.")
@click.option("--days", help="Days of the week, mon-fri or mon,wed,fri.")
@click.option("--quiet", help="Hours in which nothing begins by itself, 22:00-06:00; none takes them away.")
@click.option("--after-score", type=click.IntRange(0, 1440), help="Minutes after a delivered score; 0: never.")
@click.option("--year-end", help="Pause between school years, 05-26..09-14 or last_school_day..09-14; or none.")
@click.option("--reset", is_flag=True, help="Go back to the mapping's schedule first.")
@who_option
@json_option
@explained
def set_(code: str | None, wanted: str | None, reset: bool, who: str, as_json: bool, **said: str | int | None) -> None:
    """Set what counts instead of the mapping's schedule; what is not named stays."""
    given = {name: _READ[name](value) for name, value in said.items() if value is not None}
    if not given and not reset:
        raise Fatal("nothing_to_set", say(N_("Say what to set: --hours, --days, --quiet, --after-score, --year-end.")))
    with chosen(code, wanted) as one:
        with one.runtime.writing(one.school) as db:
            now, connection = one.runtime.clock(), connections.get(db, one.school, one.connection)
            store.set_overrides(db, connection, given, who, now, reset=reset)
            audit.append(db, one.school, one.connection, "schedule_set", who, [], now)
        _print(_shown(one), as_json=as_json)


def _hours(value: object) -> list[str]:
    return [hour.strip() for hour in str(value).split(",") if hour.strip()]


def _days(value: object) -> list[str]:
    found: list[str] = []
    for part in str(value).lower().split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first in WEEKDAYS and last in WEEKDAYS and WEEKDAYS.index(first) <= WEEKDAYS.index(last):
            found += WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last) + 1]
        else:
            found.append(part.strip())
    return found


def _span(value: object, between: str) -> str | dict[str, str]:
    text = str(value)
    if text.strip() == "none":
        return "none"
    first, _, last = text.partition(between)
    return {"from": first.strip(), "to": last.strip()}


_READ: dict[str, Callable[[object], object]] = {
    "hours": _hours,
    "days": _days,
    "quiet": lambda value: _span(value, "-"),
    "after_score": lambda value: value,
    "year_end": lambda value: _span(value, ".."),
}


@schedule.command("pause")
@school_option
@connection_option
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of the pause; without it, no end.")
@who_option
@json_option
@explained
def pause_(code: str | None, wanted: str | None, until: datetime | None, who: str, as_json: bool) -> None:
    """Let nothing begin by itself; comparing by hand stays possible."""
    with chosen(code, wanted) as one:
        last: date | None = until.date() if until else None
        with one.runtime.writing(one.school) as db:
            now, connection = one.runtime.clock(), connections.get(db, one.school, one.connection)
            store.pause(db, connection, last, who, now)
            audit.append(db, one.school, one.connection, "schedule_paused", who, [], now)
        _print(_shown(one), as_json=as_json)


@schedule.command("resume")
@school_option
@connection_option
@who_option
@json_option
@explained
def resume_(code: str | None, wanted: str | None, who: str, as_json: bool) -> None:
    """End a pause; between two school years, lift that pause too, this once."""
    with chosen(code, wanted) as one:
        with one.runtime.writing(one.school) as db:
            now, connection = one.runtime.clock(), connections.get(db, one.school, one.connection)
            store.resume(db, connection, who, now)
            audit.append(db, one.school, one.connection, "schedule_resumed", who, [], now)
        _print(_shown(one), as_json=as_json)


@schedule.command("next")
@school_option
@connection_option
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 100))
@json_option
@explained
def next_(code: str | None, wanted: str | None, count: int, as_json: bool) -> None:
    """List the hours that come, in the school's time."""
    with chosen(code, wanted) as one:
        with one.runtime.reading(one.school) as db:
            plan = store.of(db, connections.get(db, one.school, one.connection))
        rows, after = [], one.runtime.clock()
        for _ in range(count if plan.live else 0):
            slot = plan.next(after)
            if slot is None:
                break
            rows.append({"at": slot.at.astimezone(plan.zone).isoformat(timespec="minutes"), "slot": slot.name})
            after = slot.at
    show_table(rows, as_json=as_json, empty=words(say(STILL.get(plan.why_still(after), N_("No hour comes.")))))
