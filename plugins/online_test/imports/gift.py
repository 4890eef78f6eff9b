"""Read a GIFT file, question by question; what cannot be read is named with its line and the rest is kept."""

from __future__ import annotations

from dataclasses import replace

from plugins.contract import N_, say
from plugins.online_test.imports.checks import check_media, check_size, what_to_review
from plugins.online_test.imports.gift_answers import Scope, read_answers
from plugins.online_test.imports.gift_text import Block, blocks, free, rich
from plugins.online_test.imports.report import Entry, Reason, Refusal, refused, taken
from plugins.online_test.markup import as_words
from plugins.online_test.model import Question, Rich

_CATEGORY = "$CATEGORY:"
_GAP = " _____ "


def read_gift(text: str) -> list[Entry]:
    """Return an entry for every question of a GIFT file, in order.

    Source: Moodle documentation, "GIFT format"; behaviour compared with Moodle 4.5's importer.
    """
    entries: list[Entry] = []
    category = ""
    for block in blocks(text):
        if block.text.startswith(_CATEGORY):
            category = block.text[len(_CATEGORY) :].strip()
        else:
            entries.append(_entry(block, category))
    return entries


def _entry(block: Block, category: str) -> Entry:
    try:
        question, notes = _question(block)
        check_size(question, block.first_line)
        check_media(question, block.first_line)
    except Refusal as refusal:
        return refused(block.first_line, _first_words(block), refusal.reason)
    reasons = [*notes, *what_to_review(question, block.first_line)]
    return taken(block.first_line, replace(question, category=category), tuple(reasons))


def _question(block: Block) -> tuple[Question, list[Reason]]:
    title, start = _title(block)
    opening, closing = _braces(block, start)
    if opening < 0:
        raise Refusal(block.first_line, say(N_("There are no answers in { } here.")))
    after = block.text[closing + 1 :]
    gap = _GAP if after.strip() else ""
    text, name = rich(block.text[start:opening].rstrip() + gap + after.strip())
    if not text.text:
        raise Refusal(block.first_line, say(N_("The question has no text.")))
    scope = Scope(block, opening + 1, closing, name)
    question = read_answers(scope, title, text)
    if name == "markdown":
        scope.note(start, say(N_("Markdown is shown as it is typed.")))
    return question, scope.notes


def _title(block: Block) -> tuple[str, int]:
    """Return the ``::title::`` and the place after it."""
    start = len(block.text) - len(block.text.lstrip())
    if not block.text.startswith("::", start):
        return "", start
    end = block.text.find("::", start + 2)
    if end < 0:
        raise Refusal(block.first_line, say(N_("The title starts with :: but does not end with ::.")))
    return free(" ".join(block.text[start + 2 : end].split()))[:200], end + 2


def _braces(block: Block, start: int) -> tuple[int, int]:
    """Return where the answers open and close, or -1 for none; raise Refusal for a brace without its pair."""
    opening, closing = block.text.find("{", start), block.text.find("}", start)
    if opening < 0 and closing < 0:
        return -1, -1
    if closing >= 0 and (opening < 0 or closing < opening):
        raise Refusal(block.line_at(closing), say(N_("A } has no { before it. Write \\} where you mean the letter.")))
    if closing < 0:
        raise Refusal(block.line_at(opening), say(N_("A { is not closed by } before the next blank line.")))
    second = block.text.find("{", opening + 1)
    if second >= 0:
        message = say(
            N_("There is a second { here. Leave a blank line between questions, or write \\{ for the letter.")
        )
        raise Refusal(block.line_at(second), message)
    extra = block.text.find("}", closing + 1)
    if extra >= 0:
        raise Refusal(block.line_at(extra), say(N_("A } has no { before it. Write \\} where you mean the letter.")))
    return opening, closing


def _first_words(block: Block) -> str:
    head = block.text.split("{", maxsplit=1)[0].replace("::", " ")
    return as_words(Rich(free(head) or free(block.text)), 60)
