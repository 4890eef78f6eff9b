"""Kopir's own platform towards third-party tools: authorisation, tokens, keys, registration and the choice's return.

LTI Security Framework 1.0, sections 4 and 5; errors towards tools are JSON by RFC 6749, section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.errors import Fatal
from connector.base.i18n import N_, Message, say, translate
from connector.base.log import get_logger
from connector.host.launches import Session
from connector.host.tools.choosing import take_answer
from connector.host.tools.launching import PATH, begin, cookie_of, from_window
from connector.host.tools.platform import platform_of
from connector.host.tools.registering import configuration, register
from connector.host.tools.telling import message_for
from connector.web.security import allow_form_to, allow_framing, allow_framing_by_anyone, allow_tool
from connector.web.state import browser_language, runtime
from connector.web.tools import tool_values, with_cookie
from lti.platform.authorisation import Authorised
from lti.platform.errors import AuthorisationRefused, ProtocolRefusal, RegistrationRefused, ServiceRefused, TokenRefused
from lti.platform.records import BrowserSession, FormPost
from lti.platform.throttle import Throttle
from lti.tool.cookies import clear_cookie

MAX_FORM = 64 * 1024
MAX_ANSWER = 512 * 1024
log = get_logger("web.platform")
blueprint = Blueprint("platform", __name__)
_THROTTLES = "kopir_platform_throttles"


@dataclass
class Throttles:
    """How often one process lets tools ask: tokens and registrations by address, services by tool."""

    tokens: Throttle = field(default_factory=lambda: Throttle(per_minute=120, burst=60))
    registrations: Throttle = field(default_factory=lambda: Throttle(per_minute=10, burst=10))
    calls: Throttle = field(default_factory=lambda: Throttle(per_minute=1200, burst=400))


def throttles() -> Throttles:
    """Return the throttles of the application that serves this request."""
    found: Throttles = current_app.extensions.setdefault(_THROTTLES, Throttles())
    return found


@blueprint.route("/platform/auth", methods=["GET", "POST"])
def authorise() -> WsgiResponse:
    """Answer a tool's authorisation request (section 5.1.1.2): the message, or an error, in a form."""
    limit_body(MAX_FORM)
    sent = request.form if request.method == "POST" else request.args
    handle = sent.get("login_hint", "")
    name = cookie_of(handle)
    secret = request.cookies.get(name, "")
    if not secret:
        text = N_("The browser keeps no cookie of this page inside the frame. Press «Open in a new window» above it.")
        return _page(say(text), 403)
    here = runtime()
    platform = platform_of(here)
    try:
        authorised = platform.authorise(sent.items(multi=True), BrowserSession(handle, secret))
        message = message_for(here, authorised)
    except AuthorisationRefused as refused:
        log.warning("tool_refused", reason=refused.reason)
        form = platform.refusal_form(refused)
        return _page(refused.message, 400) if form is None else _posted(form, browser_language())
    except Fatal as error:
        return _page(error.message, 403)
    answer = _launched(authorised, platform.launch_form(authorised, message))
    if not authorised.intent.about["back"]:
        answer.headers.add("Set-Cookie", clear_cookie(name, path=PATH))
    return answer


def _launched(authorised: Authorised, form: FormPost) -> WsgiResponse:
    school = authorised.intent.about["school"]
    log.info("tool_launch", school=school, launch=authorised.intent.about["launch"])
    allow_framing(runtime().registry.frame_origins(school))
    return _posted(form, browser_language())


def _posted(form: FormPost, language: str) -> WsgiResponse:
    allow_form_to(form.url)
    values = {"lang": language, "url": form.url, "fields": form.fields, "t": _words(language)}
    return make_response(render_template("kopir/tool_post.html", **values))


def _words(language: str) -> Any:
    return lambda msgid, **fields: translate(say(msgid, **fields), language)


def _page(message: Message, status: int) -> WsgiResponse:
    """Say on a page of ours what nobody else may be told; it holds no data, no form and no session."""
    allow_framing_by_anyone()
    language = browser_language()
    title = translate(say(N_("This tool cannot be opened")), language)
    advice = translate(message, language)
    page = render_template("kopir/error.html", lang=language, status=status, reference="", title=title, advice=advice)
    return make_response(page, status)


@blueprint.get("/platform/open")
def open_window() -> WsgiResponse:
    """Begin a launch in a new window, by the one-use address of the frame's page."""
    here = runtime()
    try:
        session, opening = from_window(here, request.args.get("ticket", ""))
    except Fatal as error:
        return _page(error.message, 403)
    begun = begin(here, session, opening)
    allow_tool(opening.tool.origins)
    page = render_template("kopir/tool_window.html", **_window_values(session), **tool_values(begun))
    return with_cookie(make_response(page), begun)


