"""A roster followed over time: read whole once, then by what changed since, where the platform tells that.

Source: NRPS 2.0 §2.4.2 (``rel="differences"``, status ``Deleted``). The address of the differences is opaque and
belongs to one read, so that it is kept together with what that read showed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from connector.base.errors import KopirError
from lti.tool.claims import Context, Names
from lti.tool.nrps import Member, NamesAndRolesService, Roster
from lti.tool.roles import Role

# A whole read at least this often, so that a difference that was lost at the platform is not lost here for ever.
WHOLE_AFTER = timedelta(hours=24)
GONE = "Deleted"


@dataclass(frozen=True)
class KeptRoster:
    """What the last read showed, and where the platform tells what changed since.

    Attributes:
        context: The course.
        members: Everyone in it, the suspended too.
        differences_url: Where to ask next.
        whole_at: When it was read whole (aware, UTC).
    """

    context: Context | None
    members: tuple[Member, ...] = field(repr=False)
    differences_url: str = field(repr=False)
    whole_at: datetime

    def to_value(self) -> dict[str, Any]:
        """Return it as JSON's kinds; personal, so that whoever keeps it seals it."""
        context = self.context
        return {
            "context": None if context is None else [context.id, context.label, context.title],
            "members": [_to_value(member) for member in self.members],
            "differences": self.differences_url,
            "whole_at": self.whole_at.isoformat(),
        }

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> KeptRoster:
        """Read what ``to_value`` wrote."""
        context = None if value["context"] is None else Context(*value["context"])
        members = tuple(_from_value(member) for member in value["members"])
        return cls(context, members, value["differences"], datetime.fromisoformat(value["whole_at"]))


class RosterStore(Protocol):
    """Keeps one roster per membership address."""

    def load(self, url: str) -> KeptRoster | None:
        """Return what was kept, or None."""

    def save(self, url: str, kept: KeptRoster) -> None:
        """Replace what was kept."""

    def drop(self, url: str) -> None:
        """Forget it."""


def follow(service: NamesAndRolesService, url: str, store: RosterStore, now: datetime) -> Roster:
    """Return the whole roster of a course, asking only for what changed where that is possible.

    Platforms without differences are read whole each time; comparing with what was known is then the caller's.

    Args:
        service: The roster service of the course's deployment.
        url: ``context_memberships_url`` of the launch.
        store: Where rosters are kept.
        now: The present instant.

    Raises:
        KopirError: The first page of the whole roster could not be read.
    """
    kept = store.load(url)
    if kept is not None and now - kept.whole_at < WHOLE_AFTER:
        brought = _catch_up(service, kept)
        if brought is not None:
            store.save(url, brought)
            return Roster(brought.context, brought.members, complete=True, differences_url=brought.differences_url)
    roster = service.read_members(url)
    if roster.proves_absence and roster.differences_url:
        members = tuple(member for member in roster.members if member.status != GONE)
        roster = replace(roster, members=members)
        store.save(url, KeptRoster(roster.context, members, roster.differences_url or "", now))
    elif kept is not None:
        store.drop(url)
    return roster


def _catch_up(service: NamesAndRolesService, kept: KeptRoster) -> KeptRoster | None:
    """Return what was kept, brought up to date; None when the platform does not tell all of what changed."""
    try:
        found = service.read_differences(kept.differences_url)
    except KopirError:
        # An address that is over, or a platform that is down: the whole read that follows tells which.
        return None
    if not found.complete:
        return None
    members = merge(kept.members, found.members)
    return replace(kept, members=members, differences_url=found.differences_url or kept.differences_url)


def merge(before: tuple[Member, ...], differences: tuple[Member, ...]) -> tuple[Member, ...]:
    """Return the members after the differences: who is Deleted is out, everyone else is as told now."""
    people = {member.user_id: member for member in before}
    for member in differences:
        if member.status == GONE:
            people.pop(member.user_id, None)
        else:
            people[member.user_id] = member
    return tuple(people.values())


def _to_value(member: Member) -> dict[str, Any]:
    names = member.names
    return {
        "id": member.user_id, "roles": sorted(map(str, member.roles)), "status": member.status,
        "names": [names.given, names.family, names.middle, names.full, names.email],
        "sourcedid": member.sourcedid, "username": member.username, "groups": list(member.groups),
        "legacy": member.legacy_id,
    }  # fmt: skip


def _from_value(value: dict[str, Any]) -> Member:
    return Member(
        user_id=value["id"],
        roles=frozenset(Role(role) for role in value["roles"]),
        status=value["status"],
        names=Names(*value["names"]),
        sourcedid=value["sourcedid"],
        username=value["username"],
        groups=tuple(value["groups"]),
        legacy_id=value["legacy"],
    )
