"""Who may use the console: one-use invitations from the command line, and sessions of a working day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from connector.base.ids import is_id
from connector.base.secrets import fingerprint, new_token
from connector.db.tables.console import operator_invitation, operator_session
from connector.host.runtime import Runtime

INVITATION = timedelta(minutes=15)
SESSION = timedelta(hours=10)


@dataclass(frozen=True)
class Operator:
    """Who is signed in to the console, and in which school."""

    school_id: str
    name: str
    session: str


def invite(runtime: Runtime, school_id: str, operator: str) -> str:
    """Make a one-use address of the console's sign-in."""
    token = new_token()
    values = {
        "school_id": school_id, "hash": fingerprint(token), "operator": operator,
        "expires_at": runtime.clock() + INVITATION,
    }  # fmt: skip
    with runtime.database.school(school_id) as db:
        db.execute(operator_invitation.insert().values(values))
    return f"{runtime.settings.public_url}/console/enter/{school_id}.{token}"


def enter(runtime: Runtime, ticket: str) -> str | None:
    """Spend an invitation; return the session's cookie value, or None when it is spent, old or wrong."""
    school_id, _, token = ticket.partition(".")
    if not is_id(school_id):
        return None
    now, secret = runtime.clock(), new_token()
    with runtime.database.school(school_id) as db:
        spent = db.execute(
            operator_invitation.delete()
            .where(
                operator_invitation.c.school_id == school_id,
                operator_invitation.c.hash == fingerprint(token),
                operator_invitation.c.expires_at > now,
            )
            .returning(operator_invitation.c.operator)
        ).first()
        if spent is None:
            return None
        db.execute(operator_session.delete().where(
            operator_session.c.school_id == school_id, operator_session.c.expires_at <= now
        ))  # fmt: skip
        values = {
            "school_id": school_id, "hash": fingerprint(secret), "operator": spent.operator,
            "expires_at": now + SESSION,
        }  # fmt: skip
        db.execute(operator_session.insert().values(values))
    return f"{school_id}.{secret}"


def find_operator(runtime: Runtime, cookie: str) -> Operator | None:
    """Return who holds a session's cookie."""
    school_id, _, secret = cookie.partition(".")
    if not is_id(school_id):
        return None
    query = select(operator_session).where(
        operator_session.c.school_id == school_id, operator_session.c.hash == fingerprint(secret)
    )
    with runtime.database.school(school_id, write=False) as db:
        row = db.execute(query).first()
    if row is None or row.expires_at <= runtime.clock():
        return None
    return Operator(school_id, row.operator, row.hash)


def leave(runtime: Runtime, operator: Operator) -> None:
    """End a session."""
    with runtime.database.school(operator.school_id) as db:
        db.execute(operator_session.delete().where(
            operator_session.c.school_id == operator.school_id, operator_session.c.hash == operator.session
        ))  # fmt: skip
