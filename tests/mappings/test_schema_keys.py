"""Each key of the schema, changed alone, changes something: an answer of the rules, or the mapping's version."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.grade_kinds import ItemFacts
from mappings.rules import Mapping, mapping_hash
from mappings.schema import GroupRef, MappingFile
from tests.mappings.maker import changed, make


def answers(mapping: Mapping) -> tuple[object, ...]:
    """Return everything the rules compute for a fixed set of questions."""
    marks = [
        mapping.grade_to("right", kind, raw, maximum=maximum, other_maximum=Decimal(20))
        for kind in ("fo", "sor", "homework")
        for raw in ("0", "3.3", "8.45", "9")
        for maximum in (Decimal(10), None)
    ]  # fmt: skip
    kinds = [mapping.kind_of(ItemFacts(type_, idnumber="SOR-1")) for type_ in ("quiz", "assign", "lesson")]
    codes = [mapping.attendance_to(side, raw, register_taken=True) for side in ("left", "right") for raw in
             ("P", "E", "Ill", "Pass", "Attend", None)]  # fmt: skip
    agreements = [mapping.attendance_agrees("E", right) for right in ("Ill", "Pass", "Attend")]
    groups = [
        mapping.groups_with("right", GroupRef(edu_group="2244668800112233445", subject=s)) for s in ("алгебра", "химия")
    ]
    courses = [mapping.groups_with("left", GroupRef(course=c)) for c in ("7А-ALG", "7Ә-ALG")]
    sides = [mapping.system("left"), mapping.account("left"), mapping.system("right"), mapping.account("right")]
    return (marks, kinds, codes, agreements, groups, courses, sides)


COMPUTED: list[tuple[str, Any]] = [
    ("pair/left", "moodle:lyceum"),
    ("pair/right", "kundelik:7"),
    ("groups/0/left/course", "7Ә-ALG"),
    ("groups/0/right/edu_group", "9"),
    ("groups/0/right/subject", "химия"),
    ("grades/kinds", {"quiz": "sor"}),
    ("grades/scale/fo/from", "mark10"),
    ("grades/scale/fo/to", "mark12"),
    ("grades/scale/fo/round", "down"),
    ("grades/scale/fo/min", 2),
    ("grades/scale/fo", {"from": "percent", "to": "mark5", "bands": {"2": 0, "5": 84}}),
    ("grades/scale/sor", {"from": "points", "to": "points", "decimals": 1}),
    ("attendance/blank_is", "present"),
    ("attendance/codes/E/to", "Late"),
    ("attendance/codes/E/same_as", ["Pass"]),
]
VERSIONED: list[tuple[str, Any]] = [
    ("identity/join", ["iin", "linked_id"]),
    ("identity/propose", []),
    ("grades/owner", "right"),
    ("grades/closed_period", "report"),
    ("items/find", ["tag", "linked"]),
    ("items/place", "next_lesson"),
    ("items/create_work", "never"),
    ("attendance/owner", "left"),
    ("approve/create", "ask"),
    ("approve/update", "ask"),
    ("approve/delete", "auto"),
    ("guard/max_delete", 1),
    ("guard/max_change_pct", 21),
    ("guard/floor", 24),
    *[
        (f"guard/limits/{kind}/{operation}/{name}", 7)
        for kind in ("grade", "attendance")
        for operation in ("create", "update", "delete")
        for name in ("count", "percent")
    ],
    ("guard/absent_after", 3),
    ("guard/canaries/0/side", "left"),
    ("guard/canaries/0/person", "9001"),
    ("guard/canaries/0/item", "w-2"),
    ("guard/canaries/0/says", "4"),
    ("guard/freeze", []),
    ("guard/freeze/0/from", "2026-10-27"),
    ("guard/freeze/0/to", "2026-11-02"),
]


@pytest.mark.parametrize(("path", "value"), COMPUTED)
def test_a_key_changed_alone_changes_an_answer(path: str, value: Any) -> None:
    if path == "attendance/codes/E/to":
        other = Mapping.of(MappingFile.model_validate(changed(path, value)))
    else:
        other = make(path, value)
    assert answers(other) != answers(make())


@pytest.mark.parametrize(("path", "value"), [*COMPUTED, *VERSIONED])
def test_a_key_changed_alone_makes_another_version(path: str, value: Any) -> None:
    assert mapping_hash(MappingFile.model_validate(changed(path, value))) != make().hash


def test_every_key_of_the_schema_is_in_these_lists() -> None:
    single = {"version", "identity/create", "approve/first", "approve/over_guard", "tests"}
    known = {path.replace("/0", "").replace("/fo", "/*").replace("/sor", "/*").replace("/E", "/*")
             for path, _ in [*COMPUTED, *VERSIONED]} | single  # fmt: skip
    for path in _paths(MappingFile):
        if path.startswith("schedule"):
            # When to compare is no part of what a mapping means; tests/schedule/test_claims.py changes each of them.
            continue
        assert path in known or any(entry.startswith(path + "/") for entry in known) or path in _BY_PARENT, path


_BY_PARENT = {
    # These stand only inside a line that the lists change as a whole.
    "grades/scale/*/bands", "grades/scale/*/decimals", "groups/left/edu_group", "groups/left/group",
    "groups/left/subject", "groups/right/course", "groups/right/group",
}  # fmt: skip


def _paths(model: Any, prefix: str = "") -> list[str]:
    from mappings.load import _model_of

    found = []
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        inner = _model_of(field.annotation)
        if inner is None or path == "tests":
            found.append(path)
            continue
        star = "/*/" if str(field.annotation).startswith("dict") else "/"
        found += _paths(inner, path + star)
    return found


def test_comments_layout_defaults_and_examples_do_not_change_the_version() -> None:
    plain = make()
    assert make("tests", [{"grade": {"percent": "85"}, "becomes": {"mark10": "9"}}]).hash == plain.hash
    assert make("identity/create", None).hash == plain.hash
    assert make("grades/scale/sor", {"from": "points", "to": "points"}).hash == plain.hash


def test_the_order_of_kinds_is_part_of_the_version() -> None:
    kinds = {"lesson": "ignore", "quiz": "fo", "assign[idnumber^=SOR]": "sor"}
    assert make("grades/kinds", kinds).hash != make().hash
