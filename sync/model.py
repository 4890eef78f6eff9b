"""The canonical model: frozen records that every system is read into and written from.

External ids are text, marks keep their raw text, lessons have civil dates, instants are aware UTC. A record says
what one system holds; it never mixes two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Role(StrEnum):
    """What a person is in a group."""

    PUPIL = "pupil"
    TEACHER = "teacher"
    OTHER = "other"


class GradeKind(StrEnum):
    """What a mark counts as; ФО, СОР and СОЧ keep their own names (order №125 of 18.03.2008)."""

    FO = "fo"
    SOR = "sor"
    SOCH = "soch"
    HOMEWORK = "homework"
    ADMIN_CONTROL = "admin_control"
    OTHER = "other"


@dataclass(frozen=True)
class Person:
    """A person as one system knows them.

    Attributes:
        id: The system's own id.
        family: Family name; empty when the system does not give it.
        given: Given name.
        patronymic: Patronymic.
        full_name: The whole name as the system shows it.
        role: Role in the group that was read.
        birth_date: Civil date, where the system gives it.
        identifiers: Further ids by type: ``idnumber``, ``lti_sub``, ``iin_hmac``, ``kundelik_user``.
        active: False for a suspended enrolment.
    """

    id: str
    family: str = ""
    given: str = ""
    patronymic: str = ""
    full_name: str = ""
    role: Role = Role.PUPIL
    birth_date: date | None = None
    identifiers: dict[str, str] = field(default_factory=dict)
    active: bool = True


@dataclass(frozen=True)
class Group:
    """A class, subgroup or course section."""

    id: str
    name: str
    label: str = ""
    subject_id: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Enrolment:
    """One person's place in one group."""

    group_id: str
    person_id: str
    role: Role
    active: bool = True


@dataclass(frozen=True)
class AcademicSession:
    """A year, half-year or quarter; ``last`` is included.

    Attributes:
        id: The system's own id.
        kind: ``year``, ``halfyear`` or ``quarter``.
        number: 1 to 4 for a quarter.
        first: First civil day.
        last: Last civil day.
        closed: Marks inside may not be revised any more.
    """

    id: str
    kind: str
    number: int
    first: date
    last: date
    closed: bool = False


@dataclass(frozen=True)
class Lesson:
    """One lesson of one group; the civil date and the number in the day place it."""

    id: str
    group_id: str
    subject_id: str
    day: date
    number: int = 0
    title: str = ""


@dataclass(frozen=True)
class LineItem:
    """One column of a gradebook: an LMS line item, or a journal's work in a lesson.

    Attributes:
        id: The system's own id or URL.
        title: What teachers see.
        maximum: Points of a full mark; None where the scale has no maximum.
        scale: Name of the scale its values are in: ``points``, ``percent``, ``mark5``, ``mark10``, …
        kind: What its marks count as, where the system itself says so.
        tag: The tool's tag.
        resource_id: The tool's id of the activity; the journal's external key where it has one.
        due: Civil date it belongs to.
        lesson_id: The lesson it hangs on, in a journal.
    """

    id: str
    title: str
    maximum: Decimal | None = None
    scale: str = "points"
    kind: GradeKind | None = None
    tag: str = ""
    resource_id: str = ""
    due: date | None = None
    lesson_id: str = ""


@dataclass(frozen=True)
class Result:
    """One mark: what stands in one cell of one system.

    Attributes:
        item_id: The column.
        person_id: The pupil.
        raw: The mark exactly as the system gave it; never reformatted.
        maximum: Maximum of the value, where the system gives one with it.
        changed_at: The system's own time of the last change, where it has one.
        id: The system's own id of the mark, where it has one.
    """

    item_id: str
    person_id: str
    raw: str
    maximum: Decimal | None = None
    changed_at: datetime | None = None
    id: str = ""


@dataclass(frozen=True)
class AttendanceMark:
    """One entry of a register: lesson, pupil, and the system's own code.

    Attributes:
        lesson_id: The lesson.
        person_id: The pupil.
        raw: The code as the system gave it.
        day: Civil date of the lesson.
        comment: A remark, if any.
    """

    lesson_id: str
    person_id: str
    raw: str
    day: date
    comment: str = ""
