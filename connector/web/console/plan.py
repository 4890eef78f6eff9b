"""The plan's page: see what would happen between LMS and journal, say yes to exactly that, and see what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, jsonify, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from connector.base.errors import Fatal, Hold, KopirError
from connector.base.i18n import N_, Message, say
from connector.web.console import words
from connector.web.console.busy import Busy, busy_with
from connector.web.console.common import connection_or_404, home_of, page, show, sync, to, who
from connector.web.console.hours import DAY_WORDS, hours_of
from connector.web.console.names import Names
from connector.web.console.needs import standing
from connector.web.console.people_view import view_people
from connector.web.console.plan_view import chosen_keys, view_conflicts, view_plan
from connector.web.console.session import blueprint, id_or_404
from connector.web.state import runtime
from sync.runs import hold_files
from sync.runs.approving import approve
from sync.runs.handlers import request_apply, request_plan
from sync.runs.progress import cancel
from sync.runs.resolving import resolve
from sync.runs.view import held_lines
from sync.store import audit, connections, plans
from sync.store.connections import SyncConnection
from sync.store.plans import StoredPlan
from sync.systems.contract import Writing

_SETTLED_ALREADY = ("approved", "applying", "applied")
_LOOK_AGAIN = frozenset({"plan_stale", "plan_edited", "plan_not_waiting"})


@blueprint.get("/connections/<connection_id>/")
def connection_page(connection_id: str) -> Response:
    """Show a connection with its newest plan."""
    return _plan_page(connection_or_404(connection_id))


@blueprint.get("/connections/<connection_id>/plans/<plan_id>")
def plan_page(connection_id: str, plan_id: str) -> Response:
    """Show a connection with one of its plans."""
    connection = connection_or_404(connection_id)
    return _plan_page(connection, _plan_or_404(connection, plan_id))


def _plan_or_404(connection: SyncConnection, plan_id: str) -> StoredPlan:
    with sync().reading(connection.school) as db:
        plan = plans.get(db, connection.school, id_or_404(plan_id))
    if plan.connection != connection.id:
        raise Fatal("no_such_plan", say(N_("This school has no such plan.")))
    return plan


def _plan_page(
    connection: SyncConnection, chosen: StoredPlan | None = None, warning: Message | None = None
) -> Response:
    with sync().reading(connection.school) as db:
        names = Names(db, connection)
        now = standing(db, connection, runtime().clock())
        plan = chosen or now.plan
        busy = busy_with(db, connection.school, connection.id, plan, runtime().clock())
        people = view_people(db, names)
        values: dict[str, Any] = {
            "standing": now,
            "busy": busy,
            "people": people,
            "linked": sum(len(group.linked) for group in people),
            "conflicts": view_conflicts(db, names),
            "view": view_plan(db, names, plan, request.args.get("block", "")) if plan is not None else None,
            "other_plan": now.plan if chosen is not None and now.plan and now.plan.id != chosen.id else None,
        }
    shared = {
        **values,
        **_sides(connection),
        "warning": warning,
        "words": words,
        "progress": show().text(progress_words(busy)),
        "plan_of_hours": hours_of(connection),
        "day_words": DAY_WORDS,
    }
    return page("console/connection.html", 409 if warning else 200, connection=connection, **shared)


def _sides(connection: SyncConnection) -> dict[str, Any]:
    """Return what both systems are called, whether marks can be written to the journal, and what keeps either away."""
    lms, journal = show().text(say(N_("LMS"))), connection.right
    names = {
        "left_name": words.system_name(connection.left, lms),
        "right_name": words.system_name(journal, journal.partition(":")[0]),
    }
    try:
        rights = sync().systems.open(connection)[1].capabilities.results
    except KopirError as error:
        return {**names, "closed": error.message, "writes_marks": False, "why_typed": ""}
    gated = rights.write is not Writing.YES
    return {
        **names,
        "closed": None,
        "writes_marks": not gated and not connection.read_only,
        "why_typed": say(rights.reason) if gated and rights.reason else "",
    }


@blueprint.get("/connections/<connection_id>/holds.<kind>")
def holds_file(connection_id: str, kind: str) -> Response:
    """Give what waits for a person as a table to download: ``csv`` or ``xlsx``."""
    connection = connection_or_404(connection_id)
    if kind not in ("csv", "xlsx"):
        abort(404)
    rows = hold_files.hold_rows(held_lines(sync(), connection.school, connection.id), show().text)
    made, mime = (
        (hold_files.as_csv(rows), hold_files.CSV_TYPE)
        if kind == "csv"
        else (hold_files.as_xlsx(rows), hold_files.XLSX_TYPE)
    )
    name = f"kopir-holds-{sync().today(connection.school).isoformat()}.{kind}"
    answer = Response(made, content_type=mime)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


@blueprint.post("/connections/<connection_id>/approve")
def approve_plan(connection_id: str) -> Response:
    """Take a yes to exactly the plan that was shown; any other plan is shown again and nothing is written."""
    connection = connection_or_404(connection_id)
    plan = _plan_or_404(connection, request.form.get("plan", ""))
    seen = request.form.get("hash", "")
    if plan.state in _SETTLED_ALREADY and plan.hash == seen:
        # A second click on one button: the first one counted.
        return to(_path(connection, plan), "approved")
    if plan.state != "planned" or plan.hash != seen:
        return _look_again(connection)
    only = _only(connection, plan)
    if only is not None and not only:
        return to(_path(connection, plan), "nothing_chosen")
    try:
        approve(sync(), connection.school, plan.id, seen, who(), releases=request.form.getlist("release"), only=only)
    except (Hold, Fatal) as error:
        if error.reason not in _LOOK_AGAIN:
            raise
        return _after_refusal(connection, plan, error)
    request_apply(sync(), connection.school, plan.id, actor=who())
    return to(_path(connection, plan), "approved")


def _only(connection: SyncConnection, plan: StoredPlan) -> list[str] | None:
    """Return the cells of the ticked blocks and released holds."""
    ticked = set(request.form.getlist("block"))
    released = set(request.form.getlist("release"))
    with sync().reading(connection.school) as db:
        rows = plans.changes(db, connection.school, plan.id, ("ready", "held"))
    held = [row for row in rows if row.held_by in released]
    plain = chosen_keys((row for row in rows if row.held_by not in released), ticked)
    return [*plain, *(row.key for row in held)]


def _after_refusal(connection: SyncConnection, plan: StoredPlan, error: KopirError) -> Response:
    """Tell a second click from a plan that moved."""
    now = _plan_or_404(connection, plan.id)
    if error.reason == "plan_not_waiting" and now.state in _SETTLED_ALREADY:
        return to(_path(connection, plan), "approved")
    if now.state == "stale":
        request_plan(sync(), connection.school, connection.id, trigger="manual")
    return _look_again(connection, error.message)


def _look_again(connection: SyncConnection, why: Message | None = None) -> Response:
    text = N_(
        "Nothing was written: this is no longer the plan you looked at. {why} Look at the new one and approve it."
    )
    return _plan_page(connection, warning=say(text, why=why or ""))


def _path(connection: SyncConnection, plan: StoredPlan) -> str:
    newest = _newest(connection)
    return home_of(connection) + ("" if newest is not None and newest.id == plan.id else f"plans/{plan.id}")


def _newest(connection: SyncConnection) -> StoredPlan | None:
    with sync().reading(connection.school) as db:
        return plans.latest(db, connection.school, connection.id)


@blueprint.post("/connections/<connection_id>/plans/<plan_id>/again")
def apply_again(connection_id: str, plan_id: str) -> Response:
    """Ask anew for an approved plan to be written, after whatever stopped it."""
    connection = connection_or_404(connection_id)
    plan = _plan_or_404(connection, plan_id)
    if plan.state in ("approved", "applying"):
        request_apply(sync(), connection.school, plan.id, actor=who())
    return to(_path(connection, plan), "approved")


@blueprint.get("/connections/<connection_id>/progress")
def progress(connection_id: str) -> Response:
    """Tell the page's script how far the work is."""
    connection = connection_or_404(connection_id)
    with sync().reading(connection.school) as db:
        plan = _followed(db, connection)
        busy = busy_with(db, connection.school, connection.id, plan, runtime().clock())
    return jsonify(
        doing=busy.doing, done=busy.done, total=busy.total, text=show().text(progress_words(busy)), stopped=busy.stopped
    )


