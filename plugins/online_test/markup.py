"""Texts from files, made safe to show: a short list of tags without attributes, everything else as letters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

from markupsafe import Markup, escape

from plugins.online_test.model import Rich

_BLOCKS = frozenset(
    {"p", "div", "ul", "ol", "li", "blockquote", "pre", "table", "thead", "tbody", "tr", "th", "td"}
)  # fmt: skip
_KEPT = _BLOCKS | {"b", "strong", "i", "em", "u", "s", "sub", "sup", "code"}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = _HEADINGS | {
    "span", "font", "a", "html", "body", "head", "small", "big", "tt", "center", "label", "section", "article"
}  # fmt: skip
_SWALLOWED = frozenset({"script", "style", "title"})
_MEDIA = frozenset(
    {"img", "audio", "video", "source", "track", "object", "embed", "iframe", "svg", "math", "input"}
)  # fmt: skip
_VOID = frozenset({"br", "hr"})
_DECLARATIONS = re.compile(r"<!--.*?(?:-->|$)", re.S)
_ODD = re.compile(r"<(?=[!?])")
_TEX = re.compile(r"\\\(|\\\[|\$\$")
_CLOSED_TAG = re.compile(
    r"</(?:p|div|b|strong|i|em|u|s|sub|sup|ul|ol|li|code|pre|table|span|a)\s*>|<(?:br|hr|img)\b[^<>]*>", re.I
)


def show(rich: Rich, *, inline: bool = False) -> Markup:
    """Return a text as safe HTML; ``inline`` leaves out block tags, for a label."""
    if rich.format != "html":
        lines = [escape(line) for line in rich.text.strip().splitlines()]
        return Markup("<br>").join(lines)
    cleaner = _Cleaner(inline)
    cleaner.feed(_plain_markup(rich.text))
    cleaner.close()
    return cleaner.result()


def as_words(rich: Rich, limit: int = 80) -> str:
    """Return the text alone, in one line, cut to ``limit`` letters."""
    text = rich.text
    if rich.format == "html":
        cleaner = _Cleaner(inline=True)
        cleaner.feed(_plain_markup(text))
        cleaner.close()
        text = cleaner.words()
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def looks_like_html(text: str) -> bool:
    """Tell marked-up text from plain text with a "less than" in it: some known tag is closed."""
    return _CLOSED_TAG.search(text) is not None


@dataclass
class Losses:
    """What showing a text would leave out: media files by name, links by address, other tags by name."""

    media: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    formulas: bool = False


def losses(rich: Rich) -> Losses:
    """Tell what of a text cannot be shown as it was meant."""
    found = Losses(formulas=_TEX.search(rich.text) is not None)
    if rich.format == "html":
        finder = _Finder(found)
        finder.feed(_plain_markup(rich.text))
        finder.close()
    return found


def _plain_markup(text: str) -> str:
    # The standard parser fails on unknown declarations, and nothing in them is ever shown.
    return _ODD.sub("&lt;", _DECLARATIONS.sub("", text))


class _Cleaner(HTMLParser):
    """Write allowed tags anew, balanced and bare; everything else becomes escaped text."""

    def __init__(self, inline: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._inline = inline
        self._out: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self._swallow = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SWALLOWED:
            self._swallow += 1
        elif tag in _VOID:
            self._write("<br>" if tag == "br" or self._inline else "<hr>")
        elif self._inline and tag in _BLOCKS:
            self._break()
        elif tag in _KEPT or tag in _HEADINGS:
            name = "strong" if tag in _HEADINGS else tag
            self._open.append(name)
            self._write(f"<{name}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SWALLOWED:
            self._swallow = max(0, self._swallow - 1)
        name = "strong" if tag in _HEADINGS else tag
        while name in self._open:
            last = self._open.pop()
            self._write(f"</{last}>")
            if last == name:
                break

    def handle_data(self, data: str) -> None:
        if not self._swallow:
            self._out.append(str(escape(data)))
            self._words.append(data)

    def _break(self) -> None:
        if self._out and self._out[-1] != "<br>":
            self._write("<br>")

    def _write(self, text: str) -> None:
        self._out.append(text)
        self._words.append(" " if text in ("<br>", "<p>", "</p>", "<li>", "<div>") else "")

    def result(self) -> Markup:
        ends = [f"</{name}>" for name in reversed(self._open)]
        return Markup("".join(self._out + ends).strip())  # noqa: S704 - built of escaped text and bare tags above.

    def words(self) -> str:
        return "".join(self._words)


class _Finder(HTMLParser):
    """Note what ``_Cleaner`` leaves out."""

    def __init__(self, found: Losses) -> None:
        super().__init__(convert_charrefs=True)
        self._found = found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in _MEDIA:
            self._found.media.append(_file_name(values.get("src") or values.get("data") or "", tag))
        elif tag == "a" and values.get("href"):
            self._found.links.append(str(values["href"])[:200])
        elif tag not in _KEPT and tag not in _SILENT and tag not in _VOID:
            self._found.tags.append(tag[:20])


def _file_name(address: str, tag: str) -> str:
    if address.startswith("data:") or not address:
        return f"<{tag}>"
    return unquote(address).rsplit("/", 1)[-1][:100] or f"<{tag}>"
