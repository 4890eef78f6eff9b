"""The whole path without a hand: launches, a test taken, scores, people joined, a plan, an apply, and two edits.

The report is computed from the answer sheet and the two twins' own pages. What Kopir believes is not asked: only
what it reports of itself (counts of a plan) stands beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from connector.base.i18n import N_, Message, say
from connector.demo.answers import MAXIMUM, PUPILS, mark_of, points_of
from connector.demo.bridge import OPERATOR, Bridge, build_bridge, join_people
from connector.demo.check import (
    Mismatches,
    journal_cells,
    journal_letters,
    lms_marks,
    new_cells,
    set_journal_mark,
    set_lms_mark,
)
from connector.demo.hands import TEST_TITLE, SignedIn, add_simple, add_test, sign_in, take_test
from connector.demo.world import World
from sync.reconcile.apply import apply_plan
from sync.runs.approving import approve
from sync.store import conflicts, register
from sync.store.plans import StoredPlan

TEACHER, FIRST_PUPIL = "3", 5
ONE_SIDED, TWO_SIDED = 4, 8
SCORE_SECONDS = 60.0
Say = Callable[[Message], None]
Hook = Callable[[World], None]


@dataclass
class Report:
    """What the rehearsal saw.

    Attributes:
        launches: Pupils who came in through login, authorisation and launch and took the test.
        scores_in_lms: Marks of the test on the LMS's gradebook page.
        marks_in_journal: Right marks of the test on the journal's page, after the first apply.
        joined_by_file: Pupils joined by the identity file.
        joined_by_proposal: Pupils joined by accepted proposals.
        attendance_read: Entries of the journal's register that arrived in Kopir's.
        second_plan: Values a second plan would write: none.
        carried_over: One-sided edits that reached the other side.
        conflicts: Two-sided edits left for a person, both values kept.
        mismatches: What is not where it should be, in words.
        seconds: How long it took.
    """

    launches: int = 0
    scores_in_lms: int = 0
    marks_in_journal: int = 0
    joined_by_file: int = 0
    joined_by_proposal: int = 0
    attendance_read: int = 0
    second_plan: int = 0
    carried_over: int = 0
    conflicts: int = 0
    mismatches: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Tell whether every mark is where it should be."""
        whole = self.launches == self.scores_in_lms == self.marks_in_journal == PUPILS
        joined = self.joined_by_file + self.joined_by_proposal == PUPILS and self.joined_by_proposal > 0
        return whole and joined and self.carried_over == 1 and self.conflicts == 1 and not self.mismatches

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {**asdict(self), "mismatches": len(self.mismatches), "details": self.mismatches, "passed": self.passed}


def rehearse(world: World, tell: Say, before_check: Hook | None = None) -> Report:
    """Walk the whole path in a running world.

    Args:
        world: A fresh rehearsal.
        tell: Is told each step.
        before_check: Called before the journal's page is compared; a test takes a mark out here.
    """
    started = time.monotonic()
    report = Report()
    _Rehearsal(world, tell, report, before_check).walk()
    report.seconds = round(time.monotonic() - started, 1)
    return report