def _followed(db: Connection, connection: SyncConnection) -> StoredPlan | None:
    wanted = request.args.get("plan", "")
    if wanted:
        plan = plans.get(db, connection.school, id_or_404(wanted))
        return plan if plan.connection == connection.id else None
    return plans.latest(db, connection.school, connection.id)


def progress_words(busy: Busy) -> Message | str:
    """Return what is under way, in words, with counts and the time left where they can be told."""
    left = time_left(busy.left)
    if busy.doing == "comparing" and busy.total:
        text = N_("Both systems are being read: class {done} of {total}. {left}")
        return say(text, done=min(busy.done + 1, busy.total), total=busy.total, left=left)
    if busy.doing == "comparing":
        return say(N_("Both systems are being read and compared…"))
    if busy.doing == "writing" and busy.done < busy.total:
        return say(N_("Writing: {done} of {total}. {left}"), done=busy.done, total=busy.total, left=left)
    return say(N_("Written; what was written is being read back…")) if busy.doing else ""


def time_left(left: timedelta | None) -> Message | str:
    """Return a rest of time as a person says it."""
    if left is None:
        return ""
    minutes = round(left.total_seconds() / 60)
    if minutes < 1:
        return say(N_("Less than a minute left."))
    return say(N_("About {minutes} min left."), minutes=minutes)


