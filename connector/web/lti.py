"""The protocol's addresses: login, launch and our public keys."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, jsonify, make_response, redirect, request
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.log import get_logger
from connector.host.deployments import note_deployment
from connector.host.groups import offer_groups
from connector.host.launch_refusals import note_refusal
from connector.host.launches import Admitted, admit, was_let_in
from connector.host.notices import offer
from connector.host.registry import School
from connector.host.rungs import note_way
from connector.web import ladder
from connector.web.refusals import refusal_page
from connector.web.state import COOKIE, runtime
from connector.web.waiting import first_posted, waiting_page
from lti.errors import LaunchReason, LaunchRefused
from lti.tool.cookies import clear_cookie, set_cookie
from lti.tool.jwks import AskedEarlier
from lti.tool.ladder import Rung, place_of
from lti.tool.launch import Launch, validate_launch
from lti.tool.login import COOKIE_PREFIX, STATE_PURPOSE, LoginRedirect, begin_login, read_state
from lti.tool.ports import Registration
from lti.tool.refusals import refuse

MAX_LAUNCH_BYTES = 64 * 1024
STATE_PATH = "/lti/launch"
LOGIN_PATH = "/lti/login"
BUSY_SECONDS = 2
# The database did not answer, or not in time: locks, a deadlock, no connection left, a server that restarts.
_BUSY = (OperationalError, InterfaceError, PoolTimeout)
log = get_logger("web.lti")
blueprint = Blueprint("lti", __name__, url_prefix="/lti")


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> WsgiResponse:
    """Answer a third-party initiated login (Security Framework 1.0 §5.1.1); nothing is written."""
    params: dict[str, str] = {}
    try:
        params = _form() if request.method == "POST" else request.args.to_dict()
        answer = _begin(params)
    except LaunchRefused as refused:
        return _refuse(refused)
    except _BUSY as error:
        return _wait_for_database(error, params, LOGIN_PATH)
    rungs = ladder.login_rungs(answer)
    if rungs != (Rung.COOKIE,):
        return ladder.keep_in_cookie(answer, ladder.login_page(answer, rungs, params))
    url = answer.by(Rung.WINDOW) if ladder.WINDOW_FIELD in params else answer.url
    return ladder.keep_in_cookie(answer, redirect(url, 302))


def _begin(params: Mapping[str, str]) -> LoginRedirect:
    here = runtime()
    return begin_login(
        params,
        registrations=here.registry,
        signer=here.signer(STATE_PURPOSE),
        redirect_uri=here.launch_url,
        allowed_targets=lambda target: target == here.launch_url or target.startswith(here.launch_url + "?"),
        now=here.clock(),
    )


@blueprint.post("/launch")
def launch() -> WsgiResponse:
    """Validate a launch, let it in once, and go to its own address space."""
    try:
        form = _form()
    except LaunchRefused as too_large:
        return _refuse(too_large)
    try:
        return _answer(form)
    except _BUSY as error:
        return _wait_for_database(error, form, STATE_PATH)


def _answer(form: Mapping[str, str]) -> WsgiResponse:
    here = runtime()
    signer = here.signer(STATE_PURPOSE)
    try:
        state = read_state(form.get("state", ""), signer)
        name = COOKIE_PREFIX + state.state_id if state else ""
        cookie = request.cookies.get(name)
        if state is not None and ladder.wants_browser_page(state, form, cookie):
            return ladder.browser_page(state, form, name)
        proof = ladder.proof_of(state, form, cookie)
        launched = validate_launch(
            form,
            browser_secret=proof.secret,
            registrations=here.registry,
            key_sets=AskedEarlier(here.key_sets, first_posted(form)),
            signer=signer,
            deployments=_known,
            now=here.clock(),
        )
        school = _school(launched)
        admitted = _admit(launched, school, proof.rung)
    except LaunchRefused as error:
        if error.launch_reason is LaunchReason.KEY_PENDING:
            log.info("launch_waits", registration=error.registration_id)
            return waiting_page(error, form)
        refused = _told_apart(error)
        note_refusal(here, refused)
        _note_lost_cookie(refused)
        return _refuse(refused)
    _follow_up(launched, school, admitted)
    log.info("launch", launch=admitted.launch_id, school=admitted.school_id, kind=str(launched.message_type))
    note_way(here, launched.registration, state.way if state else None)
    if not proof.by_cookie or proof.rung is Rung.ACCESS:
        return ladder.enter_without_cookie(admitted, launched.registration)
    return _enter(admitted, name)


def _admit(launched: Launch, school: School, rung: Rung) -> Admitted:
    """Let a launch in; a deadlock or a connection that was cut is over at once, and is tried again."""
    try:
        return admit(runtime(), launched, school, rung)
    except _BUSY as error:
        log.warning("launch_tried_again", error=_kind(error), school=school.id)
        return admit(runtime(), launched, school, rung)


def _follow_up(launched: Launch, school: School, admitted: Admitted) -> None:
    """Ask for what the platform offers beside the launch; the person is in, whatever becomes of it."""
    try:
        offer(runtime(), launched, school)
        offer_groups(runtime(), launched, school.id, admitted.context_id)
    except SQLAlchemyError as error:
        log.warning("offer_not_kept", error=type(error).__name__, school=school.id)


def _kind(error: SQLAlchemyError) -> str:
    """Return the driver's own type of an error; its text may hold values."""
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__


