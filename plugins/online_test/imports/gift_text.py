r"""The letters of a GIFT file: lines with their numbers, blocks between blank lines, comments and escapes.

Format: Moodle's documentation, "GIFT format". A backslash takes the meaning from ``~ = # { } :``, and ``\n`` is a
new line. While a block is read, an escaped letter is held as a lone surrogate, which no decoded file can contain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plugins.online_test.markup import looks_like_html
from plugins.online_test.model import Rich

_ESCAPED = "\\~=#{}:n"
_HELD = {letter: chr(0xD800 + index) for index, letter in enumerate(_ESCAPED)}
_FREED = str.maketrans({held: "\n" if letter == "n" else letter for letter, held in _HELD.items()})
_ESCAPE = re.compile(r"\\([\\~=#{}:n])")
_FORMAT = re.compile(r"\s*\[(html|plain|moodle|markdown)\]\s?", re.I)


@dataclass(frozen=True)
class Block:
    """Lines of one question, joined; comments are empty lines, so that line numbers hold."""

    line: int
    text: str

    def line_at(self, offset: int) -> int:
        """Return the file's line of a place in ``text``."""
        return self.line + self.text.count("\n", 0, offset)

    @property
    def first_line(self) -> int:
        """Return the line of the first letter."""
        return self.line_at(len(self.text) - len(self.text.lstrip()))


def blocks(text: str) -> Iterator[Block]:
    """Cut a file at its blank lines and before each category line; comment lines are taken out."""
    lines: list[str] = []
    start = 1
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip() and not line.lstrip().startswith("$CATEGORY:"):
            if not lines:
                start = number
            lines.append("" if line.lstrip().startswith("//") else line)
            continue
        if any(item.strip() for item in lines):
            yield Block(start, hold("\n".join(lines)))
        lines = []
        if line.strip():
            yield Block(number, line.strip())


def hold(text: str) -> str:
    """Replace escaped letters by their stand-ins."""
    return _ESCAPE.sub(lambda match: _HELD[match.group(1)], text)


def free(text: str) -> str:
    """Put the escaped letters back, without their backslashes, and trim."""
    return text.strip().translate(_FREED)


def rich(text: str, default: str = "moodle") -> tuple[Rich, str]:
    """Read a text with its optional ``[format]``; return it with the name of the format it was in."""
    match = _FORMAT.match(text)
    name = match.group(1).lower() if match else default
    body = free(text[match.end() :] if match else text)
    as_html = name == "html" or (name == "moodle" and looks_like_html(body))
    return Rich(body, "html" if as_html else "plain"), name
