"""Mapping files for tests: one that holds every key, and a way to change one key of it."""

from __future__ import annotations

from typing import Any

from mappings.rules import Mapping
from mappings.schema import MappingFile
from mappings.semantics import examine

DATA: dict[str, Any] = {
    "version": 1,
    "pair": {"left": "moodle:gymnasium", "right": "kundelik:1000001234567"},
    "identity": {"join": ["linked_id", "iin"], "propose": ["name+class"], "create": "never"},
    "groups": [{"left": {"course": "7А-ALG"}, "right": {"edu_group": "2244668800112233445", "subject": "алгебра"}}],
    "grades": {
        "owner": "left",
        "kinds": {"assign[idnumber^=SOR]": "sor", "quiz": "fo", "lesson": "ignore"},
        "scale": {"fo": {"from": "percent", "to": "mark10", "round": "half_up", "min": 1}, "sor": "points"},
        "closed_period": "refuse",
    },
    "items": {"find": ["linked", "tag"], "place": "lesson_on_due_date", "create_work": "ask"},
    "attendance": {
        "owner": "right",
        "blank_is": "not_recorded",
        "codes": {"P": "Attend", "A": "Absent", "L": "Late", "E": {"to": "Pass", "same_as": ["Pass", "Ill"]}},
    },
    "approve": {"first": "person", "create": "auto", "update": "auto", "delete": "ask", "over_guard": "ask"},
    "guard": {
        "max_delete": 0,
        "max_change_pct": 20,
        "floor": 25,
        "limits": {
            "grade": {"create": {"count": 300}, "update": {"percent": 10}, "delete": {"count": 2}},
            "attendance": {"create": {"count": 900}, "update": {"percent": 50}, "delete": {"percent": 5}},
        },
        "absent_after": 2,
        "canaries": [{"side": "right", "person": "9000", "item": "w-1", "says": "5"}],
        "freeze": [{"from": "2026-10-26", "to": "2026-11-01"}],
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the data with one value, named by a path of dots, replaced; None removes it."""
    return _changed(DATA, path.split("/"), value)


def _changed(node: Any, steps: list[str], value: Any) -> Any:
    if isinstance(node, list):
        index = int(steps[0])
        return [_changed(part, steps[1:], value) if place == index else part for place, part in enumerate(node)]
    copy = dict(node)
    if len(steps) > 1:
        copy[steps[0]] = _changed(copy[steps[0]], steps[1:], value)
    elif value is None:
        copy.pop(steps[0], None)
    else:
        copy[steps[0]] = value
    return copy


def make(path: str = "version", value: Any = 1) -> Mapping:
    """Return a sound mapping with one value replaced."""
    file = MappingFile.model_validate(changed(path, value))
    assert [remark for remark in examine(file) if remark.severity == "error"] == []
    return Mapping.of(file)