def _window_values(session: Session) -> dict[str, Any]:
    return {"lang": session.language, "t": _words(session.language)}


@blueprint.post("/platform/choice")
def choice() -> WsgiResponse:
    """Take the answer of a tool's own picker (Deep Linking 2.0, section 4) and hand it to the page that asked."""
    limit_body(MAX_ANSWER)
    here = runtime()
    try:
        taken = take_answer(here, request.form.get("JWT", ""), lambda name: request.cookies.get(name, ""))
    except (Fatal, ProtocolRefusal) as error:
        log.warning("choice_refused", reason=error.reason)
        return _page(error.message, 400)
    allow_framing(here.registry.frame_origins(taken.school_id))
    language = browser_language()
    values = {"lang": language, "t": _words(language), "taken": taken}
    response = make_response(render_template("kopir/tool_chosen.html", **values))
    response.headers.add("Set-Cookie", clear_cookie(taken.cookie, path=PATH))
    return response


@blueprint.post("/platform/token")
def token() -> WsgiResponse:
    """Answer a token request (section 4.1)."""
    limit_body(MAX_FORM)
    slow_down(throttles().tokens, request.remote_addr or "")
    try:
        granted = platform_of(runtime()).token(request.form.to_dict())
    except TokenRefused as refused:
        log.warning("token_refused", reason=refused.reason)
        return error_json(400, refused.error, refused.message)
    return _not_kept(jsonify(granted.body()))


@blueprint.get("/platform/jwks.json")
def jwks() -> Response:
    """Publish the platform's keys; tools may keep them for an hour, and see a new one a day before it signs."""
    response = jsonify(platform_of(runtime()).jwks())
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.get("/.well-known/openid-configuration")
@blueprint.get("/platform/openid-configuration")
def openid_configuration() -> Response:
    """Say what the platform offers and where (Dynamic Registration 1.0, section 2.1)."""
    response = jsonify(configuration(runtime(), version("kopir")))
    response.headers["Cache-Control"] = "public, max-age=600"
    return response


@blueprint.post("/platform/register")
def registration() -> WsgiResponse:
    """Take a tool's registration by its one-time permission (Dynamic Registration 1.0, section 3)."""
    limit_body(MAX_FORM)
    slow_down(throttles().registrations, request.remote_addr or "")
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    try:
        client = register(runtime(), secret.strip() if scheme.lower() == "bearer" else "", request.get_data())
    except RegistrationRefused as refused:
        log.warning("tool_registration_refused", reason=refused.reason)
        answer = error_json(401 if refused.error == "invalid_token" else 400, refused.error, refused.message)
        if refused.error == "invalid_token":
            answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return answer
    response = _not_kept(jsonify(client))
    response.status_code = 201
    return response


def limit_body(most: int) -> None:
    """Read no more of a body than is allowed, whether it says its length or not.

    Raises:
        ServiceRefused: 413.
    """
    request.max_content_length = most + 1
    try:
        size = len(request.get_data())
    except RequestEntityTooLarge:
        size = most + 1
    if size > most:
        text = N_("The body is larger than {limit} bytes.")
        raise ServiceRefused(413, "invalid_request", "too_large", say(text, limit=most))


def slow_down(throttle: Throttle, name: str) -> None:
    """Refuse whoever asks too often.

    Raises:
        ServiceRefused: 429.
    """
    wait = throttle.wait(name)
    if wait:
        refused = ServiceRefused(429, "temporarily_unavailable", "too_often", say(N_("Too many requests.")))
        refused.retry_after = wait
        raise refused


@blueprint.app_errorhandler(ServiceRefused)
def refuse_service(refused: ServiceRefused) -> WsgiResponse:
    """Tell a tool in JSON what is wrong, with the challenge of RFC 6750 where its token is."""
    answer = error_json(refused.status, refused.error or "invalid_token", refused.message)
    challenge = getattr(refused, "challenge", "")
    if challenge:
        answer.headers["WWW-Authenticate"] = challenge
    if refused.retry_after:
        answer.headers["Retry-After"] = str(refused.retry_after)
    return answer


def error_json(status: int, error: str, message: Message) -> WsgiResponse:
    """Return the error body of RFC 6749, section 5.2, in English: a vendor's log reads it."""
    body: Mapping[str, str] = {"error": error, "error_description": str(message)}
    response = _not_kept(jsonify(body))
    response.status_code = status
    return response


def _not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
