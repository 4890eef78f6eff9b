"""The console's first page: every connection, and what needs somebody."""

from __future__ import annotations

from werkzeug.wrappers import Response

from connector.web.console.common import connection_or_404, home_of, page, sync, to
from connector.web.console.needs import all_standing
from connector.web.console.session import blueprint, operator
from connector.web.console.words import RUNS, said, system_name
from connector.web.state import runtime
from sync.runs.handlers import request_plan


@blueprint.get("/")
def home() -> Response:
    """Show every connection of the school."""
    school = operator().school_id
    with sync().reading(school) as db:
        found = [standing for _names, standing in all_standing(db, school, runtime().clock())]
    return page("console/home.html", standings=found, system_name=system_name, run_word=lambda code: said(RUNS, code))


@blueprint.post("/connections/<connection_id>/compare")
def compare(connection_id: str) -> Response:
    """Ask for a comparison."""
    connection = connection_or_404(connection_id)
    request_plan(sync(), connection.school, connection.id, trigger="manual")
    return to(home_of(connection), "comparing")
