"""Sentences are put into words where they are read: in the language asked for, else in English, never broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.base import i18n
from connector.base.i18n import Catalogue, choose_language, say, translate

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A catalogue of this test alone."""
    fresh = Catalogue()
    for language, text in (
        ("ru", 'msgid "Line {line} is empty."\nmsgstr "Строка {line} пуста."\n\n'
               'msgid "Broken {line}"\nmsgstr "Сломано {lin}"\n\nmsgid "Odd {line}"\nmsgstr "Странно { {line}"\n\n'
               'msgid "Numbered {line}"\nmsgstr "По номеру {} {0}"\n\n'
               '#, fuzzy\nmsgid "Unsure"\nmsgstr "Не уверены"\n\nmsgid "Empty"\nmsgstr ""\n'),
        ("kk", 'msgid "Line {line} is empty."\nmsgstr "{line}-жол бос."\n'),
    ):  # fmt: skip
        (tmp_path / language).mkdir()
        (tmp_path / language / "some.po").write_text(HEADER + text, "utf-8")
    fresh.add(tmp_path)
    fresh.add(tmp_path)
    monkeypatch.setattr(i18n, "catalogue", fresh)
    return fresh


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize(
    ("language", "expected"), [("kk", "7-жол бос."), ("ru", "Строка 7 пуста."), ("en", "Line 7 is empty.")]
)
def test_sentence_is_said_in_the_language_asked_for(language: str, expected: str) -> None:
    assert translate(say("Line {line} is empty.", line=7), language) == expected


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("msgid", ["Unknown {line}", "Unsure", "Empty"])
@pytest.mark.parametrize("language", ["kk", "ru", "de"])
def test_sentence_without_a_sure_translation_stays_english(msgid: str, language: str) -> None:
    assert translate(say(msgid, line=7), language) == msgid.replace("{line}", "7")


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("msgid", ["Broken {line}", "Odd {line}", "Numbered {line}"])
def test_slip_in_a_translation_falls_back_to_english(msgid: str) -> None:
    assert translate(say(msgid, line=7), "ru") == msgid.replace("{line}", "7")


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("hostile", ["{line}", "{0}", "{", "}", "{line.__class__}", "%s", "{{}}", "\ud800"])
def test_value_with_braces_is_shown_as_it_is(hostile: str) -> None:
    assert translate(say("Line {line} is empty.", line=hostile), "ru") == f"Строка {hostile} пуста."
    assert translate(hostile, "ru") == hostile


@pytest.mark.usefixtures("words")
def test_message_inside_a_message_is_translated_too() -> None:
    inner = say("Line {line} is empty.", line="{line}")
    assert translate(say("Why: {why}", why=inner), "kk") == "Why: {line}-жол бос."
    assert str(say("Why: {why}", why=inner)) == "Why: Line {line} is empty."


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["ru-RU"], "ru"),
        (["kk_KZ"], "kk"),
        (["en-US,en;q=0.9"], "en"),
        (["de-DE,fr;q=0.9,ru;q=0.5"], "ru"),
        (["ru;q=0.1,en;q=0.9"], "en"),
        (["ru;q=0,en;q=0.1"], "en"),
        (["ru;q=nonsense,en;q=0.1"], "en"),
        (["", "ru"], "ru"),
        (["*"], "kk"),
        (["C.UTF-8"], "kk"),
        ([], "kk"),
        ([",;;,=;q", "EN"], "en"),
    ],
)
def test_language_is_the_first_wanted_one_we_speak(wanted: list[str], expected: str) -> None:
    assert choose_language(wanted) == expected


def test_language_that_is_not_offered_is_not_chosen() -> None:
    assert choose_language(["kk"], ("ru", "en")) == "ru"
    assert choose_language(["en"], ("ru", "kk")) == "kk"
