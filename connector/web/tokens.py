"""The token a page of a launch holds: proof against forged forms, and the session itself where no cookie lives.

It stands in the page, goes in a header or a hidden field, and never in an address. Every page brings a new one, and
an open page renews its own, so that a sitting may be long and a token short.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request

from connector.host.launches import SITTING, Session, session_of
from connector.web.state import from_our_page, runtime

TOKEN_FIELD, TOKEN_HEADER = "kopir_token", "X-Kopir-Token"
# Beside the token: the form only opens an address, as a link would.
GO_FIELD = "kopir_go"
OPENS_FOR = timedelta(hours=4)
_PAGE, _COOKIE = "page", "session.cookie"
_MARK = "~"


def token_for(launch_id: str, school_id: str) -> str:
    """Return a new token of a launch."""
    value = {"l": launch_id, "s": school_id, "i": runtime().clock().timestamp()}
    return runtime().signer(_PAGE).sign(value, SITTING.total_seconds())


def sent_token() -> str:
    """Return the token of this request, from its header or its form."""
    return request.headers.get(TOKEN_HEADER) or request.form.get(TOKEN_FIELD, "")


def token_holds(session: Session) -> bool:
    """Tell whether the request carries a token of this very launch."""
    sent = sent_token()
    value = runtime().signer(_PAGE).read(sent) if sent else None
    return value is not None and value.get("l") == session.launch_id


def session_by_token(launch_id: str) -> Session | None:
    """Return the session of a request that brings no cookie but the token of a page of ours.

    A form could be posted by any page, with a token of the poster's own launch: a form is believed only from our
    own pages. A header of ours cannot be sent by another site at all.
    """
    sent = sent_token()
    if not sent or not (TOKEN_HEADER in request.headers or from_our_page()):
        return None
    value = runtime().signer(_PAGE).read(sent)
    if value is None or value.get("l") != launch_id or "s" not in value:
        return None
    age = runtime().clock() - datetime.fromtimestamp(value["i"], runtime().clock().tzinfo)
    return session_of(runtime(), value["s"], launch_id) if age <= OPENS_FOR else None


def cookie_again(session: Session) -> str:
    """Return a cookie's value for a browser that lost the launch's own: the secret itself is not kept anywhere."""
    value = {"l": session.launch_id, "s": session.school_id}
    left = (session.expires_at - runtime().clock()).total_seconds()
    return _MARK + runtime().signer(_COOKIE).sign(value, left)


def session_by_cookie_again(launch_id: str, cookie: str) -> Session | None:
    """Return the session of such a cookie."""
    if not cookie.startswith(_MARK):
        return None
    value = runtime().signer(_COOKIE).read(cookie.removeprefix(_MARK))
    return session_of(runtime(), value["s"], launch_id) if value and value.get("l") == launch_id else None
