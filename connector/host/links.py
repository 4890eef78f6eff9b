"""Which activity a link opens: its own, the one a person chose, or none while a copy has to be looked at."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from connector.db.tables.launches import activity, resource_link
from connector.host.known import Known

# The custom parameter that goes with every placed activity and comes back with every launch.
ACTIVITY_PARAMETER = "kopir_activity"


def close_former(db: Connection, known: Known, school_id: str, claimed: str) -> None:
    """Let a link go of what it opened, once, when the LMS says that it is for another activity now."""
    if known.link_id is None:
        return
    link = resource_link.c
    other = or_(link.claimed.is_(None), link.claimed != claimed)
    mine = (link.school_id == school_id) & (link.id == known.link_id) & (link.activity != claimed) & other
    db.execute(resource_link.update().where(mine).values(activity=None, claimed=claimed))


def is_its_own(db: Connection, known: Known, school_id: str, context_id: str) -> bool:
    """Tell whether the claimed activity was placed in this course and no other link opens it.

    If not, the course or the activity was copied in the LMS, and the activity's page says what happens then.
    """
    if not known.activity_stands or known.activity_course not in (None, context_id):
        return False
    # Two links that claim one activity for the first time take turns.
    mine = (activity.c.school_id == school_id) & (activity.c.id == known.activity_id)
    db.execute(select(activity.c.id).where(mine).with_for_update())
    taken = (resource_link.c.school_id == school_id) & (resource_link.c.activity == known.activity_id)
    holders = db.execute(select(resource_link.c.id).where(taken)).scalars()
    return all(holder == known.link_id for holder in holders)


def bind_activity(db: Connection, school_id: str, link: str, activity_id: str) -> None:
    """Bind a link made by hand in the LMS to an activity, once."""
    unbound = (
        (resource_link.c.school_id == school_id) & (resource_link.c.id == link) & resource_link.c.activity.is_(None)
    )
    db.execute(resource_link.update().where(unbound).values(activity=activity_id))
