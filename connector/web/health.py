"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from flask import Blueprint, Response, jsonify, make_response, redirect, request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from connector.web.state import runtime
from sync.jobs import lanes
from sync.jobs.health import QueueHealth, queue_health
from sync.jobs.lanes import LaneView

STILL_SECONDS = 600

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
    """Answer 200 when the database answers and every plugin loaded, else 503 with what is wrong.

    A queue that stands still is told as a warning: people can be let in all the same.
    """
    here = runtime()
    problems = [f"plugin {failure.name} is off" for failure in here.plugin_failures]
    queue: dict[str, int] = {}
    try:
        with here.database.service(write=False) as db:
            db.execute(text("SELECT 1 FROM school LIMIT 1"))
        queue = _queue(queue_health(here.database, here.clock()))
    except SQLAlchemyError:
        problems.append("the database does not answer or is not migrated")
    warnings = ["jobs are due and nobody takes them"] if queue.get("oldest_due_seconds", 0) > STILL_SECONDS else []
    body = {"status": "not ready" if problems else "ok", "problems": problems, "warnings": warnings, "queue": queue}
    return make_response(jsonify(body), 503 if problems else 200)


def _queue(found: QueueHealth) -> dict[str, int]:
    return {
        "ready": found.ready,
        "leased": found.leased,
        "dead": found.dead,
        "expired": found.expired,
        "closed_lanes": found.closed,
        "oldest_due_seconds": int(found.oldest_due.total_seconds()),
        "workers": found.workers,
    }


@blueprint.get("/metrics")
def metrics() -> Response:
    """Give the queue's figures to a Prometheus on this machine or in a private network; others find nothing here.

    What came through a proxy is from anywhere, so it finds nothing either.

    Lanes are named by their registration's id; nobody's name or mark is in it.
    """
    here = runtime()
    if not _is_near(request.remote_addr or "") or {"X-Forwarded-For", "Forwarded"} & set(request.headers.keys()):
        return make_response(jsonify(error="not found"), 404)
    try:
        lines = render(queue_health(here.database, here.clock()), lanes.overview(here.database, here.clock()))
    except SQLAlchemyError:
        return make_response("", 503)
    return Response(lines, content_type="text/plain; version=0.0.4; charset=utf-8")


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def render(queue: QueueHealth, seen: Sequence[LaneView]) -> str:
    """Return figures in Prometheus' text format (exposition format 0.0.4)."""
    figures: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("kopir_jobs", "Jobs by state.",
         [(f'{{state="{state}"}}', n) for state, n in
          (("ready", queue.ready), ("leased", queue.leased), ("dead", queue.dead), ("expired", queue.expired))]),
        ("kopir_oldest_due_seconds", "How long the oldest due job has waited, those behind closed lanes apart.",
         [("", queue.oldest_due.total_seconds())]),
        ("kopir_workers", "Processes that run jobs, heard of in the last minute.", [("", queue.workers)]),
        ("kopir_lane_closed", "1 while an LMS is left alone because it does not answer.",
         [(_lane(one), one.state == "closed") for one in seen]),
        ("kopir_lane_failures", "Failures in a row.", [(_lane(one), one.failures) for one in seen]),
        ("kopir_lane_jobs", "Jobs that wait behind a lane.", [(_lane(one), one.waiting) for one in seen]),
    ]  # fmt: skip
    lines = []
    for name, help_text, samples in figures:
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{labels} {float(value):g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _lane(one: LaneView) -> str:
    # Our own ids: nothing in them needs escaping but by accident.
    name = one.lane.replace("\\", "").replace('"', "")
    return f'{{lane="{name}"}}'
