from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.host.links import ACTIVITY_PARAMETER
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import Lms, Site, open_site
from tests.support.probe_plugin import Probe


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path) -> Iterator[Site]:
    """Kopir as one process serves it, with one LMS and the probe as its only plugin."""
    with open_site(sqlite_place, tmp_path) as opened:
        opened.runtime.plugins = {"probe": Probe(tmp_path)}
        opened.runtime.plugin_failures = ()
        yield opened


@pytest.fixture
def lms(site: Site) -> Lms:
    return site.lmss["main"]


@pytest.fixture
def placed(site: Site, lms: Lms) -> dict[str, dict[str, str]]:
    """The claim that makes a launch open an activity of the probe."""
    activity = make.make_activity(site.runtime.database, lms.made.school_id, plugin="probe")
    return {"CUSTOM": {ACTIVITY_PARAMETER: activity}}
