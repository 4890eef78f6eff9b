from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import sync.jobs.tables
import sync.scores.tables  # noqa: F401 -- the tables are in the metadata before a database is made.
from connector.db.database import Database
from tests.scores.kit import Course
from tests.support.lms import Rehearsal, rehearsal


@pytest.fixture
def lms(tmp_path: Path) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path) as running:
        yield running


@pytest.fixture
def course(sqlite_database: Database, lms: Rehearsal) -> Course:
    """A course of the rehearsal LMS with one placed activity of ten points, and its column."""
    return Course.of(sqlite_database, lms)
