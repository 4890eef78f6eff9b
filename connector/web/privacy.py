"""The page behind a data-privacy launch: what is kept about a person, a copy of it, and the wish to have it erased."""

from __future__ import annotations

import json
from typing import Any

from flask import abort, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WsgiResponse

from connector.base.i18n import N_
from connector.host import privacy
from connector.host.launches import Session
from connector.web.launched import address, blueprint, frame_of, session_of
from connector.web.state import runtime
from lti.vocab import MessageType

__all__ = ["blueprint"]
_KINDS = (
    ("account", N_("Name and number in the LMS")),
    ("launches", N_("When which course was opened")),
    ("results", N_("Results and marks")),
    ("activities", N_("Answers, measurements and works in the activities")),
    ("tools", N_("What other vendors' tools said, and the made-up names they know you under")),
)


@blueprint.get("/privacy")
def show_privacy() -> WsgiResponse:
    """Show what is kept, in words and numbers; the data itself is in the copy."""
    session = _session()
    account_id = privacy.subject_of(runtime(), session)
    values = frame_of(session).values()
    if account_id is None:
        return make_response(render_template("kopir/privacy_none.html", **values))
    kept = privacy.about(runtime(), session.school_id, account_id)
    page = render_template(
        "kopir/privacy.html",
        **values,
        kinds=[(words, _count(kept[name])) for name, words in _KINDS],
        person=kept["account"]["display_name"],
        own=account_id == session.account_id,
        wish=privacy.wish_of(runtime(), session.school_id, account_id),
        copy_url=address("privacy/copy"),
        erase_url=address("privacy/erase"),
        asked=request.args.get("unsure") == "1",
    )
    return make_response(page)


def _session() -> Session:
    session = session_of()
    if session.message_type != MessageType.DATA_PRIVACY or session.account_id is None:
        abort(404)
    return session


def _subject(session: Session) -> str:
    return privacy.subject_of(runtime(), session) or abort(404)


def _count(value: Any) -> int:
    """Return how many entries there are in what a kind holds."""
    if isinstance(value, dict):
        return sum(_count(item) if isinstance(item, list | dict) else 1 for item in value.values())
    return len(value)


@blueprint.post("/privacy/copy")
def copy_privacy() -> WsgiResponse:
    """Give the copy as a file any program reads."""
    session = _session()
    kept = privacy.about(runtime(), session.school_id, _subject(session))
    response = make_response(json.dumps(kept, ensure_ascii=False, indent=2, default=str))
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="kopir-data.json"'
    return response


@blueprint.post("/privacy/erase")
def erase_privacy() -> WsgiResponse:
    """Take down the wish to be erased, once it was confirmed."""
    session = _session()
    account_id = _subject(session)
    if request.form.get("sure") != "yes":
        return redirect(address("privacy", unsure="1"), 303)
    privacy.wish_to_be_erased(runtime(), session, account_id)
    return redirect(address("privacy"), 303)
