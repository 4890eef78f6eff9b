"""Read Kundelik: typed records, each list with what it proves about the records that are not in it.

The journal has no totals, cursors or change feed, so a list proves itself by being asked for in two ways: two
addresses that must show the same records. A list that was cut, emptied or filtered on one of them does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connector.base.clock import Clock, utc_now
from connector.base.errors import KopirError
from connector.base.i18n import catalogue
from connector.base.outbound import Outbound
from sync.systems.contract import Evidence, Read
from sync.systems.kundelik import errors, quirks, shapes
from sync.systems.kundelik.bucket import TokenBucket
from sync.systems.kundelik.wire import Wire

T = TypeVar("T")

_WRAPPERS = ("items", "logentries")


class KundelikClient:
    """Ask one journal with one account; safe to share between threads."""

    def __init__(
        self,
        outbound: Outbound,
        base_url: str,
        token: str | Callable[[], str],
        *,
        bucket: TokenBucket | None = None,
        zone: str = quirks.SCHOOL_ZONE,
        clock: Clock = utc_now,
    ) -> None:
        """Take the guarded session, the API's base, the account's token or what gives it, and the school's zone."""
        catalogue.add(Path(__file__).parent / "i18n")
        self.wire = Wire(outbound, base_url, token, bucket)
        self._read = shapes.Reader(ZoneInfo(zone))
        self._clock = clock

    def school(self, school: str) -> shapes.School:
        """Return the school.

        Raises:
            KopirError: The journal did not give it.
        """
        return self._read.school(self.wire.call("GET", f"schools/{school}").value)

    def my_groups(self) -> Read[shapes.EduGroup]:
        """Read the classes this account sees."""
        return self._list("users/me/edu-groups", self._read.edu_group)

    def subjects(self, group: str) -> Read[shapes.Subject]:
        """Read the subjects of a class."""
        return self._list(f"edu-groups/{group}/subjects", self._read.subject)

    def periods(self, group: str) -> Read[shapes.Period]:
        """Read the reporting periods of a class."""
        return self._list(f"edu-groups/{group}/reporting-periods", self._read.period)

    def final_periods(self, group: str, subject: str) -> Read[str]:
        """Read which reporting periods have a final mark in a subject, once per mark: by subject and by class."""
        narrow = self._list(f"edu-groups/{group}/subjects/{subject}/final-marks", self._read.final_mark)
        wide = self._list(f"edu-groups/{group}/final-marks", self._read.final_mark)
        kept = tuple(mark for mark in wide.records if mark.subject_id == subject)
        found = agreed(narrow, replace(wide, records=kept), lambda mark: mark.id)
        periods = tuple(mark.period_id for mark in found.records)
        return Read(periods, found.evidence, found.read_at, found.reason)

    def today(self) -> date:
        """Return the school's civil day, by our clock."""
        return self._read.civil(self._clock())

    def work_types(self, school: str) -> Read[shapes.WorkType]:
        """Read the kinds of work a school uses."""
        return self._list(f"work-types/{school}", self._read.work_type)

    def students(self, group: str, floor: int = 0) -> Read[shapes.Person]:
        """Read the pupils of a class in the journal's own order.

        Args:
            group: The class.
            floor: How many the last complete read found; a class is never taken to have no pupil at all.
        """
        first = self._list(f"edu-groups/{group}/students", self._read.person)
        second = self._list(f"persons?eduGroup={group}", self._read.person)
        return at_least(agreed(first, second, lambda person: person.id), max(floor, 1))

    def teachers(self, group: str) -> Read[shapes.Person]:
        """Read the teachers of a class."""
        return self._list(f"edu-groups/{group}/teachers", self._read.person)

    def lessons(self, group: str, subject: str, first: date, last: date, floor: int = 0) -> Read[shapes.Lesson]:
        """Read the lessons of a class in a subject between two days, both included, each with its works."""
        days = f"lessons/{first}/{last}"
        narrow = self._list(f"edu-groups/{group}/subjects/{subject}/{days}", self._read.lesson)
        wide = self._list(f"edu-groups/{group}/{days}", self._read.lesson)
        wide = replace(wide, records=tuple(lesson for lesson in wide.records if lesson.subject_id == subject))
        outside = any(lesson.subject_id != subject or not first <= lesson.day <= last for lesson in narrow.records)
        if narrow.complete and outside:
            return replace(narrow, evidence=Evidence.PARTIAL, reason="other_scope")
        return at_least(agreed(narrow, wide, _lesson_key), floor)

    def lesson_works(self, lesson: str) -> Read[shapes.Work]:
        """Read the works of one lesson."""
        return self._list(f"lessons/{lesson}/works", self._read.work)

    def marks(self, works: Sequence[tuple[str, str]]) -> Read[shapes.Mark]:
        """Read every mark of some works, given as (work, lesson): once by work and once by lesson.

        Both addresses go by the work itself; the journal's two date axes (day of the lesson, day the mark was
        put) therefore cannot hide a late mark.
        """
        wanted = {work for work, _ in works}
        by_work = self._joined(f"works/{work}/marks" for work, _ in works)
        lessons = sorted({lesson for _, lesson in works})
        by_lesson = self._joined(f"lessons/{lesson}/marks" for lesson in lessons)
        kept = tuple(mark for mark in by_lesson.records if mark.work_id in wanted)
        return agreed(by_work, replace(by_lesson, records=kept), lambda mark: (mark.id, mark.value))

    def cell(self, person: str, work: str) -> Read[shapes.Mark]:
        """Read the marks of one pupil for one work: one, none, or a pair."""
        found = self._list(f"persons/{person}/works/{work}/marks", self._read.mark)
        if any(mark.person_id != person or mark.work_id != work for mark in found.records):
            return replace(found, evidence=Evidence.PARTIAL, reason="other_scope")
        return found

    def log_entries(self, group: str, subject: str, lessons: Sequence[tuple[str, date]]) -> Read[shapes.LogEntry]:
        """Read the register of some lessons, given as (lesson, day): by windows of days and by lesson."""
        if not lessons:
            return Read((), Evidence.COMPLETE, self._clock())
        wanted = {lesson for lesson, _ in lessons}
        days = [day for _, day in lessons]
        path = f"lesson-log-entries/group/{group}?subject={subject}"
        spans = windows(min(days), max(days))
        by_day = self._joined_entries(f"{path}&from={first}&to={last}" for first, last in spans)
        by_lesson = self._joined_entries(
            f"lesson-log-entries?lessons={','.join(part)}" for part in _parts(sorted(wanted), 30)
        )
        kept = tuple(entry for entry in by_day.records if entry.lesson_id in wanted)
        return agreed(by_lesson, replace(by_day, records=kept), lambda e: (e.lesson_id, e.person_id, e.status))

    def entry(self, lesson: str, person: str) -> Read[shapes.LogEntry]:
        """Read the register's entry of one pupil in one lesson."""
        found = self._list(f"lesson-log-entries/lesson/{lesson}/person/{person}", self._read.log_entry)
        if any(entry.person_id != person or entry.lesson_id != lesson for entry in found.records):
            return replace(found, evidence=Evidence.PARTIAL, reason="other_scope")
        return found

    def sections(self, group: str, subject: str, period: str) -> Read[shapes.Section]:
        """Read the СОР themes and the СОЧ of a class, subject and quarter (``edu-group`` is singular here)."""
        path = f"edu-group/{group}/subject/{subject}/period/{period}/criteria-marks-sections"
        return self._list(path, self._read.section)

    def criteria_marks(self, group: str, subject: str, period: str) -> Read[shapes.CriteriaMark]:
        """Read the points of a class in the sections of a subject and quarter."""
        path = f"edu-group/{group}/subject/{subject}/period/{period}/criteria-marks"
        blocks = self._list(path, self._read.criteria_marks)
        records = tuple(mark for block in blocks.records for mark in block)
        return Read(records, blocks.evidence, blocks.read_at, blocks.reason)

    def scales(self) -> dict[str, tuple[str, ...]]:
        """Return the values of every scale, by its name in lower case.

        Raises:
            KopirError: The journal did not give them.
        """
        value = self.wire.call("GET", "marks/values").value
        if not isinstance(value, dict):
            raise errors.make(errors.BAD_RECORD)
        return {str(name).lower(): tuple(map(str, found)) for name, found in value.items() if isinstance(found, list)}

    def _joined(self, paths: Iterable[str]) -> Read[shapes.Mark]:
        return joined((self._list(path, self._read.mark) for path in paths), self._clock)

    def _joined_entries(self, paths: Iterable[str]) -> Read[shapes.LogEntry]:
        return joined((self._list(path, self._read.log_entry) for path in paths), self._clock)

    def _list(self, path: str, make: Callable[[Any], T]) -> Read[T]:
        """Read one list; what is not a list of good records proves nothing about what it lacks."""
        began = self._clock()
        try:
            answer = self.wire.call("GET", path)
            return Read(tuple(make(value) for value in unwrap(answer.value)), Evidence.COMPLETE, answer.at)
        except KopirError as error:
            return Read((), errors.evidence_of(error), began, error.reason)


