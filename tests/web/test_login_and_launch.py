"""Login, launch and the first page through the web: cookies to the letter, and every refusal an honest page."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Request

from connector.app import create_app
from connector.base.i18n import translate
from connector.base.log import setup_logging
from connector.db.tables.launches import account, context, launch, resource_link
from connector.host.launches import SITTING
from lti.errors import LaunchReason
from lti.tool.keys import new_signing_key
from lti.tool.refusals import REFUSALS
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, TARGET, Lms, Site, key_pair, open_runtime, open_site, sign
from tests.support.services import require_service

SECURE = "SameSite=None; Secure; HttpOnly; Partitioned"


def nothing_stored(site: Site) -> bool:
    database = site.runtime.database
    with database.service(write=False) as db:
        return not any(
            db.scalar(select(func.count()).select_from(t)) for t in (account, context, resource_link, launch)
        )


def refused(answer: TestResponse, reason: str, status: int = 400) -> None:
    """Check that an answer is the page of a refusal, in three languages, with its code and no inside view."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "text/html; charset=utf-8"
    page = answer.text
    assert re.findall(r'<section lang="(\w+)"', page) == ["kk", "ru", "en"]
    assert f"<code>{reason}</code>" in page
    words = REFUSALS[LaunchReason(reason)].teacher
    for language in ("kk", "ru", "en"):
        assert translate(words, language).split("{")[0].split("'")[0] in page
    assert len({translate(words, language) for language in ("kk", "ru", "en")}) == 3
    assert "Traceback" not in page
    assert "Set-Cookie" not in answer.headers


# Login


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_login_sends_the_browser_to_the_lms_with_a_signed_state_and_writes_nothing(
    method: str, site: Site, lms: Lms
) -> None:
    client = site.client()
    form = lms.login_form()
    where = {"query_string": form} if method == "GET" else {"data": form}
    answer = client.open("/lti/login", method=method, base_url=PUBLIC, **where)  # type: ignore[arg-type]
    assert answer.status_code == 302
    parts = urlsplit(answer.location)
    asked = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{lms.issuer}/mod/lti/auth.php"
    assert {name: asked[name] for name in ("scope", "response_type", "response_mode", "prompt")} == {
        "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
    }  # fmt: skip
    assert (asked["client_id"], asked["redirect_uri"]) == (lms.client_id, TARGET)
    assert (asked["login_hint"], asked["lti_message_hint"]) == (form["login_hint"], form["lti_message_hint"])
    assert len(asked["nonce"]) >= 32
    assert nothing_stored(site)


def test_login_s_cookie_is_partitioned_and_lives_where_the_launch_is(site: Site, lms: Lms) -> None:
    answer = site.client().post("/lti/login", data=lms.login_form(), base_url=PUBLIC)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert re.fullmatch(
        rf"kopir_state_[0-9a-f]{{32}}=[A-Za-z0-9_-]{{43}}; Path=/lti/launch; Max-Age=600; {SECURE}", cookie
    )
    assert answer.headers["Cache-Control"] == "no-store"


def test_two_logins_in_two_tabs_have_two_cookies(site: Site, lms: Lms) -> None:
    client = site.client()
    first, second = site.begin(client, lms), site.begin(client, lms)
    for asked, sub in ((second, "6"), (first, "5")):
        form = {"id_token": site.token(lms, asked, sub=sub), "state": asked["state"]}
        assert client.post("/lti/launch", data=form, base_url=PUBLIC).status_code == 303


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://stranger.kz"}, "unknown_issuer"),
        ({"iss": "https://lms.school.kz/"}, "unknown_issuer"),
        ({"client_id": "another"}, "unknown_issuer"),
        ({"iss": None}, "missing_parameter"),
        ({"login_hint": None}, "missing_parameter"),
        ({"target_link_uri": None}, "missing_parameter"),
        ({"target_link_uri": "https://evil.kz/"}, "foreign_target"),
        ({"target_link_uri": f"{TARGET}.evil.kz/"}, "foreign_target"),
        ({"iss": "\x00"}, "unknown_issuer"),
        ({"iss": "<script>alert(1)</script>"}, "unknown_issuer"),
    ],
)
def test_login_that_is_not_ours_is_refused(changes: dict[str, Any], reason: str, site: Site, lms: Lms) -> None:
    answer = site.client().post("/lti/login", data=lms.login_form(**changes), base_url=PUBLIC)
    refused(answer, reason)
    assert "<script>alert" not in answer.text
    assert nothing_stored(site)