def _wait_for_database(error: SQLAlchemyError, form: Mapping[str, str], action: str) -> Response:
    """Answer that the same form is posted again in a moment: nothing of it was used up."""
    here = runtime()
    state = read_state(form.get("state", ""), here.signer(STATE_PURPOSE))
    registration = state.registration_id if state is not None else None
    log.error("database_busy", error=_kind(error), registration=registration, path=action)
    return waiting_page(refuse(LaunchReason.BUSY, seconds=BUSY_SECONDS, registration_id=registration), form, action)


def _note_lost_cookie(refused: LaunchRefused) -> None:
    """Remember that browsers of this platform may keep no cookie, where a real frame came back without one."""
    framed = place_of(request.headers.get("Sec-Fetch-Dest")).framed
    registration = runtime().registry.get(refused.registration_id or "")
    if framed and registration is not None and refused.launch_reason is LaunchReason.NO_COOKIE:
        note_way(runtime(), registration, Rung.WINDOW)


def _told_apart(refused: LaunchRefused) -> LaunchRefused:
    """Say that a launch was used already, where its cookie is gone for no other reason: a reload, or Back."""
    if refused.launch_reason is not LaunchReason.NO_COOKIE:
        return refused
    here = runtime()
    state = read_state(request.form.get("state", ""), here.signer(STATE_PURPOSE))
    if state is None or not was_let_in(here, state.registration_id, state.nonce):
        return refused
    return refuse(LaunchReason.REPLAYED, trace=refused.trace, registration_id=state.registration_id)


def _form() -> dict[str, str]:
    """Return the posted form; one that is too large is read no further, whether it says its length or not."""
    # One byte more than is allowed: a body without a length is cut at the limit, and the cut must be seen.
    request.max_content_length = MAX_LAUNCH_BYTES + 1
    try:
        size = len(request.get_data())
    except RequestEntityTooLarge:
        size = MAX_LAUNCH_BYTES + 1
    if size > MAX_LAUNCH_BYTES:
        raise refuse(LaunchReason.TOO_LARGE, limit=MAX_LAUNCH_BYTES)
    return request.form.to_dict()


def _enter(admitted: Admitted, state_cookie: str | None) -> WsgiResponse:
    path = f"/l/{admitted.launch_id}/"
    response = redirect(path, 303)
    value = f"{admitted.school_id}.{admitted.secret}"
    response.headers.add("Set-Cookie", set_cookie(COOKIE, value, path=path, max_age=admitted.max_age))
    if state_cookie:
        response.headers.add("Set-Cookie", clear_cookie(state_cookie, path=STATE_PATH))
    return response


def _known(registration: Registration, deployment_id: str) -> bool:
    if runtime().registry.school_of(registration.id, deployment_id) is not None:
        return True
    # The signature was checked before: this deployment is real, and waits until a person says whose it is.
    note_deployment(runtime(), registration.id, deployment_id)
    return False


def _school(launched: Launch) -> School:
    school = runtime().registry.school_of(launched.registration.id, launched.deployment_id)
    if school is None:
        raise refuse(LaunchReason.UNKNOWN_DEPLOYMENT, deployment=launched.deployment_id)
    return school


def _refuse(refused: LaunchRefused) -> Response:
    status = 413 if refused.launch_reason is LaunchReason.TOO_LARGE else 400
    log.warning("launch_refused", reason=refused.reason, clause=refused.clause, registration=refused.registration_id)
    return refusal_page(refused, status)


@blueprint.get("/jwks.json")
def jwks() -> Response:
    """Publish our public keys (Security Framework 1.0 §6.3); platforms may keep them for ten minutes."""
    response = make_response(jsonify(keys=runtime().keys.public(runtime().clock())))
    response.headers["Cache-Control"] = "public, max-age=600"
    return response
