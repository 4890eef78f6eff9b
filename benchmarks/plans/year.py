"""A synthetic school year as rows of the sync's own tables: classes of 25 pupils with five works each.

In a changed year 5 of 100 cells were changed on the left, one was removed there, and one was changed on both sides;
in a settled year every cell is as it was last agreed. Ids are the same on both sides, so that a bare merge can lay
the rows beside each other without any translation, which is what ours has to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.load import load_mapping

PUPILS, WORKS = 25, 5
CLASS = PUPILS * WORKS
SCHOOL = "01940000-0000-7000-8000-000000000001"
CONNECTION = "01940000-0000-7000-8000-000000000002"
LEFT, RIGHT = "moodle:bench", "kundelik:1"
DAY, READ = "2026-11-02", "2026-11-20T06:00:00.000000+00:00"
CHANGED_AT = "2026-11-10T06:00:00+00:00"
MAPPING = f"""
version: 1
pair: {{left: "{LEFT}", right: "{RIGHT}"}}
identity: {{join: [linked_id], create: never}}
groups: [{{left: {{course: "1"}}, right: {{edu_group: "1", subject: алгебра}}}}]
grades:
  owner: manual
  kinds: {{"*": fo}}
  scale: {{fo: {{from: percent, to: mark10, round: half_up, min: 1}}}}
"""
Row = tuple[object, ...]


@dataclass(frozen=True)
class Year:
    """How large a year is, and whether anything changed in it.

    Attributes:
        cells: Marks; whole classes of them.
        changed: Some were changed since they were last agreed on.
        version: The fingerprint of the scale under which they were agreed.
    """

    cells: int
    changed: bool
    version: str

    @property
    def classes(self) -> range:
        """The numbers of the classes."""
        return range(self.cells // CLASS)

    @property
    def operations(self) -> dict[str, int]:
        """How many cells each operation awaits."""
        found: dict[str, int] = {}
        for number in range(self.cells):
            operation = self.operation(number)
            if operation:
                found[operation] = found.get(operation, 0) + 1
        return found

    def operation(self, number: int) -> str:
        """Return what one cell awaits; a step without common factors spreads each kind over every pupil."""
        return _OPERATIONS.get(number * 37 % 100, "") if self.changed else ""


_OPERATIONS = {**dict.fromkeys(range(5), "write_right"), 5: "conflict", 6: "clear_right"}
_RAW = {"": ("40", "4"), "write_right": ("90", "4"), "conflict": ("90", "7"), "clear_right": (None, "4")}


def ident(kind: int, number: int) -> str:
    """Return an id in the form of ours: a kind's number and its own."""
    return f"01940000-0000-7000-8{kind:03x}-{number:012x}"


def connections(_year: Year) -> Iterator[Row]:
    """Yield the one row of ``connection``: its first plan was approved long ago."""
    found = load_mapping(MAPPING).hash
    yield SCHOOL, CONNECTION, LEFT, RIGHT, MAPPING, found, 1, "{}", 0, "active", READ, READ


def links(year: Year) -> Iterator[Row]:
    """Yield the rows of ``group_link``."""
    for number in year.classes:
        name = f"g{number}"
        yield SCHOOL, ident(1, number), CONNECTION, name, name, "", name, 1, _SESSIONS


_SESSIONS = json.dumps(
    [{"id": "q2", "kind": "quarter", "number": 2, "first": "2026-11-01", "last": "2026-12-31", "closed": False}]
)


def people(year: Year) -> Iterator[Row]:
    """Yield the rows of ``person``."""
    for number in range(len(year.classes) * PUPILS):
        yield SCHOOL, ident(2, number), READ


def identifiers(year: Year) -> Iterator[Row]:
    """Yield the rows of ``identifier``: each person's id on both sides."""
    for number in range(len(year.classes) * PUPILS):
        whom = ident(2, number)
        yield SCHOOL, ident(3, number), whom, "lti_sub", LEFT, whom, "linked", READ, READ
        yield SCHOOL, ident(4, number), whom, "kundelik_person", RIGHT, whom, "linked", READ, READ


