"""Translations: messages are made where things happen and put into words where a person reads them.

Catalogues are gettext ``.po`` files, read as they are (no compiled copies to forget). A room keeps its own in a
folder ``i18n/<language>/*.po`` and adds that folder once. English is the source language, so it has no catalogue.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES = ("kk", "ru", "en")
DEFAULT_LANGUAGE = "kk"
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")


def N_(msgid: str) -> str:
    """Mark a text for translation without translating it yet."""
    return msgid


@dataclass(frozen=True)
class Message:
    """A translatable sentence and the values it names.

    Attributes:
        msgid: The English sentence, with ``{name}`` fields; write it as ``N_("…")`` so that it is found.
        values: What the fields stand for; a value may itself be a Message.
    """

    msgid: str
    values: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the English text."""
        return translate(self, "en")


def say(msgid: str, **values: object) -> Message:
    """Make a message: ``say(N_("Line {line} is empty."), line=7)``."""
    return Message(msgid, values)


class Catalogue:
    """Every translation known to this process, by language."""

    def __init__(self) -> None:
        """Start empty; folders are added by the rooms that own them."""
        self._texts: dict[str, dict[str, str | tuple[str, ...]]] = {language: {} for language in LANGUAGES}
        self._folders: set[Path] = set()
        self._lock = threading.Lock()

    def add(self, folder: Path) -> None:
        """Read ``folder/<language>/*.po``; adding a folder twice does nothing."""
        with self._lock:
            if folder in self._folders:
                return
            self._folders.add(folder)
            for language in LANGUAGES:
                for file in sorted((folder / language).glob("*.po")):
                    self._read(language, file)

    def _read(self, language: str, file: Path) -> None:
        with file.open("rb") as stream:
            for entry in read_po(stream, locale=language):
                if entry.id and entry.string and not entry.fuzzy:
                    key = entry.id if isinstance(entry.id, str) else entry.id[0]
                    text = entry.string if isinstance(entry.string, str) else tuple(entry.string)
                    self._texts[language][key] = text

    def find(self, language: str, msgid: str) -> str | None:
        """Return the translation of a sentence, or None when the language has none."""
        text = self._texts.get(language, {}).get(msgid)
        return text if text is None or isinstance(text, str) else text[0]


catalogue = Catalogue()


def translate(message: Message | str, language: str) -> str:
    """Put a message into words; a sentence without a translation stays English.

    Values are put in by ``str.format_map`` on a checked msgid, never on a translated user's text.
    """
    if isinstance(message, str):
        return catalogue.find(language, message) or message
    template = catalogue.find(language, message.msgid) or message.msgid
    if not message.values:
        return template
    words = {name: _word(value, language) for name, value in message.values.items()}
    try:
        return template.format_map(words)
    except (LookupError, ValueError, AttributeError):
        # A translator's slip in a field's name must not take the page away; the English sentence has it right.
        return message.msgid.format_map(words)


def _word(value: object, language: str) -> str:
    return translate(value, language) if isinstance(value, Message) else str(value)


def choose_language(wanted: Iterable[str], allowed: Iterable[str] = LANGUAGES) -> str:
    """Return the first wanted language we speak; ``ru-RU``, ``kk_KZ`` and ``en-US,en;q=0.9`` are understood."""
    offered = tuple(allowed)
    for entry in wanted:
        for tag in _by_preference(entry):
            code = tag.replace("_", "-").split("-")[0].lower()
            if code in offered:
                return code
    return DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in offered else offered[0]


def _by_preference(entry: str) -> list[str]:
    """Return the tags of an Accept-Language header, most wanted first (RFC 9110, section 12.5.4)."""
    weighed: list[tuple[float, str]] = []
    for part in entry.split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        value = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
        if tag and value > 0:
            weighed.append((value, tag))
    return [tag for _, tag in sorted(weighed, key=lambda one: -one[0])]
