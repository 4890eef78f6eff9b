"""Kundelik behind the contract every system keeps: canonical records in, cells out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from connector.base.errors import Hold
from connector.base.i18n import N_, say
from sync.model import AcademicSession, AttendanceMark, GradeKind, Group, Lesson, LineItem, Person, Result, Role
from sync.systems.contract import Capabilities, CellWrite, Evidence, Read, Scope, WriteResult
from sync.systems.kundelik import errors, quirks, shapes, writes
from sync.systems.kundelik.client import KundelikClient, at_least, joined


@dataclass(frozen=True)
class KundelikSystem:
    """One school's journal.

    Attributes:
        client: The HTTP client with the account's token.
        school_id: The school's id, as in ``kundelik:1000001234567``.
        contracted: The vendor opened writing to this school's client id and the writes were rehearsed.
    """

    client: KundelikClient
    school_id: str
    contracted: bool = False

    @property
    def key(self) -> str:
        """``kundelik:<school id>``."""
        return f"kundelik:{self.school_id}"

    @property
    def capabilities(self) -> Capabilities:
        """What can be read and written; writing is vendor-gated until the school is contracted."""
        return quirks.capabilities(contracted=self.contracted)

    def read_groups(self) -> Read[Group]:
        """Read the classes this account sees, once per subject."""
        groups = self.client.my_groups()
        parts: list[Read[Group]] = [_failed(groups)] if not groups.complete else []
        for group in groups.records:
            subjects = self.client.subjects(group.id)
            made = (Group(group.id, group.name, group.full_name, each.id, each.name) for each in subjects.records)
            parts.append(Read(tuple(made), subjects.evidence, subjects.read_at, subjects.reason))
        return joined(parts, lambda: groups.read_at)

    def read_people(self, scope: Scope) -> Read[Person]:
        """Read the pupils, in the journal's own order, and then the teachers of a class."""
        pupils = self.client.students(scope.group, scope.known_people)
        teachers = self.client.teachers(scope.group)
        known = {person.id for person in pupils.records}
        people = [_person(person, Role.PUPIL) for person in pupils.records]
        people += [_person(person, Role.TEACHER) for person in teachers.records if person.id not in known]
        worst = teachers if pupils.complete else pupils
        return Read(tuple(people), worst.evidence, pupils.read_at, worst.reason)

    def read_lessons(self, scope: Scope) -> Read[Lesson]:
        """Read the lessons of a class in a subject inside the scope's days."""
        found = self._lessons(scope)
        made = (
            Lesson(lesson.id, scope.group, lesson.subject_id, lesson.day, lesson.number, lesson.title)
            for lesson in found.records
        )
        return Read(tuple(made), found.evidence, found.read_at, found.reason)

    def read_sessions(self, scope: Scope) -> Read[AcademicSession]:
        """Read the reporting periods of a class, and which of them are closed in a subject.

        A period is closed when its last day is over at the school, or when a final mark of the subject stands in it:
        quarter, half-year and year marks are not revised (order №125 of 18.03.2008), and the marks they were made of
        are not either. Where the journal does not show final marks to this account, the last day alone decides.
        """
        periods = at_least(self.client.periods(scope.group), 1)
        finals = self.client.final_periods(scope.group, scope.subject)
        withheld = finals.evidence in (Evidence.GONE, Evidence.UNAUTHORISED)
        withheld = withheld and finals.reason != errors.TOKEN_REFUSED.reason
        if not periods.complete or not (finals.complete or withheld):
            return _failed(finals if periods.complete else periods)
        over, marked = self.client.today(), set(finals.records)
        made = (
            AcademicSession(one.id, one.kind, one.number, one.first, one.last, one.last < over or one.id in marked)
            for one in periods.records
        )
        return Read(tuple(made), Evidence.COMPLETE, min(periods.read_at, finals.read_at))

    def read_line_items(self, scope: Scope) -> Read[LineItem]:
        """Read the works under the lessons of the scope; due is the lesson's day."""
        lessons = self._lessons(scope)
        kinds = self.client.work_types(self.school_id)
        if not (lessons.complete and kinds.complete):
            return _failed(kinds if lessons.complete else lessons)
        by_id = {kind.id: kind for kind in kinds.records}
        parts = [self._works(lesson, by_id, lessons) for lesson in lessons.records]
        return at_least(joined(parts, lambda: lessons.read_at), scope.known_items)

    def read_results(self, scope: Scope, items: Sequence[LineItem]) -> Read[Result]:
        """Read every mark of these works; a pair of marks in one cell is one result, ``4/5``."""
        found = self.client.marks([(item.id, item.lesson_id) for item in items])
        cells: dict[tuple[str, str], list[shapes.Mark]] = {}
        for mark in found.records:
            cells.setdefault((mark.work_id, mark.person_id), []).append(mark)
        results = tuple(_result(tuple(marks)) for marks in cells.values())
        return Read(results, found.evidence, found.read_at, found.reason)

    def read_attendance(self, scope: Scope, lessons: Sequence[Lesson]) -> Read[AttendanceMark]:
        """Read the register of these lessons; a blank cell gives no record and is not presence."""
        days = {lesson.id: lesson.day for lesson in lessons}
        found = self.client.log_entries(scope.group, scope.subject, list(days.items()))
        entries = tuple(
            AttendanceMark(entry.lesson_id, entry.person_id, entry.status, days[entry.lesson_id], entry.comment)
            for entry in found.records
            if entry.lesson_id in days and entry.status not in quirks.NOT_AN_ENTRY
        )
        return Read(entries, found.evidence, found.read_at, found.reason)

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        """Add a work with the item's title to the item's lesson, unless it is there.

        Raises:
            Hold: No lesson or title, several works of that title, or no kind of work for the item.
            KopirError: The journal did not take it.
        """
        kinds = self.client.work_types(self.school_id)
        wanted = quirks.NEW_WORK.get(item.kind)
        kind = next((kind for kind in kinds.records if kind.kind.lower() == wanted), None)
        if kind is None:
            reason = kinds.reason or "no_work_type"
            text = N_("The journal has no kind of work for this column; make the work by hand.")
            raise Hold("no_work_type", say(text)) if kinds.complete else errors.failed(reason, say(text))
        made = writes.make_work(self.client, item, kind.id, item.scale.capitalize())
        return replace(_item(made, kind, item.due), resource_id=item.resource_id, tag=item.tag)

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Write or clear one mark: read, compare, write, read back."""
        return writes.write_mark(self.client, write)

    def write_attendance(self, scope: Scope, write: CellWrite) -> WriteResult:
        """Write or blank one entry of the register: read, compare, write, read back."""
        return writes.write_entry(self.client, write)

    def _lessons(self, scope: Scope) -> Read[shapes.Lesson]:
        first, last = scope.first, scope.last
        if first == date.min or last == date.max:
            periods = self.client.periods(scope.group)
            if not periods.complete or not periods.records:
                return _failed(at_least(periods, 1))
            first = max(first, min(period.first for period in periods.records))
            last = min(last, max(period.last for period in periods.records))
        return self.client.lessons(scope.group, scope.subject, first, last, scope.known_lessons)

    def _works(
        self, lesson: shapes.Lesson, kinds: dict[str, shapes.WorkType], lessons: Read[shapes.Lesson]
    ) -> Read[LineItem]:
        """Return a lesson's works: as they came with it, or asked for when they did not."""
        if lesson.works is None:
            read = self.client.lesson_works(lesson.id)
        else:
            read = Read(lesson.works, Evidence.COMPLETE, lessons.read_at)
        items = tuple(_item(work, kinds.get(work.type_id), lesson.day) for work in read.records)
        return Read(items, read.evidence, read.read_at, read.reason)


