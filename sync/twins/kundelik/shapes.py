"""The journal's JSON, record by record.

Spelling is as the journal's own clients have met it: ids as numbers beyond 2^53 with a ``_str`` twin, camelCase
beside lower case and PascalCase, naive local times, fields that are there but null.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sync.twins.kundelik import calendar, ids

Json = dict[str, Any]
SCHOOL_NAME = "№1 гимназия (репетиция)"


def _id(value: int, name: str = "id") -> Json:
    return {name: value, f"{name}_str": str(value)}


def midnight(day: str) -> str:
    """Return a civil date as the journal writes it: a naive datetime."""
    return f"{day}T00:00:00"


def school() -> Json:
    """Return the school."""
    return {
        **_id(ids.SCHOOL),
        "name": SCHOOL_NAME,
        "fullName": "«№1 гимназия» КММ",
        "city": "Байзақ ауданы",
        "municipality": None,
        "regionid": 31,
        "markType": "Mark5",
        "timeZone": 5,
        "uses_avg": True,
        "uses_weighted_avg": False,
        "educationType": "General",
    }


def edu_group(subjects: list[Json], year: int) -> Json:
    """Return class 7 «А»."""
    return {
        **_id(ids.EDU_GROUP),
        "parentIds": [],
        "type": "Group",
        "name": "7 «А»",
        "fullName": "7 «А» сыныбы",
        "parallel": 7,
        "timetable": None,
        "status": "Active",
        "studyyear": year,
        "educationType": "General",
        "subjects": subjects,
        "journaltype": "Summative",
    }


def subject(row: sqlite3.Row) -> Json:
    """Return a subject."""
    return {**_id(row["id"]), "name": row["name"], "knowledgeArea": row["area"], "fgosSubjectId": None}


def person(row: sqlite3.Row) -> Json:
    """Return a person: no IIN and no birth date, by design of the journal."""
    initials = ". ".join(part[0] for part in (row["first_name"], row["middle_name"]) if part)
    return {
        **_id(row["id"]),
        **_id(row["user_id"], "userId"),
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "middleName": row["middle_name"] or None,
        "shortName": f"{row['last_name']} {initials}.",
        "sex": row["sex"],
    }


def teacher(row: sqlite3.Row) -> Json:
    """Return a teacher of a class or school, in the PascalCase of these endpoints and without text ids."""
    known = person(row)
    return {key[0].upper() + key[1:]: value for key, value in known.items() if not key.endswith("_str")}


def user(row: sqlite3.Row) -> Json:
    """Return a signed-in user."""
    known = person(row)
    return {
        **_id(row["user_id"]),
        "personId": row["id"],
        "personId_str": str(row["id"]),
        **{key: known[key] for key in ("firstName", "lastName", "middleName", "shortName", "sex")},
        "birthday": midnight(row["birthday"]),
        "locale": "kk-KZ",
        "timezone": "Asia/Almaty",
        "roles": [row["role"]],
        "email": None,
        "phone": None,
    }


def period(row: sqlite3.Row) -> Json:
    """Return a reporting period."""
    return {
        **_id(row["id"]),
        "start": midnight(row["start"]),
        "finish": midnight(row["finish"]),
        "number": row["number"],
        "type": "Quarter",
        "name": f"{row['number']} тоқсан",
        "year": row["year"],
    }


def lesson(row: sqlite3.Row, works: list[Json]) -> Json:
    """Return a lesson; ``row`` also carries its subject's columns as ``subject_*`` and ``teacher``."""
    subject_json = {"id": row["subject"], "id_str": str(row["subject"]), "name": row["subject_name"]}
    return {
        **_id(row["id"]),
        "title": row["title"],
        "date": midnight(row["date"]),
        "number": row["number"],
        "subject": {**subject_json, "knowledgeArea": row["subject_area"], "fgosSubjectId": None},
        "group": ids.EDU_GROUP,
        "status": "NotInPlan",
        "resultPlaceId": None,
        "works": works,
        "teachers": [row["teacher"]],
        "teachers_str": [str(row["teacher"])],
        "building": None,
        "place": "214",
        "floor": None,
        "hours": calendar.BELLS[row["number"]][0],
    }


