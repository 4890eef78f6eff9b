"""What a launch names, looked up in one statement; the rows of a known person are written only when something changed.

A school's morning is thousands of launches by people, courses and links that are known already: each costs one read
and one insert. What is new or changed goes through the same upsert as ever, so that two launches at once agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam, literal_column, select

from connector.base.ids import new_id
from connector.db.prepared import Prepared
from connector.db.tables.launches import account, activity, context, resource_link
from connector.db.types import Key
from connector.db.upsert import upsert

# How exact "seen last" is kept for people and courses; a link's decides where a result goes, and is kept exactly.
SEEN_EXACT = timedelta(hours=1)


def _name(name: str) -> BindParameter[str]:
    return bindparam(name, type_=Key)


_SCHOOL = _name("school")
_anchor = select(literal_column("1").label("one")).subquery("launch_anchor")
# What a launch may tell besides the key, and is compared with what is stored.
_TOLD: dict[str, tuple[Table, tuple[str, ...]]] = {
    "account": (account, ("registration_id", "display_name", "family_name", "given_name", "sourcedid")),
    "context": (context, ("registration_id", "label", "title", "memberships_url", "line_items_url", "scopes")),
    "link": (resource_link, ("title", "line_item_url", "activity", "claimed")),
}
_QUERY = Prepared(
    select(
        activity.c.id.label("activity"),
        activity.c.context.label("activity_context"),
        activity.c.removed_at.label("activity_removed_at"),
        *(
            table.c[name].label(f"{prefix}_{name}")
            for prefix, (table, names) in _TOLD.items()
            for name in ("id", "seen_at", *names)
        ),
    )
    .select_from(_anchor)
    .outerjoin(
        account,
        (account.c.school_id == _SCHOOL) & (account.c.issuer == _name("issuer")) & (account.c.sub == _name("sub")),
    )
    .outerjoin(
        context,
        (context.c.school_id == _SCHOOL)
        & (context.c.issuer == _name("issuer"))
        & (context.c.deployment_id == _name("deployment"))
        & (context.c.context_id == _name("context")),
    )
    .outerjoin(
        resource_link,
        (resource_link.c.school_id == _SCHOOL)
        & (resource_link.c.context == context.c.id)
        & (resource_link.c.link_id == _name("link")),
    )
    .outerjoin(activity, (activity.c.school_id == _SCHOOL) & (activity.c.id == _name("activity")))
)


class Known:
    """The rows a launch names, as far as they are there already."""

    def __init__(self, db: Connection, row: Mapping[str, Any]) -> None:
        """Keep the transaction and what it read."""
        self._db = db
        self._row = row

    @property
    def activity_id(self) -> str | None:
        """The activity the launch asks for, when this school has it."""
        found: str | None = self._row["activity"]
        return found

    @property
    def activity_course(self) -> str | None:
        """The course that activity was placed in, by our id."""
        found: str | None = self._row["activity_context"]
        return found

    @property
    def activity_stands(self) -> bool:
        """Whether the activity is there and was not removed."""
        return self._row["activity"] is not None and self._row["activity_removed_at"] is None

    @property
    def link_id(self) -> str | None:
        """Our id of the link, when it was launched before."""
        found: str | None = self._row["link_id"]
        return found

    def opens(self, claimed: str) -> bool:
        """Tell whether the link opens an activity already, found for what the LMS claims it to be for."""
        row = self._row
        return row["link_activity"] is not None and claimed in (row["link_claimed"], row["link_activity"])

    def keep(
        self, prefix: str, table: Table, values: Mapping[str, Any], key: Sequence[str], keep: Sequence[str] = ()
    ) -> str:
        """Return the id of a row that is as the launch tells it, writing it if it is new, changed or long unseen.

        Args:
            prefix: ``account``, ``context`` or ``link``.
            table: Its table.
            values: Every column the launch tells, ``seen_at`` among them, without the id.
            key: The columns that tell whether the row is there already.
            keep: Columns that a known row keeps, whatever the values say.
        """
        found = self._row[f"{prefix}_id"]
        if found is not None and self._same(prefix, values, (*key, *keep, "seen_at")):
            return str(found)
        return str(upsert(self._db, table, {**values, "id": new_id()}, key, keep=(*keep, "id")).id)

    def _same(self, prefix: str, values: Mapping[str, Any], besides: Sequence[str]) -> bool:
        row = self._row
        if values["seen_at"] - row[f"{prefix}_seen_at"] >= self._exactness(prefix):
            return False
        return all(row[f"{prefix}_{name}"] == value for name, value in values.items() if name not in besides)

    def _exactness(self, prefix: str) -> timedelta:
        return timedelta() if prefix == "link" and self._row["link_activity"] is not None else SEEN_EXACT


def look_up(db: Connection, school_id: str, names: Mapping[str, str]) -> Known:
    """Read what a launch names: ``issuer``, ``sub``, ``deployment``, ``context``, ``link`` and ``activity``.

    A name the launch does not have is left out; no row has an empty one.
    """
    wanted = dict.fromkeys(("issuer", "sub", "deployment", "context", "link", "activity"), "")
    return Known(db, _QUERY.one(db, {**wanted, **names, "school": school_id}))
