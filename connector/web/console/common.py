"""What the console's pages share: the sync, the connection an address names, pages, notes and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import abort, current_app, g, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from connector.base.errors import Fatal, KopirError
from connector.base.i18n import N_, Message, say, translate
from connector.host.syncing import sync_runtime
from connector.web.console import session
from connector.web.console.session import blueprint, id_or_404, operator
from connector.web.state import runtime
from sync.runs.runtime import SyncRuntime
from sync.store.connections import SyncConnection

_SYNC = "kopir_sync"
_UNKNOWN = frozenset({"no_such_connection", "no_such_plan", "no_such_run", "no_such_person"})


def sync() -> SyncRuntime:
    """Return the sync of this process; one, because it keeps the journals' tokens."""
    if _SYNC not in current_app.extensions:
        current_app.extensions[_SYNC] = sync_runtime(runtime())
    found: SyncRuntime = current_app.extensions[_SYNC]
    return found


def who() -> str:
    """Return who acts, as the audit keeps it: the name of the invitation, which no system's own name can equal."""
    return f"operator:{operator().name}"


def connection_or_404(which: str) -> SyncConnection:
    """Return a connection of the operator's own school, or answer 404."""
    try:
        return sync().connection(operator().school_id, id_or_404(which))
    except Fatal as error:
        if error.reason in _UNKNOWN:
            abort(404)
        raise


class Show:
    """How values are shown to whoever looks: their language and the school's clock."""

    def __init__(self, language: str, zone: str) -> None:
        """Take the language and the name of the school's time zone."""
        self.language = language
        self._zone = zone

    @cached_property
    def _tz(self) -> ZoneInfo:
        return ZoneInfo(self._zone)

    def text(self, message: Message | str) -> str:
        """Put a message into words."""
        return translate(message, self.language)

    def instant(self, value: datetime | None) -> str:
        """Show an instant on the school's clock; today's as a time alone."""
        if value is None:
            return "–"
        local = value.astimezone(self._tz)
        today = runtime().clock().astimezone(self._tz).date()
        return f"{local:%H:%M}" if local.date() == today else f"{local:%d.%m.%Y %H:%M}"

    def day(self, value: date | None) -> str:
        """Show a civil day."""
        return "–" if value is None else f"{value:%d.%m.%Y}"


def show() -> Show:
    """Return how values are shown in this request."""
    if "console_show" not in g:
        school = runtime().registry.school(school_id=operator().school_id)
        g.console_show = Show(session.language(), school.time_zone if school else "Asia/Almaty")
        g.console_school = school.name if school else ""
    found: Show = g.console_show
    return found


NOTES: dict[str, str] = {
    "comparing": N_("The comparison was asked for; this page follows it."),
    "approved": N_("Approved. The marks are being written; this page follows it."),
    "joined": N_("People linked: {n}. A new comparison was asked for."),
    "refused_links": N_("People linked: {n}. The others were linked to somebody else meanwhile."),
    "rejected": N_("Proposals set aside: {n}. They are not made again."),
    "parted": N_("The link was taken back. A new comparison was asked for."),
    "said": N_("Taken down. A new comparison was asked for."),
    "nothing_chosen": N_("Nothing was chosen, so nothing was done."),
    "undo_made": N_("This plan takes the run back. Nothing is written until you approve it."),
    "writing_on": N_("Marks may be written to the journal again."),
    "writing_off": N_("Nothing is written to the journal any more; marks come out as an entry sheet."),
    "paused": N_("The connection is paused: nothing is read or written."),
    "resumed": N_("The connection runs again."),
    "cancelling": N_("It stops before the next record. What was written stays and is read back."),
    "nothing_runs": N_("Nothing runs any more."),
    "hours_set": N_("The hours were set."),
    "hours_paused": N_("Nothing begins by itself until the pause ends; “Compare now” works as before."),
    "hours_resumed": N_("The schedule runs again."),
    "hours_reset": N_("The mapping's hours count again."),
}


def to(path: str, note: str = "", n: int | None = None, **query: str) -> Response:
    """Redirect to a page of the console, with a note for the person."""
    values = dict(query) | ({"note": note} if note else {}) | ({"n": str(n)} if n is not None else {})
    return redirect(f"/console/{path}" + (f"?{urlencode(values)}" if values else ""), 303)


def home_of(connection: SyncConnection) -> str:
    """Return the path of a connection's page under ``/console/``."""
    return f"connections/{connection.id}/"


def _note() -> str:
    msgid = NOTES.get(request.args.get("note", ""))
    if msgid is None:
        return ""
    number = request.args.get("n", "")
    return show().text(say(msgid, n=number if number.isdigit() else "0"))


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page for whoever is signed in."""
    shown = show()
    shared: Mapping[str, Any] = {
        **session.words(), "show": shown, "note": _note(), "school_name": g.console_school, "here": request.path,
    }  # fmt: skip
    return make_response(render_template(template, **{**shared, **values}), status)


@blueprint.errorhandler(KopirError)
def _ours(error: KopirError) -> Response:
    """Say on a page of the console what cannot be done, and how to get back."""
    if error.reason in _UNKNOWN:
        return _missing()
    return page("console/refused.html", 409, title=None, advice=show().text(error.message), code=error.reason)


@blueprint.errorhandler(404)
def _not_found(_error: HTTPException) -> Response:
    return _missing()


@blueprint.errorhandler(403)
def _forbidden(_error: HTTPException) -> Response:
    advice = show().text(say(N_("The page was open too long or came from elsewhere. Open it again and repeat.")))
    return page("console/refused.html", 403, title=None, advice=advice, code="")


def _missing() -> Response:
    title = show().text(say(N_("There is nothing here")))
    advice = show().text(say(N_("It may have been removed, or belong to another school.")))
    return page("console/refused.html", 404, title=title, advice=advice, code="")
