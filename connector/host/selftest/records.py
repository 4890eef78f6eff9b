"""What a self-test is made of: cases, what was expected and seen of each, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connector.base.i18n import translate


class Group(StrEnum):
    """Where a case comes from; the first six are the certification's."""

    BAD = "bad"
    TEACHER = "teacher"
    STUDENT = "student"
    DEEP_LINKING = "deep_linking"
    ROSTER = "roster"
    GRADES = "grades"
    HOSTILE = "hostile"
    OWN = "own"


CERTIFICATION = (Group.BAD, Group.TEACHER, Group.STUDENT, Group.DEEP_LINKING, Group.ROSTER, Group.GRADES)
"""Groups whose cases stand in the LTI Advantage certification of tools (1EdTech certification guide 1.3, section 6)."""


@dataclass(frozen=True)
class Case:
    """One thing that is tried.

    Attributes:
        id: Stable: ``bad-01``.
        group: Where it comes from.
        title: English sentence, translatable.
        clause: Where the specification asks for it.
    """

    id: str
    group: Group
    title: str
    clause: str

    @property
    def certification(self) -> bool:
        """Tell whether it is one of the certification's 43."""
        return self.group in CERTIFICATION


@dataclass(frozen=True)
class Verdict:
    """How one case ended.

    Attributes:
        case: Which.
        expected: In short: ``400 missing_claim``.
        seen: The same of what came back: status, where it landed, reason code.
        passed: Whether that is what was expected.
        clause: The clause that the refusal page named; empty where nothing was refused.
        messages: What was sent and what came back, redacted, for the evidence file.
    """

    case: Case
    expected: str
    seen: str
    passed: bool
    clause: str = ""
    messages: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def row(self, language: str) -> dict[str, Any]:
        """Return it for a table or for scripts, without the messages."""
        return {
            "id": self.case.id,
            "group": str(self.case.group),
            "title": translate(self.case.title, language),
            "expected": self.expected,
            "seen": self.seen,
            "passed": self.passed,
            "clause": self.clause or self.case.clause,
        }


@dataclass(frozen=True)
class Report:
    """The whole self-test.

    Attributes:
        url: What was tested.
        server: ``shipped`` (started for this run) or ``live``.
        started_at: ISO 8601, UTC.
        seconds: How long it took.
        verdicts: One per case, in the cases' order.
    """

    url: str
    server: str
    started_at: str
    seconds: float
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every case passed; a case that was not tried has failed."""
        return bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)

    def counts(self) -> dict[str, int]:
        """Return how many passed of how many: all, and the certification's."""
        certified = [verdict for verdict in self.verdicts if verdict.case.certification]
        return {
            "cases": len(self.verdicts),
            "cases_passed": sum(verdict.passed for verdict in self.verdicts),
            "certification_cases": len(certified),
            "certification_passed": sum(verdict.passed for verdict in certified),
        }

    def as_json(self, language: str) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "passed": self.passed,
            "url": self.url,
            "server": self.server,
            "started_at": self.started_at,
            "seconds": self.seconds,
            **self.counts(),
            "results": [verdict.row(language) for verdict in self.verdicts],
        }

    def evidence(self, language: str) -> dict[str, Any]:
        """Return it with the redacted messages of every case: what is filed with a certification."""
        report = self.as_json(language)
        for row, verdict in zip(report["results"], self.verdicts, strict=True):
            row["messages"] = [dict(message) for message in verdict.messages]
        return report


def in_order(cases: Iterable[Case], verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return one verdict per case, in the cases' order; what was not tried has failed."""
    found = {verdict.case.id: verdict for verdict in verdicts}
    return tuple(found.get(case.id) or Verdict(case, "tried", "not tried", passed=False) for case in cases)