@blueprint.post("/connections/<connection_id>/cancel")
def cancel_run(connection_id: str) -> Response:
    """Stop what runs between two records; a plan that was being written waits, to be let go on or planned anew."""
    connection = connection_or_404(connection_id)
    with sync().writing(connection.school) as db:
        stopped = cancel(db, connection.school, connection.id, who())
        for run in stopped:
            audit.append(db, connection.school, connection.id, "run_cancelled", who(), [], runtime().clock(), run=run)
    return to(home_of(connection), "cancelling" if stopped else "nothing_runs")


@blueprint.post("/connections/<connection_id>/conflicts/<conflict_id>")
def settle_conflict(connection_id: str, conflict_id: str) -> Response:
    """Let one side's value count, and compare anew."""
    connection = connection_or_404(connection_id)
    side = request.form.get("side", "")
    if side == "left":
        resolve(sync(), connection.school, connection.id, id_or_404(conflict_id), "left", who=who())
    elif side == "right":
        resolve(sync(), connection.school, connection.id, id_or_404(conflict_id), "right", who=who())
    else:
        return to(home_of(connection), "nothing_chosen")
    request_plan(sync(), connection.school, connection.id, trigger="manual")
    return to(home_of(connection), "comparing")


@blueprint.post("/connections/<connection_id>/writing")
def set_writing(connection_id: str) -> Response:
    """Let marks be written to the journal, or come out as an entry sheet only; or pause the connection."""
    connection = connection_or_404(connection_id)
    wish = request.form.get("wish", "")
    with sync().writing(connection.school) as db:
        if wish in ("writing_on", "writing_off"):
            connections.set_read_only(db, connection.school, connection.id, read_only=wish == "writing_off")
        elif wish in ("paused", "resumed"):
            state = "paused" if wish == "paused" else "active"
            connections.set_state(db, connection.school, connection.id, state)
    return to(home_of(connection), wish)
