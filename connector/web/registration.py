"""The page an LMS opens to register us: preview, agreement, and the end.

Nobody has a session here, in the LMS's frame no cookie would live: the invitation in the address lets in, and the
preview's form key is agreed to once.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, make_response, render_template, request

from connector.base.errors import KopirError, Retriable
from connector.base.i18n import LANGUAGES, say, translate
from connector.base.log import get_logger
from connector.host.invitations import Invitation, open_invitation
from connector.host.registering import Preview, Registered, agree, preview
from connector.host.registry import origin_of
from connector.web.registration_words import (
    CLAIM_WORDS,
    FIELD_WORDS,
    MESSAGE_WORDS,
    SCOPE_WORDS,
    VARIABLE_WORDS,
    next_steps,
)
from connector.web.security import allow_framing, allow_framing_by_anyone
from connector.web.state import browser_language, runtime
from lti.profiles import profile_for
from lti.tool.registration_configuration import PlatformConfiguration

log = get_logger("web.registration")
blueprint = Blueprint("registration", __name__, url_prefix="/lti")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(:[0-9]{1,5})?")
_KEPT = ("invitation", "openid_configuration", "registration_token")


@blueprint.get("/register")
def show() -> Response:
    """Show what will be asked of the LMS, or where to paste this address (Dynamic Registration 1.0 §3.2)."""
    here = runtime()
    invited = open_invitation(here, request.args.get("invitation", ""))
    url = request.args.get("openid_configuration", "")
    if not url:
        return _page("registration/paste.html", address=_own_address(), school=_school(invited))
    token = request.args.get("registration_token") or None
    shown = preview(here, invited, url, token)
    _allow(shown.configuration)
    return _page("registration/preview.html", **_preview_values(shown, invited))


@blueprint.post("/register")
def confirm() -> Response:
    """Register as it was previewed, and let the LMS take its page back."""
    done = agree(runtime(), request.form.get("key", ""), request.form.get("replace", ""))
    _allow(done.configuration)
    return _page("registration/done.html", **_done_values(done))


@blueprint.errorhandler(KopirError)
def refused(error: KopirError) -> Response:
    """Say what went wrong inside the LMS's frame; the page holds nothing but that."""
    log.warning("registration_refused", reason=error.reason)
    allow_framing_by_anyone()
    status = 503 if isinstance(error, Retriable) else 403 if "invitation" in error.reason else 400
    return _page("registration/refused.html", status, message=error.message, code=error.reason)


def _allow(configuration: PlatformConfiguration) -> None:
    """Let the LMS's own pages frame this one: its issuer, its sign-in, and the page that opened us."""
    origins = {origin_of(configuration.issuer), origin_of(configuration.authorization_endpoint)}
    origins |= set(profile_for(configuration.family_code).frame_sources)
    opener = origin_of(request.headers.get("Referer", ""))
    if _ORIGIN.fullmatch(opener):
        # Whoever knows the invitation could register without framing anybody; no session is there to be abused.
        origins.add(opener)
    allow_framing(origins)


def _page(template: str, status: int = 200, **values: Any) -> Response:
    language = browser_language()

    def t(msgid: str, **fields: object) -> str:
        return translate(say(msgid, **fields), language)

    def put(message: Any) -> str:
        return translate(message, language)

    offered = [code for code in runtime().settings.languages if code in LANGUAGES]
    page = render_template(
        template, lang=language, languages=[(code, _with_language(code)) for code in offered], t=t, put=put, **values
    )
    return make_response(page, status)


def _with_language(code: str) -> str:
    """Return this page's address in another language; what was posted is not posted again."""
    if request.method != "GET":
        return ""
    kept = {name: request.args[name] for name in _KEPT if name in request.args}
    return f"/lti/register?{urlencode({**kept, 'lang': code})}"


def _own_address() -> str:
    return f"{runtime().settings.public_url}/lti/register?{urlencode({'invitation': request.args['invitation']})}"


def _school(invited: Invitation) -> str:
    school = runtime().registry.school(school_id=invited.school_id)
    return school.name if school else invited.school_code


def _preview_values(shown: Preview, invited: Invitation) -> dict[str, Any]:
    configuration, asked = shown.configuration, shown.asked
    return {
        "key": shown.key,
        "school": _school(invited),
        "product": shown.product or urlsplit(configuration.issuer).hostname,
        "issuer": configuration.issuer,
        "endpoints": configuration.endpoints(),
        "scopes": [SCOPE_WORDS[scope] for scope in asked.scopes],
        "missing": [SCOPE_WORDS[scope] for scope in asked.missing_scopes],
        "messages": [MESSAGE_WORDS[message] for message in asked.messages],
        "claims": [CLAIM_WORDS[claim] for claim in asked.claims if claim in CLAIM_WORDS],
        "custom": [VARIABLE_WORDS[name] for name in asked.custom],
        "insecure": configuration.issuer.startswith("http:"),
        "existing": shown.existing,
        "changes": [(FIELD_WORDS[one.field], one.before or "–", one.after or "–") for one in shown.changes],
    }


def _done_values(done: Registered) -> dict[str, Any]:
    configuration = done.configuration
    missing = [SCOPE_WORDS[scope] for scope in done.missing_scopes if scope in SCOPE_WORDS]
    return {
        "kind": done.stored.kind,
        "product": done.product or urlsplit(configuration.issuer).hostname,
        "client_id": done.stored.client_id,
        "deployment_id": done.stored.deployment_id,
        "missing": missing,
        "steps": next_steps(profile_for(configuration.family_code).key),
        # With something to read, the page waits for the person; otherwise the LMS takes it back by itself.
        "closes": done.stored.deployment_id is not None and not missing,
    }
