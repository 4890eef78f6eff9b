"""The self-test: this tool tried as a certification tries one, through its real addresses, with evidence."""

from __future__ import annotations

from connector.host.selftest.lms import SelftestLms
from connector.host.selftest.records import Report, Verdict
from connector.host.selftest.run import run_live, run_shipped
from connector.host.selftest.target import command_line

__all__ = ["Report", "SelftestLms", "Verdict", "command_line", "run_live", "run_shipped"]
