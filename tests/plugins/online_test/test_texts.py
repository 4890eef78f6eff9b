"""Every text a person sees is there in Kazakh and Russian, with the same fields."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from plugins.online_test import plugin

ROOT = plugin.manifest.package
FIELDS = re.compile(r"(?<!\{)\{(\w+)\}|%\((\w+)\)s")


def msgids() -> set[str]:
    found: set[str] = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "N_":
                found.add(ast.literal_eval(node.args[0]))
    for file in ROOT.rglob("*.html"):
        calls = re.findall(r"""\bt\(("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", file.read_text("utf-8"))
        found |= {ast.literal_eval(call) for call in calls}
    return found


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_every_text_is_translated_with_the_same_fields(language: str):
    texts = {}
    for catalogue in (ROOT / "i18n" / language).glob("*.po"):
        with catalogue.open("rb") as stream:
            texts |= {entry.id: entry.string for entry in read_po(stream) if entry.id}
    wanted = msgids()
    assert len(wanted) > 150
    assert wanted - set(texts) == set()
    assert set(texts) - wanted == set()
    for msgid, text in texts.items():
        assert text
        assert sorted(FIELDS.findall(str(text))) == sorted(FIELDS.findall(str(msgid))), msgid


@pytest.mark.parametrize("file", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_inline_script_style_or_handler(file: Path):
    text = file.read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    for form in re.findall(r"<form.*?</form>", text, re.S):
        assert "form_fields()" in form


def test_the_script_is_small():
    size = sum(file.stat().st_size for file in (ROOT / "static").iterdir())
    assert size < 24_000
