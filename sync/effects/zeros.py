"""Zeros of ours that a platform holds and does not show: what the ledger proves of a blank cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from sync.effects.ledger import floor_second
from sync.effects.records import State
from sync.effects.tables import effect

ZERO_NOT_SHOWN = "zero_not_shown"


@dataclass(frozen=True)
class KnownZero:
    """A zero that a platform took.

    Attributes:
        stamp: The second it carried, which a platform with times shows as the mark's own.
        maximum: What it was out of.
        accepted: The platform answered that it took it; else it only refused it as not newer than what is there.
    """

    stamp: datetime
    maximum: str | None
    accepted: bool

    def explains(self, changed_at: datetime | None) -> bool:
        """Tell whether a blank cell is this zero.

        Args:
            changed_at: The cell's own time as the platform gives it now, or None where it gives none.
        """
        if changed_at is None:
            return self.accepted
        return floor_second(changed_at) == floor_second(self.stamp)


def hidden_zeros(db: Connection, school_id: str, system: str, items: Sequence[str]) -> dict[tuple[str, str], KnownZero]:
    """Return, by column and pupil, the cells whose newest write is a zero of ours that was taken and is not shown.

    A write that never left (planned, or superseded before it was sent) changed nothing; any other that is newer, be
    it under way, refused or given up for another's mark, makes the cell unknown again.
    """
    left = (effect.c.attempts > 0) | effect.c.state.not_in((State.PLANNED, State.SUPERSEDED))
    here = (effect.c.school_id == school_id, effect.c.system == system, effect.c.item.in_(items))
    newest = (
        select(effect.c.item, effect.c.person, func.max(effect.c.id).label("id"))
        .where(*here, left)
        .group_by(effect.c.item, effect.c.person)
        .subquery("newest")
    )
    query = (
        select(effect.c.item, effect.c.person, effect.c.stamp, effect.c.after_maximum, effect.c.state)
        .join(newest, and_(effect.c.school_id == school_id, effect.c.id == newest.c.id))
        .where(
            effect.c.after == "0",
            effect.c.reason == ZERO_NOT_SHOWN,
            effect.c.state.in_((State.DELIVERED, State.ALREADY)),
        )
    )
    return {
        (row.item, row.person): KnownZero(row.stamp, row.after_maximum, row.state == State.DELIVERED)
        for row in db.execute(query)
    }
