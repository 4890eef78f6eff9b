"""The console: where one person of a school sees what needs them, and the integrator sees the rest."""

from __future__ import annotations

from connector.web.console.session import blueprint

__all__ = ["blueprint"]
