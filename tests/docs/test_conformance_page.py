"""The page of clauses: every test and module it names is there, and every part of the protocol has its clauses."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.reading import ROOT

PAGE = ROOT / "docs" / "lti-conformance.md"
NAMED = re.compile(r"`((?:\w+/)+test_\w+\.py)::(test_\w+)`")
LINES = PAGE.read_text("utf-8").splitlines()
ROWS = [line for line in LINES if line.startswith("| ") and not line.startswith("| Clause")]


@cache
def named_in(path: str) -> frozenset[str]:
    file = ROOT / "tests" / path
    tree = ast.parse(file.read_text("utf-8")) if file.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(PAGE.read_text("utf-8")))))
def test_every_test_the_page_names_exists(path: str, name: str) -> None:
    assert name in named_in(path), f"tests/{path} has no {name}"


def test_every_clause_names_a_module_that_exists_and_a_test() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        clause, _, where, shown = row.strip("| ").split(" | ")
        first = re.findall(r"`([\w/]+(?:\.py)?)`", where)[0]
        assert (ROOT / first).exists(), f"{clause}: {first}"
        assert NAMED.search(shown), clause


@pytest.mark.parametrize("part", ["Core", "Security", "Deep Linking", "AGS", "NRPS", "Registration", "Course Groups"])
def test_every_specification_has_its_clauses(part: str) -> None:
    assert any(row.startswith(f"| {part}") for row in ROWS)
