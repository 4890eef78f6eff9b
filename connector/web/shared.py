"""``/shared/…``: files of a course's page, for the LMS that fetches them and the people who see the page."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, abort, make_response
from werkzeug.wrappers import Response as WsgiResponse

from connector.host.shared import SHOWN, find_shared
from connector.web.security import inert
from connector.web.state import runtime

blueprint = Blueprint("shared", __name__, url_prefix="/shared")


@blueprint.get("/<key>/<path:_name>")
def shared_file(key: str, _name: str) -> WsgiResponse:
    """Serve a file; its type is the one it was kept under, and nothing in it runs."""
    found = find_shared(runtime(), key)
    if found is None:
        abort(404)
    answer = make_response(found.content)
    answer.headers["Content-Type"] = found.media_type
    inert()
    how = "inline" if found.media_type in SHOWN else "attachment"
    answer.headers["Content-Disposition"] = f"{how}; filename*=UTF-8''{quote(found.filename, safe='')}"
    return answer
