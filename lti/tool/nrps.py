"""The roster of a course (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.base.errors import KopirError
from connector.base.outbound import Outbound
from lti.tool.claims import Context, Names, parse_names
from lti.tool.links import walk_pages, with_query
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
    """

    user_id: str
    roles: frozenset[Role]
    status: str = "Active"
    names: Names = field(default_factory=Names, repr=False)
    sourcedid: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)

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
    """

    context: Context | None
    members: tuple[Member, ...] = field(repr=False)
    complete: bool
    filtered: bool = False
    problem: KopirError | None = None

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
            limit: Page size to ask for; all pages are read whatever it is.
            role: Only this role (URI or short name).
            rlid: Only who can see this resource link.

        Raises:
            KopirError: The first page could not be read. A later failure gives an incomplete roster.
        """
        first = with_query(url, limit=None if limit is None else str(limit), role=role, rlid=rlid)
        reader = _Reader(self._client)
        problem: KopirError | None = None
        try:
            for _ in walk_pages(first, reader.page):
                pass
        except KopirError as error:
            if reader.pages == 0:
                raise
            problem = error
        return Roster(
            context=reader.context,
            members=tuple(reader.members.values()),
            complete=problem is None and not reader.flawed,
            filtered=role is not None or rlid is not None,
            problem=problem,
        )


class _Reader:
    """Collects the members of successive pages."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.context: Context | None = None
        self.members: dict[str, Member] = {}
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
        return None, reply.headers.get("link")

    def _add(self, member: Member | None) -> None:
        if member is None or member.user_id in self.members:
            self.flawed = True
        else:
            self.members[member.user_id] = member


def _context(value: object) -> Context | None:
    if not isinstance(value, dict) or text(value.get("id")) is None:
        return None
    return Context(str(value["id"]), text(value.get("label")), text(value.get("title")))
