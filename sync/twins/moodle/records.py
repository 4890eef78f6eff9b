"""What the rehearsal LMS keeps, as values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lti.platform.records import RegisteredTool

COURSE_ID = 2
TEACHER_ID = 3
ASSISTANT_ID = 4
FIRST_PUPIL_ID = 5


@dataclass(frozen=True)
class Quirks:
    """What differs between Moodle releases and settings.

    Attributes:
        zero_in_results: Whether a mark of 0 stands in ``results``. Releases differ: 4.5.6 was seen to return it, the
            check for an empty grade in the code drops it where the database gives numbers. The rehearsal drops it
            unless told otherwise, because that is the case in which marks are lost.
        time_zone: The site's zone, for timestamps sent without one and for those sent back.
    """

    zero_in_results: bool = False
    time_zone: str = "Asia/Almaty"


@dataclass(frozen=True)
class LmsUser:
    """A person enrolled in the course; ``role`` is ``teacher``, ``assistant`` or ``pupil``."""

    id: str
    username: str
    given: str
    family: str
    middle: str
    email: str
    idnumber: str
    role: str
    suspended: bool

    @property
    def name(self) -> str:
        """Given and family name, as the LMS shows them."""
        return f"{self.given} {self.family}"

    @property
    def short_roles(self) -> list[str]:
        """Roles in the roster: an assistant may not manage activities there, so she counts as a learner."""
        return ["Instructor"] if self.role == "teacher" else ["Learner"]

    @property
    def teaches(self) -> bool:
        """Whether the person launches as an instructor."""
        return self.role != "pupil"


@dataclass(frozen=True)
class CourseRecord:
    """The course."""

    id: str
    fullname: str
    shortname: str
    idnumber: str


@dataclass(frozen=True)
class Activity:
    """A placed activity: ``id`` is the resource link's, ``cmid`` the address's."""

    id: str
    cmid: str
    tool: int
    title: str
    description: str
    url: str
    custom: Mapping[str, str]
    course: str = str(COURSE_ID)


@dataclass(frozen=True)
class LineItem:
    """A grade column; ``activity`` is the resource link's id, or empty."""

    id: str
    tool: int
    kind: str
    label: str
    maximum: Decimal
    resource_id: str
    tag: str
    activity: str
    course: str = str(COURSE_ID)


@dataclass(frozen=True)
class Grade:
    """One cell: the final mark, and what protects it from tools; ``modified`` in whole seconds of the epoch."""

    item: str
    person: str
    raw: Decimal | None
    final: Decimal | None
    feedback: str
    modified: int | None
    overridden: bool
    locked: bool


@dataclass(frozen=True)
class Column:
    """A grade column with its cells by user id: a test's view of the gradebook."""

    item: LineItem
    grades: Mapping[str, Grade]

    def marks(self) -> dict[str, Decimal]:
        """Return the marks that stand, by user id."""
        return {user: grade.final for user, grade in self.grades.items() if grade.final is not None}


def user_of(row: sqlite3.Row) -> LmsUser:
    """Read a row of ``person`` joined with ``enrolment``."""
    return LmsUser(
        str(row["id"]),
        row["username"],
        row["given"],
        row["family"],
        row["middle"],
        row["email"],
        row["idnumber"],
        row["role"],
        bool(row["suspended"]),
    )


def tool_of(row: sqlite3.Row) -> RegisteredTool:
    """Read a row of ``tool``; the deployment id is the row's number, as Moodle has it."""
    return RegisteredTool(
        client_id=row["client_id"],
        deployment_id=str(row["id"]),
        name=row["name"],
        login_url=row["login_url"],
        redirect_uris=tuple(json.loads(row["redirect_uris"])),
        target_link_uri=row["target_link_uri"],
        deep_linking_url=row["deep_linking_url"],
        jwks_url=row["jwks_url"],
        scopes=frozenset(json.loads(row["scopes"])),
    )


def course_of(row: sqlite3.Row) -> CourseRecord:
    """Read a row of ``course``."""
    return CourseRecord(str(row["id"]), row["fullname"], row["shortname"], row["idnumber"])


def activity_of(row: sqlite3.Row) -> Activity:
    """Read a row of ``activity``."""
    return Activity(
        str(row["id"]),
        str(row["cmid"]),
        row["tool"],
        row["title"],
        row["description"],
        row["url"],
        json.loads(row["custom"]),
        str(row["course"]),
    )


def line_item_of(row: sqlite3.Row) -> LineItem:
    """Read a row of ``line_item``."""
    activity = "" if row["activity"] is None else str(row["activity"])
    return LineItem(
        str(row["id"]),
        row["tool"],
        row["kind"],
        row["label"],
        Decimal(row["maximum"]),
        row["resource_id"],
        row["tag"],
        activity,
        str(row["course"]),
    )


def grade_of(row: sqlite3.Row) -> Grade:
    """Read a row of ``grade``."""
    raw, final = (None if row[name] is None else Decimal(row[name]) for name in ("raw", "final"))
    return Grade(
        str(row["item"]),
        str(row["person"]),
        raw,
        final,
        row["feedback"],
        row["modified"],
        bool(row["overridden"]),
        bool(row["locked"]),
    )
