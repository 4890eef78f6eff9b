"""Everything under ``/l/<launch_id>/``: one launch's own address space, and the plugins' pages in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, g, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.i18n import LANGUAGES, N_, translate
from connector.host import basket
from connector.host.deep_linking import answer, settings_of
from connector.host.healing import Question, heal, open_copy, questioned, take_over
from connector.host.launches import (
    Session,
    choose_language,
    deep_linking_of,
    find_session,
    school_of_launch,
)
from connector.host.links import bind_activity
from connector.host.rooms import LaunchVisit, find_activity, make_activity
from connector.web.dispatch import call, routes_of, to_request
from connector.web.ladder import bounce
from connector.web.render import Frame, render
from connector.web.security import allow_form_to, allow_framing
from connector.web.state import COOKIE, browser_language, runtime
from connector.web.tickets import TICKET_FIELD, one_use_address, session_by_ticket
from connector.web.tokens import (
    GO_FIELD,
    cookie_again,
    session_by_cookie_again,
    session_by_token,
    token_for,
    token_holds,
)
from connector.web.tools import tool_page
from lti.tool.cookies import set_cookie
from lti.tool.deep_linking import DeepLinkingResponse
from lti.vocab import MessageType
from plugins.contract import Activity, Download, Material, OpenTool, Placed, Placement, Plugin, Role

blueprint = Blueprint("launched", __name__, url_prefix="/l/<launch_id>")
_NO_SESSION = N_("This page is not open any more")
_OPEN_AGAIN = N_(
    "Go back to your course and open the activity again. If it happens again, the browser blocks this page's cookies: "
    "open the activity in a new window, or tell the informatics teacher."
)


@blueprint.url_value_preprocessor
def _open_session(_endpoint: str | None, values: dict[str, str] | None) -> None:
    launch_id = (values or {}).pop("launch_id", "")
    cookie = request.cookies.get(COOKIE, "")
    g.launch_id = launch_id
    g.session = find_session(runtime(), launch_id, cookie) or session_by_cookie_again(launch_id, cookie)
    # A session that a cookie does not carry: a page's token does, or the one-use address of a download.
    g.alone = g.session is None
    if g.alone:
        g.session = session_by_token(launch_id) or session_by_ticket(launch_id)


@blueprint.before_request
def _guard() -> WsgiResponse | None:
    session: Session | None = g.session
    if session is None:
        return _no_session()
    allow_framing(runtime().registry.frame_origins(session.school_id))
    if request.method == "POST" and not token_holds(session):
        abort(403)
    return None


@blueprint.after_request
def _go_on_alone(response: Response) -> Response:
    """Offer a browser without the launch's cookie another one, and lead it on by forms instead of redirects."""
    session: Session | None = g.get("session")
    if session is None or not g.alone:
        return response
    space = f"/l/{session.launch_id}/"
    if response.status_code == 303 and response.location.startswith(space):
        by_ticket = TICKET_FIELD in response.location
        response = response if by_ticket else bounce(response.location, page_token(session))
    left = int((session.expires_at - runtime().clock()).total_seconds())
    response.headers.add("Set-Cookie", set_cookie(COOKIE, cookie_again(session), path=space, max_age=left))
    return response


def _method() -> str:
    """Return GET for a form that only opens an address."""
    return "GET" if request.method == "POST" and GO_FIELD in request.form else request.method


def _no_session() -> WsgiResponse:
    """Say honestly that no cookie arrived; the frame of the launch's own school may show this, no other."""
    school_id = school_of_launch(runtime(), g.launch_id)
    allow_framing(runtime().registry.frame_origins(school_id) if school_id else ())
    first = browser_language()
    parts = [
        {"language": code, "title": translate(_NO_SESSION, code), "advice": translate(_OPEN_AGAIN, code)}
        for code in (first, *(code for code in LANGUAGES if code != first))
    ]
    return make_response(render_template("kopir/no_session.html", lang=first, parts=parts), 403)


def page_token(session: Session) -> str:
    """Return the token that a page of this launch sends back with every POST."""
    return token_for(session.launch_id, session.school_id)


@blueprint.post("/renew")
def renew() -> WsgiResponse:
    """Give an open page a new token before its own is over."""
    return jsonify(token=page_token(g.session))


