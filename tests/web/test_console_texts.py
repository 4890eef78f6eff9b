"""Everything the console says exists in Kazakh and Russian, with the same fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.base.i18n import catalogue

ROOT = Path(__file__).resolve().parents[2]
for room in ("connector", "lti", "mappings", "sync"):
    catalogue.add(ROOT / room / "i18n")
_SAID = re.compile(r"""\bt\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_FIELD = re.compile(r"\{(\w+)\}")


def texts() -> Iterator[str]:
    for file in sorted((ROOT / "connector/templates/console").glob("*.html")):
        for found in _SAID.finditer(file.read_text()):
            yield ast.literal_eval(found[1])
    for file in [*sorted((ROOT / "connector/web/console").glob("*.py")), ROOT / "connector/host/syncing.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                yield ast.literal_eval(node.args[0])


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_text_of_the_console_is_translated(language: str) -> None:
    found = set(texts())
    assert len(found) > 300
    assert [text for text in sorted(found) if catalogue.find(language, text) is None] == []


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_translation_has_the_fields_of_its_text(language: str) -> None:
    wrong = [
        text
        for text in set(texts())
        if set(_FIELD.findall(catalogue.find(language, text) or text)) != set(_FIELD.findall(text))
    ]
    assert wrong == []