def item_links(year: Year) -> Iterator[Row]:
    """Yield the rows of ``item_link``."""
    for number in range(len(year.classes) * WORKS):
        item = ident(5, number)
        yield SCHOOL, item, ident(1, number // WORKS), item, item, ident(6, number), "fo", "linked", READ


def proofs(year: Year) -> Iterator[Row]:
    """Yield the rows of ``scope_read``: every read was complete."""
    counts = {"person": PUPILS, "item": WORKS, "lesson": WORKS, "result": CLASS, "session": 1}
    needed = [("left", kind) for kind in ("person", "item", "result")]
    needed += [("right", kind) for kind in counts]
    for number in year.classes:
        for side, kind in needed:
            found = counts[kind]
            yield SCHOOL, ident(1, number), side, kind, "complete", "", found, found, READ, READ


def snapshots(year: Year) -> Iterator[Row]:
    """Yield the rows of ``snapshot`` in the order of their key: both sides' people, works, lessons and marks."""
    for side in ("left", "right"):
        for number in year.classes:
            link = ident(1, number)
            for kind, key, raw, value, changed in _records(year, side, number):
                text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                digest = hashlib.sha256(text.encode()).hexdigest()
                yield SCHOOL, CONNECTION, side, link, kind, key, text, value, changed, digest, READ, "", 0


def _records(
    year: Year, side: str, number: int
) -> Iterator[tuple[str, str, dict[str, object], str | None, str | None]]:
    left = side == "left"
    items = [ident(5, number * WORKS + place) for place in range(WORKS)]
    lessons = [ident(6, number * WORKS + place) for place in range(WORKS)]
    pupils = [ident(2, number * PUPILS + place) for place in range(PUPILS)]
    for item, lesson in zip(items, lessons, strict=True):
        raw = {
            "id": item, "title": f"Тест {item[-3:]}", "maximum": "100" if left else "10",
            "scale": "percent" if left else "mark10", "kind": None, "tag": "quiz" if left else "", "resource_id": "",
            "due": DAY, "lesson_id": "" if left else lesson,
        }  # fmt: skip
        yield "item", item, raw, None, None
    if not left:
        for lesson in lessons:
            raw = {"id": lesson, "group_id": f"g{number}", "subject_id": "", "day": DAY, "number": 1, "title": ""}
            yield "lesson", lesson, raw, None, None
    for whom in pupils:
        raw = {
            "id": whom, "family": "Тегі", "given": "Аты", "patronymic": "", "full_name": "", "role": "pupil",
            "birth_date": None, "identifiers": {}, "active": True,
        }  # fmt: skip
        yield "person", whom, raw, "pupil", None
    maximum, changed_at = ("100", CHANGED_AT) if left else ("10", None)
    for cell in range(CLASS):
        item, whom = items[cell // PUPILS], pupils[cell % PUPILS]
        value = _RAW[year.operation(number * CLASS + cell)][0 if left else 1]
        if value is None:
            continue
        raw = {
            "item_id": item, "person_id": whom, "raw": value, "maximum": maximum, "changed_at": changed_at, "id": "",
        }  # fmt: skip
        yield "result", f'["{item}","{whom}"]', raw, value, changed_at


def bases(year: Year) -> Iterator[Row]:
    """Yield the rows of ``base`` in key order: every cell was agreed on once."""
    for number in year.classes:
        link = ident(1, number)
        for cell in range(CLASS):
            item, whom = ident(5, number * WORKS + cell // PUPILS), ident(2, number * PUPILS + cell % PUPILS)
            key = f"grade|{link}|{item}|{whom}"
            yield SCHOOL, CONNECTION, key, link, "grade", item, whom, "40", "4", year.version, "r", READ


TABLES = {
    "connection": (
        connections,
        "school_id id left_key right_key mapping_text mapping_hash mapping_version settings read_only state "
        "first_approved_at created_at",
    ),
    "group_link": (
        links, "school_id id connection left_group right_group right_subject title active sessions",
    ),
    "person": (people, "school_id id created_at"),
    "identifier": (identifiers, "school_id id person type issuer value confidence first_seen last_seen"),
    "item_link": (item_links, "school_id id group_link left_item right_item right_lesson kind how made_at"),
    "scope_read": (
        proofs, "school_id group_link side kind evidence reason found known read_at complete_at",
    ),
    "snapshot": (
        snapshots,
        "school_id connection side group_link kind key raw value changed hash seen_at read missing",
    ),
    "base": (
        bases,
        "school_id connection key group_link kind item person left_raw right_raw mapping_version run agreed_at",
    ),
}  # fmt: skip
"""By table: what yields its rows, and their columns."""
