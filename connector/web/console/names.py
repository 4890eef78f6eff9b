"""Internal ids as the school knows them: pupils, works, lessons and groups of one connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sync.model import Lesson, LineItem, Person
from sync.reconcile.types import CellKey, CellKind
from sync.store import cells, connections, people
from sync.store.connections import GroupLink, ItemLink, SyncConnection


@dataclass(frozen=True)
class Place:
    """Where a change is written, for a person.

    Attributes:
        group: Title of the class or course.
        title: The work's title, or the lesson's theme.
        lesson: The lesson, where one is known.
        made: The work does not exist there yet.
    """

    group: str
    title: str
    lesson: Lesson | None
    made: bool = False


@dataclass
class Names:
    """Loads each group once; people are named by the school's own record, which forgets the erased."""

    db: Connection
    connection: SyncConnection
    _people: dict[str, str] = field(default_factory=dict)
    _groups: dict[str, GroupLink] | None = None
    _lessons: dict[str, dict[str, Lesson]] = field(default_factory=dict)
    _items: dict[str, dict[str, ItemLink]] = field(default_factory=dict)
    _orders: dict[str, dict[str, int]] = field(default_factory=dict)
    _columns: dict[tuple[str, str], dict[str, LineItem]] = field(default_factory=dict)

    @property
    def groups(self) -> dict[str, GroupLink]:
        """The groups that are mapped now."""
        if self._groups is None:
            found = connections.groups(self.db, self.connection.school, self.connection.id)
            self._groups = {link.id: link for link in found}
        return self._groups

    def load_people(self, ids: Iterable[str]) -> None:
        """Read the names of these people at once."""
        wanted = {one for one in ids if one and one not in self._people}
        found = people.people(self.db, self.connection.school, wanted)
        self._people |= {whom: found[whom].name if whom in found else "" for whom in wanted}

    def person(self, whom: str) -> str:
        """Return a person's name; the end of the internal id where the record has none (any more)."""
        self.load_people([whom])
        return self._people.get(whom) or f"№ {whom[-6:]}"

    def group(self, link: str) -> str:
        """Return a group's title."""
        return self.groups[link].title if link in self.groups else ""

    def lessons(self, link: str) -> dict[str, Lesson]:
        """Return the journal's lessons of a group by id."""
        if link not in self._lessons:
            found = cells.lessons(self.db, self.connection.school, self.connection.id, "right", link)
            self._lessons[link] = {lesson.id: lesson for lesson in found}
        return self._lessons[link]

    def works(self, link: str) -> dict[str, ItemLink]:
        """Return a group's linked works by internal id."""
        if link not in self._items:
            found = connections.item_links(self.db, self.connection.school, link)
            self._items[link] = {work.id: work for work in found}
        return self._items[link]

    def _column(self, link: str, side: str, item: str) -> LineItem | None:
        if (link, side) not in self._columns:
            found = cells.items(self.db, self.connection.school, self.connection.id, side, link)
            self._columns[link, side] = {one.id: one for one in found}
        return self._columns[link, side].get(item)

    def place(self, key: CellKey) -> Place:
        """Return where a cell is."""
        group = self.group(key.group)
        if key.kind is CellKind.ATTENDANCE:
            lesson = self.lessons(key.group).get(key.item)
            return Place(group, lesson.title if lesson else "", lesson)
        work = self.works(key.group).get(key.item)
        if work is None:
            return Place(group, "", None)
        left = self._column(key.group, "left", work.left_item)
        right = self._column(key.group, "right", work.right_item) if work.right_item else None
        title = (left.title if left else "") or (right.title if right else "")
        return Place(group, title, self.lessons(key.group).get(work.right_lesson), made=not work.right_item)

    def order(self, link: str) -> dict[str, int]:
        """Return the place of each linked pupil in the journal's own list: how a teacher reads a class."""
        if link not in self._orders:
            lines = people.roster(self.db, self.connection.school, link, "right")
            self._orders[link] = {line.person.id: line.position for line in lines if line.person is not None}
        return self._orders[link]

    def by_class_list(self, link: str, whom: str) -> tuple[int, str]:
        """Return what pupils of a group are sorted by: the journal's place, else the name."""
        return self.order(link).get(whom, 1_000_000), self.person(whom).casefold()

    def roster(self, side: str, link: str) -> dict[str, str]:
        """Return a side's own names by its own ids, in its order."""
        found = cells.people(self.db, self.connection.school, self.connection.id, side, link)
        return {person.id: full_name(person) for person in found}


def full_name(person: Person) -> str:
    """Return a person's name as a system writes it."""
    parts = (person.family, person.given, person.patronymic)
    return person.full_name or " ".join(part for part in parts if part)
