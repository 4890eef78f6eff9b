from __future__ import annotations

import re

import pytest

from mappings.findings import errors_in
from mappings.identity import read_identity_file
from mappings.load import read_mapping
from mappings.rules import Mapping
from mappings.run_tests import run_tests
from mappings.schema import MappingFile
from sync.reconcile.guard import HOLD_CODES, RELEASABLE, WAITS_FOR_A_YES
from sync.reconcile.match import MATCH_REASONS
from tests.docs.reading import ROOT, Block, all_blocks

PAGE = ROOT / "docs" / "integrators" / "mapping-files.md"
HEAD = "version: 1\npair: {left: lti_advantage:school, right: kundelik:1000001234567}\n"
YAML = [block for block in all_blocks() if block.language in ("yaml", "yml")]


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_a_mapping_on_a_page_can_be_used_and_its_examples_hold(block: Block) -> None:
    text = block.text if block.text.lstrip("# \n").startswith("version:") else HEAD + block.text
    file, findings = read_mapping(text)
    assert file is not None
    assert errors_in(findings) == []
    assert [result.number for result in run_tests(Mapping.of(file)) if not result.passed] == []


def test_a_whole_mapping_with_examples_is_shown() -> None:
    assert any("tests:" in block.text and block.document == PAGE for block in YAML)


def test_every_key_of_a_mapping_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"^\s*(\w+):", text, re.MULTILINE))
    missing = []
    for name, field in MappingFile.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None) or {}
        keys = {name, *(one.alias or key for key, one in inner.items())}
        missing += sorted(keys - named)
    assert missing == []


def test_every_hold_named_on_the_page_is_one_and_stands_in_its_group() -> None:
    section = PAGE.read_text("utf-8").partition("## Holds")[2].partition("\n## ")[0]
    groups = re.split(r"^\| +\| +\|$", section.partition("|---|---|")[2], flags=re.MULTILINE)
    plain, named, lasting = (set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]+)\|", group, re.M))))
                             for group in groups)  # fmt: skip
    assert plain == WAITS_FOR_A_YES
    assert named == RELEASABLE
    assert lasting <= HOLD_CODES | MATCH_REASONS
    assert not lasting & (RELEASABLE | WAITS_FOR_A_YES)


def test_every_header_of_the_identity_file_on_the_page_is_read() -> None:
    section = PAGE.read_text("utf-8").partition("## The identity file")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+) \|$", section, re.MULTILINE)
    assert len(rows) == 4
    for column, headers in rows:
        for header in re.findall(r"`([^`]+)`", headers):
            other = "moodle id" if "LMS" not in column else "idnumber"
            read = read_identity_file(f"{header};{other}\n".encode())
            assert read.findings == (), f"{header}: {read.findings}"