def address(base: str, path: str = "", **query: str) -> str:
    """Return an address under this launch."""
    text = f"/l/{g.launch_id}/{base}{path}"
    return f"{text}?{urlencode(query)}" if query else text


def session_of() -> Session:
    """Return the session of the request; the guard has let no other in."""
    session: Session = g.session
    return session


def frame_of(session: Session) -> Frame:
    """Return what stands around a page of the host's own."""
    return _frame(session, None, "")


def _visit(session: Session, plugin_id: str, placed: Activity | None, link: Callable[..., str]) -> LaunchVisit:
    return LaunchVisit(runtime(), session, plugin_id, placed, link)


def _frame(session: Session, visit: LaunchVisit | None, title: str) -> Frame:
    return Frame(session, visit, title, page_token(session), address("language"), g.alone)


@blueprint.route("/", methods=["GET", "POST"])
def entry() -> WsgiResponse:
    """Open what was launched: the picker for deep linking, else the activity's first page."""
    session: Session = g.session
    if _method() == "POST":
        abort(405)
    if session.message_type == MessageType.DEEP_LINKING:
        return _choose(session)
    if session.message_type == MessageType.DATA_PRIVACY:
        return redirect(address("privacy"), 303)
    return _plugin_page(session, "")


@blueprint.route("/p/", defaults={"path": ""}, methods=["GET", "POST"])
@blueprint.route("/p/<path:path>", methods=["GET", "POST"])
def plugin_page(path: str) -> WsgiResponse:
    """Serve a page of the launched activity's plugin."""
    return _plugin_page(g.session, path)


def _plugin_page(session: Session, path: str) -> WsgiResponse:
    if session.account_id is None and session.role is not Role.TEACHER:
        return _nobody(session)
    placed = _placed(session)
    if placed is None:
        return _unbound(session)
    plugin = runtime().plugins.get(placed.plugin)
    if plugin is None:
        return _not_ready(session)
    visit = _visit(session, placed.plugin, placed, partial(address, "p/"))
    return _serve(session, plugin, visit, path, picking=False)


def _unbound(session: Session) -> WsgiResponse:
    """Find the activity of a link that opens none: what was copied in the LMS is found again, or a teacher says."""
    found = heal(runtime(), session) if session.activity_id is None and session.resource_link else None
    if isinstance(found, str):
        return redirect(address(""), 303)
    if session.role is not Role.TEACHER:
        return _not_ready(session)
    return _ask(session, found) if found is not None else _choose(session)


def _ask(session: Session, question: Question) -> WsgiResponse:
    values = _frame(session, None, "").values()
    return make_response(render_template("kopir/copied.html", **values, question=question, here=address))


@blueprint.post("/copied")
def copied() -> WsgiResponse:
    """Take the teacher's word on what a link is a copy of."""
    session: Session = g.session
    if session.role is not Role.TEACHER or not session.resource_link:
        abort(403)
    how, _, activity_id = request.form.get("choice", "").partition(":")
    if how == "other":
        return _choose(session)
    source = questioned(runtime(), session, activity_id)
    answers = {"copy": open_copy, "same": take_over}
    if source is not None and how in answers:
        answers[how](runtime(), session, source)
    return redirect(address(""), 303)


def _placed(session: Session) -> Activity | None:
    if session.activity_id is None:
        return None
    with runtime().database.school(session.school_id, write=False) as db:
        return find_activity(db, session.school_id, session.activity_id)


def _serve(session: Session, plugin: Plugin, visit: LaunchVisit, path: str, *, picking: bool) -> WsgiResponse:
    method = _method()
    route, args = routes_of(plugin).match(path, method)
    if route is None or route.in_picker is not picking:
        abort(404)
    if session.role not in route.roles or (picking and session.role is not Role.TEACHER):
        abort(403)
    outcome = call(route, visit, to_request(path, args, method))
    if isinstance(outcome, Download) and g.alone and method != request.method:
        return redirect(one_use_address(session), 303)
    if g.alone and TICKET_FIELD in request.args and not isinstance(outcome, Download):
        abort(404)
    if isinstance(outcome, Placed) and picking and outcome.placements:
        return _place(session, plugin.manifest.id, outcome.placements)
    title = visit.activity.title if visit.activity else visit.t(plugin.manifest.name)
    frame = _frame(session, visit, title)
    if isinstance(outcome, OpenTool):
        return tool_page(session, visit.activity, outcome, frame, visit.link(outcome.back) if outcome.back else "")
    return render(outcome, plugin, visit, frame)


