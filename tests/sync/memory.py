"""Two systems in memory, as strict as real ones: compare-and-set, their own ids, and reads that can be spoiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from connector.base.errors import Retriable
from connector.base.i18n import say
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

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)


@dataclass
class MemorySystem:
    """One system; every write is counted, every read can be told to fail."""

    key: str
    capabilities: Capabilities
    groups: list[Group] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    sessions: list[AcademicSession] | None = None
    items: list[LineItem] = field(default_factory=list)
    marks: dict[tuple[str, str], str] = field(default_factory=dict)
    register: dict[tuple[str, str], str] = field(default_factory=dict)
    writes: list[CellWrite] = field(default_factory=list)
    spoiled: dict[str, tuple[Evidence, str]] = field(default_factory=dict)
    before_write: Callable[[CellWrite], None] | None = None
    outcome: Callable[[CellWrite], WriteResult | None] | None = None
    lose_answer: bool = False
    reads: list[str] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: NOW

    def _read(self, kind: str, records: Sequence[object]) -> Read:  # type: ignore[type-arg]
        self.reads.append(kind)
        evidence, reason = self.spoiled.get(kind, (Evidence.COMPLETE, ""))
        if evidence is Evidence.PARTIAL:
            records = records[: len(records) // 2]
        elif evidence is not Evidence.COMPLETE:
            records = ()
        return Read(tuple(records), evidence, self.clock(), reason)  # type: ignore[arg-type]

    def read_groups(self) -> Read[Group]:
        return self._read("group", self.groups)

    def read_people(self, scope: Scope) -> Read[Person]:
        return self._read("person", self.people)

    def read_lessons(self, scope: Scope) -> Read[Lesson]:
        return self._read("lesson", self.lessons)

    def read_sessions(self, scope: Scope) -> Read[AcademicSession]:
        if self.sessions is None:
            return Read((), Evidence.GONE, self.clock(), "not_offered")
        return self._read("session", self.sessions)

    def read_line_items(self, scope: Scope) -> Read[LineItem]:
        return self._read("item", self.items)

    def read_results(self, scope: Scope, items: Sequence[LineItem]) -> Read[Result]:
        wanted = {item.id: item for item in items}
        hidden = self.capabilities.results.hides
        found = [
            Result(item, person, raw, wanted[item].maximum)
            for (item, person), raw in self.marks.items()
            if item in wanted and raw not in hidden
        ]
        return self._read("result", found)

    def read_attendance(self, scope: Scope, lessons: Sequence[Lesson]) -> Read[AttendanceMark]:
        days = {lesson.id: lesson.day for lesson in lessons}
        found = [
            AttendanceMark(lesson, person, raw, days[lesson])
            for (lesson, person), raw in self.register.items()
            if lesson in days
        ]
        return self._read("attendance", found)

    def create_line_item(self, scope: Scope, item: LineItem) -> LineItem:
        known = next((one for one in self.items if (one.lesson_id, one.title) == (item.lesson_id, item.title)), None)
        if known is None:
            day = next(lesson.day for lesson in self.lessons if lesson.id == item.lesson_id)
            known = replace(
                item, id=f"work-{len(self.items) + 1}", due=day, maximum=Decimal(10), resource_id="", tag=""
            )
            self.items.append(known)
        return known

    def write_result(self, scope: Scope, write: CellWrite) -> WriteResult:
        return self._write(self.marks, write)

    def write_attendance(self, scope: Scope, write: CellWrite) -> WriteResult:
        return self._write(self.register, write)

    def _write(self, table: dict[tuple[str, str], str], write: CellWrite) -> WriteResult:
        if self.before_write is not None:
            self.before_write(write)
        if self.outcome is not None and (forced := self.outcome(write)) is not None:
            return forced
        cell = (write.item_id, write.person_id)
        seen = table.get(cell)
        if seen == write.after:
            return WriteResult(Outcome.ALREADY, seen=seen, seen_known=True)
        if seen != write.expect:
            return WriteResult(Outcome.CONFLICT, "moved", seen, seen_known=True)
        self.writes.append(write)
        if write.after is None:
            table.pop(cell, None)
        else:
            table[cell] = write.after
        if self.lose_answer:
            raise Retriable("timeout", say("lost"))
        return WriteResult(Outcome.APPLIED, seen=write.after, seen_known=True)


def lms(**changes: object) -> MemorySystem:
    capabilities = Capabilities(
        people=Access(read=True),
        line_items=Access(read=True, write=Writing.YES),
        results=Access(read=True, write=Writing.YES, cas=Cas.TIMESTAMP),
    )
    pupils = [
        Person(f"u{n}", f"Тегі{n}", f"Аты{n}", identifiers={"lti_sub": f"u{n}", "idnumber": f"N{n}"})
        for n in range(1, 5)
    ]
    made = MemorySystem(
        "moodle:gym",
        capabilities,
        groups=[Group("7", "Алгебра 7А", "7А-ALG")],
        people=[*pupils, Person("u9", "Мұғалім", "Әсел", role=Role.TEACHER)],
        items=[LineItem("li-1", "Бақылау тесті", Decimal(100), tag="quiz", resource_id="act-1", due=DAY)],
        marks={("li-1", "u1"): "84.5", ("li-1", "u2"): "51", ("li-1", "u3"): "100"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def journal(*, write: Writing = Writing.YES, **changes: object) -> MemorySystem:
    capabilities = Capabilities(
        people=Access(read=True),
        lessons=Access(read=True),
        line_items=Access(read=True, write=write),
        results=Access(read=True, write=write),
        attendance=Access(read=True),
    )
    order = (3, 1, 4, 2)
    pupils = [Person(f"9000000000000000{n}", f"Тегі{n}", f"Аты{n}", full_name=f"Тегі{n} Аты{n}") for n in order]
    made = MemorySystem(
        "kundelik:1000001234567",
        capabilities,
        groups=[Group("2244", "7 «А»", subject_id="55", subject="алгебра")],
        people=pupils,
        lessons=[Lesson("L1", "2244", "55", DAY, 2, "Дәреже"), Lesson("L2", "2244", "55", date(2026, 11, 24), 1)],
        register={("L1", "90000000000000001"): "Attend", ("L1", "90000000000000002"): "Ill"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]
