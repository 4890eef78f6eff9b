"""YAML read as a tree that remembers where everything stands.

Nothing is constructed: tags, anchors and aliases are refused, so a file can name no class and unfold no bomb. A
scalar keeps its text, because ``012`` and ``1_000`` lose theirs when YAML makes numbers of them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from connector.base.i18n import N_, Message, say
from mappings.findings import Finding

MAX_BYTES = 1_048_576
MAX_DEPTH = 20
MAX_NODES = 100_000

Plain = str | int | Decimal | bool | None
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,9}")
_NUMBERLIKE = re.compile(r"[-+]?(?:\.[0-9]|[0-9])[0-9_.]*(?:[eE][-+]?[0-9]+)?|0x[0-9a-fA-F_]+|0o[0-7_]+")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class OddNumber:
    """An unquoted number whose text YAML would not give back (``012``, ``1_000``, ``1e3``, 19 digits)."""

    text: str


@dataclass
class Node:
    """One value of the file and its place, counted from 1; a mapping's keys keep theirs as well."""

    line: int
    column: int
    text: str = ""
    value: Plain | OddNumber = None
    entries: dict[str, Node] | None = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Node] | None = None

    def plain(self) -> Any:
        """Return the value as plain dicts, lists and scalars."""
        if self.entries is not None:
            return {key: node.plain() for key, node in self.entries.items()}
        return [node.plain() for node in self.items] if self.items is not None else self.value

    def child(self, step: str | int) -> Node | None:
        """Return the value under a key or an index, or None."""
        if isinstance(step, str):
            return (self.entries or {}).get(step)
        return self.items[step] if self.items is not None and 0 <= step < len(self.items) else None


class _Stop(Exception):
    """Reading cannot go on; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


def read_tree(text: str) -> tuple[Node | None, list[Finding]]:
    """Read one YAML document.

    Returns:
        The tree and what is wrong with the file as YAML; no tree when it cannot be read to its end.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        message = N_("The file has more than {limit} KiB; a mapping never needs as much.")
        return None, [Finding("too_large", say(message, limit=MAX_BYTES // 1024))]
    builder = _Builder(text)
    try:
        return builder.build(), builder.findings
    except _Stop as stop:
        return None, [*builder.findings, stop.finding]
    except MarkedYAMLError as error:
        return None, [*builder.findings, _syntax(error, text)]
    except ReaderError as error:
        message = N_("The file holds a character (code {code}) that YAML does not allow; remove it.")
        return None, [Finding("bad_yaml", say(message, code=error.character))]


class _Builder:
    """Build the tree from parser events, without recursion, so that depth and size are known before they hurt."""

    def __init__(self, text: str) -> None:
        self.findings: list[Finding] = []
        self._text = text
        self._stack: list[Node] = []
        self._pending: list[tuple[str, bool] | None] = []
        self._root: Node | None = None
        self._count = 0

    def build(self) -> Node:
        documents = 0
        for event in _events(self._text):
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "bad_yaml", say(N_("A mapping file holds one document: remove “---”.")))
            elif isinstance(event, AliasEvent):
                raise self._stop(
                    event, "yaml_alias", say(N_("Anchors and aliases (& and *) are not read; write it out."))
                )
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._stack.pop()
                self._pending.pop()
            elif isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
                self._take(event)
        if self._root is None:
            raise _Stop(Finding("empty_file", say(N_("The file is empty."))))
        return self._root

    def _stop(self, event: Any, reason: str, message: Message) -> _Stop:
        line, column = _place(event)
        return _Stop(Finding(reason, message, line=line, column=column))

    def _take(self, event: Any) -> None:
        self._check(event)
        node = Node(*_place(event))
        if isinstance(event, ScalarEvent):
            node.text = event.value
            node.value = _resolve(event.value) if event.style is None else event.value
            if self._expects_key():
                self._key(node)
                return
        elif self._expects_key():
            raise self._stop(event, "bad_key", say(N_("A key must be a word, not a list or a group of keys.")))
        self._attach(node)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open(event, node)

    def _check(self, event: Any) -> None:
        self._count += 1
        if event.anchor is not None:
            raise self._stop(event, "yaml_alias", say(N_("Anchors and aliases (& and *) are not read; write it out.")))
        if event.tag not in (None, "!") or (event.tag == "!" and not isinstance(event, ScalarEvent)):
            raise self._stop(event, "yaml_tag", say(N_("YAML tags (!) are not read; remove it.")))
        if self._count > MAX_NODES or len(self._stack) >= MAX_DEPTH:
            raise self._stop(event, "too_deep", say(N_("The file is nested too deeply or has too many entries.")))

    def _open(self, event: Any, node: Node) -> None:
        if isinstance(event, MappingStartEvent):
            node.entries = {}
        else:
            node.items = []
        self._stack.append(node)
        self._pending.append(None)

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].entries is not None and self._pending[-1] is None

    def _key(self, node: Node) -> None:
        parent = self._stack[-1]
        place = (node.line, node.column)
        if not isinstance(node.value, str):
            message = N_("The key {key} reads as a number or an empty value: put it in quotes.")
            self.findings.append(Finding("quote_key", say(message, key=node.text or "~"), "error", "", *place))
        double = node.text in parent.keys
        if double:
            message = N_("The key “{key}” is written twice here, first in line {line}: only one can count.")
            said = say(message, key=node.text, line=parent.keys[node.text][0])
            self.findings.append(Finding("duplicate_key", said, "error", "", *place, found=node.text))
        parent.keys.setdefault(node.text, place)
        self._pending[-1] = (node.text, double)

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if parent.items is not None:
            parent.items.append(node)
            return
        pending, self._pending[-1] = self._pending[-1], None
        if pending is not None and not pending[1] and parent.entries is not None:
            parent.entries[pending[0]] = node


def _events(text: str) -> Iterator[Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    yield from yaml.parse(io.StringIO(text))


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _resolve(text: str) -> Plain | OddNumber:
    """Tell what an unquoted scalar is: YAML 1.2's words and numbers, exactly, or text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return OddNumber(text) if _NUMBERLIKE.fullmatch(text) and not _is_day(text) else text


def _is_day(text: str) -> bool:
    return text.count(".") > 1


def _syntax(error: MarkedYAMLError, text: str) -> Finding:
    """Put YAML's own complaint into words; a tab is by far the commonest cause."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
    source = text.splitlines()[line - 1] if line is not None and line <= len(text.splitlines()) else ""
    if "\t" in source[: len(source) - len(source.lstrip())] or "\\t" in str(error.problem):
        message = say(N_("There is a tab in the indentation: YAML takes spaces only."))
        return Finding("tab", message, line=line, column=column)
    message = say(
        N_("This is not YAML here ({problem}): check quotes, brackets and indentation."), problem=error.problem
    )
    return Finding("bad_yaml", message, line=line, column=column)
