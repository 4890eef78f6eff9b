from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Place
from tests.support.kopir_site import Site, open_site


@pytest.fixture
def site(database_place: Place, tmp_path: Path) -> Iterator[Site]:
    """Kopir over an empty database with one LMS, once on SQLite and once on PostgreSQL."""
    with open_site(database_place, tmp_path) as opened:
        yield opened


@pytest.fixture
def sqlite_site(sqlite_place: Place, tmp_path: Path) -> Iterator[Site]:
    """The same on SQLite only."""
    with open_site(sqlite_place, tmp_path) as opened:
        yield opened
