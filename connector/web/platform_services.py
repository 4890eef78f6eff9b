"""Grades (AGS 2.0) and rosters (NRPS 2.0) for third-party tools: each method under its own scope, in one course."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, make_response, request

from connector.db.types import dump_json
from connector.host.launches import storable
from connector.host.tools import columns as kept
from connector.host.tools.columns import Column, check_course, column
from connector.host.tools.platform import granted
from connector.host.tools.records import SchoolTool
from connector.host.tools.roster import roster
from connector.host.tools.scores import Kept, receive, results
from connector.host.tools.telling import column_url, columns_url, members_url
from connector.web.platform import MAX_FORM, limit_body, slow_down, throttles
from connector.web.state import runtime
from lti.platform.grades import read_line_item, read_score
from lti.platform.paging import next_link, page_of
from lti.vocab import Media

blueprint = Blueprint("platform_services", __name__, url_prefix="/platform")


def _allowed(service: str) -> SchoolTool:
    """Return the tool whose token covers this very method of a service."""
    limit_body(MAX_FORM)
    _, tool = granted(runtime(), request.headers.get("Authorization", ""), service, request.method)
    slow_down(throttles().calls, tool.client_id)
    return tool


def _reading(tool: SchoolTool) -> Any:
    return runtime().database.school(tool.school_id, write=False)


def _json(value: Any, media: Media, status: int = 200) -> Response:
    response = make_response(dump_json(value), status)
    response.headers["Content-Type"] = str(media)
    return response


@blueprint.get("/ags/<context>/lineitems")
def list_columns(context: str) -> Response:
    """Return a page of the tool's columns in a course (section 3.2.4)."""
    tool = _allowed("lineitems")
    page = page_of(_query(), "resource_link_id", "resource_id", "tag")
    with _reading(tool) as db:
        check_course(db, tool, context)
        found, more = kept.columns(db, tool, context, page)
    response = _json([_column(one) for one in found], Media.LINE_ITEMS)
    if more:
        response.headers["Link"] = next_link(columns_url(runtime(), context), page, found[-1].id)
    return response


@blueprint.post("/ags/<context>/lineitems")
def make_column(context: str) -> Response:
    """Add a column of the tool's own (section 3.2.5)."""
    tool = _allowed("lineitems")
    item = read_line_item(request.get_data())
    with runtime().database.school(tool.school_id) as db:
        check_course(db, tool, context)
        made = kept.add_column(db, tool, context, item, runtime().clock())
    return _json(_column(made), Media.LINE_ITEM, 201)


@blueprint.route("/ags/<context>/lineitems/<column_id>", methods=["GET", "PUT", "DELETE"])
def one_column(context: str, column_id: str) -> Response:
    """Return, replace or remove one column (sections 3.2.6 to 3.2.9)."""
    tool = _allowed("lineitem")
    if request.method == "GET":
        with _reading(tool) as db:
            return _json(_column(column(db, tool, context, column_id)), Media.LINE_ITEM)
    item = read_line_item(request.get_data()) if request.method == "PUT" else None
    with runtime().database.school(tool.school_id) as db:
        found = column(db, tool, context, column_id, lock=True)
        if item is not None:
            return _json(_column(kept.change_column(db, tool, found, item)), Media.LINE_ITEM)
        kept.remove_column(db, tool, found)
    return make_response("", 204)


@blueprint.post("/ags/<context>/lineitems/<column_id>/scores")
def take_score(context: str, column_id: str) -> Response:
    """Take a score (section 3.4); it is on its way to the LMS when this answers."""
    tool = _allowed("scores")
    receive(runtime(), tool, context, column_id, read_score(request.get_data()))
    return make_response("", 204)


@blueprint.get("/ags/<context>/lineitems/<column_id>/results")
def list_results(context: str, column_id: str) -> Response:
    """Return a page of a column's results (section 3.3)."""
    tool = _allowed("results")
    page = page_of(_query(), "user_id")
    with _reading(tool) as db:
        found = column(db, tool, context, column_id)
        rows, more = results(db, tool, found, page)
    where = column_url(runtime(), context, column_id)
    response = _json([_result(where, one) for one in rows], Media.RESULTS)
    if more:
        response.headers["Link"] = next_link(f"{where}/results", page, rows[-1].account)
    return response


@blueprint.get("/nrps/<context>/memberships")
def memberships(context: str) -> Response:
    """Return a page of a course's people (NRPS 2.0, section 2): pseudonyms and roles, names where allowed."""
    tool = _allowed("memberships")
    page = page_of(_query(), "role", "rlid")
    lines, more = roster(runtime(), tool, context, page)
    where = members_url(runtime(), context)
    members = [
        {"user_id": one.subject, "roles": [one.role], "status": "Active", **({"name": one.name} if one.name else {})}
        for one in lines
    ]
    response = _json({"id": where, "context": {"id": context}, "members": members}, Media.MEMBERS)
    if more:
        response.headers["Link"] = next_link(where, page, lines[-1].account)
    return response


def _query() -> Mapping[str, str]:
    return {name: storable(value) for name, value in request.args.items()}


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _column(one: Column) -> dict[str, Any]:
    item = one.item
    times = {"startDateTime": item.starts_at, "endDateTime": item.ends_at}
    texts = {"resourceId": item.resource_id, "tag": item.tag, "resourceLinkId": one.link}
    return {
        "id": column_url(runtime(), one.context, one.id),
        "label": item.label,
        "scoreMaximum": _number(item.maximum),
        "gradesReleased": item.grades_released,
        **{name: text for name, text in texts.items() if text},
        **{name: at.isoformat() for name, at in times.items() if at},
    }


def _result(where: str, one: Kept) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": f"{where}/results/{one.subject}", "scoreOf": where, "userId": one.subject}
    if one.given is not None and one.maximum is not None:
        shown |= {"resultScore": _number(one.given), "resultMaximum": _number(one.maximum)}
    texts = {"comment": one.comment, "scoringUserId": one.scoring_user}
    return shown | {name: text for name, text in texts.items() if text}
