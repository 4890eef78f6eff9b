"""The journal's records, read from its JSON.

Field names are matched without regard to case, because one API mixes camelCase, lower case and PascalCase. Ids
are text: the ``_str`` twin where there is one, the exact integer otherwise, and never a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sync.systems.kundelik import errors


class Fields:
    """One JSON object whose fields are found in any case."""

    def __init__(self, value: Any) -> None:
        """Take a JSON value.

        Raises:
            Retriable: It is not an object (``bad_record``).
        """
        if not isinstance(value, Mapping):
            raise errors.make(errors.BAD_RECORD)
        self._values = {str(key).lower(): item for key, item in value.items()}

    def get(self, name: str) -> Any:
        """Return a field, or None when it is missing or null."""
        return self._values.get(name.lower())

    def text(self, name: str) -> str:
        """Return a field as text; empty when it is missing or null."""
        value = self.get(name)
        return "" if value is None else str(value).strip()

    def whole(self, name: str) -> int:
        """Return a field as a whole number; 0 when it is missing or is none."""
        value = self.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def id(self, name: str = "id") -> str:
        """Return an id.

        Raises:
            Retriable: It is missing, or came as a fraction whose last digits are lost (``bad_record``).
        """
        found = self.optional_id(name)
        if not found:
            raise errors.make(errors.BAD_RECORD)
        return found

    def optional_id(self, name: str) -> str:
        """Return an id, or empty text when there is none; zero is none."""
        for value in (self.get(f"{name}_str"), self.get(name)):
            if isinstance(value, str) and value.strip().isdigit() and value.strip() != "0":
                return value.strip()
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return str(value)
        return ""


@dataclass(frozen=True)
class School:
    """A school; ``mark_type`` is the scale of its quarter marks."""

    id: str
    name: str
    mark_type: str


@dataclass(frozen=True)
class EduGroup:
    """A class or subgroup."""

    id: str
    name: str
    full_name: str
    parallel: int


@dataclass(frozen=True)
class Subject:
    """A subject."""

    id: str
    name: str


@dataclass(frozen=True)
class Period:
    """A reporting period; ``last`` belongs to it."""

    id: str
    number: int
    kind: str
    first: date
    last: date


@dataclass(frozen=True)
class Person:
    """A person: the API gives neither IIN nor birth date of a pupil."""

    id: str
    user_id: str
    last_name: str
    first_name: str
    middle_name: str


@dataclass(frozen=True)
class WorkType:
    """A kind of work the school uses."""

    id: str
    kind: str
    title: str


@dataclass(frozen=True)
class Work:
    """One column under a lesson."""

    id: str
    lesson_id: str
    type_id: str
    mark_type: str
    mark_count: int
    text: str


@dataclass(frozen=True)
class Lesson:
    """A lesson; ``works`` is None when the answer did not carry them."""

    id: str
    subject_id: str
    day: date
    number: int
    title: str
    works: tuple[Work, ...] | None


@dataclass(frozen=True)
class Mark:
    """One mark; ``put_at`` is when it was put, which is not the day of its lesson."""

    id: str
    person_id: str
    work_id: str
    number: int
    value: str
    put_at: datetime | None


@dataclass(frozen=True)
class FinalMark:
    """A mark for a reporting period: only that it stands is of interest here."""

    id: str
    subject_id: str
    period_id: str


@dataclass(frozen=True)
class LogEntry:
    """One entry of the register; its key is lesson and person."""

    lesson_id: str
    person_id: str
    status: str
    comment: str


@dataclass(frozen=True)
class Section:
    """A СОР theme or the СОЧ of a class, subject and quarter."""

    id: str
    name: str
    kind: str
    maximum: str


@dataclass(frozen=True)
class CriteriaMark:
    """A pupil's points in a section."""

    id: str
    section_id: str
    person_id: str
    value: str


