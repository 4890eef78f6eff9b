"""Attendance: one canonical set of codes, and the words and letters each system has for them.

A letter means nothing without its language: «а» is *ill* in a Kazakh register, «A» is *absent* in Moodle. A word that
is not known stays unknown; nothing here guesses.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from connector.base.errors import Record
from connector.base.i18n import N_, say


class Attendance(StrEnum):
    """What may be said of one pupil at one lesson."""

    PRESENT = "present"
    ABSENT_UNEXCUSED = "absent_unexcused"
    ABSENT_EXCUSED = "absent_excused"
    ABSENT_ILL = "absent_ill"
    ABSENT_OTHER = "absent_other"
    LATE = "late"
    LEFT_EARLY = "left_early"
    REMOTE = "remote"
    RELEASED = "released"
    EVENT = "event"
    NOT_RECORDED = "not_recorded"


CANONICAL: dict[str, Attendance] = {code.value: code for code in Attendance}

WORDS: dict[str, dict[str, Attendance]] = {
    # lesson-log-entries/statuses of the Kundelik API; that Pass means a valid reason is the vendor's to confirm.
    "kundelik": {
        "Attend": Attendance.PRESENT,
        "Absent": Attendance.ABSENT_UNEXCUSED,
        "Pass": Attendance.ABSENT_EXCUSED,
        "Ill": Attendance.ABSENT_ILL,
        "Late": Attendance.LATE,
        "NotSet": Attendance.NOT_RECORDED,
    },
    # Statuses mod_attendance is installed with; E says excused and does not say why.
    "moodle": {
        "P": Attendance.PRESENT,
        "A": Attendance.ABSENT_UNEXCUSED,
        "L": Attendance.LATE,
        "E": Attendance.ABSENT_EXCUSED,
    },
    "kopir": CANONICAL,
    # LTI carries no attendance: Kopir's own register stands in for an LMS that speaks LTI alone.
    "lti_advantage": CANONICAL,
    "bilimclass": {"was_in_class": Attendance.PRESENT},
}
CLOSED_VOCABULARIES = frozenset({"kundelik", "kopir", "lti_advantage"})
"""Systems whose words are all known; the others' codes are a school's own."""

LETTERS: dict[str, dict[str, Attendance]] = {
    "ru": {
        "н": Attendance.ABSENT_UNEXCUSED,
        "п": Attendance.ABSENT_EXCUSED,
        "б": Attendance.ABSENT_ILL,
        "о": Attendance.LATE,
    },
    "kk": {
        "ж": Attendance.ABSENT_UNEXCUSED,
        "д": Attendance.ABSENT_EXCUSED,
        "а": Attendance.ABSENT_ILL,
        "к": Attendance.LATE,
    },
}
"""Letters of a Kundelik register by the language of the teacher's profile (help.kundelik.kz)."""
_LOOK_ALIKE = {"ru": str.maketrans("hob", "ноб"), "kk": str.maketrans("ak", "ак")}


def from_letter(raw: str, language: Literal["kk", "ru"]) -> Attendance:
    """Read a register's letter in its language; Latin letters that look the same are understood.

    A blank cell is ``not_recorded``: an empty register is not a class that was present.

    Raises:
        Record: Not a letter of this language (``unknown_attendance``).
    """
    text = raw.strip().lower()
    if not text:
        return Attendance.NOT_RECORDED
    found = LETTERS[language].get(text.translate(_LOOK_ALIKE[language]))
    if found is None:
        message = N_("“{code}” is not an attendance letter of a register kept in “{language}”.")
        raise Record("unknown_attendance", say(message, code=raw.strip(), language=language))
    return found


def from_word(raw: str, system: str) -> Attendance:
    """Read a system's own word for attendance, as its API gives it.

    Raises:
        Record: The system has no such word that we know (``unknown_attendance``).
    """
    found = WORDS.get(system, {}).get(raw)
    if found is None:
        message = N_("“{code}” is not an attendance code known for {system}.")
        raise Record("unknown_attendance", say(message, code=raw, system=system))
    return found
