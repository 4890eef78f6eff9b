"""Every property on the page has its test and its planted bug, and the tests it names exist."""

from __future__ import annotations

import re
from functools import cache

from tests.docs.reading import ROOT

PAGE = ROOT / "docs" / "properties.md"
ROW = re.compile(r"^\| (P\d+) \|([^|]+)\|([^|]+)\|([^|]+)\|$", re.MULTILINE)


@cache
def known_tests() -> frozenset[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))
    return frozenset(found)


def test_all_thirty_properties_stand_on_the_page() -> None:
    assert [row[0] for row in ROW.findall(PAGE.read_text("utf-8"))] == [f"P{number}" for number in range(1, 31)]


def test_every_property_names_a_test_and_a_planted_bug_that_exist() -> None:
    for number, sentence, tests, bugs in ROW.findall(PAGE.read_text("utf-8")):
        assert sentence.strip(), number
        for cell in (tests, bugs):
            named = re.findall(r"`(\w+)`", cell)
            assert named, number
            assert set(named) <= known_tests(), (number, set(named) - known_tests())


def test_every_test_of_a_property_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in sorted(known_tests()) if re.match(r"test_p\d\d_", name) and f"`{name}`" not in page] == []