def _failed(read: Read[Any]) -> Read[Any]:
    """Return the failure of a read without its records, under the type the caller wants."""
    return Read((), read.evidence, read.read_at, read.reason)


def _person(person: shapes.Person, role: Role) -> Person:
    parts = (person.last_name, person.first_name, person.middle_name)
    return Person(
        id=person.id,
        family=person.last_name,
        given=person.first_name,
        patronymic=person.middle_name,
        full_name=" ".join(part for part in parts if part),
        role=role,
        identifiers={"kundelik_user": person.user_id} if person.user_id else {},
    )


def _item(work: shapes.Work, kind: shapes.WorkType | None, day: date | None) -> LineItem:
    scale, maximum = quirks.SCALES.get(work.mark_type.lower(), (work.mark_type.lower(), None))
    grade_kind: GradeKind | None = quirks.KINDS.get(kind.kind.lower()) if kind else None
    title = work.text or (kind.title if kind else "")
    return LineItem(
        id=work.id, title=title, maximum=maximum, scale=scale, kind=grade_kind, due=day, lesson_id=work.lesson_id
    )


def _result(marks: tuple[shapes.Mark, ...]) -> Result:
    first = marks[0]
    times = [mark.put_at for mark in marks if mark.put_at]
    return Result(
        item_id=first.work_id,
        person_id=first.person_id,
        raw=writes.joined_value(marks) or "",
        changed_at=max(times) if times else None,
        id=first.id,
    )
