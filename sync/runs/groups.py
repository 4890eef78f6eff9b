"""The groups of a connection as a plan sees them: who and which works are on both sides, and what the reads prove."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from sync.model import AcademicSession, Lesson
from sync.reconcile.guard import period_closed
from sync.reconcile.types import CellKind, Side
from sync.runs.columns import Column
from sync.runs.places import Activities
from sync.runs.places import columns as columns_of
from sync.store.cells import ReadProof
from sync.store.connections import GroupLink, SyncConnection
from sync.store.scopes import Told, pairs, shelves
from sync.systems.contract import Evidence

NEEDS: dict[CellKind, dict[Side, tuple[str, ...]]] = {
    CellKind.GRADE: {Side.LEFT: ("person", "item", "result"), Side.RIGHT: ("person", "lesson", "item", "result")},
    CellKind.ATTENDANCE: {Side.LEFT: ("attendance",), Side.RIGHT: ("person", "lesson", "attendance")},
}
"""Which reads a scope's evidence stands on."""
OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
Proofs = Mapping[tuple[str, str], ReadProof | Told]


def evidence_of(proofs: Proofs, kind: CellKind, side: Side) -> tuple[Evidence, str]:
    """Return what the reads of a side prove about one kind of cells: the worst of what they stand on."""
    worst, reason = Evidence.COMPLETE, ""
    for need in NEEDS[kind][side]:
        proof = proofs.get((side.value, need))
        found = proof.evidence if proof is not None else Evidence.UNKNOWN
        if found is Evidence.GONE and proof is not None and proof.reason == "not_offered":
            continue
        if found is not Evidence.COMPLETE and worst in (Evidence.COMPLETE, Evidence.PARTIAL):
            worst, reason = found, proof.reason if proof is not None else "never_read"
    return worst, reason


@dataclass(frozen=True)
class Group:
    """One group as a plan sees it.

    Attributes:
        link: The pair of groups.
        pairs: Joined pupils in both rosters: internal id → (left id, right id).
        columns: Comparable works by internal id.
        lessons: The lessons on the right by id.
        proofs: The last reads.
        sessions: The journal's reporting periods, as the last complete read of them gave them.
    """

    link: GroupLink
    pairs: dict[str, tuple[str, str]]
    columns: dict[str, Column]
    lessons: dict[str, Lesson]
    proofs: dict[tuple[str, str], ReadProof]
    sessions: tuple[AcademicSession, ...] = ()

    def closing(self, kind: CellKind, item: str) -> str:
        """Return why a work or lesson of the journal must not be written, or an empty text.

        ``closed_period`` where its day lies in a closed period; ``sessions_unknown`` where the periods could not be
        read, or none of them holds the day, so that nobody can tell. A journal that offers no periods closes none.
        """
        proof = self.proofs.get(("right", "session"))
        if proof is not None and proof.evidence is Evidence.GONE and proof.reason == "not_offered":
            return ""
        day = self._day(kind, item)
        if day is None:
            return "" if kind is CellKind.GRADE and self.columns[item].hold else "sessions_unknown"
        if period_closed(day, self.sessions):
            return "closed_period"
        covered = any(session.first <= day <= session.last for session in self.sessions)
        return "" if covered and proof is not None and proof.evidence is Evidence.COMPLETE else "sessions_unknown"

    def _day(self, kind: CellKind, item: str) -> date | None:
        """Return the civil day of a lesson, or of the lesson a work hangs on."""
        if kind is CellKind.ATTENDANCE:
            return self.lessons[item].day
        column = self.columns[item]
        lesson = self.lessons.get(column.right.lesson_id if column.right is not None else column.link.right_lesson)
        if lesson is not None:
            return lesson.day
        return column.right.due if column.right is not None else None

    def evidence(self, kind: CellKind, side: Side) -> tuple[Evidence, str]:
        """Return what the reads of a side prove about one kind of cells."""
        return evidence_of(self.proofs, kind, side)

    def read_at(self, kind: CellKind, side: Side) -> datetime:
        """Return when the values of a side were read, by its own clock where it gives one."""
        proof = self.proofs.get((side.value, "result" if kind is CellKind.GRADE else "attendance"))
        return proof.read_at if proof is not None else OLDEST


class Groups(Mapping[str, Group]):
    """Groups by link, loaded several at a time when one of them is asked for; only the last few lots are kept."""

    def __init__(self, lots: Sequence[Sequence[GroupLink]], load: Callable[[Sequence[GroupLink]], list[Group]]) -> None:
        """Take the lots in the order in which they will be asked for.

        Args:
            lots: Groups that are loaded together.
            load: Loads a lot.
        """
        self._lots = lots
        self._load = load
        self._lot_of = {link.id: number for number, lot in enumerate(lots) for link in lot}
        self._loaded: OrderedDict[int, dict[str, Group]] = OrderedDict()

    def __getitem__(self, link: str) -> Group:
        """Return a group."""
        number = self._lot_of[link]
        if number not in self._loaded:
            self._loaded[number] = {group.link.id: group for group in self._load(self._lots[number])}
            if len(self._loaded) > KEPT_LOTS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(number)
        return self._loaded[number][link]

    def __contains__(self, link: object) -> bool:
        """Tell without loading."""
        return link in self._lot_of

    def __iter__(self) -> Iterator[str]:
        """Go through the links in order."""
        return iter(self._lot_of)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._lot_of)


KEPT_LOTS = 3
"""The lot that is compared, and those whose changes are still being stored."""


def load_groups(
    db: Connection, connection: SyncConnection, links: Sequence[GroupLink], *, stopped: Collection[str], writable: bool
) -> list[Group]:
    """Load groups with the people and works that can be compared.

    Args:
        db: A transaction.
        connection: The connection.
        links: The groups.
        stopped: People whose data was erased or may not be processed; they are in no group.
        writable: Marks can be written on the right, and works made.
    """
    kept = shelves(db, connection.school, connection.id, links)
    joined = pairs(db, connection, kept)
    activities = Activities(db, connection.school)
    activities.fetch(item.resource_id for shelf in kept.values() for item in shelf.lefts)
    found = []
    for link, shelf in kept.items():
        there = {whom: pair for whom, pair in joined[link].items() if whom not in stopped}
        columns = columns_of(db, connection, shelf, activities, writable=writable)
        lessons = {lesson.id: lesson for lesson in shelf.lessons}
        found.append(Group(shelf.link, there, columns, lessons, shelf.proofs, shelf.sessions))
    return found
