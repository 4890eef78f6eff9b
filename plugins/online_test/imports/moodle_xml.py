"""Read a Moodle XML export, question by question; other kinds and attached files are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from plugins.contract import N_, say
from plugins.online_test.imports.checks import (
    check_full_marks,
    check_media,
    check_size,
    fraction_of,
    points_of,
    range_of,
    what_to_review,
)
from plugins.online_test.imports.report import Entry, Reason, Refusal, refused, taken
from plugins.online_test.imports.xml_tree import Node, read_tree
from plugins.online_test.markup import as_words, looks_like_html
from plugins.online_test.model import EMPTY, Kind, Option, Pattern, Question, Remarks, Rich


def read_moodle_xml(content: bytes) -> list[Entry]:
    """Return an entry for every question of an export, in order.

    Source: Moodle documentation, "Moodle XML format"; element names as Moodle 4.5 writes them.
    """
    root, nodes, fault = read_tree(content)
    if root != "quiz" and not (fault and root == ""):
        return [refused(1, root, Reason(1, say(N_("This is XML, but not a Moodle question export (no <quiz>)."))))]
    entries: list[Entry] = []
    category = ""
    for node in nodes:
        if node.name != "question":
            entries.append(refused(node.line, f"<{node.name}>", Reason(node.line, say(N_("This is not a question.")))))
        elif node.attrs.get("type") == "category":
            category = node.value("category")
        else:
            entries.append(_entry(node, category))
    if fault:
        entries.append(refused(fault.line, "XML", fault))
    return entries


def _entry(node: Node, category: str) -> Entry:
    title = " ".join(node.value("name").split())[:200]
    try:
        question = _question(node, title, category)
        check_size(question, node.line)
        check_media(question, node.line, _attached(node))
    except Refusal as refusal:
        words = title or as_words(_rich(node, "questiontext"), 60) or f"<question type={node.attrs.get('type', '')!r}>"
        return refused(node.line, words, refusal.reason)
    return taken(node.line, question, (*_notes(node), *what_to_review(question, node.line)))


def _question(node: Node, title: str, category: str) -> Question:
    kind = node.attrs.get("type", "")
    reader = _READERS.get(kind)
    if reader is None:
        name = say(N_("Questions of the type “{type}” cannot be taken."), type=kind[:40])
        raise Refusal(node.line, name)
    text = _rich(node, "questiontext")
    if not text.text:
        raise Refusal(node.line, say(N_("The question has no text.")))
    head = Question(
        Kind.SINGLE,
        title,
        text,
        points=points_of(node.value("defaultgrade", "1"), _line(node, "defaultgrade")),
        remarks=Remarks(
            _rich(node, "generalfeedback"),
            _rich(node, "correctfeedback"),
            _rich(node, "partiallycorrectfeedback"),
            _rich(node, "incorrectfeedback"),
        ),
        category=category,
        keep_order=_is_off(node, "shuffleanswers"),
    )
    return reader(node, head)


def _multichoice(node: Node, head: Question) -> Question:
    kind = Kind.MULTIPLE if _is_off(node, "single") else Kind.SINGLE
    options = tuple(Option(_own(item), _fraction(item), _rich(item, "feedback")) for item in node.all("answer"))
    if len(options) < 2:
        raise Refusal(node.line, say(N_("A choice needs at least two answers.")))
    _no_empty(node, [option.text for option in options])
    check_full_marks(kind, (option.fraction for option in options), node.line)
    return _as(head, kind, options=options)


def _true_false(node: Node, head: Question) -> Question:
    told = {_own(item).text.lower(): item for item in node.all("answer")}
    if set(told) != {"true", "false"}:
        raise Refusal(node.line, say(N_("A true/false question needs the answers “true” and “false”.")))
    options = tuple(
        Option(Rich(word.title()), _fraction(told[word]), _rich(told[word], "feedback")) for word in ("true", "false")
    )
    check_full_marks(Kind.TRUE_FALSE, (option.fraction for option in options), node.line)
    return _as(head, Kind.TRUE_FALSE, options=options, keep_order=True)


def _short(node: Node, head: Question) -> Question:
    patterns = tuple(Pattern(_own(item).text, _fraction(item), _rich(item, "feedback")) for item in node.all("answer"))
    _no_empty(node, [Rich(pattern.text) for pattern in patterns])
    if any(pattern.fraction < 0 for pattern in patterns):
        raise Refusal(node.line, say(N_("A short answer cannot take points away.")))
    check_full_marks(Kind.SHORT, (pattern.fraction for pattern in patterns), node.line)
    return _as(head, Kind.SHORT, patterns=patterns, case_sensitive=node.value("usecase") in ("1", "true"))


def _numerical(node: Node, head: Question) -> Question:
    ranges = tuple(
        range_of(_own(item).text, item.value("tolerance"), _fraction(item), _rich(item, "feedback"), item.line)
        for item in node.all("answer")
    )
    check_full_marks(Kind.NUMERICAL, (item.fraction for item in ranges), node.line)
    return _as(head, Kind.NUMERICAL, ranges=ranges)


def _matching(node: Node, head: Question) -> Question:
    stems: list[Rich] = []
    choices: list[Rich] = []
    key: list[int] = []
    for item in node.all("subquestion"):
        stem, choice = _own(item), _rich(item, "answer", "plain_text")
        _no_empty(item, [choice])
        if choice not in choices:
            choices.append(choice)
        if stem.text:
            stems.append(stem)
            key.append(choices.index(choice))
    if len(stems) < 2:
        raise Refusal(node.line, say(N_("Matching needs at least two pairs.")))
    return _as(head, Kind.MATCHING, stems=tuple(stems), choices=tuple(choices), key=tuple(key))


_READERS: dict[str, Callable[[Node, Question], Question]] = {
    "multichoice": _multichoice,
    "truefalse": _true_false,
    "shortanswer": _short,
    "numerical": _numerical,
    "matching": _matching,
}


def _as(head: Question, kind: Kind, **parts: Any) -> Question:
    return replace(head, kind=kind, **parts)


def _notes(node: Node) -> list[Reason]:
    """Tell what of a question is kept in Moodle only."""
    notes = []
    if node.value("hidden") == "1":
        notes.append(Reason(_line(node, "hidden"), say(N_("The question is hidden in Moodle."))))
    units = node.child("units")
    if units is not None and any(units.all("unit")):
        notes.append(Reason(units.line, say(N_("Units are not checked: the number alone counts."))))
    if any(item.attrs.get("format") == "markdown" for item in _everything(node)):
        notes.append(Reason(node.line, say(N_("Markdown is shown as it is typed."))))
    if any(True for _ in node.all("hint")):
        notes.append(Reason(_line(node, "hint"), say(N_("Hints between tries are left out: there is one try."))))
    return notes


def _attached(node: Node) -> list[str]:
    """Return the names of the files the question brings with it."""
    return [item.attrs.get("name", "?")[:100] for item in _everything(node) if item.name == "file"]


def _everything(node: Node) -> list[Node]:
    found = [node]
    for child in node.children:
        found.extend(_everything(child))
    return found


def _own(node: Node) -> Rich:
    """Return the text that stands in a node's own ``text`` element."""
    return _read(node, node.value("text") if node.child("text") else node.text.strip())


def _rich(node: Node, name: str, default: str = "moodle_auto_format") -> Rich:
    found = node.child(name)
    return EMPTY if found is None else _read(found, node.value(name), default)


def _read(node: Node, text: str, default: str = "moodle_auto_format") -> Rich:
    name = node.attrs.get("format", default)
    as_html = name == "html" or (name == "moodle_auto_format" and looks_like_html(text))
    return Rich(text, "html" if as_html and text else "plain")


def _fraction(node: Node) -> Fraction:
    text = node.attrs.get("fraction", node.value("fraction", "0"))
    return fraction_of(text or "0", node.line)


def _is_off(node: Node, name: str) -> bool:
    return node.value(name, "true").lower() in ("false", "0")


def _line(node: Node, name: str) -> int:
    found = node.child(name)
    return node.line if found is None else found.line


def _no_empty(node: Node, texts: list[Rich]) -> None:
    if not all(rich.text for rich in texts):
        raise Refusal(node.line, say(N_("An answer is empty.")))
