"""Read both sides of every mapped group, each read with its proof, and keep what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.base.clock import utc_now
from connector.base.errors import Hold, KopirError
from connector.base.i18n import N_, say
from mappings.schema import GroupPair, GroupRef
from sync.model import Group, LineItem
from sync.runs import canaries
from sync.runs import people as joining
from sync.runs.places import keep_places, kind_of
from sync.runs.runtime import Sides, SyncRuntime, scope_of
from sync.store import cells, connections, register
from sync.store.connections import GroupLink, SyncConnection
from sync.systems.contract import Evidence, Read, Scope, System


@dataclass(frozen=True)
class NotCompared:
    """Records that a read could not prove complete, so that nothing was concluded from them.

    Attributes:
        group_link: The group; empty when the groups themselves could not be read.
        title: Its title.
        side: ``left`` or ``right``.
        kind: ``group``, ``person``, ``lesson``, ``session``, ``item``, ``result`` or ``attendance``.
        evidence: What the read proved.
        reason: Why: ``html_page``, ``half_list``, ``empty_list``, ``http_503``, ….
    """

    group_link: str
    title: str
    side: str
    kind: str
    evidence: Evidence
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {**vars(self), "evidence": self.evidence.value}


def resolve_groups(
    runtime: SyncRuntime, connection: SyncConnection, sides: Sides
) -> tuple[list[GroupLink], list[NotCompared]]:
    """Find the systems' own ids of the mapped groups; a group that is not found is not compared."""
    found: list[tuple[str, str, str, str]] = []
    missed: list[NotCompared] = []
    lefts, rights = _Groups(sides.left, "left"), _Groups(sides.right, "right")
    for pair in connection.mapping.file.groups:
        left, right = lefts.find(pair), rights.find(pair)
        if isinstance(left, NotCompared) or isinstance(right, NotCompared):
            missed += [one for one in (left, right) if isinstance(one, NotCompared)]
        else:
            title = " · ".join(part for part in (left.name, right.subject_name) if part)
            found.append((left.group, right.group, right.subject, title))
    with runtime.writing(connection.school) as db:
        if missed and not found:
            return connections.groups(db, connection.school, connection.id), missed
        kept = [
            (link.left_group, link.right_group, link.right_subject, link.title)
            for link in connections.groups(db, connection.school, connection.id)
            if missed and (link.left_group, link.right_group, link.right_subject) not in {one[:3] for one in found}
        ]
        return connections.save_groups(db, connection.school, connection.id, [*found, *kept]), missed


@dataclass(frozen=True)
class _Found:
    group: str
    subject: str
    name: str
    subject_name: str


class _Groups:
    """The groups of one side, read once when the first mapped name needs them."""

    def __init__(self, system: System, side: str) -> None:
        self._system = system
        self._side = side
        self._read: Read[Group] | None = None

    def find(self, pair: GroupPair) -> _Found | NotCompared:
        ref = pair.left if self._side == "left" else pair.right
        wanted = ref.course or ref.edu_group or ref.group or ""
        if self._read is None:
            self._read = _guarded(self._system.read_groups)
        group = next((one for one in self._read.records if _fits(one, wanted, ref)), None)
        if group is not None:
            # A mapping may name the subject by the system's id, which tells a teacher nothing.
            return _Found(group.id, group.subject_id, group.label or group.name, group.subject or ref.subject or "")
        reason = self._read.reason if not self._read.complete else "no_such_group"
        return NotCompared("", wanted, self._side, "group", self._read.evidence, reason or "no_such_group")


def _fits(group: Group, wanted: str, ref: GroupRef) -> bool:
    if wanted not in (group.id, group.label, group.name):
        return False
    if ref.subject is None or not (group.subject or group.subject_id):
        return True
    return ref.subject == group.subject_id or ref.subject.casefold() == group.subject.casefold()


def _guarded(read: Callable[[], Read[Any]]) -> Read[Any]:
    """Take a read whose system raised instead of answering as one that proves nothing."""
    try:
        return read()
    except KopirError as error:
        return Read((), Evidence.UNKNOWN, utc_now(), error.reason)