def work(row: sqlite3.Row) -> Json:
    """Return a work; ``row`` also carries ``subject``, ``date``, ``kind`` and ``period_number`` of its lesson."""
    return {
        **_id(row["id"]),
        "type": "LessonWork",
        "workType": row["work_type"],
        "markType": row["mark_type"],
        "markCount": row["mark_count"],
        **_id(row["lesson"], "lesson"),
        "displayInJournal": True,
        "status": "Active",
        **_id(ids.EDU_GROUP, "eduGroup"),
        "tasks": [],
        "text": row["text"] or None,
        "periodNumber": row["period_number"],
        "periodType": "Quarter",
        "subjectId": row["subject"],
        "isImportant": False,
        "targetDate": midnight(row["date"]),
        "sentDate": None,
        "createdBy": row["created_by"],
        "files": [],
        "oneDriveLinks": [],
    }


def work_type(row: sqlite3.Row) -> Json:
    """Return a kind of work."""
    known = {"schoolId": ids.SCHOOL, "kindId": row["kind_id"], "kind": row["kind"]}
    return {**_id(row["id"]), **known, "title": row["title"], "abbr": row["abbr"], "weight": row["weight"]}


def _mood(value: str) -> str:
    digits = value.rstrip("+-")
    if not digits.isdigit():
        return "Average"
    return "Good" if int(digits) >= 4 else "Average" if int(digits) == 3 else "Bad"


def mark(row: sqlite3.Row) -> Json:
    """Return a mark; ``date`` is when it was put, not the day of its lesson."""
    return {
        **_id(row["id"]),
        "type": row["mark_type"],
        "value": row["value"],
        "textValue": row["value"],
        **_id(row["person"], "person"),
        **_id(row["work"], "work"),
        **_id(row["lesson"], "lesson"),
        "number": row["number"],
        "date": row["put_at"],
        "workType": row["work_type"],
        "mood": _mood(row["value"]),
        "use_avg_calc": row["value"][:1].isdigit(),
    }


def log_entry(row: sqlite3.Row) -> Json:
    """Return an entry of the register: it has no id of its own."""
    return {
        **_id(row["person"], "person"),
        **_id(row["lesson"], "lesson"),
        "comment": row["comment"] or None,
        "status": row["status"],
        "createdDate": row["created_at"],
    }


def final_mark(row: sqlite3.Row) -> Json:
    """Return a quarter mark: its type says Mark10 while its value is of 1 to 5, as in criteria schools."""
    return {
        **_id(row["id"]),
        "type": "Mark10",
        "value": row["value"],
        "textValue": row["value"],
        **_id(row["person"], "person"),
        "work": None,
        "work_str": None,
        "lesson": None,
        "lesson_str": None,
        "subject": row["subject"],
        "period": row["period"],
        "date": row["date"],
        "workType": ids.number("work_type", 3),
        "mood": _mood(row["value"]),
    }


def section(row: sqlite3.Row) -> Json:
    """Return a criteria section (one СОР theme, or the СОЧ); these fields are the twin's assumption."""
    known = {"name": row["name"], "kind": row["kind"], "maxMark": row["max_mark"]}
    return {**_id(row["id"]), **known, "subject": row["subject"], "period": row["period"]}


def timetable() -> Json:
    """Return the bell, in the PascalCase of this endpoint."""
    items = [
        {
            "Id": number,
            "Start": f"{start}:00",
            "Finish": f"{finish}:00",
            "Name": f"{number} сабақ",
            "Type": "Lesson",
            "DaysOfWeek": [1, 2, 3, 4, 5],
            "LessonNumber": number,
        }
        for number, (start, finish) in calendar.BELLS.items()
    ]
    return {"Name": "Негізгі кесте", "Start": "08:00:00", "FirstLessonNumber": 1, "Items": items}
