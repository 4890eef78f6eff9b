"""Third-party LTI tools placed in a course as activities: the host launches them and keeps their marks."""

from __future__ import annotations

from plugins.external_tool.plugin import ExternalTool

plugin = ExternalTool()
