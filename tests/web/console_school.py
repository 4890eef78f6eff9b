"""One class as it is: thirty pupils, three works, a register, conflicts and holds; all of it in memory."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sync.model import Group, Lesson, LineItem, Person, Role
from sync.systems.contract import Writing
from sync.twins.sample_school import pupils
from tests.sync.memory import DAY, MemorySystem, journal, lms

DAYS = (DAY, date(2026, 11, 24), date(2026, 11, 26))
TITLES = ("Бақылау тесті: дәреже", "Ом заңы зертханасы", "БЖБ 2: теңдеулер")


def class_lms() -> MemorySystem:
    people = [
        Person(f"u{one.number}", one.family, one.given, one.patronymic, identifiers={"idnumber": one.idnumber})
        for one in pupils()
    ]
    items = [
        LineItem(f"li-{n}", title, Decimal(100), tag="quiz", resource_id=f"act-{n}", due=day)
        for n, (title, day) in enumerate(zip(TITLES, DAYS, strict=True))
    ]
    marks = {
        (item.id, person.id): str(40 + (7 * place + 13 * n) % 61)
        for n, item in enumerate(items)
        for place, person in enumerate(people)
        if (place + n) % 9
    }
    teacher = Person("t1", "Сейітқали", "Әсел", role=Role.TEACHER)
    return lms(people=[*people, teacher], items=items, marks=marks)


def class_journal(*, write: Writing = Writing.YES) -> MemorySystem:
    people = []
    for one in pupils():
        family, given, patronymic = one.journal_name
        full = " ".join(part for part in one.journal_name if part)
        people.append(Person(str(9_000_000_000_000_000 + one.number), family, given, patronymic, full_name=full))
    lessons = [Lesson(f"L{n}", "2244", "55", day, n + 1, TITLES[n].partition(":")[0]) for n, day in enumerate(DAYS)]
    codes = ("Attend", "Attend", "Attend", "Ill", "Late", "Absent", "Attend", "Pass")
    register = {("L0", person.id): codes[n % 8] for n, person in enumerate(people) if n % 10}
    groups = [Group("2244", "7 «А»", subject_id="55", subject="алгебра")]
    return journal(write=write, people=people, lessons=lessons, register=register, groups=groups)


def identity_csv() -> str:
    """The identity file of the class; the two namesakes and one pupil are left out."""
    rows = [f"{one.idnumber};{9_000_000_000_000_000 + one.number}" for one in pupils() if one.number != 7]
    return "idnumber;kundelik\n" + "\n".join(rows) + "\n"