def test_login_with_nothing_at_all_is_refused(site: Site) -> None:
    refused(site.client().get("/lti/login", base_url=PUBLIC), "missing_parameter")


# Launch


def test_launch_goes_to_its_own_address_space_with_its_own_cookie(site: Site, lms: Lms) -> None:
    client = site.client()
    answer = site.launch(client, lms)
    assert answer.status_code == 303
    assert re.fullmatch(r"/l/[0-9a-f]{32}/", answer.location)
    own, cleared = answer.headers.getlist("Set-Cookie")
    hours = int(SITTING.total_seconds())
    assert re.fullmatch(
        rf"kopir_launch=[0-9a-f]{{32}}\.[A-Za-z0-9_-]{{43}}; Path={answer.location}; Max-Age={hours}; {SECURE}",
        own,
    )
    assert re.fullmatch(rf"kopir_state_[0-9a-f]{{32}}=; Path=/lti/launch; Max-Age=0; {SECURE}", cleared)
    assert answer.headers["Cache-Control"] == "no-store"


def test_launched_page_greets_the_person_and_may_be_framed_by_the_lms(
    site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    page = client.get(path, base_url=PUBLIC)
    assert page.status_code == 200
    assert "Айгерім Әбдірахманова" in page.text
    assert "frame-ancestors 'self' https://lms.school.kz" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers


Spoil = Callable[[Site, Lms, dict[str, str]], dict[str, str]]


def _with(**changes: Any) -> Spoil:
    return lambda site, lms, asked: {"id_token": site.token(lms, asked, **changes), "state": asked["state"]}


def _header(**changes: Any) -> Spoil:
    def spoil(site: Site, lms: Lms, asked: dict[str, str]) -> dict[str, str]:
        head = {"typ": "JWT", "alg": "RS256", "kid": key_pair().kid, **changes}
        head = {name: value for name, value in head.items() if value is not None}
        return {"id_token": sign(head, lms.claims(asked["nonce"], site.clock())), "state": asked["state"]}

    return spoil


def _forged(site: Site, lms: Lms, asked: dict[str, str]) -> dict[str, str]:
    head = {"typ": "JWT", "alg": "RS256", "kid": key_pair().kid}
    token = sign(head, lms.claims(asked["nonce"], site.clock()), new_signing_key().key)
    return {"id_token": token, "state": asked["state"]}


def _seconds(site: Site, offset: int) -> int:
    return int(site.clock().timestamp()) + offset


SPOILED: dict[str, tuple[Spoil, str]] = {
    "another's key": (_forged, "bad_signature"),
    "unsigned": (_header(alg="none"), "bad_algorithm"),
    "no kid": (_header(kid=None), "missing_kid"),
    "unknown kid": (_header(kid="other"), "unknown_key"),
    "expired": (lambda s, m, a: _with(exp=_seconds(s, -90), iat=_seconds(s, -150))(s, m, a), "expired"),
    "unknown deployment": (_with(DEPLOYMENT_ID="404"), "deployment_mismatch"),
    "another issuer": (_with(iss="https://evil.kz"), "bad_issuer"),
    "another audience": (_with(aud="someone"), "bad_audience"),
    "another nonce": (_with(nonce="x" * 43), "bad_nonce"),
    "old version": (_with(VERSION="1.1"), "wrong_version"),
    "another target": (_with(TARGET_LINK_URI="https://evil.kz/"), "target_mismatch"),
    "no person": (_with(sub=None), "missing_claim"),
    "no token": (lambda s, m, a: {"state": a["state"]}, "not_a_launch"),
    "garbage": (lambda s, m, a: {"state": a["state"], "id_token": "a.b.c"}, "not_a_launch"),
    "no state": (lambda s, m, a: {"id_token": s.token(m, a)}, "state_missing"),
    "forged state": (lambda s, m, a: {"id_token": s.token(m, a), "state": "x" + a["state"]}, "state_invalid"),
    "state that is no text of ours": (lambda s, m, a: {"id_token": s.token(m, a), "state": "ә.é"}, "state_invalid"),
    "nothing": (lambda s, m, a: {}, "state_missing"),
    "the lms's error": (lambda s, m, a: {"state": a["state"], "error": "login_required"}, "platform_error"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_launch_that_is_not_good_is_refused_and_stores_nothing(name: str, site: Site, lms: Lms) -> None:
    spoil, reason = SPOILED[name]
    client = site.client()
    asked = site.begin(client, lms)
    refused(client.post("/lti/launch", data=spoil(site, lms, asked), base_url=PUBLIC), reason)
    assert nothing_stored(site)


def test_deployment_nobody_registered_is_refused_and_stores_nothing(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms, lti_deployment_id=None)
    form = {"id_token": site.token(lms, asked, DEPLOYMENT_ID="404"), "state": asked["state"]}
    refused(client.post("/lti/launch", data=form, base_url=PUBLIC), "unknown_deployment")
    assert nothing_stored(site)


def test_launch_without_its_cookie_is_refused_honestly(site: Site, lms: Lms) -> None:
    asked = site.begin(site.client(), lms)
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    refused(site.client().post("/lti/launch", data=form, base_url=PUBLIC), "no_cookie")
    assert nothing_stored(site)


def test_launch_in_another_browser_than_it_began_in_is_refused(site: Site, lms: Lms) -> None:
    asked = site.begin(site.client(), lms)
    thief = site.client()
    name = next(line for line in site_cookie(site, asked))
    thief.set_cookie(name, "A" * 43, domain="kopir.school.kz", path="/lti/launch")
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    refused(thief.post("/lti/launch", data=form, base_url=PUBLIC), "other_browser")
    assert nothing_stored(site)


def site_cookie(site: Site, asked: dict[str, str]) -> list[str]:
    from lti.tool.login import STATE_PURPOSE, cookie_name_for

    return [str(cookie_name_for(asked, site.runtime.signer(STATE_PURPOSE)))]


def test_launch_after_its_login_is_over_is_refused(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    site.clock.ahead = 601
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    refused(client.post("/lti/launch", data=form, base_url=PUBLIC), "state_expired")
    assert nothing_stored(site)


def post_copy(app: Any, cookies: str, form: dict[str, str]) -> TestResponse:
    return Client(app, use_cookies=False).post("/lti/launch", data=form, headers={"Cookie": cookies}, base_url=PUBLIC)


def cookies_of(client: Client) -> str:
    return "; ".join(f"{one.key}={one.value}" for one in (client._cookies or {}).values())


def test_reloaded_launch_is_refused_with_the_way_back(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    cookies = cookies_of(client)
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    assert post_copy(site.app, cookies, form).status_code == 303
    again = post_copy(site.app, cookies, form)
    refused(again, "replayed")
    assert f'href="{lms.issuer}/mod/lti/return.php?course=2&amp;lti_errormsg=' in again.text
    assert "frame-ancestors 'self' https://lms.school.kz;" in again.headers["Content-Security-Policy"] + ";"


def test_launch_sent_again_whose_cookie_is_gone_is_told_from_a_browser_without_cookies(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    form = {"id_token": site.token(lms, asked), "state": asked["state"]}
    refused(post_copy(site.app, "", form), "no_cookie")
    assert post_copy(site.app, cookies_of(client), form).status_code == 303
    refused(post_copy(site.app, "", form), "replayed")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_of_sixteen_copies_at_two_processes_exactly_one_is_let_in(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "postgres":
        require_service("postgres")
    place: Place = request.getfixturevalue("sqlite_place" if kind == "sqlite" else "postgres")
    place = place if isinstance(place, Place) else place.place
    with open_site(place, tmp_path) as site:
        lms = site.lmss["main"]
        client = site.client()
        asked = site.begin(client, lms)
        cookies, form = cookies_of(client), {"id_token": site.token(lms, asked), "state": asked["state"]}
        other = open_runtime(place, tmp_path, site.clock)
        apps, gate = (site.app, create_app(other)), threading.Barrier(16)

        def copy(number: int) -> int:
            gate.wait()
            return post_copy(apps[number % 2], cookies, form).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = sorted(pool.map(copy, range(16)))
        other.database.close()
        assert statuses == [303] + [400] * 15


def test_refusal_speaks_the_browser_s_language_first(site: Site, lms: Lms) -> None:
    for wanted, first in (("ru-RU,ru", "ru"), ("en-GB", "en"), ("de", "kk")):
        answer = site.client().post(
            "/lti/login", data=lms.login_form(iss="https://x.kz"), base_url=PUBLIC, headers={"Accept-Language": wanted}
        )
        assert re.findall(r'<section lang="(\w+)"', answer.text)[0] == first
        assert f'<html lang="{first}"' in answer.text


# Size


def test_launch_larger_than_64_kib_is_refused(site: Site, lms: Lms) -> None:
    client = site.client()
    asked = site.begin(client, lms)
    form = {"id_token": site.token(lms, asked), "state": asked["state"], "filling": "x" * 65536}
    refused(client.post("/lti/launch", data=form, base_url=PUBLIC), "too_large", 413)
    assert nothing_stored(site)


class Endless:
    """A body without end, as a chunked request can be."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "a body of unknown length is not read whole"
        self.taken += size
        return b"a" * size


@pytest.mark.parametrize("path", ["/lti/launch", "/lti/login"])
def test_body_that_does_not_say_its_length_is_read_no_further_than_64_kib(path: str, site: Site) -> None:
    stream = Endless()
    environ = create_environ(path, PUBLIC, method="POST", content_type="application/x-www-form-urlencoded")
    environ.pop("CONTENT_LENGTH", None)
    environ.update({"wsgi.input": stream, "wsgi.input_terminated": True})
    answer = TestResponse(*run_wsgi_app(site.app, environ), Request(environ))  # type: ignore[arg-type]
    refused(answer, "too_large", 413)
    assert stream.taken < 200_000


def test_body_of_another_kind_is_no_launch(site: Site) -> None:
    for kind, body in (
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("text/plain", b"state=1"),
        ("", b""),
    ):
        refused(site.client().post("/lti/launch", data=body, content_type=kind, base_url=PUBLIC), "state_missing")


def test_launch_address_opened_by_hand_says_how_to_open_the_activity(site: Site) -> None:
    answer = site.client().get("/lti/launch", base_url=PUBLIC)
    assert answer.status_code == 405
    assert "<h1" in answer.text


# Ours


def test_public_keys_are_served_to_be_kept_for_a_while(site: Site) -> None:
    answer = site.client().get("/lti/jwks.json", base_url=PUBLIC)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "public, max-age=600"
    (key,) = answer.json["keys"]
    assert {"kid", "kty", "n", "e", "alg", "use"} <= set(key)
    assert not {"d", "p", "q"} & set(key)


def test_log_of_launches_and_refusals_names_nobody(site: Site, lms: Lms, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("DEBUG")
    try:
        client = site.client()
        site.launch(client, lms)
        site.launch(client, lms, nonce="x" * 43)
    finally:
        structlog.reset_defaults()
    written = capsys.readouterr()
    text = written.err + written.out
    assert '"launch_refused"' in text
    assert '"event": "launch"' in text
    for secret in ("Айгерім", "Әбдірахманова", "2026010001", "eyJ", "kopir_launch"):
        assert secret not in text
