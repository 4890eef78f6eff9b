"""The launch ladder without a browser: what each page says, what is believed, what is remembered, what is refused."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import event, select, update
from werkzeug.test import Client, TestResponse

from connector.db.tables.launches import launch, ticket
from connector.db.tables.registry import registration
from connector.host.rungs import rung_counts
from connector.web.ladder import BROWSER_FIELD
from connector.web.state import COOKIE
from lti.tool.ladder import Rung
from tests.support.kopir_site import PUBLIC, Lms, Site

OURS = {"Origin": PUBLIC}
FRAME = {"Sec-Fetch-Dest": "iframe"}
FOREIGN = {"Origin": "https://lms.school.kz", "Sec-Fetch-Site": "cross-site"}


def login(site: Site, client: Client, lms: Lms, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
    return client.post("/lti/login", data=lms.login_form(**more), base_url=PUBLIC, headers=headers or {})


def data(page: TestResponse, name: str) -> str:
    found = re.search(rf'data-{name}="([^"]*)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def stored_login(site: Site, client: Client, lms: Lms) -> tuple[dict[str, str], str]:
    """Begin a login whose secret goes into platform storage; return what is asked of the LMS, and the secret."""
    page = login(site, client, lms, FRAME, lti_storage_target="_parent")
    assert page.status_code == 200
    return dict(parse_qsl(urlsplit(data(page, "url-storage")).query)), data(page, "value")


def post(site: Site, client: Client, lms: Lms, asked: dict[str, str], **more: Any) -> TestResponse:
    headers = more.pop("headers", {})
    form = {"id_token": site.token(lms, asked), "state": asked["state"], **more}
    return client.post("/lti/launch", data=form, base_url=PUBLIC, headers=headers)


def known(site: Site, rung: str | None = None) -> str:
    with site.runtime.database.service() as db:
        if rung is not None:
            db.execute(update(registration).values(rung=rung, rung_at=site.clock()))
            site.runtime.registry.forget()
        return str(db.execute(select(registration.c.rung)).scalar_one())


def entered(answer: TestResponse) -> tuple[str, dict[str, str]]:
    """Return where a page that posts itself on leads, and what it posts."""
    assert answer.status_code == 200, answer.text
    action = re.search(r'<form method="post" action="(/l/[^"]+)" data-submit-at-once', answer.text)
    assert action is not None, answer.text
    return unescape(action[1]), dict(re.findall(r'name="(kopir_\w+)" value="([^"]*)"', answer.text))


def enter(site: Site, lms: Lms, **claims: Any) -> tuple[Client, str, dict[str, str]]:
    """Launch by storage in a browser without cookies; return it, the launch's space and the form that opens pages."""
    client = site.app.test_client(use_cookies=False)
    asked, secret = stored_login(site, client, lms)
    form = {"id_token": site.token(lms, asked, **claims), "state": asked["state"], BROWSER_FIELD: secret}
    space, fields = entered(client.post("/lti/launch", data=form, base_url=PUBLIC, headers=OURS))
    return client, space, fields


