"""Rings of write directions: values that would go round through several connections of a school and never settle.

A star settles: every value has one way to each system. In a ring a value comes back to where it began by another way,
rounded and renamed on its way, and is taken for somebody's edit there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from connector.base.i18n import N_, Message, say
from mappings.findings import Finding
from mappings.schema import GroupRef, MappingFile

Field = Literal["grades", "attendance"]
FIELDS: tuple[Field, ...] = ("grades", "attendance")


class Node(NamedTuple):
    """One class of one system; ``subject`` is empty where some mapping means all of its subjects."""

    system: str
    group: str
    subject: str


class Way(NamedTuple):
    """One direction in which a mapping lets values of one class flow."""

    name: str
    pair: int
    source: Node
    target: Node


@dataclass(frozen=True)
class Ring:
    """A ring: the field that goes round, the mappings it goes through in order, and the systems on the way."""

    field: Field
    names: tuple[str, ...]
    systems: tuple[str, ...]

    @property
    def message(self) -> Message:
        """The fault in words, with what to do about it."""
        text = N_(
            "Through these mappings {field} would go round and come back: {files} ({systems}). Break the ring: give "
            "one of them an owner that writes the other way, or leave the class out of it."
        )
        field = say(N_("the marks")) if self.field == "grades" else say(N_("the attendance"))
        return say(text, field=field, files=", ".join(self.names), systems=" → ".join(self.systems))


def find_rings(files: Mapping[str, MappingFile]) -> list[Ring]:
    """Return the rings among mappings of one school, by name of the mapping; each set of mappings is told once.

    A file alone is no ring, nor are two files that give one system's values to two others.
    """
    rings: list[Ring] = []
    for field in FIELDS:
        seen: set[frozenset[str]] = set()
        ways = list(_ways(files, field))
        by_source: dict[Node, list[Way]] = {}
        for way in ways:
            by_source.setdefault(way.source, []).append(way)
        for way in ways:
            back = _back(way, by_source)
            names = frozenset(one.name for one in back)
            if back and names not in seen:
                seen.add(names)
                rings.append(Ring(field, tuple(dict.fromkeys(one.name for one in back)), _systems(back)))
    return rings


def _systems(ways: Sequence[Way]) -> tuple[str, ...]:
    return (*(way.source.system for way in ways), ways[0].source.system)


def _back(first: Way, by_source: Mapping[Node, Sequence[Way]]) -> list[Way]:
    """Return the shortest way round that begins with a way and goes back by others, or nothing."""
    queue: deque[list[Way]] = deque([[first]])
    seen = {first.target}
    while queue:
        path = queue.popleft()
        for way in by_source.get(path[-1].target, ()):
            if (way.name, way.pair) == (first.name, first.pair):
                continue
            if way.target == first.source:
                return [*path, way]
            if way.target not in seen:
                seen.add(way.target)
                queue.append([*path, way])
    return []


def _ways(files: Mapping[str, MappingFile], field: Field) -> Iterator[Way]:
    whole = _meant_whole(files.values())
    for name, file in files.items():
        rules = file.grades if field == "grades" else file.attendance
        if rules is None:
            continue
        for place, pair in enumerate(file.groups):
            left = _node(file.pair.left, pair.left, whole)
            right = _node(file.pair.right, pair.right, whole)
            if rules.owner != "right":
                yield Way(name, place, left, right)
            if rules.owner != "left":
                yield Way(name, place, right, left)


def _meant_whole(files: Iterable[MappingFile]) -> frozenset[tuple[str, str]]:
    """Return the classes that some mapping names without a subject: they meet every subject of the class."""
    return frozenset(
        (system, _group(ref))
        for file in files
        for pair in file.groups
        for system, ref in ((file.pair.left, pair.left), (file.pair.right, pair.right))
        if ref.subject is None
    )


def _group(ref: GroupRef) -> str:
    return "|".join(part for part in (ref.course, ref.edu_group, ref.group) if part)


def _node(system: str, ref: GroupRef, whole: frozenset[tuple[str, str]]) -> Node:
    group = _group(ref)
    subject = "" if ref.subject is None or (system, group) in whole else ref.subject.casefold()
    return Node(system, group, subject)


def ring_findings(files: Mapping[str, MappingFile]) -> dict[str, list[Finding]]:
    """Return an error for every mapping that is part of a ring, by its name."""
    found: dict[str, list[Finding]] = {}
    for ring in find_rings(files):
        for name in ring.names:
            finding = Finding("write_ring", ring.message, file=name, path=f"{ring.field}.owner")
            found.setdefault(name, []).append(finding)
    return found
