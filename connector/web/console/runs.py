"""What was done: runs, their outcome and undo, and the audit trail with names put back in for whoever may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, request
from sqlalchemy import Connection, select
from werkzeug.wrappers import Response

from connector.base.errors import KopirError
from connector.base.i18n import Message
from connector.web.console import words
from connector.web.console.common import connection_or_404, home_of, page, sync, to, who
from connector.web.console.names import Names, Place
from connector.web.console.plan_view import view_missed, view_plan
from connector.web.console.session import blueprint, id_or_404
from sync.reconcile.types import CellKey
from sync.reconcile.undo import undo_run
from sync.store import audit as trail
from sync.store import plans
from sync.store.connections import SyncConnection
from sync.store.plans import RunRow
from sync.store.tables.audit import audit

LINKS_A_PAGE = 30


@blueprint.get("/connections/<connection_id>/runs/")
def run_list(connection_id: str) -> Response:
    """Show the newest runs."""
    connection = connection_or_404(connection_id)
    with sync().reading(connection.school) as db:
        found = plans.runs(db, connection.school, connection.id, 100)
    return page("console/runs.html", connection=connection, runs=found, words=words)


@blueprint.get("/connections/<connection_id>/runs/<run_id>")
def run_page(connection_id: str, run_id: str) -> Response:
    """Show one run: its phases, what it did not compare, and what became of every mark."""
    connection = connection_or_404(connection_id)
    with sync().reading(connection.school) as db:
        run = _run_or_404(db, connection, run_id)
        plan = plans.get(db, connection.school, run.plan) if run.plan else None
        view = view_plan(db, Names(db, connection), plan, request.args.get("block", "")) if plan else None
        wrote = plan is not None and _wrote(db, connection, plan.id)
    values: dict[str, Any] = {"run": run, "view": view, "missed": view_missed(run), "can_undo": wrote, "words": words}
    return page("console/run.html", connection=connection, **values)


def _wrote(db: Connection, connection: SyncConnection, plan: str) -> bool:
    """Tell whether a plan left anything in a system that could be taken back."""
    return any(row.side != "none" for row in plans.changes(db, connection.school, plan, ["applied"]))


def _run_or_404(db: Connection, connection: SyncConnection, run_id: str) -> RunRow:
    run = plans.get_run(db, connection.school, id_or_404(run_id))
    if run.connection != connection.id:
        abort(404)
    return run


@blueprint.post("/connections/<connection_id>/runs/<run_id>/undo")
def undo(connection_id: str, run_id: str) -> Response:
    """Make the plan that takes a run back; it is looked at and approved like any other."""
    connection = connection_or_404(connection_id)
    with sync().reading(connection.school) as db:
        _run_or_404(db, connection, run_id)
    made = undo_run(sync(), connection.school, run_id, actor=who())
    return to(f"{home_of(connection)}plans/{made.id}", "undo_made")


@dataclass(frozen=True)
class EntryView:
    """One cell's change in the audit."""

    key: str
    person: str
    place: Place
    what: str
    before: tuple[str | None, str | None]
    after: tuple[str | None, str | None]
    why: Message | str
    erased: bool
    is_person: bool


@dataclass(frozen=True)
class LinkView:
    """One transaction in the audit."""

    seq: int
    at: datetime
    actor: str
    action: Message | str
    run: str | None
    entries: list[EntryView]


@blueprint.get("/connections/<connection_id>/audit")
def audit_page(connection_id: str) -> Response:
    """Show the audit, newest first; ``?check=1`` verifies the whole chain."""
    connection = connection_or_404(connection_id)
    before = request.args.get("before", "")
    with sync().reading(connection.school) as db:
        names = Names(db, connection)
        links = _links(db, connection, int(before) if before.isdigit() else None)
        checked = _check(db, connection) if request.args.get("check") else None
        found = [_view(names, link) for link in links[:LINKS_A_PAGE]]
    older = found[-1].seq if len(links) > LINKS_A_PAGE else None
    return page("console/audit.html", connection=connection, links=found, older=older, checked=checked, words=words)


def _links(db: Connection, connection: SyncConnection, before: int | None) -> list[Any]:
    query = select(audit).where(audit.c.school_id == connection.school, audit.c.connection == connection.id)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return list(db.execute(query.order_by(audit.c.seq.desc()).limit(LINKS_A_PAGE + 1)))


def _check(db: Connection, connection: SyncConnection) -> tuple[bool, int, Message | None]:
    chain = trail.links(db, connection.school, connection.id)
    try:
        trail.verify(chain)
    except KopirError as error:
        return False, len(chain), error.message
    return True, len(chain), None


def _view(names: Names, link: Any) -> LinkView:
    action = str(link.action).partition(":")[0]
    entries = [_entry(names, entry) for entry in link.entries]
    return LinkView(link.seq, link.at, link.actor, words.said(words.ACTIONS, action), link.run, entries)


def _entry(names: Names, entry: dict[str, Any]) -> EntryView:
    text = str(entry["key"])
    is_person = text.startswith("person|")
    whom = text.rpartition("|")[2] if is_person else CellKey.parse(text).person
    place = Place("", "", None) if is_person else names.place(CellKey.parse(text))
    left, right = entry["before"]
    after = entry["after"]
    return EntryView(
        text,
        names.person(whom),
        place,
        entry["what"],
        (left, right),
        (after[0], after[1]),
        words.audit_reason(entry["why"]),
        "salt" not in entry,
        is_person,
    )
