"""Fill an empty store: the school, its people, a year of lessons with their works, reporting periods."""

from __future__ import annotations

import sqlite3
from datetime import date

from sync.twins import sample_school
from sync.twins.kundelik import calendar, ids

# Type id (index), kind, title, abbreviation, weight, is it a final mark.
WORK_TYPES = (
    ("CommonWork", "Сабақтағы жұмыс", "СЖ", 1, 0),
    ("HomeWork", "Үй жұмысы", "ҮЖ", 1, 0),
    ("TestWork", "Тест", "Т", 2, 0),
    ("PeriodFinalWork", "Тоқсандық баға", "ТБ", 0, 1),
)

# Weekday (Monday is 0) and lesson number.
_ALGEBRA_WEEK = ((0, 2), (1, 4), (3, 1), (4, 3))
_INFORMATICS_WEEK = ((2, 5), (4, 1))

_ALGEBRA_TOPICS = (
    "Бүтін көрсеткішті дәреже",
    "Дәреженің қасиеттері",
    "Санның стандарт түрі",
    "Бірмүшелер және оларға амалдар қолдану",
    "Көпмүшелер",
    "Көпмүшені көбейткіштерге жіктеу",
    "Қысқаша көбейту формулалары",
    "Функция және оның графигі",
    "Сызықтық функция",
    "Статистика элементтері",
)
_INFORMATICS_TOPICS = (
    "Ақпараттың өлшем бірліктері",
    "Компьютерлік желілер",
    "Электрондық кестелер",
    "Алгоритмдер және олардың түрлері",
    "Python тілінде тармақталу",
)

_KAZAKH_ORDER = {letter: place for place, letter in enumerate("аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя")}

CLIENT_ID = "0f3c9a52-rehearsal"
CLIENT_SECRET = "rehearsal-client-secret"  # noqa: S105 — an invented secret of an invented school.
LOGIN = "n.seitkali"
PASSWORD = "rehearsal"  # noqa: S105 — the same.
TOKEN = "7e1f4c0a9b2d4835a6c1e0f7d9b3a528"  # noqa: S105 — the same; 32 characters as the journal's are.
SCOPE = (
    "Schools,Relatives,EduGroups,Lessons,marks,EduWorks,Avatar,EducationalInfo,CommonInfo,ContactInfo,"
    "FriendsAndRelatives,Files,Wall,Messages"
)


def alphabetical(name: tuple[str, ...]) -> tuple[list[int], ...]:
    """Return the sort key of a name in the order of the Kazakh alphabet."""
    return tuple([_KAZAKH_ORDER.get(letter, 100 + ord(letter)) for letter in part.casefold()] for part in name)


def seed(db: sqlite3.Connection, today: date) -> None:
    """Write everything a school has before its first mark."""
    year = calendar.school_year(today)
    _people(db)
    _subjects(db)
    _periods(db, year)
    _lessons(db, year)
    db.execute(
        "INSERT INTO token VALUES (?, ?, ?, ?)",
        (TOKEN, "refresh-" + TOKEN, ids.number("user", 100), SCOPE),
    )


def _people(db: sqlite3.Connection) -> None:
    pupils = sorted(sample_school.pupils(), key=lambda pupil: (alphabetical(pupil.journal_name), pupil.number))
    rows: list[tuple[sample_school.SamplePerson, int, int, str, str | None]]
    rows = [(pupil, pupil.number - 1, place, "EduStudent", None) for place, pupil in enumerate(pupils, 1)]
    rows.append((sample_school.teacher(), 100, 0, "EduStaff", LOGIN))
    rows.append((sample_school.assistant(), 101, 0, "EduStaff", "s.akhmetova"))
    for who, index, place, role, login in rows:
        last, first, middle = who.journal_name
        key = (ids.number("person", index), ids.number("user", index))
        values = (*key, who.number, place, role, last, first, middle, who.sex, who.birth_date.isoformat(), login)
        db.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def _subjects(db: sqlite3.Connection) -> None:
    rows = (
        (ids.ALGEBRA, "алгебра", "Математика и информатика", "Mark10", ids.number("person", 100)),
        (ids.INFORMATICS, "информатика", "Математика и информатика", "Mark5", ids.number("person", 101)),
    )
    db.executemany("INSERT INTO subject VALUES (?, ?, ?, ?, ?)", rows)


def _periods(db: sqlite3.Connection, year: int) -> None:
    for quarter in calendar.quarters(year):
        key = ids.number("period", quarter.number - 1)
        values = (key, quarter.number, quarter.start.isoformat(), quarter.finish.isoformat(), year)
        db.execute("INSERT INTO period VALUES (?, ?, ?, ?, ?)", values)
    for start, finish in calendar.breaks(year):
        db.execute("INSERT INTO holiday VALUES (?, ?)", (start.isoformat(), finish.isoformat()))


def _lessons(db: sqlite3.Connection, year: int) -> None:
    for index, row in enumerate(WORK_TYPES):
        db.execute(
            "INSERT INTO work_type VALUES (?, ?, ?, ?, ?, ?, ?)", (ids.number("work_type", index), index + 1, *row)
        )
    index = 0
    taught = {ids.ALGEBRA: 0, ids.INFORMATICS: 0}
    for day in calendar.school_days(year):
        for subject, number in _timetable(day):
            topics = _ALGEBRA_TOPICS if subject == ids.ALGEBRA else _INFORMATICS_TOPICS
            # A topic lasts a little longer than a week, so the year ends near the end of the list.
            title = topics[min(taught[subject] * len(topics) // 136, len(topics) - 1)]
            _lesson(db, index, subject, day, number, title)
            taught[subject] += 1
            index += 1


def _timetable(day: date) -> list[tuple[int, int]]:
    week = [(weekday, number, ids.ALGEBRA) for weekday, number in _ALGEBRA_WEEK]
    week += [(weekday, number, ids.INFORMATICS) for weekday, number in _INFORMATICS_WEEK]
    return sorted(
        ((subject, number) for weekday, number, subject in week if weekday == day.weekday()), key=lambda x: x[1]
    )


def _lesson(db: sqlite3.Connection, index: int, subject: int, day: date, number: int, title: str) -> None:
    lesson = ids.number("lesson", index)
    algebra = subject == ids.ALGEBRA
    db.execute("INSERT INTO lesson VALUES (?, ?, ?, ?, ?)", (lesson, subject, day.isoformat(), number, title))
    kind, scale, count = ids.number("work_type", 0), "Mark10" if algebra else "Mark5", 1 if algebra else 2
    author = ids.number("person", 100 if algebra else 101)
    db.execute(
        "INSERT INTO work VALUES (?, ?, ?, ?, ?, '', ?)",
        (ids.number("work", index), lesson, kind, scale, count, author),
    )
