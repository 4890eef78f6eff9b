"""What a request can reach: the process's runtime, and the session it opened."""

from __future__ import annotations

from flask import Flask, Request, Response, current_app, request
from flask.sessions import NullSession, SessionInterface, SessionMixin

from connector.base.i18n import choose_language
from connector.host.registry import origin_of
from connector.host.runtime import Runtime

COOKIE = "kopir_launch"
_EXTENSION = "kopir"


class NoSessions(SessionInterface):
    """Keep no session of the framework: a launch has its own secret, the console its own cookie."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return a session that cannot be written to."""
        return NullSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write nothing."""


def attach(app: Flask, runtime_: Runtime) -> None:
    """Hang the runtime on the application."""
    app.extensions[_EXTENSION] = runtime_
    app.session_interface = NoSessions()


def runtime() -> Runtime:
    """Return the runtime of the application that serves this request."""
    found: Runtime = current_app.extensions[_EXTENSION]
    return found


def from_our_page() -> bool:
    """Tell whether a page of ours sent this request: the browser says so, and no page can make it lie."""
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return True
    return request.headers.get("Origin") == origin_of(runtime().settings.public_url)


def browser_language() -> str:
    """Return the language to speak where no launch says one: ``?lang=``, else the browser's wish."""
    return choose_language((request.args.get("lang", ""), request.headers.get("Accept-Language", "")))