class _Rehearsal:
    def __init__(self, world: World, tell: Say, report: Report, before_check: Hook | None) -> None:
        self._world = world
        self._tell = tell
        self._report = report
        self._before_check = before_check
        self._wrong = Mismatches(report.mismatches)
        self._teacher: SignedIn = sign_in(world.lms_url, TEACHER)
        self._person_ids = world.journal.person_ids()
        self._work = ""

    def walk(self) -> None:
        """Take every step in turn."""
        before = journal_cells(self._world.journal_url)
        self._tests()
        self._scores()
        bridge = self._join()
        self._carry(bridge, before)
        self._edit(bridge)

    def _tests(self) -> None:
        self._tell(say(N_("The teacher adds a test, a lab and the portfolio to the course.")))
        add_test(self._teacher)
        for plugin in ("virtual_lab", "portfolio"):
            add_simple(self._teacher, plugin)
        self._tell(say(N_("{count} pupils open the test in the LMS, answer and submit."), count=PUPILS))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._take, range(1, PUPILS + 1)))

    def _take(self, number: int) -> None:
        page = take_test(sign_in(self._world.lms_url, str(FIRST_PUPIL + number - 1)), number)
        shown = f"{points_of(number)} / {MAXIMUM}"
        if self._wrong.compare("score page", number, shown, shown if shown in page.text else page.text[:80]):
            self._report.launches += 1

    def _scores(self) -> None:
        self._tell(say(N_("Scores travel to the LMS's gradebook.")))
        deadline = time.monotonic() + SCORE_SECONDS
        marks = lms_marks(self._teacher, TEST_TITLE)
        while len(marks) < PUPILS and time.monotonic() < deadline:
            time.sleep(0.5)
            marks = lms_marks(self._teacher, TEST_TITLE)
        for number in range(1, PUPILS + 1):
            found = marks.get(str(FIRST_PUPIL + number - 1))
            text = "" if found is None else str(found.normalize())
            if self._wrong.compare("LMS", number, str(points_of(number).normalize()), text):
                self._report.scores_in_lms += 1

    def _join(self) -> Bridge:
        self._tell(say(N_("Both systems are read, and the people of the class joined.")))
        bridge = build_bridge(self._world)
        bridge.plan()
        self._report.joined_by_file, self._report.joined_by_proposal = join_people(bridge)
        return bridge

    def _apply(self, bridge: Bridge, plan: StoredPlan) -> None:
        approve(bridge.sync, self._world.school_id, plan.id, plan.hash, OPERATOR)
        apply_plan(bridge.sync, self._world.school_id, plan.id, actor=OPERATOR)

    def _carry(self, bridge: Bridge, before: dict[tuple[str, str], str]) -> None:
        self._tell(say(N_("A plan is made, approved, applied and read back.")))
        self._apply(bridge, bridge.plan())
        self._report.second_plan = bridge.plan().pending
        self._wrong.compare("second plan", 0, "0", str(self._report.second_plan))
        if self._before_check is not None:
            self._before_check(self._world)
        self._compare_journal(before)
        self._compare_register(bridge)

    def _compare_journal(self, before: dict[tuple[str, str], str]) -> None:
        found = new_cells(before, journal_cells(self._world.journal_url))
        works = {cell.work for cell in found}
        if len(works) != 1:
            self._wrong.lines.append(f"journal: new marks stand in {len(works)} works, not in one")
        self._work = next(iter(sorted(works)), "")
        by_person: dict[str, list[str]] = {}
        for cell in found:
            by_person.setdefault(cell.person, []).append(cell.mark)
        for number in range(1, PUPILS + 1):
            marks = by_person.pop(self._person_ids[number], [])
            if self._wrong.compare("journal", number, mark_of(points_of(number)), "+".join(marks)):
                self._report.marks_in_journal += 1
        if by_person:
            self._wrong.lines.append(f"journal: {len(by_person)} marks stand at people who took no test")

    def _compare_register(self, bridge: Bridge) -> None:
        """Compare what arrived in Kopir's register with the letters on the journal's page."""
        shown = journal_letters(self._world.journal_url)
        school = self._world.school_id
        with self._world.runtime.database.school(school, write=False) as db:
            entries = register.entries_of(db, school, sorted({lesson for _, lesson in shown}))
        self._report.attendance_read = len(entries)
        self._wrong.compare("register", 0, str(len(shown)), str(len(entries)))

    def _edit(self, bridge: Bridge) -> None:
        self._tell(say(N_("One mark is edited in the journal and two in the LMS: one of them the same pupil's.")))
        for number in (ONE_SIDED, TWO_SIDED):
            set_lms_mark(self._teacher, TEST_TITLE, str(FIRST_PUPIL + number - 1), _other(points_of(number)))
        typed = "2" if mark_of(points_of(TWO_SIDED)) != "2" else "3"
        person = self._person_ids[TWO_SIDED]
        old = journal_cells(self._world.journal_url).get((person, self._work), "")
        set_journal_mark(self._world.journal_url, self._work, person, typed, old)
        plan = bridge.plan()
        self._apply(bridge, plan)
        cells = journal_cells(self._world.journal_url)
        carried = cells.get((self._person_ids[ONE_SIDED], self._work), "")
        if self._wrong.compare("one-sided edit", ONE_SIDED, mark_of(_other(points_of(ONE_SIDED))), carried):
            self._report.carried_over = 1
        self._two_sided(typed, cells.get((person, self._work), ""))
        self._wrong.compare("third plan", 0, "0", str(bridge.plan().pending))

    def _two_sided(self, typed: str, found: str) -> None:
        kept = self._wrong.compare("two-sided edit, journal", TWO_SIDED, typed, found)
        marks = lms_marks(self._teacher, TEST_TITLE)
        mine = marks.get(str(FIRST_PUPIL + TWO_SIDED - 1), Decimal(-1))
        wanted = _other(points_of(TWO_SIDED))
        kept &= self._wrong.compare("two-sided edit, LMS", TWO_SIDED, str(wanted), str(mine.normalize()))
        school = self._world.school_id
        with self._world.runtime.database.school(school, write=False) as db:
            connection = build_bridge(self._world).connection
            self._report.conflicts = len(conflicts.of(db, school, connection)) if kept else 0
        self._wrong.compare("conflicts", 0, "1", str(self._report.conflicts))


def _other(points: Decimal) -> Decimal:
    """Return points that give another mark than these."""
    return points - 1 if points > 4 else points + 3
