"""Pages for what went wrong: always in the person's language, never with an inside view."""

from __future__ import annotations

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from connector.base.errors import KopirError, Retriable
from connector.base.i18n import N_, Message, say, translate
from connector.base.ids import new_id
from connector.base.log import frames_of, get_logger
from connector.web.state import browser_language

log = get_logger("web.errors")

_ADVICE: dict[int, tuple[str, str]] = {
    400: (N_("This request cannot be read"), N_("Go back and try again.")),
    403: (N_("This is not open to you"), N_("Go back to your course and open the activity again.")),
    404: (N_("There is nothing here"), N_("Go back to your course and open the activity again.")),
    405: (N_("This page cannot be opened this way"), N_("Go back to your course and open the activity again.")),
    413: (N_("This is too large"), N_("Send a smaller file, at most 8 MB.")),
    429: (N_("Too many requests"), N_("Wait a minute and try again.")),
}
_OTHER = (N_("Something went wrong"), N_("Nothing you entered before is lost. Try again in a minute."))


def register(app: Flask) -> None:
    """Answer every error with a page, or with JSON where the page's own script asked."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(KopirError, _ours)
    app.register_error_handler(Exception, _unknown)


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.get_response())
    title, advice = _ADVICE.get(error.code or 500, _OTHER)
    return _page(error.code or 500, say(title), say(advice))


def _ours(error: KopirError) -> Response:
    log.warning("refused", reason=error.reason)
    return _page(503 if isinstance(error, Retriable) else 400, say(N_("This cannot be done")), error.message)


def _unknown(error: Exception) -> Response:
    reference = new_id()[-8:]
    # The error's own text stays out of the log: it may quote what a person typed.
    frames = frames_of(error.__traceback__)
    log.error("unexpected", error=type(error).__name__, reference=reference, frames=frames, path=request.endpoint)
    title, advice = _OTHER
    return _page(500, say(title), say(advice), reference)


def _page(status: int, title: Message, advice: Message, reference: str = "") -> Response:
    session = getattr(g, "session", None)
    language = session.language if session is not None else browser_language()
    words = {"title": translate(title, language), "advice": translate(advice, language)}
    if request.is_json or request.accept_mimetypes.best == "application/json":
        return make_response(jsonify(error=words["title"], advice=words["advice"], reference=reference), status)
    page = render_template("kopir/error.html", lang=language, status=status, reference=reference, **words)
    return make_response(page, status)
