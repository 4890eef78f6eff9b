"""The launch ladder's two pages: one between login and platform, one between the platform's answer and our pages.

Neither is shown where the rung is known and is a cookie: then login and launch are two redirects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.i18n import LANGUAGES, N_, say, translate
from connector.host.launches import Admitted
from connector.host.registry import origin_of
from connector.web.security import allow_framing
from connector.web.state import browser_language, from_our_page, runtime
from connector.web.tokens import GO_FIELD, TOKEN_FIELD, token_for
from lti.tool.cookies import set_cookie
from lti.tool.ladder import Place, Rung, origins_of, place_of, remembered, rungs_to_try
from lti.tool.login import LoginRedirect, LoginState
from lti.tool.ports import Registration

# The field of a login that a page of ours began again in a window; everything else in it is the platform's.
WINDOW_FIELD = "kopir_window"
# The field by which the launch's page hands over what platform storage, or the frame's own cookie, gave back.
BROWSER_FIELD = "kopir_browser"
COOKIE_PATH = "/lti/"

_OPENING = N_("Opening the activity…")
_CONTINUE = N_("Continue")
_ASK = N_("Your browser asks before this page may remember you inside the LMS. Press the button and allow it.")
_WINDOW = N_("Your browser does not let this page remember you inside the LMS. The activity opens in a new window.")
_OPEN = N_("Open in a new window")
_OPENED = N_("The activity is open in a new window. When you have finished, close it and come back here.")
_CLOSED = N_("The window is closed. What you handed in is kept.")
_AGAIN = N_("Open it again")
_NO_WINDOW = N_("The browser did not open the window. Allow new windows for this page and press the button again.")
_WORDS = {
    "opening": _OPENING, "proceed": _CONTINUE, "ask": _ASK, "window": _WINDOW, "open": _OPEN, "opened": _OPENED,
    "closed": _CLOSED, "again": _AGAIN, "blocked": _NO_WINDOW,
}  # fmt: skip


def login_rungs(answer: LoginRedirect) -> tuple[Rung, ...]:
    """Return the rungs this login tries, in order."""
    place = place_of(request.headers.get("Sec-Fetch-Dest"))
    if WINDOW_FIELD in request.args and not place.framed:
        # A browser that does not say where a page opens: our own button said it.
        place = Place(on_top=True)
    known = remembered(answer.registration, runtime().clock())
    return rungs_to_try(known, offered=answer.storage_target is not None, place=place)


def login_page(answer: LoginRedirect, rungs: tuple[Rung, ...], params: Mapping[str, str]) -> Response:
    """Return the page that climbs the ladder before it goes on to the platform.

    Args:
        answer: The login.
        rungs: What to try, in order.
        params: The platform's own parameters, for the login that begins again in a window.
    """
    _let_in_frame(answer.registration)
    urls = {str(rung): answer.by(rung) for rung in rungs if rung is not Rung.WINDOW}
    page = render_template(
        "kopir/ladder.html",
        lang=browser_language(),
        words=_words(),
        rungs=rungs,
        urls=urls,
        origins=origins_of(answer.registration),
        target=answer.storage_target or "",
        key=answer.storage_key,
        value=answer.cookie_value,
        path=COOKIE_PATH,
        max_age=answer.max_age,
        window_name=f"kopir_{answer.state_id}",
        # A link and no form: a policy on forms would judge every redirect the platform makes after it.
        window_url=f"/lti/login?{urlencode({**params, WINDOW_FIELD: '1'})}",
    )
    return make_response(page)


def wants_browser_page(state: LoginState, form: Mapping[str, str], cookie: str | None) -> bool:
    """Tell whether the browser's secret has to be fetched by a page: it is kept where no request carries it."""
    kept_elsewhere = state.way in (Rung.STORAGE, Rung.ACCESS)
    return kept_elsewhere and not cookie and BROWSER_FIELD not in form and "id_token" in form


def browser_page(state: LoginState, form: Mapping[str, str], key: str) -> Response:
    """Return the page that reads the secret back and posts the launch again, with it."""
    registration = runtime().registry.get(state.registration_id)
    if registration is not None:
        _let_in_frame(registration)
    page = render_template(
        "kopir/browser.html",
        lang=browser_language(),
        words=_words(),
        rung=state.way,
        fields={name: form.get(name, "") for name in ("id_token", "state")},
        field=BROWSER_FIELD,
        key=key,
        target=state.storage_target or "",
        origins=origins_of(registration) if registration is not None else (),
    )
    return make_response(page)


@dataclass(frozen=True)
class Proof:
    """What the browser showed: its secret, the rung that carried it, and whether a cookie did."""

    secret: str | None
    rung: Rung
    by_cookie: bool


def proof_of(state: LoginState | None, form: Mapping[str, str], cookie: str | None) -> Proof:
    """Return what the browser showed of the secret it was given at login.

    A form's field can be written by anybody who began a login of their own; only a page of ours, which read it from
    this browser, is believed.
    """
    way = state.way if state else None
    if cookie:
        return Proof(cookie, way if way in (Rung.WINDOW, Rung.ACCESS) else Rung.COOKIE, by_cookie=True)
    if way in (Rung.STORAGE, Rung.ACCESS) and from_our_page():
        return Proof(form.get(BROWSER_FIELD) or None, way, by_cookie=False)
    return Proof(None, Rung.COOKIE, by_cookie=False)


def enter_without_cookie(admitted: Admitted, registration: Registration) -> WsgiResponse:
    """Go to a launch's pages with a token in a form, for a browser that brought no cookie."""
    _let_in_frame(registration)
    path = f"/l/{admitted.launch_id}/"
    return bounce(path, token_for(admitted.launch_id, admitted.school_id))


def bounce(address: str, token: str) -> Response:
    """Return the page that posts itself on to an address, which answers as if it had been opened."""
    page = render_template(
        "kopir/bounce.html", lang=browser_language(), words=_words(), address=address,
        fields={TOKEN_FIELD: token, GO_FIELD: "1"},
    )  # fmt: skip
    return make_response(page)


def keep_in_cookie(answer: LoginRedirect, response: WsgiResponse) -> WsgiResponse:
    """Set the login's cookie on a response."""
    cookie = set_cookie(answer.cookie_name, answer.cookie_value, path="/lti/launch", max_age=answer.max_age)
    response.headers.add("Set-Cookie", cookie)
    return response


def _let_in_frame(registration: Registration) -> None:
    allow_framing({origin_of(registration.issuer), origin_of(registration.auth_url)})


def _words() -> list[dict[str, str]]:
    first = browser_language()
    return [
        {"language": code, **{name: translate(say(text), code) for name, text in _WORDS.items()}}
        for code in (first, *(code for code in LANGUAGES if code != first))
    ]
