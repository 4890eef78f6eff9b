"""Clauses of LTI Core 1.3 and the Security Framework that show only through the web, each test named by its part."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from connector.cli.main import main
from connector.db.tables.launches import account, launch
from tests.support.kopir_site import LEARNER, PUBLIC, TARGET, Lms, Site, key_pair, sign, teacher

TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


def stored(site: Site, table: Any) -> list[Any]:
    with site.runtime.database.service(write=False) as db:
        return list(db.execute(select(table)).all()) if table is launch else []


def way_back(page: str) -> dict[str, list[str]]:
    (address,) = re.findall(r'<a class="btn btn-primary" href="([^"]+)"', page)
    return parse_qs(urlsplit(unescape(address)).query)


def test_core_return_url_carries_the_error_for_the_person_and_the_code_for_the_log(site: Site, lms: Lms) -> None:
    answer = site.launch(site.client(), lms, RESOURCE_LINK={"title": "no id"})
    assert answer.status_code == 400
    back = way_back(answer.text)
    assert back["course"] == ["2"]
    assert back["lti_errorlog"] == ["missing_claim"]
    assert "LMS" in back["lti_errormsg"][0] or "платформа" in back["lti_errormsg"][0]


def test_core_return_url_is_not_offered_before_the_signature_was_good(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    token = sign({"alg": "RS256", "kid": key_pair().kid}, lms.claims(asked["nonce"], site.clock()), key_pair("x").key)
    answer = client.post("/lti/launch", data={"id_token": token, "state": asked["state"]}, base_url=PUBLIC)
    assert answer.status_code == 400
    assert 'class="btn' not in answer.text


@pytest.mark.parametrize("error", ["access_denied", "unauthorized_client", "invalid_request", "invalid_scope"])
def test_security_error_of_the_platform_without_a_token_is_an_honest_page(error: str, site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    form = {"error": error, "error_description": "<b>secret</b>", "state": asked["state"]}
    answer = client.post("/lti/launch", data=form, base_url=PUBLIC)
    assert answer.status_code == 400
    assert "<code>platform_error</code>" in answer.text
    assert error in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"aud": ["{client}"]}, 303),
        ({"aud": ["{client}"], "azp": "{client}"}, 303),
        ({"aud": ["{client}", "other"], "azp": "{client}"}, 400),
        ({"aud": ["{client}"], "azp": "other"}, 400),
        ({"aud": ["other"], "azp": "{client}"}, 400),
    ],
)
def test_security_several_audiences_are_judged_with_the_authorised_party(
    changes: dict[str, Any], status: int, site: Site, lms: Lms
) -> None:
    def put_in(value: Any) -> Any:
        if isinstance(value, list):
            return [put_in(one) for one in value]
        return value.replace("{client}", lms.client_id)

    sent = {name: put_in(value) for name, value in changes.items()}
    assert site.launch(site.client(), lms, **sent).status_code == status


def test_core_anonymous_launch_is_served_by_the_registrations_switch_alone(
    site: Site, lms: Lms, placed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.launch(site.client(), lms, sub=None, **placed).status_code == 400
    settings = site.runtime.settings
    for name, value in {
        "DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key, "PUBLIC_URL": PUBLIC,
        "ENCRYPTION_KEYS": ",".join(settings.encryption_keys), "DATA_DIR": str(settings.data_dir),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    switch = ["lti", "platforms", "anonymous", lms.made.registration_id]
    assert CliRunner().invoke(main, [*switch, "--on"]).exit_code == 0
    assert CliRunner().invoke(main, ["lti", "platforms", "anonymous", "nothing", "--on"]).exit_code == 1
    site.runtime.registry.forget()
    client = site.client()
    page = client.get(site.enter(client, lms, sub=None, **placed), base_url=PUBLIC)
    assert page.status_code == 403
    assert "LMS сіздің кім екеніңізді айтпайды" in page.text
    seen = client.get(site.enter(client, lms, **teacher(sub=None, **placed)), base_url=PUBLIC)
    assert seen.status_code == 200
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        assert db.execute(select(account.c.id)).all() == []
    assert CliRunner().invoke(main, [*switch, "--off"]).exit_code == 0
    site.runtime.registry.forget()
    assert site.launch(site.client(), lms, sub=None, **placed).status_code == 400


def test_core_test_user_works_as_a_pupil_and_is_marked_so_that_no_score_is_sent(
    site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    client = site.client()
    path = site.enter(client, lms, sub="test-1", ROLES=[LEARNER, TEST_USER], **placed)
    assert client.get(path, base_url=PUBLIC).status_code == 200
    (row,) = stored(site, launch)
    assert (row.role, row.details["test_user"]) == ("pupil", True)


def test_core_target_of_the_login_is_no_open_redirect(site: Site, lms: Lms) -> None:
    for target in ("https://evil.example/", f"{TARGET}.evil.example", "//evil.example", f"{PUBLIC}/console/"):
        form = lms.login_form(target_link_uri=target)
        answer = site.client().post("/lti/login", data=form, base_url=PUBLIC)
        assert answer.status_code == 400
        assert "foreign_target" in answer.text


def test_core_context_and_names_and_unknown_claims_may_all_be_missing_or_new(
    site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    bare = {"CONTEXT": None, "LIS": None, "LAUNCH_PRESENTATION": None, "AGS_ENDPOINT": None, "NRPS": None,
            "name": None, "given_name": None, "family_name": None, "https://v.example/claim": {"a": [1]}}  # fmt: skip
    client = site.client()
    assert client.get(site.enter(client, lms, **bare, **placed), base_url=PUBLIC).status_code == 200