def _choose(session: Session) -> WsgiResponse:
    """List what a teacher can place; the same page binds a link that was made by hand."""
    if session.role is not Role.TEACHER:
        return _not_ready(session)
    offered = [plugin for plugin in runtime().plugins.values() if any(route.in_picker for route in plugin.routes())]
    frame = _frame(session, None, "")
    settings = settings_of(runtime(), session)
    held = basket.basket_of(session)
    several = settings is not None and settings.accept_multiple
    values = {"plugins": offered, "pick": address, "deep": settings is not None, "several": several, "basket": held,
              "collecting": bool(several and (held or request.args.get("several")))}  # fmt: skip
    return make_response(render_template("kopir/choose.html", **frame.values(), **values))


def _nobody(session: Session) -> WsgiResponse:
    """Say that work of somebody the LMS does not name cannot be kept (Core 1.3 §5.3.6.1)."""
    return make_response(render_template("kopir/nobody.html", **_frame(session, None, "").values()), 403)


def _not_ready(session: Session) -> WsgiResponse:
    return make_response(render_template("kopir/not_ready.html", **_frame(session, None, "").values()), 404)


@blueprint.route("/pick/<plugin_id>/", defaults={"path": ""}, methods=["GET", "POST"])
@blueprint.route("/pick/<plugin_id>/<path:path>", methods=["GET", "POST"])
def picker(plugin_id: str, path: str) -> WsgiResponse:
    """Serve a page of a plugin's picker."""
    session: Session = g.session
    plugin = runtime().plugins.get(plugin_id)
    deep = session.message_type == MessageType.DEEP_LINKING
    if plugin is None or not (deep or (session.resource_link and session.activity_id is None)):
        abort(404)
    visit = _visit(session, plugin_id, None, partial(_picker_address, plugin_id))
    return _serve(session, plugin, visit, path or "pick", picking=True)


def _picker_address(plugin_id: str, path: str = "", **query: str) -> str:
    """Return an address of a plugin's picker; who collects several things goes on collecting."""
    more = {"several": "1"} if request.values.get("several") else {}
    return address(f"pick/{plugin_id}/", path, **{**query, **more})


def _place(session: Session, plugin_id: str, placed: tuple[Placement | Material, ...]) -> WsgiResponse:
    here = runtime()
    if session.message_type == MessageType.DEEP_LINKING:
        chosen = basket.choose(here, session, plugin_id, placed)
        if request.values.get("several"):
            basket.put(here, session, chosen)
            return redirect(address("", several="1"), 303)
        return _return(session, answer(here, session, chosen))
    activities = [one for one in placed if isinstance(one, Placement)]
    if activities and session.resource_link:
        with here.database.school(session.school_id) as db:
            made = make_activity(db, session, plugin_id, activities[0], here.clock())
            bind_activity(db, session.school_id, session.resource_link, made.id)
    return redirect(address(""), 303)


@blueprint.post("/basket")
def change_basket() -> WsgiResponse:
    """Send everything that was chosen to the LMS, or take one thing out of it."""
    session: Session = g.session
    if deep_linking_of(session) is None or session.role is not Role.TEACHER:
        abort(404)
    out = request.form.get("out", "")
    if not out.isdecimal():
        return _return(session, answer(runtime(), session, basket.basket_of(session)))
    basket.take_out(runtime(), session, int(out[:4]))
    return redirect(address("", several="1"), 303)


@blueprint.post("/cancel")
def cancel() -> WsgiResponse:
    """Go back to the LMS without placing anything (Deep Linking 2.0 §4.5: an empty answer, not silence)."""
    session: Session = g.session
    if deep_linking_of(session) is None:
        abort(404)
    return _return(session, answer(runtime(), session, []))


def _return(session: Session, back: DeepLinkingResponse) -> WsgiResponse:
    allow_form_to(back.return_url)
    values = _frame(session, None, "").values()
    return make_response(render_template("kopir/return.html", **values, url=back.return_url, jwt=back.jwt))


@blueprint.post("/language")
def language() -> WsgiResponse:
    """Remember the language a person chose and show the launch's first page in it."""
    choose_language(runtime(), g.session, request.form.get("language", ""))
    return redirect(address(""), 303)
