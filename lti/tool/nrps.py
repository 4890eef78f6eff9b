"""The roster of a course (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from connector.base.errors import KopirError
from connector.base.outbound import Outbound
from lti.profiles import profile_for
from lti.tool.claims import Context, Names, parse_names
from lti.tool.links import find_link, same_origin, walk_pages, with_query
from lti.tool.ports import Registration
from lti.tool.roles import Role, parse_roles
from lti.tool.service import ServiceClient, unreadable
from lti.tool.tokens import TokenSource
from lti.tool.wire import text
from lti.vocab import Media, Scope


@dataclass(frozen=True)
class Member:
    """One person of the roster.

    Attributes:
        user_id: The person's ``sub`` at the platform.
        roles: The known roles. Moodle calls a non-editing teacher a Learner here, but an Instructor at launch.
        status: Active, Inactive or Deleted; Active when not said (NRPS 2.0 §2.2).
        names: Name and e-mail as far as sent.
        sourcedid: The SIS id; in Moodle the idnumber.
        username: Moodle's login name (``ext_user_username``).
        groups: Ids of the course groups the person is in (Course Groups 1.0 §2.3), where the platform says so.
        legacy_id: The person's user id of LTI 1.1 (``lti11_legacy_user_id``, NRPS 2.0 §2.2).
    """

    user_id: str
    roles: frozenset[Role]
    status: str = "Active"
    names: Names = field(default_factory=Names, repr=False)
    sourcedid: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    groups: tuple[str, ...] = ()
    legacy_id: str | None = None

    @classmethod
    def parse(cls, value: object) -> Member | None:
        """Read one member; None when it has no user id."""
        if not isinstance(value, dict):
            return None
        user_id, roles = text(value.get("user_id")), value.get("roles")
        if user_id is None:
            return None
        return cls(
            user_id=user_id,
            roles=parse_roles(roles if isinstance(roles, list) else ()),
            status=text(value.get("status")) or "Active",
            names=parse_names(value),
            sourcedid=text(value.get("lis_person_sourcedid")),
            username=text(value.get("ext_user_username")),
            groups=tuple(_group_ids(value.get("group_enrollments"))),
            legacy_id=text(value.get("lti11_legacy_user_id")),
        )


@dataclass(frozen=True)
class Roster:
    """What was read of a course's roster.

    Attributes:
        context: The course.
        members: Everyone read, each once.
        complete: Every page was read, every member understood, and nobody came twice (which would mean that the
            list moved while it was read).
        filtered: A role, a limit to one link, or both were asked for.
        problem: Why it is not complete, when a call failed.
        differences_url: Where the platform will tell what changed after this read (``rel="differences"``, NRPS 2.0
            §2.4.2); opaque, and None where it does not offer that.
    """

    context: Context | None
    members: tuple[Member, ...] = field(repr=False)
    complete: bool
    filtered: bool = False
    problem: KopirError | None = None
    differences_url: str | None = field(default=None, repr=False)

    @property
    def proves_absence(self) -> bool:
        """Whether somebody who is not here is not in the course: only after a complete, unfiltered read."""
        return self.complete and not self.filtered


class NamesAndRolesService:
    """The rosters of one deployment of one platform."""

    def __init__(self, http: Outbound, tokens: TokenSource, registration: Registration, deployment_id: str) -> None:
        """Take the outbound session, the token source and whose rosters they are."""
        self._client = ServiceClient(http, tokens, registration, deployment_id)

    def read_members(
        self, url: str, *, limit: int | None = None, role: str | None = None, rlid: str | None = None
    ) -> Roster:
        """Read the roster page by page, following the platform's own links.

        Args:
            url: ``context_memberships_url`` of the launch.
            limit: Page size to ask for, the product's largest by default; all pages are read whatever it is.
            role: Only this role (URI or short name).
            rlid: Only who can see this resource link.

        Raises:
            KopirError: The first page could not be read. A later failure gives an incomplete roster.
        """
        size = limit or profile_for(self._client.registration.profile).roster_limit
        first = with_query(url, limit=None if size is None else str(size), role=role, rlid=rlid)
        return self._read(_Reader(self._client), first, filtered=role is not None or rlid is not None)

    def read_differences(self, url: str) -> Roster:
        """Read who came, changed or left (status ``Deleted``) since the read that gave this address.

        Raises:
            KopirError: The first page could not be read. A later failure gives an incomplete answer.
        """
        return self._read(_Reader(self._client, moving=True), url, filtered=True)

    def _read(self, reader: _Reader, first: str, *, filtered: bool) -> Roster:
        repeats = profile_for(self._client.registration.profile).link_query_repeated
        problem: KopirError | None = None
        try:
            for _ in walk_pages(first, reader.page, repeats=repeats):
                pass
        except KopirError as error:
            if reader.pages == 0:
                raise
            problem = error
        complete = problem is None and not reader.flawed
        return Roster(
            context=reader.context,
            members=tuple(reader.members.values()),
            complete=complete,
            filtered=filtered,
            problem=problem,
            differences_url=reader.differences_url if complete else None,
        )


class _Reader:
    """Collects the members of successive pages."""

    def __init__(self, client: ServiceClient, *, moving: bool = False) -> None:
        self._client = client
        self._moving = moving
        self.context: Context | None = None
        self.members: dict[str, Member] = {}
        self.differences_url: str | None = None
        self.flawed = False
        self.pages = 0

    def page(self, url: str) -> tuple[None, str | None]:
        value, reply = self._client.read(url, (Scope.MEMBERSHIP_READONLY,), Media.MEMBERS)
        members = value.get("members") if isinstance(value, dict) else None
        if not isinstance(members, list):
            raise unreadable()
        self.context = self.context or _context(value.get("context"))
        for entry in members:
            self._add(Member.parse(entry))
        self.pages += 1
        header = reply.headers.get("link")
        differences = find_link(header, "differences", url)
        if differences is not None and same_origin(differences, url):
            self.differences_url = differences
        return None, header

    def _add(self, member: Member | None) -> None:
        if member is None or (member.user_id in self.members and not self._moving):
            self.flawed = True
        else:
            # Among differences a person may be named twice: what was said last holds.
            self.members[member.user_id] = member


def _group_ids(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else ():
        found = text(item.get("group_id")) if isinstance(item, dict) else None
        if found is not None:
            yield found


def _context(value: object) -> Context | None:
    if not isinstance(value, dict) or text(value.get("id")) is None:
        return None
    return Context(str(value["id"]), text(value.get("label")), text(value.get("title")))
