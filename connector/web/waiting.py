"""A launch that has to wait, for the LMS's keys or for the database: a page that posts the same form again by itself.

Nothing of the launch was used up, so that the same form is good a moment later. The page is ours and posts to us,
in the same browser, so that the cookie of the login goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Response, make_response, render_template

from connector.base.i18n import LANGUAGES, N_, translate
from connector.host.registry import origin_of
from connector.web.security import allow_framing, allow_framing_by_anyone
from connector.web.state import browser_language, runtime
from lti.errors import LaunchRefused
from lti.tool.login import STATE_SECONDS
from lti.tool.refusals import teacher_message

LAUNCH = "/lti/launch"
FIRST_POSTED = "kopir_first_posted"
_PURPOSE = "lti.first_posted"
_TITLE = N_("One moment")
_NOW = N_("Try now")


def first_posted(form: Mapping[str, str]) -> datetime | None:
    """Return when this form came first; None when it comes for the first time, or says so about another form."""
    said = form.get(FIRST_POSTED)
    value = runtime().signer(_PURPOSE).read(said) if said else None
    if value is None or value.get("s") != form.get("state"):
        return None
    return datetime.fromtimestamp(value["t"], UTC)


def waiting_page(refused: LaunchRefused, form: Mapping[str, str], action: str = LAUNCH) -> Response:
    """Return the page that posts the form again when it is worth it.

    Args:
        refused: The refusal ``key_pending`` or ``busy``, with its seconds.
        form: What was posted.
        action: Where it is posted to.
    """
    here = runtime()
    # The database may be what is waited for: who may frame the page is what was read of the platform last.
    registration = here.registry.remembered(refused.registration_id or "")
    if registration is not None:
        allow_framing({origin_of(registration.issuer), origin_of(registration.auth_url)})
    elif action != LAUNCH:
        # A login's form holds nothing that its sender does not know.
        allow_framing_by_anyone()
    since = first_posted(form) or here.clock()
    mark = here.signer(_PURPOSE).sign({"s": form.get("state", ""), "t": since.timestamp()}, STATE_SECONDS)
    # Half a second more, so that all who wait for the same moment come just after it.
    seconds = int(str(refused.message.values["seconds"])) + 0.5
    first = browser_language()
    parts = [
        {"language": code, "title": translate(_TITLE, code), "advice": translate(teacher_message(refused), code),
         "button": translate(_NOW, code)}
        for code in (first, *(code for code in LANGUAGES if code != first))
    ]  # fmt: skip
    fields = {**form, FIRST_POSTED: mark}
    page = render_template(
        "kopir/waiting.html",
        lang=first,
        parts=parts,
        fields=fields,
        wait=int(seconds * 1000),
        action=action,
    )
    # Neither a success nor an error: the launch is still being worked on (RFC 9110 §15.3.3).
    response = make_response(page, 202)
    response.headers["Retry-After"] = str(refused.message.values["seconds"])
    return response
