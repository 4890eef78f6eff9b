"""Everything delivery says to a person is said in Kazakh and Russian too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from connector.base.i18n import Catalogue

ROOT = Path(__file__).parents[2]


def sentences() -> set[str]:
    found: set[str] = set()
    for room in ("jobs", "effects", "scores"):
        for file in (ROOT / "sync" / room).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                    (text,) = node.args
                    assert isinstance(text, ast.Constant)
                    found.add(str(text.value))
    return found


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_sentence_has_a_translation_with_the_same_fields(language: str) -> None:
    catalogue = Catalogue()
    catalogue.add(ROOT / "sync" / "i18n")
    texts = sentences()
    assert texts
    for text in texts:
        translated = catalogue.find(language, text)
        assert translated, text
        assert ("{count}" in text) == ("{count}" in translated)
