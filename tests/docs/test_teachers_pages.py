from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from tests.docs.reading import ROOT

PAGES = {"en": "teachers.md", "ru": "teachers.ru.md", "kk": "teachers.kk.md"}
LABEL = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
# The pages explain once what bold letters stand for.
LEGEND = {"bold", "полужирным", "қою қаріп"}


def said_by_the_pages(language: str) -> set[str]:
    """Every sentence our pages say in a language."""
    code = "ru" if language == "en" else language
    texts: set[str] = set()
    for room in ("connector", "lti", "plugins"):
        for file in (ROOT / room).rglob(f"i18n/{code}/*.po"):
            with file.open("rb") as stream:
                entries = [entry for entry in read_po(stream, locale=code) if entry.id]
            texts.update(str(entry.id if language == "en" else entry.string) for entry in entries)
    return texts


@pytest.mark.parametrize("language", PAGES)
def test_every_quoted_label_is_on_our_pages(language: str) -> None:
    text = (ROOT / "docs" / PAGES[language]).read_text("utf-8")
    quoted = {" ".join(label.split()) for label in LABEL.findall(text)} - LEGEND
    assert len(quoted) > 20
    assert sorted(quoted - said_by_the_pages(language)) == []


def test_the_three_pages_have_the_same_parts() -> None:
    shapes = [
        re.findall(r"^(#+|\d\.|\||-) ", (ROOT / "docs" / name).read_text("utf-8"), re.MULTILINE)
        for name in PAGES.values()
    ]
    assert shapes[0] == shapes[1] == shapes[2]
