"""Dynamic registration as a tool: fetch the platform's configuration, then ask it for a client (1EdTech lti-dr 1.0).

Reading and judging the configuration is ``registration_configuration``, what is asked ``registration_request``;
here are the two calls and what their answers mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.base.errors import Fatal, Retriable
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound, Reply
from lti.errors import RegistrationRefused, RegistrationUnavailable
from lti.tool.registration_configuration import (
    PlatformConfiguration,
    check_address,
    read_configuration,
    unreadable,
)
from lti.tool.registration_request import TOOL
from lti.tool.service import is_page
from lti.tool.wire import from_json

MAX_BYTES = 256 * 1024
MAX_TOKEN = 8192
MAX_ID = 255
_TOKEN = re.compile(r"[!-~]+")
_CODE = re.compile(r"[a-z][a-z_]{2,59}")


@dataclass(frozen=True)
class RegisteredClient:
    """What the platform made of us.

    Attributes:
        client_id: What it calls us.
        deployment_id: The deployment it made with it; None where deployments come later (Canvas, Blackboard).
        scopes: Services it granted, None when it did not say.
    """

    client_id: str
    deployment_id: str | None
    scopes: tuple[str, ...] | None


def fetch_configuration(
    http: Outbound, url: str, token: str | None, *, http_allowed: Callable[[str], bool]
) -> PlatformConfiguration:
    """Fetch a platform's configuration and check it; nothing is followed, and nothing large is read.

    Args:
        http: The guarded session; whom it may reach inside private networks is the caller's decision.
        url: The ``openid_configuration`` the platform opened our page with.
        token: The ``registration_token``; Canvas wants it on this call already, others do not mind.
        http_allowed: Tells whether an address may go without TLS.

    Raises:
        RegistrationRefused: Also when the platform forbids it.
        RegistrationUnavailable: It cannot be reached or does not answer.
    """
    check_address(url, "openid_configuration", http_allowed)
    headers = {"Accept": "application/json", **_bearer(token)}
    try:
        reply = http.request("GET", url, headers=headers, max_bytes=MAX_BYTES)
    except Retriable as error:
        raise RegistrationUnavailable(error.reason, error.message, error.retry_after) from error
    except Fatal as error:
        raise RegistrationRefused(error.reason, error.message) from error
    if 300 <= reply.status < 400:
        text = N_("The LMS's configuration address leads elsewhere, and that is not followed.")
        raise RegistrationRefused("configuration_redirects", say(text))
    if reply.status in (401, 403):
        raise RegistrationRefused("token_refused", say(_OVER))
    if reply.status != 200:
        text = N_("The LMS does not show its configuration (HTTP {status}).")
        raise RegistrationUnavailable("configuration_unavailable", say(text, status=reply.status), reply.retry_after)
    try:
        document = from_json(reply.body)
    except ValueError as error:
        raise unreadable() from error
    return read_configuration(document, url, http_allowed)


def register(
    http: Outbound, configuration: PlatformConfiguration, body: Mapping[str, Any], token: str | None
) -> RegisteredClient:
    """Send the registration, once, and return what the platform made of it.

    Raises:
        RegistrationRefused: The platform said no; the reason tells why.
        RegistrationUnavailable: There was no answer, so that the tool may have been made there.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/json", **_bearer(token)}
    text = json.dumps(body, ensure_ascii=False)
    url = configuration.registration_endpoint
    try:
        reply = http.request("POST", url, headers=headers, body=text, max_bytes=MAX_BYTES)
    except Retriable as error:
        message = say(N_("{why} Look in the LMS whether it made the tool all the same."), why=error.message)
        raise RegistrationUnavailable(error.reason, message) from error
    except Fatal as error:
        raise RegistrationRefused(error.reason, error.message) from error
    if reply.status not in (200, 201):
        raise explain_refusal(reply)
    return _read_client(reply)


def _bearer(token: str | None) -> dict[str, str]:
    if not token:
        # D2L Brightspace gives none.
        return {}
    if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise RegistrationRefused("bad_token", say(N_("The registration token is not one.")))
    return {"Authorization": f"Bearer {token}"}


def _read_client(reply: Reply) -> RegisteredClient:
    try:
        value = from_json(reply.body)
    except ValueError as error:
        raise _unreadable_answer() from error
    client_id = _id(value.get("client_id")) if isinstance(value, dict) else None
    if client_id is None:
        raise _unreadable_answer()
    tool = value.get(TOOL)
    deployment = _id(tool.get("deployment_id")) if isinstance(tool, dict) else None
    scope = value.get("scope")
    granted = tuple(sorted(set(scope.split()))) if isinstance(scope, str) else None
    return RegisteredClient(client_id, deployment, granted)


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    good = isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isprintable()
    return value if good and isinstance(value, str) else None


def _unreadable_answer() -> RegistrationRefused:
    text = N_("The LMS answered the registration with something that names no client id.")
    return RegistrationRefused("answer_unreadable", say(text))


def explain_refusal(reply: Reply) -> RegistrationRefused | RegistrationUnavailable:
    """Return the typed error of a registration the platform did not take."""
    text = reply.text[:4000].lower()
    for piece, reason, msgid in _REFUSALS:
        if piece in text:
            return RegistrationRefused(reason, say(msgid))
    if reply.status == 401:
        return RegistrationRefused("token_refused", say(_OVER))
    if reply.status >= 500 or reply.status == 429:
        message = say(N_("The LMS cannot register tools now (HTTP {status})."), status=reply.status)
        return RegistrationUnavailable("registration_unavailable", message, reply.retry_after)
    if is_page(reply) or reply.status in range(300, 400):
        message = say(N_("The LMS answered the registration with a page (HTTP {status}): it wants a sign-in, or the "
                         "service is switched off."), status=reply.status)  # fmt: skip
        return RegistrationRefused("answered_with_page", message)
    message = say(N_("The LMS does not take the registration (HTTP {status}: {code})."), status=reply.status,
                  code=_error_code(reply))  # fmt: skip
    return RegistrationRefused("registration_refused", message)


def _error_code(reply: Reply) -> str:
    """Return the platform's own error code: OIDC Registration's ``error``, or Moodle's bare word; never free text."""
    try:
        value = from_json(reply.body)
    except ValueError:
        value = reply.text.strip()
    code = value.get("error") if isinstance(value, dict) else value
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "-"


_OVER = N_(
    "The LMS does not accept its own registration token: it was used already or is over. Start again in the LMS."
)
_REFUSALS = (
    ("token_already_used", "token_already_used",
     N_("This registration was used already. Start again in the LMS: «Add LTI Advantage» makes a new one.")),
    ("missing_registration_token", "token_missing",
     N_("The LMS wants a registration token and sent none. Start again in the LMS.")),
    ("missing_domain", "missing_domain",
     N_("The LMS wants this server's domain. Set PUBLIC_URL to the address the LMS reaches it at.")),
    ("domain_targetlinkuri_mismatch", "domain_mismatch",
     N_("The LMS finds that domain and address of this tool differ. Check PUBLIC_URL, with its port.")),
    ("invalid_redirect_uri", "invalid_redirect_uri",
     N_("The LMS does not take this server's address. Check PUBLIC_URL; most want https.")),
    ("invalid_client_metadata", "invalid_client_metadata",
     N_("The LMS does not take the tool's description.")),
)  # fmt: skip
