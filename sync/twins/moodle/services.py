"""``services.php``: line items, scores, results (AGS 2.0) and the roster (NRPS 2.0), as Moodle 4.5 serves them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from lti.platform.bearer import Grant
from lti.platform.errors import BearerRefused
from sync.twins.moodle import wire
from sync.twins.moodle.gradebook import EarlierTimestampError, LockedGradeError, Score, local_time
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import Grade, LineItem, LmsUser
from sync.twins.moodle.registry import as_number
from sync.twins.moodle.wire import Call, ServiceError


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes of ``services.php``."""
    routes = Blueprint("services", __name__)
    services = Services(parts)

    @routes.route(wire.PREFIX + "/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
    def services_php(rest: str) -> Response:
        try:
            return services.answer(wire.read_call(request, f"/{rest}"))
        except ServiceError as error:
            return wire.error_answer(request, error)

    return routes


class Services:
    """Answer service calls."""

    def __init__(self, parts: Parts) -> None:
        """Take the LMS's parts."""
        self._parts = parts
        self._zone = ZoneInfo(parts.quirks.time_zone)

    def answer(self, call: Call) -> Response:
        """Answer one call.

        Raises:
            ServiceError: The call is refused.
        """
        grant = self._grant(call)
        if call.resource.name == "memberships":
            return self._memberships(call, grant)
        if call.resource.name == "lineitems":
            return self._line_items(call, grant)
        item = self._item(call, grant)
        if call.resource.name == "lineitem":
            return self._line_item(call, grant, item)
        return self._results(call, item) if call.resource.name == "results" else self._score(call, item)

    def _grant(self, call: Call) -> Grant:
        try:
            grant = self._parts.platform.grant(call.authorization, call.resource.name, call.method)
        except BearerRefused as error:
            # Moodle says 401 for a missing scope too.
            raise ServiceError(401) from error
        named = call.path.get("tool") or call.query.get("type_id")
        if named is not None and named != grant.tool.deployment_id:
            raise ServiceError(401)
        return grant

    def _check_course(self, call: Call) -> None:
        course = call.path["course"]
        if self._parts.registry.course(course) is None:
            raise ServiceError(404, f"Not Found: Course {course} doesn't exist")

    def _item(self, call: Call, grant: Grant) -> LineItem:
        self._check_course(call)
        item = self._parts.registry.line_item(call.path["item"])
        if item is None or item.course != call.path["course"]:
            raise ServiceError(404, f"Not Found: Grade item {call.path['item']} doesn't exist")
        if str(item.tool) != grant.tool.deployment_id:
            raise ServiceError(403, "Line item does not exist")
        return item

    # Line items.

    def _line_items(self, call: Call, grant: Grant) -> Response:
        container = not call.kind or call.kind == wire.LINE_ITEMS
        if container == (call.method == "POST") or (call.kind and call.kind not in call.resource.formats):
            raise ServiceError(400, "No context or unsupported content type")
        self._check_course(call)
        if call.method == "POST":
            return self._create(call, grant)
        own = self._parts.registry.line_items(int(grant.tool.deployment_id), call.path["course"])
        found = [item for item in own if _fits(item, call)]
        limit, start = _count(call.query, "limit"), _count(call.query, "from")
        shown = found[start : start + limit] if limit else found
        body = wire.as_json([self._shown(item) for item in shown])
        links = self._unreadable_links(call, grant, limit, start, len(found)) if limit else ""
        return wire.answer(200, wire.LINE_ITEMS, body, links=links)

    def _unreadable_links(self, call: Call, grant: Grant, limit: int, start: int, total: int) -> str:
        """Return paging links as Moodle writes them: curly quotes, and ``&amp;`` in the addresses."""
        pages = {"first": 0, "prev": max(start - limit, 0), "canonical": start, "next": start + limit}
        pages["last"] = max(total - limit + 1, 0)
        inside = 0 <= start < total
        if not (start > 0 and inside):
            del pages["prev"]
        if not (start + limit <= total - 1 and inside):
            del pages["next"]
        kept = {name: call.query[name] for name in ("resource_id", "resource_link_id", "tag") if name in call.query}
        base = self._parts.address(f"{wire.PREFIX}/{call.path['course']}/lineitems")
        links = []
        for name, first in pages.items():
            query = urlencode({**kept, "type_id": grant.tool.deployment_id, "limit": limit, "from": first})
            links.append(f"<{html.escape(f'{base}?{query}')}>; rel=“{name}”")
        return ", ".join(links)

    def _shown(self, item: LineItem) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": self._address(item),
            "label": item.label,
            "scoreMaximum": item.maximum,
            "resourceId": item.resource_id,
            "tag": item.tag,
        }
        if item.activity:
            shown |= {"resourceLinkId": item.activity, "ltiLinkId": item.activity}
        return shown

    def _address(self, item: LineItem, below: str = "", user: str = "") -> str:
        query = f"?type_id={item.tool}" + (f"&user_id={user}" if user else "")
        return self._parts.address(f"{wire.PREFIX}/{item.course}/lineitems/{item.id}/lineitem{below}{query}")

    def _create(self, call: Call, grant: Grant) -> Response:
        body = wire.read_json(call.body)
        maximum = self._check_body(body, grant, "No label or Score Maximum")
        link = body.get("resourceLinkId") or body.get("ltiLinkId")
        tool_id = int(grant.tool.deployment_id)
        bound = str(link) if link else None
        item_id = self._parts.registry.add_line_item(tool_id, body, maximum, bound, call.path["course"])
        item = self._parts.registry.line_item(item_id)
        if item is None:
            raise ServiceError(500)
        return wire.answer(201, wire.LINE_ITEM, wire.as_json({**body, "id": self._address(item)}))

    def _check_body(self, body: Any, grant: Grant, reason: str = "") -> Decimal:
        if not isinstance(body, dict) or body.get("scoreMaximum") is None or body.get("label") is None:
            raise ServiceError(400, reason)
        maximum = wire.decimal_of(body["scoreMaximum"])
        if maximum is None:
            raise ServiceError(400)
        link = body.get("resourceLinkId") or body.get("ltiLinkId")
        if link:
            activity = self._parts.registry.activity(link=str(link))
            if activity is None or str(activity.tool) != grant.tool.deployment_id:
                raise ServiceError(403)
        return maximum

    def _line_item(self, call: Call, grant: Grant, item: LineItem) -> Response:
        if call.method == "GET":
            return wire.answer(200, wire.LINE_ITEM, wire.as_json(self._shown(item)))
        if call.method == "DELETE":
            self._parts.registry.delete_line_item(item.id)
            return wire.answer(204, "text/html", "")
        body = wire.read_json(call.body)
        maximum = self._check_body(body, grant)
        link = str(body.get("resourceLinkId") or body.get("ltiLinkId") or item.activity)
        self._parts.gradebook.change_column(item, body, maximum, link)
        return wire.answer(200, wire.LINE_ITEM, wire.as_json({**body, "id": self._address(item)}))

    # Scores and results.

    def _score(self, call: Call, item: LineItem) -> Response:
        score = self._read_score(call.body)
        try:
            self._parts.gradebook.put_score(item, score)
        except EarlierTimestampError as error:
            reason = f"Refusing score with an earlier timestamp for item {item.id} and user {score.person}"
            raise ServiceError(409, reason, scored=True) from error
        except LockedGradeError as error:
            raise ServiceError(500, scored=True) from error
        return wire.answer(200, wire.SCORE, "")

    def _read_score(self, text: str) -> Score:
        body = wire.read_json(text)
        refused = ServiceError(400, f"Incorrect score received{text}", scored=True)
        needed = ("userId", "timestamp", "gradingProgress", "activityProgress")
        if not isinstance(body, dict) or any(body.get(name) is None for name in needed):
            raise refused
        given, maximum = (wire.decimal_of(body.get(name)) for name in ("scoreGiven", "scoreMaximum"))
        for name, value in (("scoreGiven", given), ("scoreMaximum", maximum)):
            if body.get(name) is not None and value is None:
                raise refused
        if given is not None and maximum is None:
            raise refused
        user = self._parts.registry.user(str(body["userId"]))
        if user is None or user.role != "pupil":
            raise refused
        if body["gradingProgress"] != "FullyGraded":
            given = None
        seconds = self._seconds(str(body["timestamp"]))
        return Score(user.id, given, maximum or Decimal(1), seconds, str(body.get("comment") or ""))

    def _seconds(self, text: str) -> int:
        """Return a timestamp's whole second; one without a zone is read in the site's zone, rubbish as 0."""
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            return 0
        return int((read if read.tzinfo else read.replace(tzinfo=self._zone)).timestamp())

    def _results(self, call: Call, item: LineItem) -> Response:
        if "limit" in call.query:
            return _broken_page()
        wanted = call.query.get("user_id")
        grades = [
            grade
            for grade in self._parts.gradebook.grades(item.id)
            if grade.modified and (wanted is None or grade.person == wanted) and self._stands(grade)
        ]
        body = [self._result(item, grade) for grade in grades]
        return wire.answer(200, wire.RESULTS, wire.as_json(body))

    def _stands(self, grade: Grade) -> bool:
        return grade.final is None or bool(grade.final) or self._parts.quirks.zero_in_results

    def _result(self, item: LineItem, grade: Grade) -> dict[str, Any]:
        result: dict[str, Any] = {"id": self._address(item, "/results", grade.person), "userId": grade.person}
        if grade.final is None:
            return result
        result |= {"resultScore": grade.final, "resultMaximum": item.maximum}
        if grade.feedback:
            result["comment"] = grade.feedback
        result["scoreOf"] = self._address(item)
        result["timestamp"] = local_time(grade.modified or 0, self._zone)
        return result

    # The roster.

    def _memberships(self, call: Call, grant: Grant) -> Response:
        self._check_course(call)
        course = self._parts.registry.course(call.path["course"])
        if course is None:
            raise ServiceError(404)
        people = self._members(call.query.get("role"))
        limit, start = _count(call.query, "limit"), _count(call.query, "from")
        page = people[start : start + limit] if limit else people
        link = call.query.get("rlid")
        base = self._parts.address(
            f"{wire.PREFIX}/CourseSection/{course.id}/bindings/{grant.tool.deployment_id}/memberships"
        )
        body = {
            "id": base,
            "context": {"id": course.id, "label": course.shortname, "title": course.fullname},
            "members": [_member(person, self._message(link, person, grant)) for person in page],
        }
        links = ""
        if limit and start + limit < len(people):
            kept = {name: value for name, value in call.query.items() if name not in ("limit", "from")}
            links = f'<{base}?{urlencode({**kept, "limit": limit, "from": start + limit})}>; rel="next"'
        return wire.answer(200, wire.MEMBERS, wire.as_json(body), links=links)

    def _members(self, role: str | None) -> list[LmsUser]:
        short = role.rsplit("#", 1)[-1] if role else ""
        people = [person for person in self._parts.registry.users() if not person.suspended]
        found = [person for person in people if not short or short in person.short_roles]
        return sorted(found, key=lambda person: (person.family, person.given, int(person.id)))

    def _message(self, link: str | None, person: LmsUser, grant: Grant) -> list[dict[str, Any]] | None:
        if not link:
            return None
        activity = self._parts.registry.activity(link=link)
        if activity is None or str(activity.tool) != grant.tool.deployment_id:
            raise ServiceError(404, f"Not Found: LTI link does not exist: {link}")
        outcome = self._parts.basic_outcome(activity, person.id)
        message_type = "https://purl.imsglobal.org/spec/lti/claim/message_type"
        return [{message_type: "LtiResourceLinkRequest", **outcome}]


def _fits(item: LineItem, call: Call) -> bool:
    link = call.query.get("resource_link_id", call.query.get("lti_link_id"))
    wanted = (
        (call.query.get("resource_id"), item.resource_id),
        (call.query.get("tag"), item.tag),
        (link, item.activity),
    )
    return all(value is None or value == held for value, held in wanted)


def _count(query: Mapping[str, str], name: str) -> int:
    return as_number(query.get(name, "")) or 0


def _member(person: LmsUser, message: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "status": "Active",
        "roles": person.short_roles,
        **({"message": message} if message else {}),
        "user_id": person.id,
        "lis_person_sourcedid": person.idnumber,
        "name": person.name,
        "given_name": person.given,
        "family_name": person.family,
        "email": person.email,
        "ext_user_username": person.username,
    }


def _broken_page() -> Response:
    """Return the HTML error page that ``results?limit`` gives."""
    page = "<!DOCTYPE html><html lang='en'><head><title>Error</title></head><body><h1>Error</h1></body></html>"
    return wire.answer(404, "text/html", page)