def test_known_rung_of_cookies_is_a_plain_redirect_with_nothing_asked_of_the_database(site: Site, lms: Lms) -> None:
    known(site, "cookie")
    client = site.client()
    login(site, client, lms, FRAME)
    statements: list[str] = []
    event.listen(site.runtime.database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    answer = login(site, client, lms, FRAME)
    assert (answer.status_code, statements) == (302, [])


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Dest": "document"}])
def test_login_outside_a_frame_needs_no_ladder(site: Site, lms: Lms, headers: dict[str, str]) -> None:
    assert login(site, site.client(), lms, headers).status_code == 302


def test_first_login_in_a_frame_asks_the_browser_and_the_second_goes_straight(site: Site, lms: Lms) -> None:
    client = site.client()
    page = login(site, client, lms, FRAME)
    assert data(page, "rungs") == "cookie storage_access window"
    assert "frame-ancestors 'self' https://lms.school.kz" in page.headers["Content-Security-Policy"]
    asked = dict(parse_qsl(urlsplit(data(page, "url-cookie")).query))
    assert post(site, client, lms, asked).status_code == 303
    assert known(site) == "cookie"
    assert login(site, client, lms, FRAME).status_code == 302


def test_storage_is_tried_first_where_it_is_offered_and_its_silence_is_remembered(site: Site, lms: Lms) -> None:
    client = site.client()
    page = login(site, client, lms, FRAME, lti_storage_target="post_message_forwarding")
    assert data(page, "rungs") == "storage cookie storage_access window"
    assert (data(page, "target"), data(page, "origins")) == ("post_message_forwarding", "https://lms.school.kz")
    asked = dict(parse_qsl(urlsplit(data(page, "url-cookie")).query))
    assert post(site, client, lms, asked).status_code == 303
    assert known(site) == "cookie"
    assert login(site, client, lms, FRAME, lti_storage_target="post_message_forwarding").status_code == 302


def test_secret_of_storage_lets_the_browser_in_once_and_is_counted(site: Site, lms: Lms) -> None:
    client = site.app.test_client(use_cookies=False)
    asked, secret = stored_login(site, client, lms)
    page = post(site, client, lms, asked)
    assert page.status_code == 200
    assert data(page, "key") in page.text
    form = {"id_token": site.token(lms, asked), "state": asked["state"], BROWSER_FIELD: secret}
    space, fields = entered(client.post("/lti/launch", data=form, base_url=PUBLIC, headers=OURS))
    again = client.post("/lti/launch", data=form, base_url=PUBLIC, headers=OURS)
    assert (again.status_code, "replayed" in again.text) == (400, True)
    first = client.post(space, data=fields, base_url=PUBLIC, headers=OURS)
    assert first.status_code == 404
    assert "Айгерім" not in first.request.url
    assert known(site) == "storage"
    counts = rung_counts(site.runtime, lms.made.school_id)
    assert counts == {(lms.made.registration_id, "storage"): 1}


@pytest.mark.parametrize("headers", [{}, FOREIGN, {"Origin": "null"}])
def test_secret_that_no_page_of_ours_sent_is_not_believed(site: Site, lms: Lms, headers: dict[str, str]) -> None:
    """Whoever begins a login of their own knows its secret, and could post it from a page of theirs."""
    asked, secret = stored_login(site, site.client(), lms)
    victim = site.app.test_client(use_cookies=False)
    answer = post(site, victim, lms, asked, **{BROWSER_FIELD: secret}, headers=headers)
    assert (answer.status_code, "no_cookie" in answer.text) == (400, True)


def test_state_of_another_browser_is_refused_on_every_rung(site: Site, lms: Lms) -> None:
    thief, victim = site.client(), site.app.test_client(use_cookies=False)
    page = login(site, thief, lms, FRAME, lti_storage_target="_parent")
    other = data(login(site, site.client(), lms, FRAME, lti_storage_target="_parent"), "value")
    for rung, wrong in (("storage", other), ("storage-access", other), ("storage", ""), ("cookie", other)):
        asked = dict(parse_qsl(urlsplit(data(page, f"url-{rung}")).query))
        answer = post(site, victim, lms, asked, **{BROWSER_FIELD: wrong}, headers=OURS)
        expected = "other_browser" if wrong and rung != "cookie" else "no_cookie"
        assert (answer.status_code, expected in answer.text) == (400, True)


def test_frame_that_comes_back_without_its_cookie_makes_later_logins_ask_first(site: Site, lms: Lms) -> None:
    known(site, "cookie")
    client = site.app.test_client(use_cookies=False)
    asked = site.begin(client, lms)
    assert post(site, client, lms, asked).status_code == 400
    assert known(site) == "cookie"
    assert post(site, client, lms, asked, headers=FRAME).status_code == 400
    assert known(site) == "window"
    assert data(login(site, client, lms, FRAME), "rungs") == "cookie storage_access window"
    assert login(site, client, lms).status_code == 302
    site.clock.ahead = timedelta(days=31).total_seconds()
    site.runtime.registry.forget()
    asked = dict(parse_qsl(urlsplit(data(login(site, site.client(), lms, FRAME), "url-cookie")).query))
    assert asked["response_mode"] == "form_post"


def test_login_in_a_window_goes_on_there_and_is_remembered_as_such(site: Site, lms: Lms) -> None:
    frame, window = site.client(), site.client()
    page = login(site, frame, lms, FRAME)
    link = unescape(re.search(r'href="(/lti/login\?[^"]+)"', page.text)[1])  # type: ignore[index]
    answer = window.get(link, base_url=PUBLIC, headers={"Sec-Fetch-Dest": "document"})
    assert answer.status_code == 302
    asked = dict(parse_qsl(urlsplit(answer.location).query))
    opened = post(site, window, lms, asked)
    assert opened.status_code == 303
    assert known(site) == "window"
    assert post(site, frame, lms, asked).status_code == 400


def test_session_without_a_cookie_opens_pages_by_a_token_of_our_pages_alone(site: Site, lms: Lms) -> None:
    client, space, fields = enter(site, lms)
    here = {**fields}
    assert client.post(space, data=here, base_url=PUBLIC, headers=OURS).status_code == 404
    assert client.post(space, data=here, base_url=PUBLIC, headers=FOREIGN).status_code == 403
    assert client.post(space, data=here, base_url=PUBLIC).status_code == 403
    assert client.get(space, base_url=PUBLIC).status_code == 403
    assert client.get(f"{space}?kopir_token={fields['kopir_token']}", base_url=PUBLIC, headers=OURS).status_code == 403
    _, other, _ = enter(site, lms, sub="6")
    assert client.post(other, data=here, base_url=PUBLIC, headers=OURS).status_code == 403
    site.clock.ahead = timedelta(hours=5).total_seconds()
    assert client.post(space, data=here, base_url=PUBLIC, headers=OURS).status_code == 403


def test_page_without_a_cookie_is_offered_another_and_a_new_token(site: Site, lms: Lms) -> None:
    _, space, fields = enter(site, lms)
    client = site.client()
    answer = client.post(space, data=fields, base_url=PUBLIC, headers=OURS)
    assert "data-alone" in answer.text
    cookie = client.get_cookie(COOKIE, domain=urlsplit(PUBLIC).hostname or "", path=space)
    assert cookie is not None
    assert "data-alone" not in client.get(space, base_url=PUBLIC).text
    assert site.client().get(space.replace(space[3:11], "0" * 8), base_url=PUBLIC).status_code == 403
    renewed = client.post(f"{space}renew", headers={"X-Kopir-Token": fields["kopir_token"]}, base_url=PUBLIC)
    assert renewed.json is not None
    assert client.post(space, data={**fields, "kopir_token": renewed.json["token"]}, base_url=PUBLIC).status_code == 404


def test_redirect_without_a_cookie_is_a_page_that_posts_itself_on(site: Site, lms: Lms) -> None:
    client, space, fields = enter(site, lms)
    token = {"kopir_token": fields["kopir_token"], "language": "ru"}
    onward, next_fields = entered(client.post(f"{space}language", data=token, base_url=PUBLIC, headers=OURS))
    assert onward == space
    assert 'lang="ru"' in client.post(onward, data=next_fields, base_url=PUBLIC, headers=OURS).text


def test_download_without_a_cookie_has_an_address_for_one_use_and_one_minute(
    site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    client, space, fields = enter(site, lms, **placed)
    answer = client.post(f"{space}p/file?a=1", data=fields, base_url=PUBLIC, headers=OURS)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{space}p/file?a=1&kopir_ticket=")
    elsewhere = answer.location.replace("/p/file", "/p/go")
    assert client.get(elsewhere, base_url=PUBLIC).status_code == 403
    assert client.get(answer.location, base_url=PUBLIC).status_code == 403
    fresh = client.post(f"{space}p/file?a=1", data=fields, base_url=PUBLIC, headers=OURS).location
    assert client.get(fresh, base_url=PUBLIC).data == b"a;b"
    assert client.get(fresh, base_url=PUBLIC).status_code == 403
    late = client.post(f"{space}p/file", data=fields, base_url=PUBLIC, headers=OURS).location
    site.clock.ahead = 61
    assert client.get(late, base_url=PUBLIC).status_code == 403
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        assert db.execute(select(ticket.c.hash)).all() == []


def test_every_launch_says_by_which_rung_it_came(site: Site, lms: Lms) -> None:
    site.enter(site.client(), lms)
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        assert db.execute(select(launch.c.rung)).scalar_one() == Rung.COOKIE
