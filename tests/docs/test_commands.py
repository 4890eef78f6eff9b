from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import click
import pytest

from connector.base.config import Settings
from connector.cli.main import main
from tests.docs.reading import ROOT, all_blocks, documents

INLINE = re.compile(r"`(kopir [^`]+)`")
PLACEHOLDER = re.compile(r"<[^<>\n]+>|…")
ELLIPSIS = " …"


@dataclass(frozen=True)
class Written:
    """A command as a document writes it."""

    place: str
    text: str


def fenced() -> Iterator[Written]:
    for block in all_blocks():
        if block.language not in ("", "sh", "bash"):
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|\s|/)kopir (?!&&)", line)
            if found and "git clone" not in line:
                yield Written(block.place, "kopir " + line[found.end() :])


def inline() -> Iterator[Written]:
    for document in documents():
        text = re.sub(r"^```.*?^```\s*$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for found in INLINE.finditer(text):
            yield Written(str(document.relative_to(ROOT)), " ".join(found[1].split()))


FENCED, INLINES = list(fenced()), list(inline())


def words_of(text: str) -> list[str]:
    plain = text.split(" < ")[0].split(" > ")[0]
    return shlex.split(PLACEHOLDER.sub("X", plain), comments=True)[1:]


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = main
    while isinstance(command, click.Group):
        assert words, "names no command"
        assert words[0] in command.commands, f"no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def parse(command: click.Command, words: list[str]) -> None:
    """Parse the words as the command would, without looking for the files they name."""
    context = click.Context(command)
    options, rest, _ = command.make_parser(context).parse_args(args=list(words))
    for parameter in command.params:
        value = options.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            assert value in parameter.type.choices, f"{parameter.name}: {value}"
        given = any(opt in words for opt in parameter.opts) or (isinstance(parameter, click.Argument) and value)
        assert given or not parameter.required, f"{parameter.name} is missing"
    assert not rest, f"too many words: {rest}"


def test_the_documents_write_commands_to_check() -> None:
    assert len(FENCED) > 10
    assert len(INLINES) > 40


@pytest.mark.parametrize("written", FENCED, ids=lambda written: f"{written.place} {written.text[:40]}")
def test_a_fenced_command_can_be_run_as_it_stands(written: Written) -> None:
    parse(*resolve(words_of(written.text)))


@pytest.mark.parametrize("written", INLINES, ids=lambda written: f"{written.place} {written.text[:40]}")
def test_a_command_in_a_sentence_exists_with_its_options(written: Written) -> None:
    words = words_of(written.text.split(ELLIPSIS)[0].split(" | ")[0])
    command: click.Command = main
    while words and isinstance(command, click.Group):
        assert words[0] in command.commands, f"no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    if not isinstance(command, click.Group):
        command.make_parser(click.Context(command)).parse_args(args=words)


def test_a_command_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError):
        resolve(["sync", "everything"])
    with pytest.raises(click.NoSuchOption):
        parse(*resolve(["doctor", "--heal"]))
    with pytest.raises(AssertionError):
        parse(*resolve(["lti", "platforms", "add", "--school", "a"]))


def test_every_setting_is_in_the_table_with_its_default() -> None:
    text = (ROOT / "docs" / "running.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", text, re.MULTILINE))
    assert set(rows) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        said = rows[name.upper()].strip()
        if field.is_required():
            assert said == "from `keys.toml`"
        elif field.default == "":
            assert said.startswith("empty")
        else:
            default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
            assert said == f"`{default}`"


def test_every_finding_of_the_doctor_is_in_its_table() -> None:
    code = (ROOT / "connector" / "host" / "doctor.py").read_text("utf-8")
    text = (ROOT / "docs" / "running.md").read_text("utf-8")
    codes = set(re.findall(r'Finding\(\s*Level\.\w+, "(\w+)"', code))
    assert len(codes) > 8
    table = text.partition("## The doctor")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == codes
