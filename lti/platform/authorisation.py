"""The authorisation request of a launch, checked in full (LTI Security Framework 1.0, section 5.1.1.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connector.base.i18n import N_, Message, say
from lti.platform.errors import AuthorisationRefused
from lti.platform.hints import Hints, Intent
from lti.platform.records import BrowserSession, FormPost, RegisteredTool, ToolStore

MAX_STATE = 4096
MAX_NONCE = 512
_FIXED = (
    ("response_type", "id_token", "unsupported_response_type"),
    ("response_mode", "form_post", "invalid_request"),
    ("prompt", "none", "invalid_request"),
)


@dataclass(frozen=True)
class Authorised:
    """An authorisation request that passed: who asked, where to answer, and what was intended."""

    tool: RegisteredTool
    redirect_uri: str
    state: str
    nonce: str
    intent: Intent


def read_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a form's fields, refusing a field given twice (RFC 6749, section 3.1).

    Raises:
        AuthorisationRefused: A field is repeated.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            message = say(N_("The tool sent “{field}” more than once."), field=name)
            raise AuthorisationRefused("invalid_request", "repeated_parameter", message, None, "")
        found[name] = value
    return found


def check(
    fields: dict[str, str], tools: ToolStore, hints: Hints, session: BrowserSession | None, hint: str | None = None
) -> Authorised:
    """Check every field of an authorisation request and spend its message hint.

    Args:
        fields: The request's fields, each once.
        tools: Where registrations are found.
        hints: Where the message hint is taken back.
        session: Who sits at the browser, or None.
        hint: The signed hint, where the platform wraps it in something else; else ``lti_message_hint``.

    Raises:
        AuthorisationRefused: With a ``redirect_uri`` only when that is registered for this very client.
    """
    tool = tools.find_tool(fields.get("client_id", ""))
    if tool is None:
        raise _unanswerable("unauthorized_client", "unknown_client", N_("No tool is registered under this client id."))
    redirect_uri = fields.get("redirect_uri", "")
    if redirect_uri not in tool.redirect_uris:
        text = N_("The tool asks for an answer at an address that is not registered for it.")
        raise _unanswerable("invalid_request", "redirect_uri_not_registered", text)
    state = fields.get("state", "")[:MAX_STATE]

    def refuse(error: str, reason: str, message: Message) -> AuthorisationRefused:
        return AuthorisationRefused(error, reason, message, redirect_uri, state)

    _check_fields(fields, refuse)
    if session is None:
        raise refuse("login_required", "no_session", say(N_("Nobody is signed in at this browser.")))
    if fields.get("login_hint") != session.user_id:
        raise refuse("access_denied", "another_user", say(N_("The launch was begun by another user.")))
    intent = hints.take(hint if hint is not None else fields.get("lti_message_hint", ""), session)
    if intent is None or intent.client_id != tool.client_id:
        text = N_("This launch was already used or is too old. Open the activity again from the course.")
        raise refuse("invalid_request", "hint_refused", say(text))
    return Authorised(tool, redirect_uri, fields["state"], fields["nonce"], intent)


def _check_fields(fields: dict[str, str], refuse: Any) -> None:
    if "openid" not in fields.get("scope", "").split():
        raise refuse("invalid_scope", "scope_not_openid", say(N_("The scope must contain openid.")))
    for name, wanted, error in _FIXED:
        if fields.get(name) != wanted:
            message = say(N_("“{field}” must be “{wanted}”."), field=name, wanted=wanted)
            raise refuse(error, f"wrong_{name}", message)
    for name, limit in (("nonce", MAX_NONCE), ("state", MAX_STATE)):
        value = fields.get(name, "")
        if not value or len(value) > limit:
            message = say(N_("“{field}” must be 1 to {limit} characters long."), field=name, limit=limit)
            raise refuse("invalid_request", f"bad_{name}", message)


def _unanswerable(error: str, reason: str, text: str) -> AuthorisationRefused:
    return AuthorisationRefused(error, reason, say(text), None, "")


def error_form(refusal: AuthorisationRefused) -> FormPost | None:
    """Return the OpenID Connect error response (Core, section 3.1.2.6), or None when nobody may be told."""
    if refusal.redirect_uri is None:
        return None
    fields = {"error": refusal.error, "error_description": str(refusal.message)}
    if refusal.state:
        fields["state"] = refusal.state
    return FormPost(refusal.redirect_uri, fields)
