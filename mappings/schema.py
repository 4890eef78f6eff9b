"""The shape of a mapping file: every key an integrator may write, typed; a key that changes nothing is not here.

Ids are strict texts. YAML reads an unquoted ``012`` as 12 and a spreadsheet rounds 19 digits, so an id that is not
quoted is refused. What joins several keys (overlaps, words of one system) is checked in ``mappings.semantics``.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from mappings.grade_kinds import Kind
from mappings.scales import Rounding, ScaleName, parse_number

Side = Literal["left", "right"]
Consent = Literal["auto", "ask"]

SYSTEMS = (
    "lti_advantage", "moodle", "kundelik", "bilimclass", "oneroster", "smartbridge", "tables", "xml", "kopir",
)  # fmt: skip

Id = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255)]
Word = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100)]
SystemKey = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[a-z_]+:\S{1,200}$", max_length=230),
    Field(examples=["moodle:school"]),
]


def _number(value: object) -> object:
    """Take a whole number, a decimal as the loader read it, or a quoted one; never a binary float or a bool."""
    if isinstance(value, bool | float):
        raise PydanticCustomError("number_type", 'a number such as 20 or "8.5"')
    if isinstance(value, str):
        number = parse_number(value)
        if number is None:
            raise PydanticCustomError("number_type", 'a number such as 20 or "8.5"')
        return number
    return value


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
    except ValueError as error:
        raise PydanticCustomError("day_type", "a day such as 2026-10-23") from error


def _short_code(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


def _short_scale(value: object) -> object:
    return {"from": value, "to": value} if isinstance(value, str) else value


Number = Annotated[Decimal, BeforeValidator(_number, json_schema_input_type=int | str), Field(ge=0, le=1_000_000)]
Percent = Annotated[Decimal, BeforeValidator(_number, json_schema_input_type=int | str), Field(ge=0, le=100)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
ClockTime = Annotated[
    str, StringConstraints(strict=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["07:00"])
]
MonthDay = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"),
    Field(examples=["05-26"]),
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]


class Part(BaseModel):
    """A piece of a mapping: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Pair(Part):
    """The two sides, each ``system:key``; the key is the school's name in that system or its id."""

    left: SystemKey = Field(description="The LMS, as system:key.")
    right: SystemKey = Field(description="The e-journal, as system:key.")


class Identity(Part):
    """How a person of one side is recognised on the other."""

    join: tuple[Literal["linked_id", "iin", "idnumber"], ...] = Field(
        default=("linked_id", "iin"), min_length=1, description="Ways that join for certain, tried in this order."
    )
    propose: tuple[Literal["name+class", "name+birth+class"], ...] = Field(
        default=("name+class",), description="Ways that only propose; a person accepts."
    )
    create: Literal["never"] = Field(default="never", description="People are made in neither system.")


class GroupRef(Part):
    """One group in one system. Which keys are meant depends on the system."""

    course: Id | None = Field(default=None, description="Course of an LMS: its short name or context id.")
    edu_group: Id | None = Field(default=None, description="Kundelik's edu-group id, in quotes.")
    group: Id | None = Field(default=None, description="Class or group in other systems.")
    subject: Id | None = Field(default=None, description="Subject in the journal: its name or id.")


class GroupPair(Part):
    """A course and the class and subject it is taught to."""

    left: GroupRef
    right: GroupRef


class ScaleRule(Part):
    """How marks of one kind pass from the left scale to the right one."""

    from_: ScaleName = Field(alias="from", description="Scale on the left.")
    to: ScaleName = Field(description="Scale on the right.")
    round: Rounding = Field(default="half_up", description="How a value between two marks goes.")
    min: Number | None = Field(default=None, description="Lowest mark written on the right.")
    decimals: Annotated[int, Field(strict=True, ge=0, le=5)] = Field(
        default=0, description="Decimal places of points or percent on the right."
    )
    bands: dict[Word, Percent] | None = Field(
        default=None, description="Lowest percent of each mark; five-point marks have order №125's."
    )


Scale = Annotated[ScaleRule, BeforeValidator(_short_scale, json_schema_input_type=ScaleName | ScaleRule)]


class Grades(Part):
    """Marks: whose they are, which works count as what, and how scales correspond."""

    owner: Literal["left", "right", "manual", "newest", "max", "min"] = Field(
        default="manual", description="Whose mark counts when only one side changed against the owner."
    )
    kinds: dict[Word, Literal[Kind, "ignore"]] = Field(
        default_factory=dict, description="Selector of works: kind. The first line that fits decides."
    )
    scale: dict[Kind, Scale] = Field(default_factory=dict, description="Kind: scale on the left and on the right.")
    closed_period: Literal["refuse", "report"] = Field(
        default="refuse", description="A change inside a closed quarter is refused, or reported beside the plan."
    )


class Items(Part):
    """Works: how the same work is found on both sides, and where a new mark lands."""

    find: tuple[Literal["linked", "tag", "title+date"], ...] = Field(
        default=("linked", "tag"), min_length=1, description="Ways to find a work, tried in this order."
    )
    place: Literal["lesson_on_due_date", "next_lesson", "ask"] = Field(
        default="ask", description="The lesson a mark lands on; with no place a person is asked."
    )
    create_work: Literal["auto", "ask", "never"] = Field(
        default="ask", description="May a work be made in the journal?"
    )


class CodeRule(Part):
    """The right code one left code becomes, and right codes that count as the same."""

    to: Word = Field(description="Code written on the right.")
    same_as: tuple[Word, ...] = Field(default=(), description="Right codes that already say the same.")


