"""Check that the documents are whole: commands, settings and addresses named, links alive, translations complete."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from connector.base.config import Settings
from connector.cli.main import main as command

ROOT = Path(__file__).parent.parent
ROOMS = ("connector", "lti", "mappings", "sync", "plugins")
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"N_": None, "t": None, "_": None}
MARKED = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")


def documents() -> list[Path]:
    """Return every Markdown document of the project."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: click.Command, path: str = "kopir") -> Iterator[str]:
    """Yield every command's full name."""
    if isinstance(group, click.Group):
        for name, one in group.commands.items():
            yield from commands(one, f"{path} {name}")
    else:
        yield path


def missing_from_documents() -> Iterator[str]:
    """Yield what exists and no document names."""
    text = "\n".join(file.read_text("utf-8") for file in documents())
    for name in commands(command):
        if name not in text:
            yield f"no document names the command `{name}`"
    for name in Settings.model_fields:
        if name.upper() not in text:
            yield f"no document names the setting {name.upper()}"


def dead_links() -> Iterator[str]:
    """Yield relative links that lead nowhere."""
    for file in documents():
        for target in MARKED.findall(file.read_text("utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (file.parent / target).exists():
                yield f"{file.relative_to(ROOT)}: {target} does not exist"


def translations(language: str) -> dict[str, str]:
    """Return every translated text of a language."""
    texts: dict[str, str] = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob(f"i18n/{language}/*.po")):
            with file.open("rb") as stream:
                entries = [entry for entry in read_po(stream, locale=language) if entry.id and not entry.fuzzy]
            texts.update({str(entry.id): str(entry.string) for entry in entries if entry.string})
    return texts


def marked() -> Iterator[tuple[str, str]]:
    """Yield every marked text with the place it stands in."""
    for room in ROOMS:
        for name, line, msgid, _, _ in extract_from_dir(ROOT / room, METHODS, keywords=KEYWORDS):
            text = msgid if isinstance(msgid, str) else msgid[0]
            if text.strip():
                yield f"{room}/{name}:{line}", text


def untranslated() -> Iterator[str]:
    """Yield marked texts that Kazakh or Russian lacks, and translations whose fields differ."""
    known = {language: translations(language) for language in ("kk", "ru")}
    for place, text in marked():
        for language, texts in known.items():
            if text not in texts:
                yield f"{place}: no {language} for {text!r}"
            elif fields(text) != fields(texts[text]):
                yield f"{place}: {language} names other fields than {text!r}"


def fields(text: str) -> set[str]:
    """Return the names in braces."""
    return set(re.findall(r"\{(\w+)\}", text))


if __name__ == "__main__":
    problems = sorted({*missing_from_documents(), *dead_links(), *untranslated()})
    print("\n".join(problems) or "Documents and translations are whole.")
    sys.exit(bool(problems))
