from __future__ import annotations

import pytest

import sync.jobs.tables  # noqa: F401 -- the tables are in the metadata before a database is made.
from connector.db.database import Database
from tests.support import factories as make


@pytest.fixture
def school_id(database: Database) -> str:
    return make.make_school(database)
