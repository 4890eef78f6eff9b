"""Pass every remote write of a sync through the one ledger of effects, which owns order, stamps and what is agreed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from mappings.scales import parse_number
from sync.effects import ledger
from sync.effects.records import IN_FLIGHT, Cell, Change, Effect, Origin, Sighting, State, lms_cell
from sync.store.plans import ChangeRow
from sync.systems.contract import Outcome, System, WriteResult
from sync.systems.kopir import KopirSystem

_ENDS: dict[Outcome, State] = {
    Outcome.APPLIED: State.DELIVERED,
    Outcome.ALREADY: State.ALREADY,
    Outcome.CONFLICT: State.CONFLICT,
    Outcome.REFUSED: State.REFUSED,
    Outcome.UNKNOWN: State.UNKNOWN,
    # Nothing left, so nothing is under way: the next plan asks anew.
    Outcome.RETRY: State.REFUSED,
}


def cell_of(system: System, row: ChangeRow, item: str) -> Cell:
    """Return the ledger's cell of a write; scores of plugins and syncs of one LMS meet in one cell."""
    issuer = getattr(system, "issuer", "")
    person = row.external_person or ""
    return lms_cell(issuer, item, person) if issuer else Cell(system.key, item, person)


def is_remote(system: System) -> bool:
    """Tell whether a system is somebody else's; Kopir's own register needs no ledger."""
    return not isinstance(system, KopirSystem)


def send(
    db: Connection, school: str, system: System, row: ChangeRow, item: str, origin: Origin, now: datetime
) -> Effect | None:
    """Write down that a change is about to leave; None when another write of its cell is under way."""
    cell = cell_of(system, row, item)
    _settle_older(db, school, cell, row, now)
    change = Change(cell, row.change.after, origin, key_of(row), min(row.stamp, now), row.maximum)
    try:
        return ledger.mark_sent(db, school, [ledger.plan(db, school, change, now)], now)[0]
    except ledger.NotSendable:
        return None


def key_of(row: ChangeRow) -> str:
    """Return the idempotency key of a change: a plan's row is one intended write, however often it is tried."""
    return f"{row.plan}:{row.seq}"


def _settle_older(db: Connection, school: str, cell: Cell, row: ChangeRow, now: datetime) -> None:
    """Bring an earlier plan's unfinished write to its end: the read this plan was made from has seen the cell."""
    for older in ledger.in_flight(db, school, cell.system, cell.item):
        mine = older.cell == cell and older.key != key_of(row)
        if not mine or older.origin not in (Origin.SYNC, Origin.UNDO) or older.created_at >= row.read_at:
            continue
        there = same(row.change.before, older.after)
        state, reason = (State.DELIVERED, "") if there else (State.REFUSED, "not_there")
        ledger.settle(db, school, older, state, now, reason=reason, sighting=Sighting(row.change.before))


def note(db: Connection, school: str, row: ChangeRow, result: WriteResult, now: datetime) -> None:
    """Write down how a write ended; one that was taken without being read back waits for the verification."""
    found = ledger.find(db, school, key_of(row))
    if found is None or (found.state not in IN_FLIGHT and found.state is not State.PLANNED):
        return
    if result.outcome is Outcome.APPLIED and not result.seen_known:
        return
    sighting = Sighting(result.seen, row.maximum) if result.seen_known else None
    ledger.settle(db, school, found, _ENDS[result.outcome], now, reason=result.reason, sighting=sighting)


def call_off(db: Connection, school: str, row: ChangeRow) -> None:
    """Take back that a write was about to leave: the run was cancelled before its turn came."""
    found = ledger.find(db, school, key_of(row))
    if found is not None:
        ledger.take_back(db, school, found)


def confirm(db: Connection, school: str, row: ChangeRow, seen: str | None, now: datetime, *, holds: bool) -> None:
    """Write down what a verification found in the cell of a write that still waits for it."""
    found = ledger.find(db, school, key_of(row))
    if found is None or found.state not in IN_FLIGHT:
        return
    state = State.DELIVERED if holds else State.KEPT
    reason = "" if holds else "other_value_there"
    ledger.settle(db, school, found, state, now, reason=reason, sighting=Sighting(seen, row.maximum))


def same(one: str | None, other: str | None) -> bool:
    """Tell whether two raw values are one text or one number."""
    if one is None or other is None or one == other:
        return one == other
    first, second = parse_number(one), parse_number(other)
    return first is not None and first == second
