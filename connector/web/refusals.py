"""The page of a refused launch: in three languages, what to do; for the administrator, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, make_response, render_template

from connector.base.i18n import LANGUAGES, N_, say, translate
from connector.host.registry import origin_of
from connector.web.security import allow_framing, allow_framing_by_anyone
from connector.web.state import browser_language, runtime
from lti.errors import LaunchRefused
from lti.tool.refusals import teacher_message, with_error


@dataclass(frozen=True)
class Words:
    """What one language's part of the page says."""

    language: str
    title: str
    advice: str
    label: str
    detail: str
    back: str


def refusal_page(refused: LaunchRefused, status: int) -> Response:
    """Render a refusal; it can be framed by the platform it came from, so that the teacher sees it."""
    registration = runtime().registry.get(refused.registration_id) if refused.registration_id else None
    if registration is None:
        allow_framing_by_anyone()
    else:
        allow_framing({origin_of(registration.issuer), origin_of(registration.auth_url)})
    first = browser_language()
    # The LMS shows the sentence to the person and keeps the code in its log (Core 1.3 §5.4.4).
    back = with_error(refused.return_url, translate(teacher_message(refused), first), refused.reason)
    order = [first, *(language for language in LANGUAGES if language != first)]
    page = render_template(
        "kopir/refusal.html",
        lang=first,
        parts=[_words(refused, language) for language in order],
        code=refused.reason,
        clause=refused.clause,
        return_url=back,
    )
    return make_response(page, status)


def _words(refused: LaunchRefused, language: str) -> Words:
    return Words(
        language=language,
        title=translate(say(N_("The activity could not be opened")), language),
        advice=translate(teacher_message(refused), language),
        label=translate(say(N_("For the LMS administrator")), language),
        detail=translate(refused.message, language),
        back=translate(say(N_("Back to the course")), language),
    )
