"""What became of a file: for every question in it taken, to be looked at, or refused, with the line and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plugins.contract import Message, say
from plugins.online_test.markup import as_words
from plugins.online_test.model import Question, from_json, to_json


class Verdict(StrEnum):
    """What the import says of one place in the file."""

    TAKEN = "taken"
    REVIEW = "review"
    REFUSED = "refused"


@dataclass(frozen=True)
class Reason:
    """Why, and on which line (the first is 1)."""

    line: int
    message: Message


@dataclass(frozen=True)
class Entry:
    """One question of the file, or one place that could not be read as one.

    Attributes:
        line: Line where it starts.
        title: Its name or first words, for the teacher to find it by.
        question: The question, unless it is refused.
        reasons: Why it is refused, or what of it needs a look; empty when it is simply taken.
    """

    line: int
    title: str
    question: Question | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Taken, to be looked at, or refused."""
        if self.question is None:
            return Verdict.REFUSED
        return Verdict.REVIEW if self.reasons else Verdict.TAKEN


@dataclass(frozen=True)
class Report:
    """A whole file, in its own order."""

    source: str
    entries: tuple[Entry, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question that can be asked."""
        return tuple(entry.question for entry in self.entries if entry.question is not None)

    def count(self, verdict: Verdict) -> int:
        """Return how many entries ended so."""
        return sum(1 for entry in self.entries if entry.verdict is verdict)


class Refusal(Exception):
    """Refuse one question, or the file: the line and why."""

    def __init__(self, line: int, message: Message) -> None:
        """Keep the line (the first is 1) and the reason."""
        super().__init__(f"line {line}: {message.msgid}")
        self.reason = Reason(line, message)


def refused(line: int, title: str, *reasons: Reason) -> Entry:
    """Make the entry of something refused."""
    return Entry(line, title, None, reasons)


def taken(line: int, question: Question, reasons: tuple[Reason, ...] = ()) -> Entry:
    """Make the entry of a question that can be asked."""
    return Entry(line, question.title or as_words(question.text), question, reasons)


def report_to_json(report: Report) -> dict[str, Any]:
    """Return a report as a JSON value."""
    return {"source": report.source, "entries": [_entry_to_json(entry) for entry in report.entries]}


def report_from_json(value: Mapping[str, Any]) -> Report:
    """Read a report that ``report_to_json`` wrote."""
    return Report(value["source"], tuple(_entry_from_json(entry) for entry in value["entries"]))


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        "line": entry.line,
        "title": entry.title,
        "question": None if entry.question is None else to_json(entry.question),
        "reasons": [[reason.line, reason.message.msgid, reason.message.values] for reason in entry.reasons],
    }


def _entry_from_json(value: Mapping[str, Any]) -> Entry:
    return Entry(
        value["line"],
        value["title"],
        None if value["question"] is None else from_json(value["question"]),
        tuple(Reason(line, say(msgid, **values)) for line, msgid, values in value["reasons"]),
    )
