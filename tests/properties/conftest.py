"""Fixtures of the properties."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.properties.field import Fields, World

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def all_fields() -> Iterator[Fields]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        made = Fields(Path(folder))
        # Prepared before any test plants its bug.
        for stage in ({}, {"agreed": False}, {"approved": True}):
            made.world(**stage)
        yield made


@pytest.fixture
def fields(all_fields: Fields) -> Iterator[Fields]:
    yield all_fields
    all_fields.tidy()


@pytest.fixture
def world(fields: Fields) -> World:
    return fields.world()
