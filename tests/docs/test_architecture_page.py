from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.db.schema import metadata
from connector.host.plugins import load_plugins
from connector.host.tables import import_tables
from tests.docs.reading import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ROOMS = ("connector", "lti", "mappings", "sync", "plugins", "scripts")
FILES = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize("name", FILES)
def test_every_file_named_on_the_page_is_there(name: str) -> None:
    found = [file for room in ROOMS for file in (ROOT / room).rglob(Path(name).name)]
    assert any(str(file.relative_to(ROOT)).endswith(name) for file in found)


def test_the_page_follows_launch_score_and_sync_through_many_files() -> None:
    assert len(FILES) > 40


def test_every_table_stands_on_the_page() -> None:
    import_tables()
    load_plugins()
    section = PAGE.partition("## Where data lives")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_*]+)`", "".join(re.findall(r"^\|[^|]+\|([^|]+)\|$", section, re.MULTILINE))))
    ours = {name for name in metadata.tables if not name.startswith("p_")}
    assert sorted(ours - named) == []
    for prefix in (name.rstrip("*") for name in named if name.startswith("p_")):
        assert any(name.startswith(prefix) for name in metadata.tables), prefix


def test_the_layers_on_the_page_are_those_that_are_checked() -> None:
    layers = re.search(r"name = Rooms stand.*?layers =\n(.*?)\n\n", (ROOT / ".importlinter").read_text(), re.DOTALL)
    assert layers is not None
    checked = [line.strip() for line in layers[1].splitlines()][::-1]
    sentence = PAGE.partition("Layers, lowest first:")[2].partition(". A room")[0]
    said = [re.findall(r"`([\w.]+)`", part) for part in sentence.split("→")]
    assert [" | ".join(names) for names in said] == checked
