"""The console's page of LMSs: one school's own deployments, and addresses shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from connector.app import create_app
from connector.host.deployments import note_deployment, waiting_deployments
from connector.host.invitations import invitations, invite_lms
from connector.host.operators import invite
from connector.host.registry import School
from tests.support.databases import Place
from tests.support.registering import Kopir, Vendor, connect, running_kopir, running_vendor

BASE = "https://kopir.test"


@pytest.fixture
def kopir(sqlite_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    with running_kopir(sqlite_place, tmp_path) as running:
        yield running


@pytest.fixture
def registration_id(kopir: Kopir) -> str:
    """A Canvas that registered without a deployment, from which somebody launched."""
    with running_vendor(Vendor(family="canvas", deployment=None)) as lms:
        connect(kopir, lms)
        (one,) = kopir.runtime.registry.find(lms.base, None)
    note_deployment(kopir.runtime, one.id, "acc-1")
    return one.id


class Operator:
    """Somebody signed in to one school's console."""

    def __init__(self, kopir: Kopir, school: School) -> None:
        self.client: FlaskClient = create_app(kopir.runtime).test_client()
        path = invite(kopir.runtime, school.id, "Әсел").removeprefix(kopir.url)
        assert self.client.post(path, base_url=BASE).status_code == 303

    def page(self, language: str = "en") -> str:
        answer = self.client.get("/console/lms/", base_url=BASE, headers={"Accept-Language": language})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, action: str, *, token: str | None = None, **fields: str):
        found = re.search(r'name="kopir_token" value="([^"]+)"', self.page())
        assert found
        form = {"kopir_token": found[1] if token is None else token, **fields}
        return self.client.post(f"/console/lms/{action}", data=form, base_url=BASE)


def test_a_waiting_deployment_is_approved_in_the_console(kopir, registration_id):
    operator = Operator(kopir, kopir.school)
    assert "acc-1" in operator.page()
    answer = operator.post("approve", registration=registration_id, deployment="acc-1")
    assert answer.status_code == 303
    assert waiting_deployments(kopir.runtime) == []
    assert kopir.runtime.registry.school_of(registration_id, "acc-1") is not None
    assert "Canvas" in operator.page()


def test_a_waiting_deployment_is_dropped_in_the_console(kopir, registration_id):
    Operator(kopir, kopir.school).post("refuse", registration=registration_id, deployment="acc-1")
    assert waiting_deployments(kopir.runtime) == []
    assert kopir.runtime.registry.school_of(registration_id, "acc-1") is None


def test_another_schools_operator_sees_and_approves_nothing(kopir, registration_id):
    other = kopir.runtime.registry.make_school("other", "№6", kopir.runtime.vault, kopir.clock())
    stranger = Operator(kopir, other)
    theirs = invite_lms(kopir.runtime, kopir.school.id)
    assert "acc-1" not in stranger.page()
    for action in ("approve", "refuse"):
        answer = stranger.post(action, registration=registration_id, deployment="acc-1")
        assert answer.status_code == 404
    assert stranger.post("revoke", invitation=theirs.id).status_code == 404
    assert len(waiting_deployments(kopir.runtime)) == 1


def test_a_form_without_its_token_changes_nothing(kopir, registration_id):
    operator = Operator(kopir, kopir.school)
    answer = operator.post("approve", token="", registration=registration_id, deployment="acc-1")
    assert answer.status_code == 403
    assert len(waiting_deployments(kopir.runtime)) == 1


def test_a_registration_address_is_shown_once_and_can_be_taken_back(kopir):
    operator = Operator(kopir, kopir.school)
    shown = operator.post("invite").text
    found = re.search(r"invitation=([A-Za-z0-9_-]+)", shown)
    assert found
    assert found[1] not in operator.page()
    (one,) = invitations(kopir.runtime)
    assert operator.post("revoke", invitation=one.id).status_code == 303
    assert invitations(kopir.runtime)[0].state(kopir.clock()) == "revoked"


@pytest.mark.parametrize(("language", "words"), [("kk", "Тіркеу мекенжайын жасау"), ("ru", "Создать адрес")])
def test_the_page_speaks_the_persons_language(kopir, language, words):
    assert words in Operator(kopir, kopir.school).page(language)
