"""A deployment nobody named waits for a person, and only a signed launch makes it wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from werkzeug.wrappers import Request, Response

from connector.base.errors import Fatal
from connector.host.deployments import (
    MOST_WAITING,
    approve_deployment,
    note_deployment,
    refuse_deployment,
    waiting_deployments,
)
from connector.host.registered import remove_registration
from lti.tool.keys import new_signing_key, public_jwk
from tests.lti.kit import claims, encode, key_pair
from tests.support.databases import Place
from tests.support.registering import Kopir, Vendor, connect, running_kopir, running_vendor


@dataclass
class Launching(Vendor):
    """A Canvas that registers without a deployment and launches from whichever it likes."""

    family: str = "canvas"
    deployment: str | None = None

    def respond(self, request: Request) -> Response:
        if request.path == "/jwks":
            return Response(json.dumps({"keys": [public_jwk(key_pair())]}), content_type="application/json")
        return super().respond(request)

    def launch(self, kopir: Kopir, deployment: str, signed_by: str = "platform") -> requests.Response:
        target = f"{kopir.url}/lti/launch"
        asked = {"iss": self.base, "login_hint": "5", "target_link_uri": target, "client_id": self.client}
        login = requests.get(f"{kopir.url}/lti/login", params=asked, allow_redirects=False, timeout=10)
        query = dict(parse_qsl(urlsplit(login.headers["Location"]).query))
        cookie = login.headers["Set-Cookie"].partition(";")[0]
        told = claims(query["nonce"], kopir.clock(), iss=self.base, aud=self.client, DEPLOYMENT_ID=deployment,
                      TARGET_LINK_URI=target, LAUNCH_PRESENTATION=None)  # fmt: skip
        pair = key_pair() if signed_by == "platform" else new_signing_key()
        token = encode({"typ": "JWT", "alg": "RS256", "kid": key_pair().kid}, told, pair.key)
        form = {"id_token": token, "state": query["state"]}
        headers = {"Cookie": cookie, "Accept-Language": "en"}
        return requests.post(target, data=form, headers=headers, allow_redirects=False, timeout=10)


@pytest.fixture
def kopir(database_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    with running_kopir(database_place, tmp_path) as running:
        yield running


@pytest.fixture
def lms(kopir: Kopir) -> Iterator[Launching]:
    with running_vendor(Launching()) as running:
        assert connect(kopir, running).status == 200
        yield running


def test_an_unnamed_deployment_is_refused_waits_and_launches_once_approved(kopir, lms):
    refused = lms.launch(kopir, "acc-1")
    assert refused.status_code == 400
    assert "unknown_deployment" in refused.text
    lms.launch(kopir, "acc-1")
    (waiting,) = waiting_deployments(kopir.runtime)
    assert (waiting.deployment_id, waiting.school_code, waiting.launches) == ("acc-1", "gymnasium", 2)
    assert kopir.runtime.registry.school_of(waiting.registration_id, "acc-1") is None
    approve_deployment(kopir.runtime, "acc-1")
    assert waiting_deployments(kopir.runtime) == []
    assert lms.launch(kopir, "acc-1").status_code == 303
    assert lms.launch(kopir, "acc-2").status_code == 400


def test_a_launch_that_is_not_the_platforms_leaves_nothing_waiting(kopir, lms):
    assert lms.launch(kopir, "acc-1", signed_by="stranger").status_code == 400
    assert waiting_deployments(kopir.runtime) == []


def test_a_deployment_may_be_given_to_another_school_by_name(kopir, lms):
    other = kopir.runtime.registry.make_school("other", "№6", kopir.runtime.vault, kopir.clock())
    lms.launch(kopir, "acc-1")
    approve_deployment(kopir.runtime, "acc-1", school_id=other.id)
    (one,) = kopir.runtime.registry.find(lms.base, None)
    owner = kopir.runtime.registry.school_of(one.id, "acc-1")
    assert owner is not None
    assert owner.id == other.id


def test_what_does_not_wait_cannot_be_approved(kopir, lms):
    with pytest.raises(Fatal) as refused:
        approve_deployment(kopir.runtime, "acc-1")
    assert refused.value.reason == "not_waiting"


def test_one_deployment_id_of_two_lmss_needs_the_registration_named(kopir, lms):
    with running_vendor(Launching(client="client-b")) as second:
        connect(kopir, second)
        lms.launch(kopir, "1")
        second.launch(kopir, "1")
        with pytest.raises(Fatal) as refused:
            approve_deployment(kopir.runtime, "1")
        assert refused.value.reason == "which_deployment"
        (one,) = kopir.runtime.registry.find(second.base, None)
        approve_deployment(kopir.runtime, "1", registration_id=one.id)
        assert second.launch(kopir, "1").status_code == 303
        assert lms.launch(kopir, "1").status_code == 400


def test_a_refused_deployment_waits_again_only_when_it_launches_again(kopir, lms):
    lms.launch(kopir, "acc-1")
    (waiting,) = waiting_deployments(kopir.runtime)
    assert refuse_deployment(kopir.runtime, waiting.registration_id, "acc-1")
    assert not refuse_deployment(kopir.runtime, waiting.registration_id, "acc-1")
    assert waiting_deployments(kopir.runtime) == []
    lms.launch(kopir, "acc-1")
    assert len(waiting_deployments(kopir.runtime)) == 1


def test_a_platform_cannot_fill_the_list(kopir, lms):
    (one,) = kopir.runtime.registry.find(lms.base, None)
    for number in range(MOST_WAITING + 5):
        note_deployment(kopir.runtime, one.id, f"d{number}")
    assert len(waiting_deployments(kopir.runtime)) == MOST_WAITING


def test_another_school_sees_none_of_it(kopir, lms):
    other = kopir.runtime.registry.make_school("other", "№6", kopir.runtime.vault, kopir.clock())
    lms.launch(kopir, "acc-1")
    assert waiting_deployments(kopir.runtime, other.id) == []
    assert len(waiting_deployments(kopir.runtime, kopir.school.id)) == 1


def test_a_removed_lms_lets_nobody_in_and_its_key_is_gone(kopir, lms):
    lms.launch(kopir, "acc-1")
    approve_deployment(kopir.runtime, "acc-1")
    (one,) = kopir.runtime.registry.find(lms.base, None)
    kid = kopir.runtime.keys.for_registration(one).kid
    assert kid in kopir.jwks()
    assert remove_registration(kopir.runtime, one.id)
    assert not remove_registration(kopir.runtime, one.id)
    assert kopir.jwks() == {}
    assert kopir.runtime.registry.find(lms.base, None) == []
    # It may be connected anew, and then has another key.
    kopir.clock.tick(seconds=timedelta(minutes=1).total_seconds())
    connect(kopir, lms)
    assert set(kopir.jwks()).isdisjoint({kid})
