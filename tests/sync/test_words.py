"""Whatever the sync says to a person, it says in Kazakh and Russian too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from connector.base.i18n import Catalogue

ROOT = Path(__file__).parents[2]
SPOKEN = [
    *(ROOT / "sync/runs").glob("*.py"),
    *(ROOT / "sync/store").rglob("*.py"),
    *(ROOT / "sync/systems/kopir").glob("*.py"),
    *(ROOT / "sync/systems/lti_advantage").glob("*.py"),
    *(ROOT / "sync/reconcile" / name for name in ("apply.py", "verify.py", "undo.py")),
    ROOT / "connector/cli/sync.py",
    ROOT / "connector/cli/sync_settings.py",
    ROOT / "connector/cli/people.py",
]


def sentences() -> set[str]:
    found = set()
    for file in SPOKEN:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "N_":
                found.add(ast.literal_eval(node.args[0]))
    return found


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_sentence_is_translated_with_the_same_fields(language: str) -> None:
    texts = Catalogue()
    for room in ("sync", "connector", "mappings"):
        texts.add(ROOT / room / "i18n")
    assert len(sentences()) > 30
    for sentence in sorted(sentences()):
        translated = texts.find(language, sentence)
        assert translated, sentence
        fields = {part.partition("}")[0] for part in sentence.split("{")[1:]}
        assert fields == {part.partition("}")[0] for part in translated.split("{")[1:]}, sentence
