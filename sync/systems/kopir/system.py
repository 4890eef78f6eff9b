"""Read and write Kopir's own register behind the contract every system answers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from connector.base.clock import Clock, utc_now
from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.db.database import Database
from sync.model import AcademicSession, AttendanceMark, Group, Lesson, LineItem, Person, Result, Role
from sync.store import people, register
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

T = TypeVar("T")

CAPABILITIES = Capabilities(
    people=Access(read=True, reason=N_("People are kept as the synced systems name them.")),
    lessons=Access(read=True),
    attendance=Access(read=True, write=Writing.YES, cas=Cas.NATIVE),
)


class KopirSystem:
    """One school's own registers.

    A scope's ``group`` is the journal's id of the group for lessons and attendance, and the id of a group link for
    people. People are named by internal id.
    """

    def __init__(self, database: Database, school: str, clock: Clock = utc_now) -> None:
        """Look at one school through the database."""
        self._database = database
        self._school = school
        self._clock = clock

    @property
    def key(self) -> str:
        """Return ``kopir:`` and the school's id."""
        return f"kopir:{self._school}"

    @property
    def capabilities(self) -> Capabilities:
        """What can be read and written."""
        return CAPABILITIES

    def read_groups(self) -> Read[Group]:
        """Return the groups that some connection pairs."""
        with self._database.school(self._school, write=False) as db:
            return self._all(people.groups(db, self._school))

    def read_people(self, scope: Scope) -> Read[Person]:
        """Return the people Kopir keeps for a group link."""
        with self._database.school(self._school, write=False) as db:
            kept = people.roster(db, self._school, scope.group, "left")
        return self._all(
            [
                Person(line.person.id, line.person.family, line.person.given, line.person.patronymic, role=line.role)
                for line in kept
                if line.person is not None and line.role is Role.PUPIL
            ]
        )

    def read_lessons(self, scope: Scope) -> Read[Lesson]:
        """Return the lessons kept for the group and subject inside the scope's days."""
        with self._database.school(self._school, write=False) as db:
            return self._all(register.lessons_of(db, self._school, scope.group, scope.subject, scope.first, scope.last))

    def read_sessions(self, scope: Scope) -> Read[AcademicSession]:
        """Offer none: the journal says when a period is closed."""
        return self._not_offered()

    def read_line_items(self, scope: Scope) -> Read[LineItem]:
        """Offer none."""
        return self._not_offered()

    def read_results(self, scope: Scope, items: Sequence[LineItem]) -> Read[Result]:
        """Offer none."""
        return self._not_offered()

    def read_attendance(self, scope: Scope, lessons: Sequence[Lesson]) -> Read[AttendanceMark]:
        """Return the entries of these lessons; a code is canonical (``present``, ``absent_ill``, …)."""
        with self._database.school(self._school, write=False) as db:
            entries = register.entries_of(db, self._school, [lesson.id for lesson in lessons])
        return self._all([AttendanceMark(entry.lesson, entry.person, entry.code, entry.day) for entry in entries])

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        """Refuse: Kopir keeps no gradebook of its own.

        Raises:
            Fatal: Always.
        """
        raise Fatal("not_offered", say(N_("{system} has no columns that could be made."), system="Kopir"))

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Refuse: Kopir keeps no gradebook of its own."""
        return WriteResult(Outcome.REFUSED, "not_offered")

    def write_attendance(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Write or clear one entry, compared and set in one transaction."""
        with self._database.school(self._school) as db:
            if register.day_of(db, self._school, write.item_id) is None:
                return WriteResult(Outcome.REFUSED, "unknown_lesson")
            seen = register.code_of(db, self._school, write.item_id, write.person_id)
            if seen == write.after:
                return WriteResult(Outcome.ALREADY, seen=seen, seen_known=True)
            done = register.set_code(
                db,
                self._school,
                write.item_id,
                write.person_id,
                expect=write.expect,
                after=write.after,
                now=self._clock(),
            )
        if not done:
            return WriteResult(Outcome.CONFLICT, "moved", seen=seen, seen_known=True)
        return WriteResult(Outcome.APPLIED, seen=write.after, seen_known=True)

    def _all(self, records: Sequence[T]) -> Read[T]:
        return Read(tuple(records), Evidence.COMPLETE, self._clock())

    def _not_offered(self) -> Read[T]:
        return Read((), Evidence.GONE, self._clock(), "not_offered")
