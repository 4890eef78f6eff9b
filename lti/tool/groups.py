"""The groups of a course and the sets they belong to (Course Groups Service 1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.base.outbound import Outbound
from lti.profiles import profile_for
from lti.tool.links import walk_pages, with_query
from lti.tool.ports import Registration
from lti.tool.service import ServiceClient, unreadable
from lti.tool.tokens import TokenSource
from lti.tool.wire import text
from lti.vocab import FurtherScope, Media


@dataclass(frozen=True)
class Group:
    """One group.

    Attributes:
        id: The platform's id of it, unique in the course.
        name: Its name; the id where the platform gives none.
        tag: The teacher's or the platform's mark of what it is for, or empty.
        set_id: The set it belongs to, or empty.
    """

    id: str
    name: str
    tag: str = ""
    set_id: str = ""


@dataclass(frozen=True)
class GroupSet:
    """A way the course was divided: laboratory groups, language groups."""

    id: str
    name: str


class CourseGroupsService:
    """The groups of one deployment of one platform.

    Both reads are whole, or an error is raised: ``TokenRefused``, ``TokenUnavailable``, the ``Service…`` errors of
    ``lti.errors``, or what ``Outbound.request`` raises. Who is in a group is told by the roster
    (``Member.groups``), or by asking for one person's groups.
    """

    def __init__(self, http: Outbound, tokens: TokenSource, registration: Registration, deployment_id: str) -> None:
        """Take the outbound session, the token source and whose groups they are."""
        self._client = ServiceClient(http, tokens, registration, deployment_id)

    def read_groups(self, url: str, *, user_id: str | None = None) -> list[Group]:
        """Return the course's groups, or one person's (§2.2)."""
        found = []
        for value in self._items(with_query(url, user_id=user_id), "groups", Media.GROUPS):
            group = _group(value)
            if group is None:
                raise unreadable()
            found.append(group)
        return found

    def read_sets(self, url: str) -> list[GroupSet]:
        """Return the course's sets of groups (§2.4)."""
        found = []
        for value in self._items(url, "sets", Media.GROUP_SETS):
            group = _group(value)
            if group is None:
                raise unreadable()
            found.append(GroupSet(group.id, group.name))
        return found

    def _items(self, first: str, name: str, accept: Media) -> Iterator[object]:
        def fetch(url: str) -> tuple[list[object], str | None]:
            value, reply = self._client.read(url, (FurtherScope.GROUPS_READONLY,), accept)
            items = value.get(name) if isinstance(value, dict) else None
            if not isinstance(items, list):
                raise unreadable()
            return items, reply.headers.get("link")

        repeats = profile_for(self._client.registration.profile).link_query_repeated
        for page in walk_pages(first, fetch, repeats=repeats):
            yield from page


def _group(value: object) -> Group | None:
    if not isinstance(value, dict):
        return None
    group_id = text(value.get("id"))
    if group_id is None:
        return None
    rest = (text(value.get(name)) or "" for name in ("tag", "set_id"))
    return Group(group_id, text(value.get("name")) or group_id, *rest)
