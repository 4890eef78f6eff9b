"""The school the rehearsal LMS opens with: one course, a teacher, an assistant and thirty pupils."""

from __future__ import annotations

import secrets

from lti.platform.keys import PlatformKey
from sync.twins import sample_school
from sync.twins.moodle.records import ASSISTANT_ID, COURSE_ID, FIRST_PUPIL_ID, TEACHER_ID
from sync.twins.moodle.store import Store

COURSE = ("7А алгебра", "7А-ALG-2026", "7A-ALG-2026")


def seed(store: Store) -> None:
    """Fill an empty store; a store that was filled before is left as it is."""
    if store.setting("guid") is not None:
        return
    pem = PlatformKey.new_pem()
    with store.write() as connection:
        settings = [("guid", secrets.token_hex(16)), ("key", pem), ("secret", secrets.token_urlsafe(32))]
        if connection.execute("SELECT 1 FROM setting").fetchone():
            return
        connection.executemany("INSERT INTO setting VALUES (?, ?)", settings)
        connection.execute("INSERT INTO course VALUES (?, ?, ?, ?)", (COURSE_ID, *COURSE))
        for number, role, person in _people():
            connection.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *person))
            connection.execute("INSERT INTO enrolment VALUES (?, ?, ?, 0)", (COURSE_ID, number, role))
        # Grade item 1 is the course total, so that the first column of an activity is 2, as in a new Moodle course.
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('line_item', 1)")


def _people() -> list[tuple[int, str, tuple[str, ...]]]:
    teacher, assistant = sample_school.teacher(), sample_school.assistant()
    found = [
        (TEACHER_ID, "teacher", _row(teacher, "teacher", "T-0001")),
        (ASSISTANT_ID, "assistant", _row(assistant, "assistant", "T-0002")),
    ]
    for number, pupil in enumerate(sample_school.pupils()):
        username = f"student{pupil.number:02d}"
        found.append((FIRST_PUPIL_ID + number, "pupil", _row(pupil, username, pupil.idnumber)))
    return found


def _row(person: sample_school.SamplePerson, username: str, idnumber: str) -> tuple[str, ...]:
    email = f"{username}@example.test"
    return (username, person.given, person.family, person.patronymic, email, idnumber)