class Reader:
    """Turn the journal's JSON into records; local times are of one zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        """Take the school's zone."""
        self._zone = zone

    def instant(self, text: str) -> datetime:
        """Return an instant as aware UTC; a time without a zone is the school's.

        Raises:
            Retriable: The text is no time (``bad_record``).
        """
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise errors.make(errors.BAD_RECORD) from error
        return (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(UTC)

    def day(self, text: str) -> date:
        """Return a civil date: as written, or where the text carries a zone, of that instant at the school.

        Raises:
            Retriable: The text is no date (``bad_record``).
        """
        return self.instant(text).astimezone(self._zone).date()

    def civil(self, instant: datetime) -> date:
        """Return the school's civil day of an instant."""
        return instant.astimezone(self._zone).date()

    def school(self, value: Any) -> School:
        """Read a school."""
        fields = Fields(value)
        return School(fields.id(), fields.text("name"), fields.text("markType"))

    def edu_group(self, value: Any) -> EduGroup:
        """Read a class."""
        fields = Fields(value)
        return EduGroup(fields.id(), fields.text("name"), fields.text("fullName"), fields.whole("parallel"))

    def subject(self, value: Any) -> Subject:
        """Read a subject."""
        fields = Fields(value)
        return Subject(fields.id(), fields.text("name"))

    def period(self, value: Any) -> Period:
        """Read a reporting period."""
        fields = Fields(value)
        days = (self.day(fields.text("start")), self.day(fields.text("finish")))
        return Period(fields.id(), fields.whole("number"), fields.text("type").lower(), *days)

    def person(self, value: Any) -> Person:
        """Read a person."""
        fields = Fields(value)
        names = (fields.text("lastName"), fields.text("firstName"), fields.text("middleName"))
        return Person(fields.id(), fields.optional_id("userId"), *names)

    def work_type(self, value: Any) -> WorkType:
        """Read a kind of work."""
        fields = Fields(value)
        return WorkType(fields.id(), fields.text("kind"), fields.text("title") or fields.text("name"))

    def work(self, value: Any) -> Work:
        """Read a work."""
        fields = Fields(value)
        return Work(
            fields.id(),
            fields.id("lesson"),
            fields.optional_id("workType"),
            fields.text("markType"),
            fields.whole("markCount"),
            fields.text("text"),
        )

    def lesson(self, value: Any) -> Lesson:
        """Read a lesson, with its works where they came along."""
        fields = Fields(value)
        works = fields.get("works")
        return Lesson(
            fields.id(),
            Fields(fields.get("subject")).id(),
            self.day(fields.text("date")),
            fields.whole("number"),
            fields.text("title"),
            tuple(self.work(work) for work in works) if isinstance(works, list) else None,
        )

    def mark(self, value: Any) -> Mark:
        """Read a mark; its value is kept as it came: ``4-``, ``осв`` and ``10`` are all marks."""
        fields = Fields(value)
        raw = fields.text("value")
        if not raw:
            raise errors.make(errors.BAD_RECORD)
        put = fields.text("date")
        key = (fields.id(), fields.id("person"), fields.id("work"))
        return Mark(*key, fields.whole("number") or 1, raw, self.instant(put) if put else None)

    def final_mark(self, value: Any) -> FinalMark:
        """Read a mark for a reporting period."""
        fields = Fields(value)
        return FinalMark(fields.id(), fields.id("subject"), fields.id("period"))

    def log_entry(self, value: Any) -> LogEntry:
        """Read an entry of the register."""
        fields = Fields(value)
        return LogEntry(fields.id("lesson"), fields.id("person"), fields.text("status"), fields.text("comment"))

    def section(self, value: Any) -> Section:
        """Read a criteria section; a maximum that is not given stays empty."""
        fields = Fields(value)
        return Section(fields.id(), fields.text("name"), fields.text("kind").lower(), fields.text("maxMark"))

    def criteria_marks(self, value: Any) -> list[CriteriaMark]:
        """Read one subject's block of points: ``{subject, personmarks: [{person, criteriamarks: [...]}]}``."""
        found = []
        for block in Fields(value).get("personmarks") or []:
            pupil = Fields(block)
            for each in pupil.get("criteriamarks") or []:
                mark = Fields(each)
                found.append(CriteriaMark(mark.id(), mark.id("section"), pupil.id("person"), mark.text("value")))
        return found
