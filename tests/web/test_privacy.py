"""The data-privacy launch: what is kept about a person, for whom it is, and the wish to have it erased."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.test import Client, TestResponse

from connector.cli.main import main
from connector.host import privacy
from connector.host.rooms import SchoolRoom
from plugins.contract import Outcome, Progress
from tests.support.kopir_site import PUBLIC, Lms, Site, teacher

PRIVACY = "LtiDataPrivacyLaunchRequest"
ADMIN = ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"]


def about(user: str | None, **changes: Any) -> dict[str, Any]:
    told = None if user is None else {"user_id": user}
    return {"MESSAGE_TYPE": PRIVACY, "RESOURCE_LINK": None, "CONTEXT": None, "FOR_USER": told, **changes}


def opened(site: Site, client: Client, lms: Lms, **changes: Any) -> tuple[str, TestResponse]:
    path = site.enter(client, lms, **changes)
    answer = client.get(path, base_url=PUBLIC)
    assert answer.status_code == 303
    return path, client.get(answer.location, base_url=PUBLIC)


def token_of(page: TestResponse) -> str:
    return re.findall(r'name="kopir_token" value="([^"]+)"', page.text)[0]


def post(client: Client, path: str, page: TestResponse, **fields: str) -> TestResponse:
    return client.post(path, base_url=PUBLIC, data={"kopir_token": token_of(page), **fields})


@pytest.fixture
def pupil(site: Site, lms: Lms, placed: dict[str, Any]) -> str:
    """A pupil with a launch and nothing more."""
    _, session = site.admit(lms, **placed)
    assert session.account_id is not None
    return session.account_id


@pytest.mark.parametrize("kind", [PRIVACY, "DataPrivacyLaunchRequest"])
def test_privacy_launch_of_an_administrator_shows_what_is_kept_of_the_named_person(
    kind: str, site: Site, lms: Lms, pupil: str
) -> None:
    client = site.client()
    _, page = opened(site, client, lms, **teacher(ROLES=ADMIN, **about("5", MESSAGE_TYPE=kind)))
    assert page.status_code == 200
    assert "Айгерім Әбдірахманова" in page.text
    assert "LMS атаған адам туралы" in page.text
    assert len(re.findall(r'<th scope="row"', page.text)) == 5


def test_privacy_launch_in_the_draft_s_form_names_the_person_by_id(site: Site, lms: Lms, pupil: str) -> None:
    told = about(None) | {"FOR_USER": {"id": "5"}}
    _, page = opened(site, site.client(), lms, **teacher(ROLES=ADMIN, **told))
    assert "Айгерім Әбдірахманова" in page.text


def test_privacy_launch_of_anybody_else_shows_their_own_data_whoever_is_named(site: Site, lms: Lms, pupil: str) -> None:
    _, page = opened(site, site.client(), lms, **teacher(**about("5")))
    assert "Айгерім" not in page.text
    assert "Нұрлан Сейітқали" in page.text
    assert "Сіз туралы" in page.text
    _, own = opened(site, site.client(), lms, **about(None))
    assert "Айгерім Әбдірахманова" in own.text


def test_privacy_launch_about_somebody_unknown_says_that_nothing_is_kept(site: Site, lms: Lms) -> None:
    _, page = opened(site, site.client(), lms, **teacher(ROLES=ADMIN, **about("nobody")))
    assert "бұл адам мұнда ешқашан тапсырма ашпаған" in page.text
    assert "<form" not in page.text.partition("<main")[2]


def test_privacy_copy_holds_everything_the_host_and_the_plugins_keep(
    site: Site, lms: Lms, pupil: str, placed: dict[str, Any]
) -> None:

    room = SchoolRoom(site.runtime, lms.made.school_id, "probe")
    done = Outcome(Progress.GRADED, Decimal(8), Decimal(10), site.clock(), comment="Жақсы")
    with room.write() as db:
        room.hand_in(db, placed["CUSTOM"]["kopir_activity"], pupil, done)
    client = site.client()
    path, page = opened(site, client, lms, **about("5"))
    copy = post(client, f"{path}privacy/copy", page)
    assert copy.headers["Content-Disposition"] == 'attachment; filename="kopir-data.json"'
    kept = json.loads(copy.text)
    assert kept["account"]["display_name"] == "Айгерім Әбдірахманова"
    assert kept["account"]["sourcedid"] == "2026010001"
    assert [(row["score_given"], row["comment"]) for row in kept["results"]] == [("8", "Жақсы")]
    assert {row["course"] for row in kept["launches"]} == {"Алгебра 7А", None}
    assert list(kept["activities"]) == ["probe"]


def test_privacy_wish_to_be_erased_is_taken_down_once_and_only_when_confirmed(
    site: Site, lms: Lms, pupil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client()
    path, page = opened(site, client, lms, **about("5"))
    unsure = post(client, f"{path}privacy/erase", page)
    assert "unsure=1" in unsure.location
    assert privacy.wishes(site.runtime, lms.made.school_id) == []
    for _ in range(2):
        assert post(client, f"{path}privacy/erase", page, sure="yes").status_code == 303
    (wish,) = privacy.wishes(site.runtime, lms.made.school_id)
    assert (wish.account_id, wish.by_person, wish.state) == (pupil, True, "open")
    again = client.get(f"{path}privacy", base_url=PUBLIC)
    assert 'role="status"' in again.text
    assert "privacy/erase" not in again.text
    settings = site.runtime.settings
    for name, value in {
        "DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key, "PUBLIC_URL": PUBLIC,
        "ENCRYPTION_KEYS": ",".join(settings.encryption_keys), "DATA_DIR": str(settings.data_dir),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (row,) = json.loads(CliRunner().invoke(main, ["privacy", "requests", "--json"]).output)
    assert (row["asked_by"], row["state"]) == ("person", "open")
    assert "Айгерім" not in str(row)
    assert CliRunner().invoke(main, ["privacy", "settle", row["id"]]).exit_code == 0
    assert CliRunner().invoke(main, ["privacy", "settle", row["id"]]).exit_code == 1
    settled = client.get(f"{path}privacy", base_url=PUBLIC)
    assert "privacy/erase" in settled.text


def test_privacy_pages_open_for_a_privacy_launch_alone(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    assert client.get(f"{path}privacy", base_url=PUBLIC).status_code == 404
    _, page = opened(site, client, lms, **about("5"))
    other = client.post(f"{path}privacy/copy", base_url=PUBLIC, data={"kopir_token": token_of(page)})
    assert other.status_code == 403


def test_privacy_launch_needs_a_person(site: Site, lms: Lms) -> None:
    answer = site.launch(site.client(), lms, **about("5", sub=None))
    assert answer.status_code == 400
