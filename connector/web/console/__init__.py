"""The console: where one person of a school sees what needs them, and the integrator sees the rest."""

from __future__ import annotations

from connector.web.console import (
    home,
    hours,
    launches,
    letters,
    lms,
    notices,
    people,
    person,
    plan,
    runs,
    scores,
    sheet,
    tools,
    why,
)
from connector.web.console.session import blueprint

PAGES = (home, plan, hours, people, person, sheet, runs, why, lms, tools, launches, scores, notices, letters)
"""The modules whose pages hang on the blueprint."""

__all__ = ["PAGES", "blueprint"]
