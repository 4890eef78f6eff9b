"""The page a third-party tool is opened in: its frame, the form that begins the launch, and the way to a window."""

from __future__ import annotations

from flask import make_response, render_template, url_for
from werkzeug.wrappers import Response

from connector.base.errors import Fatal
from connector.base.i18n import translate
from connector.host.launches import Session
from connector.host.tools.launching import PATH, SITTING, Begun, begin, prepare
from connector.host.tools.records import Told
from connector.web.render import Frame
from connector.web.security import allow_tool
from connector.web.state import runtime
from lti.platform.storage import StorageOffer
from lti.tool.cookies import set_cookie
from plugins.contract import Activity, OpenTool


def tool_page(session: Session, placed: Activity | None, asked: OpenTool, frame: Frame, back: str) -> Response:
    """Return the page of a tool, or one that says why it does not open.

    Args:
        session: Who looks.
        placed: The activity; None in the picker.
        asked: What the plugin wants opened.
        frame: What stands around it.
        back: In the picker, the address that takes the choice.
    """
    here = runtime()
    try:
        begun = begin(here, session, prepare(here, session, placed, asked))
    except Fatal as error:
        advice = translate(error.message, session.language)
        return make_response(render_template("kopir/tool_closed.html", **frame.values(), advice=advice), 403)
    allow_tool(begun.opening.tool.origins)
    page = render_template(
        "kopir/tool.html", **frame.values(), **tool_values(begun), back=back, launch=session.launch_id
    )
    return with_cookie(make_response(page), begun)


def tool_values(begun: Begun) -> dict[str, object]:
    """Return what the templates of a tool's page need."""
    return {
        "tool": begun.opening.tool.name,
        "named": Told.NAME in begun.opening.tool.told,
        "origins": " ".join(sorted(begun.opening.tool.origins)),
        "url": begun.form.url,
        "fields": begun.form.fields,
        "window_url": begun.window_url,
        "script": url_for("static", filename="tool.js"),
        "storage": StorageOffer(),
    }


def with_cookie(response: Response, begun: Begun) -> Response:
    """Put the cookie of this one launch outward on a response."""
    cookie = set_cookie(begun.cookie, begun.secret, path=PATH, max_age=int(SITTING.total_seconds()))
    response.headers.add("Set-Cookie", cookie)
    return response
