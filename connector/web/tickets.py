"""One-use addresses for downloads, where no cookie lives: good for a minute, for one address, once.

A browser hands a download to a part of itself that knows an address and nothing of the page's form.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from flask import request

from connector.base.ids import is_id
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.launches import ticket
from connector.host.launches import Session, session_of
from connector.web.state import runtime

TICKET_FIELD = "kopir_ticket"
GOOD_FOR = timedelta(seconds=60)


def one_use_address(session: Session) -> str:
    """Return this request's own address with a ticket that opens it once, within a minute."""
    secret, now = new_token(), runtime().clock()
    values = {
        "school_id": session.school_id, "hash": fingerprint(secret), "launch": session.launch_id,
        "path": _path(), "expires_at": now + GOOD_FOR,
    }  # fmt: skip
    with runtime().database.school(session.school_id) as db:
        over = (ticket.c.school_id == session.school_id) & (ticket.c.expires_at < now)
        db.execute(ticket.delete().where(over))
        db.execute(ticket.insert().values(values))
    query = [*_query(), (TICKET_FIELD, f"{session.school_id}.{secret}")]
    return f"{request.path}?{urlencode(query)}"


def session_by_ticket(launch_id: str) -> Session | None:
    """Return the session of a request that spends its ticket; whatever comes of it, the ticket is gone."""
    school_id, _, secret = request.args.get(TICKET_FIELD, "").partition(".")
    if request.method != "GET" or not (is_id(school_id) and is_id(launch_id) and secret and secret.isascii()):
        return None
    mine = (ticket.c.school_id == school_id) & (ticket.c.hash == fingerprint(secret)) & (ticket.c.launch == launch_id)
    with runtime().database.school(school_id) as db:
        row = db.execute(ticket.delete().where(mine).returning(ticket.c.path, ticket.c.expires_at)).first()
    if row is None or row.path != _path() or row.expires_at <= runtime().clock():
        return None
    return session_of(runtime(), school_id, launch_id)


def _query() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.args.items(multi=True) if name != TICKET_FIELD]


def _path() -> str:
    return f"{request.path}?{urlencode(_query())}"
