from __future__ import annotations

import pytest

from connector.base.errors import Record
from mappings.grade_kinds import ItemFacts, parse_selector

SOR = ItemFacts("assign", tag="sor", idnumber="SOR-2", title="БЖБ №2 «Теңдеулер»")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("assign", True), ("quiz", False), ("*", True), ("assign[idnumber^=SOR]", True),
        ("assign[idnumber^=sor]", True),
        ("assign[idnumber^=SOCH]", False), ("*[tag=sor]", True), ("*[tag=so]", False), ('*[title*="БЖБ"]', True),
        ('*[title*="ТЖБ"]', False), ("assign[idnumber$=-2][tag=sor]", True), ("assign[idnumber$=-2][tag=fo]", False),
        ("ASSIGN", True), ("*[resource_id=SOR-2]", True), ('*[title*="№2 «"]', True),
    ],
)  # fmt: skip
def test_selectors_pick_items(selector: str, matches: bool) -> None:
    assert parse_selector(selector).matches(SOR) is matches


@pytest.mark.parametrize(
    ("selector", "rest"),
    [
        ("", ""), ("[tag=sor]", "[tag=sor]"), ("quiz[tag~=x]", "[tag~=x]"), ("quiz[colour=red]", "[colour=red]"),
        ("quiz[tag=sor", "[tag=sor"), ("quiz[tag=]", "[tag=]"), ("quiz tag", " tag"), ("quiz[tag=a]x", "x"),
    ],
)  # fmt: skip
def test_a_bad_selector_shows_where_it_stops_making_sense(selector: str, rest: str) -> None:
    with pytest.raises(Record) as refused:
        parse_selector(selector)
    assert refused.value.reason == "bad_selector"
    assert refused.value.message.values["rest"] == rest


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [("*", "quiz[tag=a]", True), ("quiz", "quiz[tag=a]", True), ("quiz[tag=a]", "quiz", False),
     ("assign", "quiz", False),
     ("quiz[tag=a]", "quiz[tag=a][title*=b]", True), ("quiz", "*", False)],
)  # fmt: skip
def test_a_wider_selector_covers_a_narrower_one(one: str, other: str, covers: bool) -> None:
    assert parse_selector(one).covers(parse_selector(other)) is covers
