"""The entry sheet: marks to type into a journal that programs may not write, for paper and phone."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from connector.web.console.busy import busy_with
from connector.web.console.common import connection_or_404, page, sync
from connector.web.console.session import blueprint
from connector.web.state import runtime
from sync.entry_sheet import EntrySheet, EntryWork
from sync.runs import entries
from sync.store import plans


@blueprint.get("/connections/<connection_id>/entry-sheet")
def entry_sheet(connection_id: str) -> Response:
    """Show what is to be typed, in the journal's order, and what was found typed."""
    connection = connection_or_404(connection_id)
    with sync().reading(connection.school) as db:
        sheet = entries.sheet(db, connection)
        newest = plans.latest(db, connection.school, connection.id)
        busy = busy_with(db, connection.school, connection.id, newest, runtime().clock())
    values: dict[str, Any] = {
        "sheet": sheet,
        "open_works": open_works(sheet),
        "done_works": done_works(sheet),
        "busy": busy,
    }
    checked = [line.checked_at for work in sheet.works for line in work.lines if line.checked_at is not None]
    return page("console/entry_sheet.html", connection=connection, checked=max(checked, default=None), **values)


def open_works(sheet: EntrySheet) -> list[EntryWork]:
    """Return the works that still have something to type."""
    return [work for work in sheet.works if work.open]


def done_works(sheet: EntrySheet) -> list[EntryWork]:
    """Return the works whose marks were all found typed."""
    return [work for work in sheet.works if not work.open]