Code = Annotated[CodeRule, BeforeValidator(_short_code, json_schema_input_type=str | CodeRule)]


class AttendanceRules(Part):
    """Attendance: whose it is, what a blank says, and how codes correspond."""

    owner: Literal["left", "right", "manual"] = Field(default="manual", description="Whose register counts.")
    blank_is: Literal["not_recorded", "present"] = Field(
        default="not_recorded", description="What a blank says once the register was taken."
    )
    codes: dict[Word, Code] = Field(default_factory=dict, description="Left code: right code.")


class Approve(Part):
    """Which steps need a person."""

    first: Literal["person"] = Field(default="person", description="The first plan of a pair is always a person's.")
    create: Consent = Field(default="auto", description="New values.")
    update: Consent = Field(default="auto", description="Changed values.")
    delete: Consent = Field(default="ask", description="Values taken away.")
    over_guard: Literal["ask"] = Field(default="ask", description="What the guard stopped.")


class Freeze(Part):
    """Days, both included, on which nothing is written."""

    from_: Day = Field(alias="from")
    to: Day


class Limit(Part):
    """How many changes of one kind and operation pass without a person; both keys may stand together."""

    count: Count | None = Field(default=None, description="At most so many changes.")
    percent: Percent | None = Field(default=None, description="At most this share of the known values.")


class KindLimits(Part):
    """Limits of one kind of values, by what is done to them."""

    create: Limit | None = Field(default=None, description="New values.")
    update: Limit | None = Field(default=None, description="Changed values.")
    delete: Limit | None = Field(default=None, description="Values taken away.")


class Limits(Part):
    """Limits that hold instead of max_delete and max_change_pct, for one kind of values."""

    grade: KindLimits | None = Field(default=None, description="Marks.")
    attendance: KindLimits | None = Field(default=None, description="Attendance.")


class Canary(Part):
    """A record that is always there: a read without it, or with another one in its place, is not believed."""

    side: Side = Field(description="The system that holds it.")
    person: Id | None = Field(default=None, description="That system's id of a pupil.")
    item: Id | None = Field(default=None, description="That system's id of a work; with person: a mark of it.")
    says: Word | None = Field(
        default=None, description="The pupil's name, the work's title, or the mark, that must stand there."
    )


class Guard(Part):
    """How much one plan may change without a person."""

    max_delete: Count = Field(default=0, description="Deletions of one kind in one plan.")
    max_change_pct: Percent = Field(default=Decimal(20), description="Share of known values one plan may change.")
    floor: Count = Field(default=25, description="Below so many known values the share is not judged.")
    limits: Limits = Field(default=Limits(), description="Finer limits, by kind of value and operation.")
    absent_after: Annotated[int, Field(strict=True, ge=1, le=10)] = Field(
        default=2, description="Complete reads without a value until it counts as taken away."
    )
    canaries: tuple[Canary, ...] = Field(default=(), description="Records that every read must find unchanged.")
    freeze: tuple[Freeze, ...] = ()


class Quiet(Part):
    """Hours in which nothing begins by itself; past midnight where ``to`` is the earlier one."""

    from_: ClockTime = Field(alias="from")
    to: ClockTime


class YearEnd(Part):
    """Days between two school years, both included, on which nothing begins by itself."""

    from_: MonthDay | Literal["last_school_day"] = Field(
        default="last_school_day", alias="from", description="The first day, or the day after the last period's end."
    )
    to: MonthDay = Field(default="09-14", description="The last day: classes are formed in the year's first weeks.")


class Schedule(Part):
    """When the pair is compared without anybody asking, by the school's clock."""

    hours: tuple[ClockTime, ...] = Field(
        default=("07:00", "14:00", "19:00"), max_length=48, description="Hours of the day; none: never by the clock."
    )
    days: tuple[Weekday, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat"), min_length=1, description="Days of the week."
    )
    quiet: Quiet | Literal["none"] = Field(
        default=Quiet.model_validate({"from": "22:00", "to": "06:00"}), description="Hours without automatic runs."
    )
    after_score: Annotated[int, Field(strict=True, ge=0, le=1440)] = Field(
        default=5, description="Minutes after a delivered score; 0: scores ask for no run."
    )
    year_end: YearEnd | Literal["none"] = Field(
        default=YearEnd.model_validate({}), description="The pause between two school years."
    )


class Example(Part):
    """An example that runs: what comes in, and what must come out.

    ``{grade: {percent: "84.5"}, becomes: {mark10: "8"}}``, ``{attendance: {left: E}, becomes: {right: Pass}}``,
    ``{item: {type: assign, idnumber: SOR-1}, becomes: {kind: sor}}``.
    """

    kind: Kind | None = Field(default=None, description="Kind whose scale is meant, where several have this one.")
    grade: dict[Word, Word] | None = Field(default=None, description="Left scale: mark; “of”: points of the work.")
    attendance: dict[Side, Word] | None = None
    item: dict[Literal["type", "tag", "idnumber", "title"], Word] | None = None
    becomes: dict[Word, Word]


class MappingFile(Part):
    """How two systems correspond: people, groups, marks, attendance, and how careful to be."""

    version: Literal[1] = Field(description="Version of this file's shape.")
    pair: Pair
    identity: Identity = Identity()
    groups: tuple[GroupPair, ...] = ()
    grades: Grades | None = None
    items: Items = Items()
    attendance: AttendanceRules | None = None
    approve: Approve = Approve()
    guard: Guard = Guard()
    schedule: Schedule = Schedule()
    tests: tuple[Example, ...] = ()
