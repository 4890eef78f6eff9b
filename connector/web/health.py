"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, redirect
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from connector.web.state import runtime

blueprint = Blueprint("health", __name__)


@blueprint.get("/")
def front() -> BaseResponse:
    """Lead whoever types the bare address to the console; teachers and pupils come in from their LMS."""
    return redirect("/console/", 303)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer while the process lives; asks nothing of the database."""
    return make_response(jsonify(status="ok"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer 200 when the database answers and every plugin loaded, else 503 with what is wrong."""
    here = runtime()
    problems = [f"plugin {failure.name} is off" for failure in here.plugin_failures]
    try:
        with here.database.service(write=False) as db:
            db.execute(text("SELECT 1 FROM school LIMIT 1"))
    except SQLAlchemyError:
        problems.append("the database does not answer or is not migrated")
    return make_response(
        jsonify(status="ok" if not problems else "not ready", problems=problems), 503 if problems else 200
    )
