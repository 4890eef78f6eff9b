from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from connector.base.outbound import NetworkPolicy, Outbound
from sync.systems.contract import Scope
from sync.systems.kundelik import KundelikClient, KundelikSystem
from sync.systems.kundelik.bucket import TokenBucket
from sync.twins.kundelik import Journal
from tests.twins.kundelik_site import new_journal, served


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with served(new_journal(tmp_path)) as site:
        yield site


def client_of(journal: Journal, **timeouts: float) -> KundelikClient:
    outbound = Outbound(NetworkPolicy(everything=True), **timeouts)
    unhurried = TokenBucket(10_000, 10_000, sleep=lambda seconds: None)
    return KundelikClient(outbound, journal.api_url, journal.token, bucket=unhurried)


@pytest.fixture
def client(journal: Journal) -> KundelikClient:
    return client_of(journal)


@pytest.fixture
def system(journal: Journal, client: KundelikClient) -> KundelikSystem:
    return KundelikSystem(client, journal.school_id, contracted=True)


@pytest.fixture
def scope(journal: Journal) -> Scope:
    """Algebra of 7 «А» in the two weeks round the rehearsal's day."""
    return Scope(journal.group_id, journal.subject_id, date(2026, 11, 9), date(2026, 11, 27))
