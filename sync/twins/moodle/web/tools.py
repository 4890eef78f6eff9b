"""Manage tools: paste a registration address, see a tool pending, activate it. In a rehearsal the teacher may."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, abort, make_response, redirect, request

from sync.twins.moodle import registration
from sync.twins.moodle.registry import as_number
from sync.twins.moodle.web.kit import Kit, signed_in

_HOME = "/mod/lti/toolconfigure.php"


def blueprint(kit: Kit) -> Blueprint:
    """Return the routes of tool management."""
    routes = Blueprint("tools", __name__)
    registry = kit.parts.registry

    @routes.get(_HOME)
    @signed_in(kit)
    def manage() -> Any:
        kit.teacher()
        return kit.render("tools.html", tools=registry.tools(), pending=registry.pending())

    @routes.post(_HOME)
    @signed_in(kit)
    def change() -> Any:
        kit.teacher()
        kit.check_sesskey()
        number = as_number(request.form.get("id", ""))
        if number is not None and request.form.get("action") == "activate":
            registry.activate(number)
            return redirect(_HOME, 303)
        return _framed(kit, request.form.get("url", ""), number)

    @routes.get("/mod/lti/startltiadvregistration.php")
    @signed_in(kit)
    def start() -> Any:
        kit.teacher()
        kit.check_sesskey(request.args.get("sesskey", ""))
        url, number = request.args.get("url", ""), as_number(request.args.get("type", ""))
        if not _is_web(url):
            abort(404)
        token = registration.new_token(kit.parts, number)
        return kit.secure(make_response(redirect(_with_query(kit, url, token), 302)), frames=[url])

    return routes


def _framed(kit: Kit, url: str, number: int | None) -> Any:
    tools, pending = kit.parts.registry.tools(), kit.parts.registry.pending()
    if not _is_web(url):
        return kit.render("tools.html", 400, tools=tools, pending=pending, wrong=True)
    asked = {"url": url, "sesskey": kit.visitor().sesskey, **({} if number is None else {"type": str(number)})}
    source = f"/mod/lti/startltiadvregistration.php?{urlencode(asked)}"
    return kit.render("tools.html", tools=tools, pending=pending, source=source, frames=[url])


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.netloc.isascii()
    except ValueError:
        return False


def _with_query(kit: Kit, url: str, token: str) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True),
             ("openid_configuration", kit.parts.address("/mod/lti/openid-configuration.php")),
             ("registration_token", token)]  # fmt: skip
    return urlunsplit(parts._replace(query=urlencode(query)))
