"""What Kopir keeps about a person, for that person to see, and the wish to have it erased (law 94-V, article 24)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from connector.base.ids import is_id, new_id
from connector.base.log import get_logger
from connector.db.tables.launches import account, activity, context, launch, result
from connector.db.tables.privacy import privacy_request
from connector.host.launches import Session
from connector.host.runtime import Runtime
from connector.host.tools.scores import export_person as tools_know

ERASE = "erase"
_ACCOUNT = ("issuer", "sub", "display_name", "family_name", "given_name", "sourcedid", "language", "seen_at")
log = get_logger("host.privacy")


@dataclass(frozen=True)
class Wish:
    """A wish to be erased.

    Attributes:
        id: Our id.
        account_id: Whom it is about.
        by_person: Whether the person asked, else an administrator.
        state: ``open``, ``done`` or ``declined``.
        asked_at: When.
        settled_at: When it was done or declined.
    """

    id: str
    account_id: str
    by_person: bool
    state: str
    asked_at: datetime
    settled_at: datetime | None


def subject_of(runtime: Runtime, session: Session) -> str | None:
    """Return the account a data-privacy launch is about.

    Somebody else's is for an administrator of the LMS only; whoever is no administrator sees their own.

    Returns:
        None when nothing is kept of that person.
    """
    named = session.details.get("for_user")
    if named is None or not session.details.get("administrator"):
        return session.account_id
    issuer = select(account.c.issuer).where(
        account.c.school_id == session.school_id, account.c.id == session.account_id
    )
    query = select(account.c.id).where(
        account.c.school_id == session.school_id,
        account.c.sub == named,
        account.c.issuer == issuer.scalar_subquery(),
    )
    with runtime.database.school(session.school_id, write=False) as db:
        return db.execute(query).scalar_one_or_none()


def about(runtime: Runtime, school_id: str, account_id: str) -> dict[str, Any]:
    """Return everything kept about a person, as JSON's kinds, under the names of its kinds."""
    with runtime.database.school(school_id, write=False) as db:
        mine = (account.c.school_id == school_id) & (account.c.id == account_id)
        row = db.execute(select(*(account.c[name] for name in _ACCOUNT)).where(mine)).mappings().one()
        return {
            "account": {name: _plain(value) for name, value in row.items()},
            "launches": _launches(db, school_id, account_id),
            "results": _results(db, school_id, account_id),
            "activities": {
                plugin_id: plugin.export_person(db, school_id, account_id)
                for plugin_id, plugin in runtime.plugins.items()
            },
            "tools": tools_know(db, school_id, account_id),
        }


def _launches(db: Connection, school_id: str, account_id: str) -> list[dict[str, Any]]:
    query = (
        select(context.c.title.label("course"), launch.c.role, func.count().label("times"),
               func.min(launch.c.created_at).label("first"), func.max(launch.c.created_at).label("last"))
        .select_from(launch)
        .outerjoin(context, (context.c.school_id == launch.c.school_id) & (context.c.id == launch.c.context))
        .where(launch.c.school_id == school_id, launch.c.account == account_id)
        .group_by(context.c.title, launch.c.role)
        .order_by(func.max(launch.c.created_at).desc())
    )  # fmt: skip
    return [{name: _plain(value) for name, value in row.items()} for row in db.execute(query).mappings()]


def _results(db: Connection, school_id: str, account_id: str) -> list[dict[str, Any]]:
    query = (
        select(activity.c.title, result.c.score_given, result.c.score_maximum, result.c.comment, result.c.progress,
               result.c.finished_at)
        .join(activity, (activity.c.school_id == result.c.school_id) & (activity.c.id == result.c.activity))
        .where(result.c.school_id == school_id, result.c.account == account_id)
        .order_by(result.c.finished_at.desc())
    )  # fmt: skip
    return [{name: _plain(value) for name, value in row.items()} for row in db.execute(query).mappings()]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def wish_to_be_erased(runtime: Runtime, session: Session, account_id: str) -> Wish:
    """Take down a wish; asking again changes nothing while it is open."""
    now = runtime.clock()
    values = {
        "school_id": session.school_id, "id": new_id(), "account": account_id, "asked_by": session.account_id,
        "kind": ERASE, "state": "open", "asked_at": now,
    }  # fmt: skip
    with runtime.database.school(session.school_id) as db:
        known = _wishes(db, session.school_id, privacy_request.c.account == account_id)
        if not known or known[0].state != "open":
            db.execute(privacy_request.insert().values(values))
            known = _wishes(db, session.school_id, privacy_request.c.account == account_id)
            log.info("erasure_asked", request=values["id"], school=session.school_id)
    return known[0]


def wish_of(runtime: Runtime, school_id: str, account_id: str) -> Wish | None:
    """Return a person's latest wish to be erased, or None."""
    with runtime.database.school(school_id, write=False) as db:
        found = _wishes(db, school_id, privacy_request.c.account == account_id)
    return found[0] if found else None


def wishes(runtime: Runtime, school_id: str) -> Sequence[Wish]:
    """Return a school's wishes to be erased, the newest first."""
    with runtime.database.school(school_id, write=False) as db:
        return _wishes(db, school_id, privacy_request.c.kind == ERASE)


def _wishes(db: Connection, school_id: str, condition: Any) -> list[Wish]:
    table = privacy_request.c
    query = (
        select(privacy_request)
        .where(table.school_id == school_id, condition)
        .order_by(table.asked_at.desc(), table.id.desc())
    )
    return [
        Wish(row.id, row.account, row.asked_by == row.account, row.state, row.asked_at, row.settled_at)
        for row in db.execute(query)
    ]


def settle(runtime: Runtime, school_id: str, wish_id: str, state: str) -> bool:
    """Note that an open wish was done or declined; False when there is no such open wish."""
    if not is_id(wish_id):
        return False
    mine = (privacy_request.c.school_id == school_id) & (privacy_request.c.id == wish_id)
    values: Mapping[str, Any] = {"state": state, "settled_at": runtime.clock()}
    with runtime.database.school(school_id) as db:
        done = db.execute(privacy_request.update().where(mine, privacy_request.c.state == "open").values(values))
        return done.rowcount == 1
