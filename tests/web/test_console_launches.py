"""The launch inspector: what an administrator sees of launches, refused ones too, and what nobody sees."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from connector.db.tables.launch_refusals import launch_refusal
from connector.db.tables.launches import launch
from connector.host.launch_refusals import KEPT, Allowance, note_refusal, refusals
from connector.host.operators import invite
from connector.web.console.launches import A_PAGE, CHECKS
from lti.errors import LaunchReason
from lti.tool.refusals import refuse, replayed
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, deep_linking, open_site, teacher
from tests.web.console_kit import plain

PERSONAL = ("Айгерім", "Әбдірахманова", "Нұрлан", "Сейітқали", "2026010001", "Бақылау жұмысы")


@pytest.fixture(autouse=True)
def fresh_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(note_refusal, "__defaults__", (Allowance(),))


def console(site: Site, lms: Lms) -> FlaskClient:
    client = site.app.test_client()
    path = invite(site.runtime, lms.made.school_id, "Әсел").removeprefix(site.runtime.settings.public_url)
    assert client.post(path, base_url=PUBLIC).status_code == 303
    return client


def look(client: FlaskClient, path: str = "", language: str = "en") -> TestResponse:
    return client.get(f"/console/launches/{path}", base_url=PUBLIC, headers={"Accept-Language": language})


def rows(client: FlaskClient, path: str = "") -> list[str]:
    page = look(client, path)
    assert page.status_code == 200, page.text
    return [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", page.text.partition("<tbody>")[2], re.S)]


def links(client: FlaskClient, path: str = "") -> list[str]:
    return re.findall(r'href="/console/launches/([^"?]+)"', look(client, path).text)


def kept(site: Site) -> int:
    with site.runtime.database.service(write=False) as db:
        return db.execute(select(func.count()).select_from(launch_refusal)).scalar_one()


def test_launches_stand_in_a_list_with_kind_role_and_outcome_newest_first(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms)
    site.launch(site.client(), lms, **deep_linking(lms))
    site.launch(site.client(), lms, VERSION="1.1")
    client = console(site, lms)
    refused, picker, pupil = rows(client)
    assert "lms.school.kz" in refused
    assert "Refused wrong_version" in refused
    assert "Something was to be placed in a course Teacher Let in" in picker
    assert "An activity was opened Pupil Let in" in pupil
    assert len(rows(client, "?show=refused")) == 1


def test_launch_that_was_let_in_shows_every_check_with_its_clause(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms, **teacher())
    client = console(site, lms)
    (path,) = links(client)
    page = plain(look(client, path).text)
    for words in (
        "The signature signature ✓ passed Security Framework 1.0 §5.1.3",
        "The LTI version version ✓ passed",
        "The roles roles ✓ passed LTI Core 1.3 §5.3.7",
        "Roles as sent Instructor",
        "Course ALG7",
    ):
        assert words in page
    assert "✗" not in page


def test_refused_launch_shows_what_failed_and_what_to_do(site: Site, lms: Lms) -> None:
    now = int(site.clock().timestamp())
    site.launch(site.client(), lms, iat=now + 600, exp=now + 660)
    client = console(site, lms)
    (path,) = links(client)
    page = plain(look(client, path).text)
    assert re.search(r"The id_token's time is (5\d\d|600) seconds ahead", page)
    assert "issued_in_future · Security Framework 1.0 §5.1.3" in page
    assert "Who issued the token iss ✓ passed" in page
    assert "The token's times iat ✗ failed" in page
    assert "The LTI version" not in page


def test_replayed_launch_is_shown_beside_the_one_that_was_let_in(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    cookies = "; ".join(f"{one.key}={one.value}" for one in (client._cookies or {}).values())
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    for _ in range(2):
        site.app.test_client(use_cookies=False).post(
            "/lti/launch", data=form, headers={"Cookie": cookies}, base_url=PUBLIC
        )
    looking = console(site, lms)
    assert ["replayed" in row for row in rows(looking)] == [True, False]
    assert "The same launch was sent twice" in plain(look(looking, links(looking)[0]).text)


def test_nobody_is_named_on_any_page_nor_in_what_is_kept(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms)
    site.launch(site.client(), lms, **teacher())
    for changes in ({"VERSION": "1.1"}, {"nonce": "x" * 43}, {"DEPLOYMENT_ID": "404"}, {"sub": None}, {"aud": "x"}):
        site.launch(site.client(), lms, **changes)
    client = console(site, lms)
    pages = [plain(look(client, path).text) for path in ("", *links(client))]
    with site.runtime.database.service(write=False) as db:
        pages.append(str(db.execute(select(launch_refusal)).all()))
    assert len(pages) == 9
    for name in (*PERSONAL, "eyJ", "x" * 43):
        assert not any(name in page for page in pages)


def test_one_school_does_not_see_another_s_launches(database_place: Place, tmp_path: Path) -> None:
    with open_site(database_place, tmp_path) as site:
        mine = site.lmss["main"]
        other = site.lms(mine.jwks_url, "lyceum-2", "https://lms.other.kz")
        for lms in (mine, other):
            site.launch(site.client(), lms)
            site.launch(site.client(), lms, VERSION="1.1")
        here, there = console(site, mine), console(site, other)
        assert all("lms.school.kz" in row for row in rows(here))
        assert all("lms.other.kz" in row for row in rows(there))
        assert len(rows(here)) == len(rows(there)) == 2
        for path in links(there):
            assert look(here, path).status_code == 404
            assert look(there, path).status_code == 200


def test_refusal_of_an_lms_that_serves_several_schools_is_shown_to_none(site: Site, lms: Lms) -> None:
    shared = {"client_id": lms.client_id, "issuer": lms.issuer, "deployment_id": "2"}
    second = site.lms(lms.jwks_url, "lyceum-2", **shared)
    site.launch(site.client(), lms, VERSION="1.1")
    assert kept(site) == 1
    assert rows(console(site, lms)) == rows(console(site, second)) == []


def test_stranger_leaves_no_row(site: Site, lms: Lms) -> None:
    client = site.client()
    client.post("/lti/login", data=lms.login_form(iss="https://stranger.kz"), base_url=PUBLIC)
    client.post("/lti/login", data=lms.login_form(target_link_uri="https://evil.kz"), base_url=PUBLIC)
    client.post("/lti/launch", data={"state": "x.y", "id_token": "a.b.c"}, base_url=PUBLIC)
    client.post("/lti/launch", data={}, base_url=PUBLIC)
    assert kept(site) == 0


def refusal(site: Site, lms: Lms, reason: LaunchReason = LaunchReason.BAD_NONCE, **values: Any) -> Any:
    del site
    return refuse(reason, registration_id=lms.made.registration_id, **values)


def test_flood_of_refusals_keeps_so_many_an_hour_and_lms_and_no_more(site: Site, lms: Lms) -> None:
    now = [0.0]
    allowance = Allowance(3, lambda: now[0])
    noted = [note_refusal(site.runtime, refusal(site, lms), allowance) for _ in range(10)]
    assert noted == [True] * 3 + [False] * 7
    assert kept(site) == 3
    other = site.lms(lms.jwks_url, "lyceum-2", "https://lms.other.kz")
    assert note_refusal(site.runtime, refusal(site, other), allowance)
    now[0] = 3600.0
    assert note_refusal(site.runtime, refusal(site, lms), allowance)


def test_refusals_are_gone_after_thirty_days(site: Site, lms: Lms) -> None:
    note_refusal(site.runtime, refusal(site, lms))
    site.clock.ahead = KEPT.total_seconds() - 60
    assert len(refusals(site.runtime, lms.made.school_id, 10)) == 1
    site.clock.ahead = KEPT.total_seconds() + 60
    assert refusals(site.runtime, lms.made.school_id, 10) == []
    assert kept(site) == 1
    note_refusal(site.runtime, refusal(site, lms))
    assert kept(site) == 1


def test_database_that_takes_no_row_takes_nobody_s_page_away(site: Site, lms: Lms) -> None:
    with site.runtime.database.service() as db:
        launch_refusal.drop(db)
    answer = site.launch(site.client(), lms, VERSION="1.1")
    assert answer.status_code == 400
    assert "<code>wrong_version</code>" in answer.text


def test_values_of_a_hostile_launch_are_cut_and_escaped(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms, MESSAGE_TYPE="<script>alert(1)</script>" + "x" * 500)
    client = console(site, lms)
    page = look(client, links(client)[0]).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "x" * 201 not in page


def test_older_launches_are_a_page_away_and_none_is_shown_twice(site: Site, lms: Lms) -> None:
    allowance = Allowance(1000)
    for number in range(A_PAGE + 5):
        if number % 10 == 0:
            site.launch(site.client(), lms)
        else:
            note_refusal(site.runtime, replayed(None, (), lms.made.registration_id), allowance)
    client = console(site, lms)
    first = links(client)
    older = re.search(r'href="(\?before=[0-9a-f]{32})"', look(client).text)
    assert older
    second = links(client, older[1])
    assert (len(first), len(second)) == (A_PAGE, 5)
    assert not set(first) & set(second)
    assert "before=" not in look(client, older[1]).text


def test_nobody_looks_without_being_let_into_the_console(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms)
    (path,) = links(console(site, lms))
    for where in ("", path, "refused/" + "0" * 32, "../launches/"):
        answer = look(site.app.test_client(), where)
        assert answer.status_code in (401, 404)
        assert "lms.school.kz" not in answer.text


def test_address_of_nothing_is_404(site: Site, lms: Lms) -> None:
    client = console(site, lms)
    for path in ("0" * 32, "refused/" + "0" * 32, "x", "refused/x", "refused/%00"):
        assert look(client, path).status_code == 404
    assert rows(client, "?before=x%00") == []


@pytest.mark.parametrize(
    ("language", "words"), [("kk", "Не тексерілді"), ("ru", "Что проверено"), ("en", "What was checked")]
)
def test_pages_speak_three_languages(site: Site, lms: Lms, language: str, words: str) -> None:
    site.launch(site.client(), lms, VERSION="1.1")
    client = console(site, lms)
    (path,) = links(client)
    assert words in plain(look(client, path, language).text)


def test_every_check_a_launch_leaves_has_words(site: Site, lms: Lms) -> None:
    site.launch(site.client(), lms)
    site.launch(site.client(), lms, **deep_linking(lms))
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        traces = db.execute(select(launch.c.trace)).scalars().all()
    assert {step[0] for trace in traces for step in trace} <= set(CHECKS)
