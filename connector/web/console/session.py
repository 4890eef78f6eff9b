"""Getting into the console: an invitation from the command line, a cookie of a working day, a token per form."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from connector.base.i18n import LANGUAGES, say, translate
from connector.base.ids import is_id
from connector.base.secrets import Signer
from connector.host.operators import SESSION, Operator, enter, find_operator, leave
from connector.web.state import browser_language, runtime

blueprint = Blueprint("console", __name__, url_prefix="/console")
COOKIE, LANGUAGE_COOKIE = "kopir_console", "kopir_language"
_OPEN = ("console.enter_with", "console.spend", "console.signed_out")


@blueprint.before_request
def _guard() -> Response | None:
    g.operator = find_operator(runtime(), request.cookies.get(COOKIE, ""))
    if request.endpoint in _OPEN:
        return None
    if g.operator is None:
        return make_response(render_template("console/signed_out.html", **words()), 401)
    if request.method != "GET" and not _token_holds(g.operator):
        abort(403)
    return None


def operator() -> Operator:
    """Return who is signed in."""
    found: Operator = g.operator
    return found


def _signer() -> Signer:
    return runtime().signer("console")


def _token_holds(who: Operator) -> bool:
    value = _signer().read(request.form.get("kopir_token", ""))
    return value is not None and value.get("s") == who.session


def language() -> str:
    """Return the console's language: the one chosen, else the browser's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES and "lang" not in request.args else browser_language()


def words() -> dict[str, Any]:
    """Return what every console template needs."""
    code = language()

    def t(msgid: str, **values: object) -> str:
        return translate(say(msgid, **values), code)

    who: Operator | None = g.get("operator")
    token = _signer().sign({"s": who.session}, SESSION.total_seconds()) if who else ""
    return {"lang": code, "languages": runtime().settings.languages, "t": t, "token": token, "operator": who,
            "say": lambda message: translate(message, code)}  # fmt: skip


@blueprint.get("/enter/<ticket>")
def enter_with(ticket: str) -> Response:
    """Show a button: a chat program that looks at the address must not spend it."""
    return make_response(render_template("console/enter.html", **words(), ticket=ticket))


@blueprint.post("/enter/<ticket>")
def spend(ticket: str) -> Response:
    """Spend the invitation and open a session."""
    cookie = enter(runtime(), ticket)
    if cookie is None:
        return make_response(render_template("console/signed_out.html", **words(), spent=True), 403)
    response = redirect("/console/", 303)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION.total_seconds()),
        path="/console/",
        secure=True,
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/leave")
def sign_out() -> Response:
    """End the session."""
    leave(runtime(), operator())
    response = redirect("/console/signed-out", 303)
    response.delete_cookie(COOKIE, path="/console/", secure=True, httponly=True, samesite="Strict")
    return response


@blueprint.get("/signed-out")
def signed_out() -> Response:
    """Say that the session is over."""
    g.operator = None
    return make_response(render_template("console/signed_out.html", **words()))


@blueprint.post("/language")
def choose() -> Response:
    """Keep the chosen language for a year."""
    back = request.form.get("back", "")
    response = redirect(back if _is_ours(back) else "/console/", 303)
    code = request.form.get("language", "")
    if code in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, path="/console/", secure=True, samesite="Lax")
    return response


def _is_ours(path: str) -> bool:
    return path.startswith("/console/") and "\\" not in path and "//" not in path


def id_or_404(text: str) -> str:
    """Return an id taken from an address, or answer 404."""
    if not is_id(text):
        abort(404)
    return text
