from __future__ import annotations

import pytest

from tests.lti.kit import Platform


@pytest.fixture
def lms():
    server = Platform()
    yield server
    server.close()