class Reader:
    """Reads one group of both sides and keeps what it finds; no transaction is open across a remote call."""

    def __init__(self, runtime: SyncRuntime, connection: SyncConnection, sides: Sides) -> None:
        """Take whose groups are read."""
        self._runtime = runtime
        self._connection = connection
        self._sides = sides
        self._hash = joining.HashIin(lambda: runtime.school_key(connection.school))
        self.not_compared: list[NotCompared] = []

    def read(self, link: GroupLink) -> None:
        """Read one group: people, then works and marks, then attendance."""
        known = self._floors(link)
        self._people(link, known)
        file = self._connection.mapping.file
        if file.grades is not None or file.attendance is not None:
            lessons = self._one(link, "right", "lesson", self._sides.right.read_lessons, self._right(link, known))
            if lessons.complete and self._sides.own_register:
                with self._runtime.writing(self._connection.school) as db:
                    register.save_lessons(db, self._connection.school, lessons.records, self._runtime.clock())
            self.sessions(link)
        if file.grades is not None:
            self._grades(link, known)
        if file.attendance is not None:
            self._attendance(link, known)

    def sessions(self, link: GroupLink) -> None:
        """Read the journal's reporting periods: what lies in a closed one is not written."""
        found = _guarded(lambda: self._sides.right.read_sessions(scope_of(link.right_group, link.right_subject)))
        cells.save_sessions(
            lambda: self._runtime.writing(self._connection.school), self._connection.school, link.id, found
        )
        if not found.complete:
            missed = (link.id, link.title, "right", "session", found.evidence, found.reason)
            self.not_compared.append(NotCompared(*missed))
        self._runtime.step("read.right.session")

    def _floors(self, link: GroupLink) -> dict[tuple[str, str], int]:
        with self._runtime.reading(self._connection.school) as db:
            return {key: proof.known for key, proof in cells.proofs(db, self._connection.school, link.id).items()}

    def _left(self, link: GroupLink, known: dict[tuple[str, str], int]) -> Scope:
        return scope_of(link.left_group, "", (known.get(("left", "person"), 0), known.get(("left", "item"), 0), 0))

    def _right(self, link: GroupLink, known: dict[tuple[str, str], int]) -> Scope:
        counts = [known.get(("right", kind), 0) for kind in ("person", "item", "lesson")]
        return scope_of(link.right_group, link.right_subject, (counts[0], counts[1], counts[2]))

    def _people(self, link: GroupLink, known: dict[tuple[str, str], int]) -> None:
        for side, system, scope in (
            ("left", self._sides.left, self._left(link, known)),
            ("right", self._sides.right, self._right(link, known)),
        ):
            read = self._one(link, side, "person", system.read_people, scope)
            if read.evidence in (Evidence.COMPLETE, Evidence.PARTIAL):
                with self._runtime.writing(self._connection.school) as db:
                    joining.keep_roster(
                        db,
                        self._connection,
                        link,
                        side,
                        read.records,
                        self._runtime.clock(),
                        complete=read.complete,
                    )
        with self._runtime.writing(self._connection.school) as db:
            issuer = getattr(self._sides.left, "issuer", "")
            if issuer:
                joining.note_accounts(db, self._connection, issuer)
            joining.match_and_propose(db, self._connection, link, self._runtime.clock())

    def _grades(self, link: GroupLink, known: dict[tuple[str, str], int]) -> None:
        left, right = self._left(link, known), self._right(link, known)
        items = self._one(link, "left", "item", self._sides.left.read_line_items, left)
        carried = self._carried(items.records)
        self._one(link, "left", "result", lambda scope: self._sides.left.read_results(scope, carried), left)
        self._one(link, "right", "item", self._sides.right.read_line_items, right)
        with self._runtime.writing(self._connection.school) as db:
            works = keep_places(db, self._connection, link, self._runtime.clock())
        self._one(link, "right", "result", lambda scope: self._sides.right.read_results(scope, works), right)

    def _carried(self, items: Sequence[LineItem]) -> list[LineItem]:
        """Return the columns whose marks the mapping carries; reading the others would be idle calls."""
        with self._runtime.reading(self._connection.school) as db:
            return [item for item in items if kind_of(db, self._connection, item) is not None]

    def _attendance(self, link: GroupLink, known: dict[tuple[str, str], int]) -> None:
        with self._runtime.reading(self._connection.school) as db:
            lessons = cells.lessons(db, self._connection.school, self._connection.id, "right", link.id)
        right = self._right(link, known)
        self._one(link, "right", "attendance", lambda scope: self._sides.right.read_attendance(scope, lessons), right)
        self._one(link, "left", "attendance", lambda scope: self._sides.register.read_attendance(scope, lessons), right)

    def _one(
        self, link: GroupLink, side: str, kind: str, read: Callable[[Scope], Read[Any]], scope: Scope
    ) -> Read[Any]:
        """Read one kind of records, keep it, and note a read that proves nothing."""
        found = _guarded(lambda: read(scope))
        if kind == "person":
            found = replace(found, records=tuple(self._hash.clean(person) for person in found.records))
        where = (self._connection.school, self._connection.id, side, link.id, kind)
        found = canaries.judge(found, canaries.of(self._connection, side, kind), lambda keys: self._seen(where, keys))
        cells.save_read(lambda: self._runtime.writing(self._connection.school), *where, found)
        if not found.complete:
            self.not_compared.append(NotCompared(link.id, link.title, side, kind, found.evidence, found.reason))
        self._runtime.step(f"read.{side}.{kind}")
        return found

    def _seen(self, where: tuple[str, str, str, str, str], keys: Collection[str]) -> list[str]:
        with self._runtime.reading(self._connection.school) as db:
            return cells.keys_seen(db, *where, keys)


def demand_groups(links: Sequence[GroupLink], missed: Sequence[NotCompared]) -> None:
    """Make sure that there is something to compare.

    Raises:
        Hold: The mapping names no group, or none was ever found.
    """
    if not links and not missed:
        raise Hold("no_groups", say(N_("The mapping names no groups, so there is nothing to compare.")))
