"""How Moodle's services speak: handlers found by exact formats, errors told in the reason phrase."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from flask import Request, Response

MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"

PREFIX = "/mod/lti/services.php"


@dataclass(frozen=True)
class Resource:
    """One kind of address: its path, formats and methods."""

    name: str
    template: re.Pattern[str]
    formats: tuple[str, ...]
    methods: tuple[str, ...]


RESOURCES = (
    Resource("lineitems", re.compile(r"/(?P<course>[^/]+)/lineitems"), (LINE_ITEMS, LINE_ITEM), ("GET", "POST")),
    Resource(
        "lineitem",
        re.compile(r"/(?P<course>[^/]+)/lineitems/(?P<item>\d+)/lineitem"),
        (LINE_ITEM,),
        ("GET", "PUT", "DELETE"),
    ),
    Resource(
        "results", re.compile(r"/(?P<course>[^/]+)/lineitems/(?P<item>\d+)/lineitem/results"), (RESULTS,), ("GET",)
    ),
    Resource("scores", re.compile(r"/(?P<course>[^/]+)/lineitems/(?P<item>\d+)/lineitem/scores"), (SCORE,), ("POST",)),
    Resource(
        "memberships",
        re.compile(r"/CourseSection/(?P<course>[^/]+)/bindings/(?P<tool>[^/]+)/memberships"),
        (MEMBERS,),
        ("GET",),
    ),
)


class ServiceError(Exception):
    """An answer that is an error: its status and the reason phrase, empty for HTTP's own.

    Attributes:
        scored: The error came from inside the scores service, whose body is then ``[]``.
    """

    def __init__(self, status: int, reason: str = "", scored: bool = False) -> None:
        """Keep status and reason."""
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.scored = scored


@dataclass(frozen=True)
class Call:
    """One service call, taken apart as Moodle takes it.

    Attributes:
        resource: What it addresses.
        path: The ids in the path.
        method: HTTP method.
        kind: Accept for GET, Content-Type without parameters for POST and PUT, empty for DELETE.
        query: The query, first value of each name.
        body: The body, as text.
        authorization: The header, or empty.
    """

    resource: Resource
    path: Mapping[str, str]
    method: str
    kind: str
    query: Mapping[str, str]
    body: str
    authorization: str = field(repr=False)


def read_call(request: Request, rest: str) -> Call:
    """Find the handler of a request.

    Raises:
        ServiceError: 400 when none takes this path with this Accept or Content-Type.
    """
    accept = request.headers.get("Accept", "") if request.method == "GET" else ""
    content = (request.content_type or "").split(";")[0].strip() if request.method in ("POST", "PUT") else ""
    for resource in RESOURCES:
        match = resource.template.fullmatch(rest)
        if match and request.method in resource.methods and _takes(resource, request.method, accept, content):
            body = request.get_data(as_text=True)
            authorization = request.headers.get("Authorization", "")
            query = request.args.to_dict()
            return Call(resource, match.groupdict(), request.method, accept or content, query, body, authorization)
    raise ServiceError(400, f"No handler found for {rest} {accept} {content}")


def _takes(resource: Resource, method: str, accept: str, content: str) -> bool:
    if method == "GET":
        return not accept or "*/*" in accept or accept in resource.formats
    return method == "DELETE" or content in resource.formats


def as_json(value: Any) -> str:
    """Write JSON as it goes over the wire; marks become JSON numbers only here."""
    return json.dumps(value, ensure_ascii=False, default=_number)


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(repr(value))
    # A mark has at most five places, so the nearest double prints as exactly the same digits.
    return int(value) if value == value.to_integral_value() else float(value)


def read_json(text: str) -> Any:
    """Read JSON with decimal numbers, or None when it is not JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return None


def decimal_of(value: object) -> Decimal | None:
    """Return a number, or a text that is one, as a Decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    text = str(value).strip()
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text):
        return None
    return Decimal(text)


def answer(status: int, media: str, text: str, reason: str = "", links: str = "") -> Response:
    """Make an answer whose reason phrase and Link header may hold any letters, as raw UTF-8."""
    line: str | int = f"{status} {_latin(reason)}" if reason else status
    if status == 204:
        line = "204 OK"
    response = Response(text, status=line, content_type=f"{media}; charset=utf-8")
    if links:
        response.headers["Link"] = _latin(links)
    return response


def _latin(text: str) -> str:
    """Return UTF-8 bytes as the Latin-1 text that WSGI carries, on one line."""
    return re.sub(r"[\r\n]+", " ", text).strip().encode().decode("latin-1")


def error_answer(request: Request, error: ServiceError) -> Response:
    """Tell an error as Moodle does: a JSON description, or ``[]`` from inside the scores service."""
    if error.scored:
        return answer(error.status, SCORE, "[]", error.reason)
    uri = request.full_path.rstrip("?") if request.query_string else request.path
    described = {
        "status": error.status,
        "reason": error.reason or HTTPStatus(error.status).phrase,
        "request": {
            "method": request.method,
            "url": uri,
            "accept": request.headers.get("Accept", ""),
            "contentType": (request.content_type or "").split(";")[0].strip(),
        },
    }
    body = json.dumps(described, ensure_ascii=False, indent=4)
    return answer(error.status, "application/json", body, error.reason)
