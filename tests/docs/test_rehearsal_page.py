from __future__ import annotations

import re

from connector.demo.answers import PUPILS
from connector.demo.bridge import IN_FILE
from connector.demo.once import Report
from connector.demo.sites import LMS_HOST, OTHER_HOST, PORTS
from tests.docs.reading import ROOT

PAGE = (ROOT / "docs" / "rehearsal.md").read_text("utf-8")


def test_every_key_of_the_report_is_on_the_page_and_no_other() -> None:
    table = PAGE.partition("### The report")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(Report().as_json())


def test_the_numbers_on_the_page_are_those_that_pass() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \|$", PAGE, re.MULTILINE))
    report = Report(**{name: int(value) for name, value in said.items() if name != "mismatches"})
    assert report.passed
    assert report.launches == PUPILS
    assert report.joined_by_file == IN_FILE


def test_the_addresses_on_the_page_are_the_rehearsals() -> None:
    for name, port in PORTS.items():
        host = LMS_HOST if name == "lms" else OTHER_HOST
        assert f"`http://{host}:{port}`" in PAGE
