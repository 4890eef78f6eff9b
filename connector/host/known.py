"""What a launch names, looked up in one statement; the rows of a known person are written only when something changed.

A school's morning is thousands of launches by people, courses and links that are known already: each costs one read
and one insert. What is new or changed goes through the same upsert as ever, so that two launches at once agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, literal, select

from connector.db.tables.launches import account, activity, context, resource_link
from connector.db.upsert import upsert

# How exact "seen last" is kept for people and courses; a link's decides where a result goes, and is kept exactly.
SEEN_EXACT = timedelta(hours=1)

_SCHOOL = bindparam("school")
_anchor = select(literal(1).label("one")).subquery("launch_anchor")


def _columns(prefix: str, table: Table) -> list[Any]:
    return [column.label(f"{prefix}_{column.name}") for column in table.c]


_QUERY = (
    select(
        *_columns("account", account), *_columns("context", context), *_columns("link", resource_link),
        activity.c.id.label("activity"),
    )
    .select_from(_anchor)
    .outerjoin(
        account,
        (account.c.school_id == _SCHOOL) & (account.c.issuer == bindparam("issuer"))
        & (account.c.sub == bindparam("sub")),
    )
    .outerjoin(
        context,
        (context.c.school_id == _SCHOOL) & (context.c.issuer == bindparam("issuer"))
        & (context.c.deployment_id == bindparam("deployment"))
        & (context.c.context_id == bindparam("context")),
    )
    .outerjoin(
        resource_link,
        (resource_link.c.school_id == _SCHOOL) & (resource_link.c.context == context.c.id)
        & (resource_link.c.link_id == bindparam("link")),
    )
    .outerjoin(activity, (activity.c.school_id == _SCHOOL) & (activity.c.id == bindparam("activity")))
)  # fmt: skip


class Known:
    """The rows a launch names, as far as they are there already."""

    def __init__(self, db: Connection, row: Row[Any]) -> None:
        """Keep the transaction and what it read."""
        self._db = db
        self._row = row._mapping

    @property
    def activity_id(self) -> str | None:
        """The activity the launch asks for, when this school has it."""
        found: str | None = self._row["activity"]
        return found

    def keep(
        self, prefix: str, table: Table, values: Mapping[str, Any], key: Sequence[str], keep: Sequence[str] = ("id",)
    ) -> str:
        """Return the id of a row that is as the launch tells it, writing it if it is new, changed or long unseen."""
        found = self._row.get(f"{prefix}_id")
        if found is not None and self._same(prefix, values, keep):
            return str(found)
        return str(upsert(self._db, table, values, key, keep=keep).id)

    def _same(self, prefix: str, values: Mapping[str, Any], keep: Sequence[str]) -> bool:
        seen: datetime = self._row[f"{prefix}_seen_at"]
        if values["seen_at"] - seen >= self._exactness(prefix):
            return False
        told = (name for name in values if name not in keep and name != "seen_at")
        return all(self._row[f"{prefix}_{name}"] == values[name] for name in told)

    def _exactness(self, prefix: str) -> timedelta:
        return timedelta() if prefix == "link" and self._row["link_activity"] is not None else SEEN_EXACT


def look_up(db: Connection, school_id: str, names: Mapping[str, str]) -> Known:
    """Read what a launch names: ``issuer``, ``sub``, ``deployment``, ``context``, ``link`` and ``activity``.

    A name the launch does not have is left out; no row has an empty one.
    """
    wanted = dict.fromkeys(("issuer", "sub", "deployment", "context", "link", "activity"), "")
    return Known(db, db.execute(_QUERY, {**wanted, **names, "school": school_id}).one())