def unwrap(value: Any) -> list[Any]:
    """Return the list of an answer: a bare array, or the only list of a known wrapper.

    Raises:
        Retriable: It is neither (``bad_record``).
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name, inner in value.items():
            if str(name).lower() in _WRAPPERS and isinstance(inner, list):
                return inner
    raise errors.make(errors.BAD_RECORD)


def windows(first: date, last: date, days: int = quirks.LOG_ENTRY_DAYS) -> Iterator[tuple[date, date]]:
    """Cut a span of days into windows of at most ``days`` days; both ends of each belong to it."""
    while first <= last:
        end = min(last, first + timedelta(days=days - 1))
        yield first, end
        first = end + timedelta(days=1)


def _parts(values: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _lesson_key(lesson: shapes.Lesson) -> tuple[object, ...]:
    return lesson.id, lesson.day, tuple(work.id for work in lesson.works or ())


def joined(reads: Iterable[Read[T]], clock: Clock) -> Read[T]:
    """Join reads of parts into one of the whole, no better than its worst part; stop at the first that failed."""
    began = clock()
    records: list[T] = []
    for number, read in enumerate(reads):
        began = read.read_at if number == 0 else min(began, read.read_at)
        records += read.records
        if not read.complete:
            return Read(tuple(records), read.evidence, began, read.reason)
    return Read(tuple(records), Evidence.COMPLETE, began)


def agreed(first: Read[T], second: Read[T], key: Callable[[T], object]) -> Read[T]:
    """Return the first read, complete only when the second shows the same records.

    Two lists that differ mean that one was cut or that somebody wrote in between; both pass by themselves.
    """
    began = min(first.read_at, second.read_at)
    for read in (first, second):
        if not read.complete:
            return Read(first.records, read.evidence, began, read.reason)
    keys = [sorted(map(repr, map(key, read.records))) for read in (first, second)]
    if keys[0] != keys[1]:
        return Read(first.records, Evidence.PARTIAL, began, "half_list")
    return Read(first.records, Evidence.COMPLETE, began)


def at_least(read: Read[T], floor: int) -> Read[T]:
    """Doubt a list that is empty, or much shorter than the last complete one.

    Args:
        read: The list.
        floor: How many records the last complete read found; 0 for none.
    """
    if not read.complete or floor <= 0:
        return read
    if not read.records:
        return replace(read, evidence=Evidence.SUSPICIOUS, reason="empty_list")
    if floor - len(read.records) > max(1, floor * quirks.MOST_LOST_PERCENT // 100):
        return replace(read, evidence=Evidence.PARTIAL, reason="half_list")
    return read
