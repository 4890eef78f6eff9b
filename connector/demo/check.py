"""Look at the LMS's and the journal's own pages and compare them with the answer sheet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from connector.demo.hands import SignedIn
from connector.demo.person import Form, Person

_LMS_CELL = re.compile(r'<td data-user="(\d+)" data-item="(\d+)" data-mark="([^"]*)"')
_LMS_COLUMN = re.compile(r'<th scope="col" data-item="(\d+)"><span>([^<]*)</span>')
_JOURNAL_LETTER = re.compile(r'<td class="letter" data-person="(\d+)" data-lesson="(\d+)">([^<]*)</td>')
_CSRF = re.compile(r'data-csrf="([^"]+)"')
_JOURNAL_MARK = re.compile(r'<td class="mark" data-person="(\d+)" data-work="(\d+)">([^<]*)</td>')


@dataclass(frozen=True)
class Cell:
    """One cell of a journal's page."""

    person: str
    work: str
    mark: str


@dataclass
class Mismatches:
    """What is not where it should be, one line each, naming pupils by their number in the class list."""

    lines: list[str] = field(default_factory=list)

    def compare(self, place: str, pupil: int, expected: str, found: str) -> bool:
        """Note a difference; return whether there was none."""
        if expected == found:
            return True
        self.lines.append(f"{place}: pupil {pupil}: {expected or 'nothing'} expected, {found or 'nothing'} found")
        return False


def lms_marks(teacher: SignedIn, title: str) -> dict[str, Decimal]:
    """Return the marks of a column of the LMS's gradebook page, by the LMS's user id."""
    page = teacher.person.open(teacher.course.link("/grade/report/grader/"))
    columns = {name.strip(): item for item, name in _LMS_COLUMN.findall(page.html)}
    wanted = columns.get(title)
    found = [(user, mark) for user, item, mark in _LMS_CELL.findall(page.html) if item == wanted and mark]
    return {user: Decimal(mark.replace(",", ".")) for user, mark in found}


def _quarters(journal_url: str) -> list[str]:
    person = Person()
    return [person.open(f"{journal_url}/journal?quarter={quarter}").html for quarter in (1, 2, 3, 4)]


def journal_cells(journal_url: str) -> dict[tuple[str, str], str]:
    """Return every mark on the journal's pages of algebra, over the year, by person and work."""
    found = [cell for page in _quarters(journal_url) for cell in _JOURNAL_MARK.findall(page)]
    return {(person, work): mark for person, work, mark in found if mark}


def new_cells(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> list[Cell]:
    """Return the marks that were not there before, or that changed."""
    return [Cell(*key, mark) for key, mark in sorted(after.items()) if before.get(key) != mark]


def journal_letters(journal_url: str) -> dict[tuple[str, str], str]:
    """Return every letter of the register on the journal's pages of algebra, over the year, by person and lesson."""
    found = [cell for page in _quarters(journal_url) for cell in _JOURNAL_LETTER.findall(page)]
    return {(pupil, lesson): letter for pupil, lesson, letter in found if letter}


def set_lms_mark(teacher: SignedIn, title: str, user: str, mark: Decimal) -> None:
    """Type a mark into the LMS's gradebook, as a teacher does over a tool's."""
    page = teacher.person.open(teacher.course.link("/grade/report/grader/"))
    item = next(item for item, name in _LMS_COLUMN.findall(page.html) if name.strip() == title)
    cell = teacher.person.open(page.link(f"itemid={item}&userid={user}"))
    teacher.person.submit(cell.form("override"), {"mark": str(mark)}, button="override")


def set_journal_mark(journal_url: str, work: str, person: str, mark: str, was: str) -> None:
    """Type a mark into the journal's page, as its teacher does."""
    teacher = Person()
    page = teacher.open(f"{journal_url}/journal")
    token = _CSRF.search(page.html)
    form = Form(f"{journal_url}/cells", "POST")
    fields = {"kind": "mark", "place": work, "person": person, "value": mark, "was": was}
    teacher.submit(form, {**fields, "csrf": token.group(1) if token else ""})
