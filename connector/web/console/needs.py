"""What needs a person: one short line each, most urgent first, with where to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.base.i18n import N_, Message, say
from connector.web.console.busy import Busy, busy_with
from connector.web.console.names import Names
from connector.web.console.plan_view import Missed, view_missed
from sync.runs import entries
from sync.store import conflicts, connections, identity, plans, proposals
from sync.store.connections import SyncConnection
from sync.store.plans import RunRow, StoredPlan


@dataclass(frozen=True)
class Need:
    """One thing to do: its words, and the part of the connection's page it is on."""

    text: Message
    anchor: str = ""


@dataclass(frozen=True)
class Standing:
    """How a connection stands.

    Attributes:
        connection: The connection.
        plan: Its newest plan.
        run: Its newest run.
        busy: What is under way.
        needs: What needs a person.
        missed: What the newest run did not compare.
        groups: How many groups are mapped.
        to_type: Marks that wait on the entry sheet.
    """

    connection: SyncConnection
    plan: StoredPlan | None
    run: RunRow | None
    busy: Busy
    needs: list[Need]
    missed: list[Missed]
    groups: int
    to_type: int


def standing(db: Connection, connection: SyncConnection, now: datetime) -> Standing:
    """Look at one connection."""
    school = connection.school
    plan = plans.latest(db, school, connection.id)
    newest = plans.runs(db, school, connection.id, 1)
    run = newest[0] if newest else None
    busy = busy_with(db, school, connection.id, plan, now)
    missed = view_missed(run) if run is not None else []
    sheet = entries.sheet(db, connection)
    needs = _needs(db, connection, plan, run, busy)
    if missed:
        needs.append(Need(say(N_("Reads that proved nothing: {count}"), count=len(missed)), "missed"))
    if sheet.open:
        needs.append(Need(say(N_("Marks to type from the entry sheet: {count}"), count=sheet.open), "sheet"))
    return Standing(
        connection, plan, run, busy, needs, missed, len(connections.groups(db, school, connection.id)), sheet.open
    )


def _needs(
    db: Connection, connection: SyncConnection, plan: StoredPlan | None, run: RunRow | None, busy: Busy
) -> list[Need]:
    found: list[Need] = []
    if connection.state != "active":
        return [Need(say(N_("The connection is paused.")), "settings")]
    if run is None and not busy.doing:
        return [Need(say(N_("It was never compared. Press “Compare now”.")))]
    if busy.stopped:
        found.append(Need(say(N_("An approved plan is not being written.")), "plan"))
    if plan is not None and plan.state == "planned":
        text = (
            N_("The first plan waits for you: {count}") if plan.header.first else N_("Marks wait for your yes: {count}")
        )
        waiting = plan.counts.get("held", 0) if not plan.header.first else plan.pending
        if waiting:
            found.append(Need(say(text, count=waiting), "plan"))
    open_ = proposals.of(db, connection.school, connection.id)
    if open_:
        found.append(Need(say(N_("Pairs of people to confirm: {count}"), count=len(open_)), "people"))
    doubted = identity.doubts(db, connection.school, connection.id)
    if doubted:
        text = N_("Pupils two sources link differently; nothing of theirs is carried: {count}")
        found.append(Need(say(text, count=len(doubted)), "people"))
    clashing = len(conflicts.of(db, connection.school, connection.id))
    if clashing:
        found.append(Need(say(N_("Conflicts to settle: {count}"), count=clashing), "conflicts"))
    if run is not None and run.state == "failed":
        found.append(Need(say(N_("The last comparison failed.")), "missed"))
    return found


def all_standing(db: Connection, school: str, now: datetime) -> list[tuple[Names, Standing]]:
    """Look at every connection of a school, those that need somebody first."""
    found = [(Names(db, one), standing(db, one, now)) for one in connections.every(db, school)]
    return sorted(found, key=lambda pair: not pair[1].needs)
