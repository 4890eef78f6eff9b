from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey
from werkzeug.test import Client

from connector.base.errors import Retriable
from connector.base.outbound import NetworkPolicy, Outbound, Reply
from sync.twins.moodle import Lms, create_lms
from tests.twins.moodle_kit import NOW, StillClock, get_token, key_server, new_key, serving

SCORES = "/mod/lti/services.php/2/lineitems/2/lineitem/scores"
BODY = (
    '{"userId": "6", "scoreGiven": 30, "scoreMaximum": 40, "timestamp": "2026-11-21T21:52:15Z",'
    ' "activityProgress": "Completed", "gradingProgress": "FullyGraded"}'
)


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return new_key()


@dataclass
class Served:
    lms: Lms
    base: str
    token: str
    outbound: Outbound

    def send(self) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/vnd.ims.lis.v1.score+json"}
        return self.outbound.request("POST", self.base + SCORES, headers=headers, body=BODY)

    def marks(self) -> dict[str, Decimal]:
        return self.lms.gradebook()[0].marks()


@pytest.fixture
def served(tmp_path: Path, tool_key: RSAKey) -> Iterator[Served]:
    outbound = Outbound(NetworkPolicy(everything=True))
    with key_server(tool_key) as keys:
        store = tmp_path / "lms.sqlite3"
        lms = create_lms(store, "http://localhost:8081", clock=StillClock(), tool_outbound=outbound)
        tool = lms.register_tool(
            "Kopir",
            login_url="http://127.0.0.1:9001/login",
            redirect_uris=["http://127.0.0.1:9001/launch"],
            jwks_url=keys.url,
            target_link_uri="http://127.0.0.1:9001/launch",
        )
        lms._parts.registry.add_activity(1, {"title": "x", "lineItem": {"scoreMaximum": 40}})
        token = get_token(Client(lms.app), tool_key, tool.client_id, lms.platform_facts().token_url, NOW)
        with serving(lms.app) as base:
            yield Served(lms, base, token, outbound)


def test_maintenance_is_a_page_on_everything(served: Served) -> None:
    served.lms.set_fault("maintenance")
    answer = served.send()
    assert (answer.status, answer.media_type) == (503, "text/html")
    assert Client(served.lms.app).get("/").status_code == 503
    served.lms.set_fault("none")
    assert served.send().status == 200


def test_an_error_writes_nothing_and_ends_by_itself(served: Served) -> None:
    served.lms.set_fault("error", times=1)
    assert served.send().status == 500
    assert served.marks() == {}
    assert served.send().status == 200


def test_a_dropped_answer_leaves_the_score_written(served: Served) -> None:
    served.lms.set_fault("drop", times=1, path="/scores")
    with pytest.raises(Retriable, match="unreachable"):
        served.send()
    assert served.marks() == {"6": Decimal("30.00000")}
    assert served.send().status == 409


def test_a_slow_answer_comes_late(served: Served) -> None:
    served.lms.set_fault("slow", milliseconds=300)
    begun = time.monotonic()
    assert served.send().status == 200
    assert time.monotonic() - begun >= 0.3


def test_a_fault_hits_only_its_path(served: Served) -> None:
    served.lms.set_fault("error", path="/memberships")
    assert served.send().status == 200


def test_an_unknown_fault_is_refused(served: Served) -> None:
    with pytest.raises(ValueError, match="flood"):
        served.lms.set_fault("flood")
