"""Read and write one LMS through its Advantage services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connector.base.clock import Clock, utc_now
from connector.base.errors import Fatal, KopirError
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from connector.db.types import canonical
from lti.tool import ags
from lti.tool.nrps import Member, NamesAndRolesService, Roster
from lti.tool.ports import Registration
from lti.tool.roles import Role as LtiRole
from lti.tool.rosters import RosterStore, follow
from lti.tool.tokens import TokenSource
from sync.effects.zeros import KnownZero
from sync.model import AcademicSession, AttendanceMark, Group, Lesson, LineItem, Person, Result, Role
from sync.systems.contract import (
    Access,
    Capabilities,
    Cas,
    CellWrite,
    Evidence,
    Outcome,
    Read,
    Scope,
    WriteResult,
    Writing,
)
from sync.systems.lti_advantage.clocked import ClockedOutbound
from sync.systems.lti_advantage.evidence import WRITES, of_count, of_error

T = TypeVar("T")

CAPABILITIES = Capabilities(
    people=Access(read=True, reason=N_("NRPS lists a course's active members; it gives no birth date and no IIN.")),
    line_items=Access(read=True, write=Writing.YES, source="https://www.imsglobal.org/spec/lti-ags/v2p0#line-item"),
    results=Access(
        read=True,
        write=Writing.YES,
        cas=Cas.TIMESTAMP,
        # Moodle leaves a zero out of its results (mod/lti/service/gradebookservices), so none and 0 look alike.
        hides=frozenset({"0"}),
        reason=N_("A score carries the LMS's own time of our read, so that a later edit there refuses it."),
        source="https://www.imsglobal.org/spec/lti-ags/v2p0#score-service-scope-and-allowed-http-methods",
    ),
    attendance=Access(reason=N_("LTI has no attendance.")),
)


@dataclass(frozen=True)
class Course:
    """One course of the LMS, as its launches described it.

    Attributes:
        id: ``context.id`` of the launches.
        label: Short name.
        title: Full name.
        memberships_url: Where NRPS answers; empty when the LMS does not offer it.
        line_items_url: Where AGS answers; empty when the LMS does not offer it.
    """

    id: str
    label: str = ""
    title: str = ""
    memberships_url: str = ""
    line_items_url: str = ""


@dataclass(frozen=True)
class Platform:
    """One deployment of one LMS, and what Kopir knows of its courses.

    Attributes:
        registration: The LMS.
        deployment_id: The deployment whose courses these are.
        courses: What launches told of them.
        time_zone: The school's zone, to turn a column's last instant into a civil day.
    """

    registration: Registration
    deployment_id: str
    courses: Sequence[Course]
    time_zone: str = "Asia/Almaty"


class LtiAdvantageSystem:
    """The courses of one deployment of one LMS."""

    def __init__(
        self,
        key: str,
        http: Outbound,
        tokens: TokenSource,
        platform: Platform,
        *,
        staff: Callable[[], frozenset[str]] = frozenset,
        rosters: RosterStore | None = None,
        zeros: Callable[[str], Mapping[str, KnownZero]] = lambda _item: {},
        clock: Clock = utc_now,
    ) -> None:
        """Take the session, the tokens and whose courses they are.

        Args:
            key: ``kind:tenant`` as in the mapping's pair.
            http: Outbound session.
            tokens: Access tokens.
            platform: The deployment and its courses.
            staff: Users who launched as teachers or assistants. Moodle's roster calls an assistant a Learner.
            rosters: Where rosters are kept between two reads, for LMSs that tell what changed since.
            zeros: Our own zeros of a column that the LMS took and does not show, by user.
            clock: Our clock.
        """
        self._rosters = rosters
        self._zeros = zeros
        self._clock = clock
        self._key = key
        self._http = ClockedOutbound(http, clock)
        whose = (platform.registration, platform.deployment_id)
        self._ags = ags.AssignmentAndGradeService(self._http, tokens, *whose)
        self._nrps = NamesAndRolesService(self._http, tokens, *whose)
        self._courses = {course.id: course for course in platform.courses}
        self._staff = staff
        self._zone = ZoneInfo(platform.time_zone)
        self.issuer = platform.registration.issuer

    @property
    def key(self) -> str:
        """Return ``kind:tenant``."""
        return self._key

    @property
    def capabilities(self) -> Capabilities:
        """What can be read and written."""
        return CAPABILITIES

    def read_groups(self) -> Read[Group]:
        """Return the courses known from launches; the LMS offers no list, so this one never proves absence."""
        found = [Group(course.id, course.title or course.label, course.label) for course in self._courses.values()]
        return Read(tuple(found), Evidence.PARTIAL, self._http.now(), "known_from_launches")

    def read_people(self, scope: Scope) -> Read[Person]:
        """Return the active members of a course."""
        url = self._url(scope, "memberships_url")
        if not url:
            return self._nothing("not_offered")
        at = self._http.now()
        try:
            roster = self._roster(url)
        except KopirError as error:
            return Read((), of_error(error), at, error.reason)
        staff = self._staff()
        people = tuple(_person(member, staff) for member in roster.members)
        if not roster.proves_absence:
            reason = roster.problem.reason if roster.problem else "unclear_roster"
            return Read(people, Evidence.PARTIAL, at, reason)
        evidence, reason = of_count(sum(one.role is Role.PUPIL for one in people), scope.known_people)
        return Read(people, evidence, at, reason)

    def _roster(self, url: str) -> Roster:
        if self._rosters is None:
            return self._nrps.read_members(url)
        return follow(self._nrps, url, self._rosters, self._clock())

    def read_lessons(self, scope: Scope) -> Read[Lesson]:
        """Offer none: LTI knows no timetable."""
        return self._nothing("not_offered")

    def read_sessions(self, scope: Scope) -> Read[AcademicSession]:
        """Offer none: LTI knows no reporting periods."""
        return self._nothing("not_offered")

    def read_line_items(self, scope: Scope) -> Read[LineItem]:
        """Return the columns this tool has in the course."""
        url = self._url(scope, "line_items_url")
        if not url:
            return self._nothing("not_offered")
        at = self._http.now()
        try:
            items = tuple(self._item(item) for item in self._ags.list_line_items(url))
        except KopirError as error:
            return Read((), of_error(error), at, error.reason)
        evidence, reason = of_count(len(items), scope.known_items)
        return Read(items, evidence, at, reason)

    def read_results(self, scope: Scope, items: Sequence[LineItem]) -> Read[Result]:
        """Return every mark of the columns.

        A result without a score is left out, it may be a zero or none; unless it is a zero of our own that the LMS
        took and nobody has touched since.
        """
        at = self._http.now()
        found: list[Result] = []
        for item in items:
            try:
                rows = self._ags.read_results(item.id)
            except KopirError as error:
                # One unreadable column makes the whole scope incomplete; what was read stays a fact.
                evidence = of_error(error)
                return Read(tuple(found), Evidence.PARTIAL if found else evidence, at, error.reason)
            found += [_result(item.id, row, row.score) for row in rows if row.score is not None]
            found += self._own_zeros(item, rows)
        return Read(tuple(found), Evidence.COMPLETE, at)

    def _own_zeros(self, item: LineItem, rows: Sequence[ags.Result]) -> list[Result]:
        shown = {row.user_id: row for row in rows}
        found = []
        for person, zero in self._zeros(item.id).items():
            row = shown.get(person)
            changed_at = row.timestamp if row is not None else None
            if (row is None or row.score is None) and zero.explains(changed_at):
                found.append(Result(item.id, person, "0", item.maximum, zero.stamp))
        return found

    def read_attendance(self, scope: Scope, lessons: Sequence[Lesson]) -> Read[AttendanceMark]:
        """Offer none: LTI has no attendance."""
        return self._nothing("not_offered")

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        """Make a column unless one with the same ``resource_id`` is there.

        Raises:
            KopirError: What the service raises, and ``not_offered`` for a course without AGS.
        """
        url = self._url(scope, "line_items_url")
        if not url:
            raise Fatal("not_offered", say(N_("{system} has no columns that could be made."), system=self._key))
        found = ags.find_or_none(self._ags.list_line_items(url, resource_id=item.resource_id))
        if found is None:
            wanted = ags.LineItem(
                item.title, item.maximum or Decimal(100), resource_id=item.resource_id, tag=item.tag or None
            )
            found = self._ags.create_line_item(url, wanted)
        return self._item(found)

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Send one score, stamped so that a later edit in the LMS refuses it; None takes the mark out."""
        outcome = self._ags.post_score(write.item_id, _score(write))
        if outcome.accepted:
            return WriteResult(Outcome.APPLIED)
        if outcome.must_read_back:
            return self._read_back(write, sent=outcome.status is ags.ScoreStatus.UNKNOWN)
        return WriteResult(*WRITES[outcome.status])

    def write_attendance(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Refuse: LTI has no attendance."""
        return WriteResult(Outcome.REFUSED, "not_offered")

    def _read_back(self, write: CellWrite, *, sent: bool) -> WriteResult:
        """Settle a refused or unanswered score by what stands in the cell now."""
        try:
            rows = self._ags.read_results(write.item_id, write.person_id)
        except KopirError as error:
            return WriteResult(Outcome.UNKNOWN, error.reason)
        row = next((row for row in rows if row.score is not None), None)
        seen = None if row is None or row.score is None else canonical(row.score)
        if same_mark(seen, write.after):
            return WriteResult(Outcome.ALREADY, seen=seen, seen_known=True)
        if same_mark(seen, write.expect):
            return self._same_but_later(write, row, sent=sent)
        return WriteResult(Outcome.CONFLICT, "moved", seen=seen, seen_known=seen is not None)

    def _same_but_later(self, write: CellWrite, row: ags.Result | None, *, sent: bool) -> WriteResult:
        """Send once more with a later time when only the time stood in the way: the expected value is still there."""
        if sent or row is None or row.timestamp is None or row.timestamp < write.stamp.replace(microsecond=0):
            return WriteResult(Outcome.RETRY, "not_there_yet", write.expect, seen_known=True)
        later = row.timestamp.replace(microsecond=0) + timedelta(seconds=1)
        if later > self._http.now() + timedelta(seconds=5):
            return WriteResult(Outcome.RETRY, "time_in_future", write.expect, seen_known=True)
        outcome = self._ags.post_score(write.item_id, _score(write, later))
        if outcome.accepted:
            return WriteResult(Outcome.APPLIED)
        return WriteResult(*WRITES.get(outcome.status, (Outcome.UNKNOWN, outcome.status.value)))

    def _url(self, scope: Scope, name: str) -> str:
        course = self._courses.get(scope.group)
        return "" if course is None else str(getattr(course, name))

    def _item(self, item: ags.LineItem) -> LineItem:
        due = item.ends_at.astimezone(self._zone).date() if item.ends_at else None
        return LineItem(
            item.id or "",
            item.label,
            item.score_maximum,
            tag=item.tag or "",
            resource_id=item.resource_id or "",
            due=due,
        )

    def _nothing(self, reason: str) -> Read[Any]:
        return Read((), Evidence.GONE, self._http.now(), reason)


def _person(member: Member, staff: frozenset[str]) -> Person:
    known = {"lti_sub": member.user_id, "idnumber": member.sourcedid or "", "username": member.username or ""}
    names = member.names
    return Person(
        member.user_id,
        names.family or "",
        names.given or "",
        names.middle or "",
        names.full or "",
        _role(member, staff),
        identifiers={kind: value for kind, value in known.items() if value},
        active=member.status == "Active",
    )


def _role(member: Member, staff: frozenset[str]) -> Role:
    if member.user_id in staff or member.roles & {LtiRole.INSTRUCTOR, LtiRole.ASSISTANT, LtiRole.ADMINISTRATOR}:
        return Role.TEACHER
    if LtiRole.TEST_USER in member.roles:
        return Role.OTHER
    return Role.PUPIL if LtiRole.LEARNER in member.roles else Role.OTHER


def _result(item: str, row: ags.Result, score: Decimal) -> Result:
    return Result(item, row.user_id, canonical(score), row.maximum, row.timestamp)


def _score(write: CellWrite, stamp: datetime | None = None) -> ags.Score:
    when = stamp or write.stamp
    if write.after is None:
        progress = (ags.ActivityProgress.INITIALIZED, ags.GradingProgress.NOT_READY)
        return ags.Score(write.person_id, when, None, None, *progress)
    comment = write.comment or None
    return ags.Score(write.person_id, when, Decimal(write.after), Decimal(write.maximum or "100"), comment=comment)


def same_mark(seen: str | None, wanted: str | None) -> bool:
    """Tell whether two marks are one number; none and zero are taken as the same, for the LMS shows no difference."""
    if seen is None or wanted is None:
        return seen is wanted or Decimal(seen or wanted or "0") == 0
    return Decimal(seen) == Decimal(wanted)
