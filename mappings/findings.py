"""What a check has to say, and where: one shape for files, rows and single values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from connector.base.errors import Record
from connector.base.i18n import Message, translate

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing found, in words a person can act on.

    Attributes:
        reason: Stable code for screens, logs and tests.
        message: What was found and what to do about it.
        severity: An error stops what was asked for; a warning does not.
        file: File it was found in, empty for a single value.
        line: Line, counted from 1, where there is one.
        column: Column, counted from 1, where there is one.
        path: Field path, such as ``groups[0].right.edu_group``.
        found: The text as it stands in the file; never a name or an IIN.
        nearest: The nearest right word, where one is near.
    """

    reason: str
    message: Message
    severity: Severity = "error"
    file: str = ""
    line: int | None = None
    column: int | None = None
    path: str = ""
    found: str = ""
    nearest: str = ""

    def at(self, file: str, line: int | None, column: int | None, path: str = "") -> Finding:
        """Return the same finding with its place filled in."""
        return replace(self, file=file, line=line, column=column, path=path or self.path)

    def render(self, language: str) -> str:
        """Return one line: ``file:line:column: path: sentence``."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in ("", None))
        return ": ".join(part for part in (place, self.path, translate(self.message, language)) if part)

    def as_dict(self, language: str) -> dict[str, str | int | None]:
        """Return the finding as JSON values, its message in the language."""
        return {
            "reason": self.reason,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "found": self.found,
            "nearest": self.nearest,
            "message": translate(self.message, language),
        }


def from_record(error: Record) -> Finding:
    """Return what a refused value says, as a finding."""
    return Finding(error.reason, error.message)


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stop, leaving out the warnings."""
    return [finding for finding in findings if finding.severity == "error"]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word nearest to the one written, or an empty text when none is near."""
    by_folded = {entry.casefold(): entry for entry in known}
    folded = word.casefold()
    close = get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    if close:
        return by_folded[close[0]]
    begun = [entry for key, entry in by_folded.items() if folded and key.startswith(folded)]
    return begun[0] if len(begun) == 1 else ""
