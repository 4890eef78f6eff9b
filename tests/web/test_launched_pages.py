"""Everything under a launch's own address: its session, its token, its plugin, its language, and nobody else's."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from connector.base.ids import new_id
from connector.db.tables.launches import activity, resource_link, result
from connector.host.links import ACTIVITY_PARAMETER
from connector.web.state import COOKIE
from lti.vocab import Claim
from plugins.contract import Role
from tests.support import factories as make
from tests.support.kopir_site import LEARNER, PUBLIC, Lms, Site, deep_linking, teacher

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors "
)


def get(client: Client, path: str, **options: Any) -> TestResponse:
    return client.get(path, base_url=PUBLIC, **options)


def token_of(page: TestResponse) -> str:
    found = re.search(r'<meta name="kopir-token" content="([^"]+)">', page.text)
    assert found, page.text
    return found[1]


def post(client: Client, path: str, token: str = "", **fields: Any) -> TestResponse:
    return client.post(path, base_url=PUBLIC, data={"kopir_token": token, **fields})


def stored(site: Site, table: Any) -> int:
    with site.runtime.database.service(write=False) as db:
        return int(db.scalar(select(func.count()).select_from(table)) or 0)


def cookie_of(client: Client, path: str) -> str:
    found = client.get_cookie(COOKIE, domain="kopir.school.kz", path=path)
    assert found is not None
    return found.value


# The session


def no_session(answer: TestResponse) -> None:
    assert answer.status_code == 403
    assert re.findall(r'<section lang="(\w+)"', answer.text) == ["kk", "ru", "en"]
    assert "cookie" in answer.text
    assert "kopir-token" not in answer.text
    assert "Айгерім" not in answer.text


def test_page_without_the_cookie_says_so_honestly(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    path = site.enter(site.client(), lms, **placed)
    for method in ("get", "post"):
        no_session(getattr(site.client(), method)(path + "p/act", base_url=PUBLIC))
    answer = get(site.client(), path)
    no_session(answer)
    assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'self' https://lms.school.kz")


def test_page_without_the_cookie_speaks_the_browser_s_language_first(site: Site) -> None:
    for wanted, first in (("ru", "ru"), ("en-GB", "en"), ("de", "kk")):
        page = get(site.client(), f"/l/{new_id()}/", headers={"Accept-Language": wanted}).text
        assert re.findall(r'<section lang="(\w+)"', page)[0] == first
        assert f'<html lang="{first}"' in page
        assert page.count("<h1") == 1
        assert ("not open any more" in page, "больше не открыта" in page, "енді ашық емес" in page) == (True,) * 3


def test_cookie_of_another_launch_opens_nothing(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    mine, theirs = site.client(), site.client()
    my_path = site.enter(mine, lms, **placed)
    their_path = site.enter(theirs, lms, sub="6", name="Әлімхан Ерасыл", **placed)
    mine.set_cookie(COOKIE, cookie_of(mine, my_path), domain="kopir.school.kz", path=their_path)
    no_session(get(mine, their_path))
    assert "Әлімхан" in get(theirs, their_path).text


def test_two_pupils_in_two_tabs_of_one_browser_stay_themselves(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    first = site.enter(client, lms, **placed)
    second = site.enter(client, lms, sub="6", name="Әлімхан Ерасыл", **placed)
    for path, name in ((first, "Айгерім"), (second, "Әлімхан"), (first, "Айгерім")):
        page = get(client, path)
        assert name in page.text
        done = post(client, path + "p/act", token_of(page)).json
        assert done["who"] == site.session(client, path).account_id
    assert site.session(client, first).account_id != site.session(client, second).account_id


def test_token_of_the_other_tab_is_refused(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    first, second = (site.enter(client, lms, sub=sub, **placed) for sub in ("5", "6"))
    token = token_of(get(client, first))
    assert post(client, second + "p/act", token).status_code == 403
    assert post(client, first + "p/act", token).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b", "ә", "."])
def test_post_without_its_token_is_refused_and_does_nothing(
    token: str, site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    assert post(client, path + "p/hand-in", token).status_code == 403
    assert stored(site, result) == 0
    assert post(client, path + "p/hand-in", token_of(get(client, path))).status_code == 200
    assert stored(site, result) == 1


def test_page_s_own_script_sends_the_token_in_a_header(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    token = token_of(get(client, path))
    sent = client.post(path + "p/act", base_url=PUBLIC, json={"a": 1}, headers={"X-Kopir-Token": token})
    assert sent.json["json"] == {"a": 1}
    refused = client.post(path + "p/act", base_url=PUBLIC, json={"kopir_token": token})
    assert refused.status_code == 403
    assert refused.is_json
    assert set(refused.json) == {"error", "advice", "reference"}


def test_session_and_its_token_end_after_a_sitting(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    assert get(client, path).status_code == 200
    site.clock.ahead = 13 * 3600
    no_session(get(client, path))


@pytest.mark.parametrize(
    "path",
    ["/l/", "/l/x/", "/l/%00/", "/l/..%2f..%2fetc/", "/l/" + "0" * 32 + "/", "/l/" + "g" * 32 + "/p/x", "/l//p/",
     "/l/'%20OR%201=1/", "/l/" + "a" * 5000 + "/"],
)  # fmt: skip
def test_hostile_launch_addresses_open_nothing(path: str, site: Site) -> None:
    client = site.client()
    client.set_cookie(COOKIE, f"{new_id()}.x", domain="kopir.school.kz")
    assert get(client, path).status_code in (403, 404, 308)


def test_unknown_launch_may_be_framed_by_nobody(site: Site) -> None:
    answer = get(site.client(), f"/l/{new_id()}/")
    assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")


# Schools apart


def test_two_schools_do_not_see_each_other_s_origins_or_pages(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    other = site.lms(lms.jwks_url, "lyceum-2", issuer="https://other.kz", client_id="other")
    client = site.client()
    mine = site.enter(client, lms, **placed)
    theirs = site.enter(client, other, **placed)
    pages = [get(client, mine), get(client, theirs), get(site.client(), mine), get(site.client(), theirs)]
    for page, own, foreign in zip(
        pages, ("lms.school.kz", "other.kz") * 2, ("other.kz", "lms.school.kz") * 2, strict=True
    ):
        policy = page.headers["Content-Security-Policy"]
        assert policy == f"{CSP}'self' https://{own}"
        assert foreign not in page.text
    client.set_cookie(COOKIE, cookie_of(client, mine), domain="kopir.school.kz", path=theirs)
    no_session(get(client, theirs))
    forged = f"{other.made.school_id}.{cookie_of(client, mine).partition('.')[2]}"
    client.set_cookie(COOKIE, forged, domain="kopir.school.kz", path=mine)
    no_session(get(client, mine))


def test_activity_of_the_other_school_is_not_opened(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    other = site.lms(lms.jwks_url, "lyceum-2", issuer="https://other.kz", client_id="other")
    client = site.client()
    page = get(client, site.enter(client, other, **placed))
    assert page.status_code == 404
    assert placed["CUSTOM"][ACTIVITY_PARAMETER] not in page.text


# The plugin's pages


def test_pages_of_a_plugin_reach_it_as_values(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    assert get(client, path + "p/echo/ә%20b?q=1&q=2").json == {"part": "ә b", "query": "1"}
    gone = get(client, path + "p/go")
    assert gone.status_code == 303
    assert get(client, gone.location).json == {"part": "x", "query": "ә&б"}
    assert urlsplit(gone.location).path.startswith(path)


@pytest.mark.parametrize("inner", ["p/nothing", "p/none", "p/stray", "p/act/", "p/../../healthz", "pick/probe/", "x"])
def test_what_a_plugin_has_not_is_not_there(inner: str, site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    answer = get(client, site.enter(client, lms, **placed) + inner)
    assert answer.status_code in (404, 405), answer.text
    assert stored(site, activity) == 1


def test_roles_of_a_page_are_kept(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    pupil = site.enter(client, lms, **placed)
    staff = site.enter(client, lms, **teacher(**placed))
    assert get(client, pupil + "p/teachers").status_code == 403
    assert get(client, staff + "p/teachers").status_code == 200
    assert post(client, staff + "p/hand-in", token_of(get(client, staff))).status_code == 403
    assert stored(site, result) == 0


def test_download_has_its_name_in_any_script_and_no_second_header(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    answer = get(client, site.enter(client, lms, **placed) + "p/file")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''%D0%B5")
    assert "\n" not in disposition
    assert "X" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_sandboxed_document_has_no_origin_no_network_and_its_own_nonce(
    site: Site, lms: Lms, placed: dict[str, Any]
) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    first, second = get(client, path + "p/frame"), get(client, path + "p/frame")
    policy = dict(part.split(" ", 1) for part in first.headers["Content-Security-Policy"].split("; "))
    nonce = re.search(r'nonce="([^"]+)"', first.text)
    assert nonce
    assert policy["sandbox"] == "allow-scripts"
    assert policy["script-src"] == f"'nonce-{nonce[1]}'"
    assert (policy["default-src"], policy["connect-src"], policy["form-action"]) == ("'none'",) * 3
    assert policy["frame-ancestors"] == "'self' https://lms.school.kz"
    assert nonce[1] not in second.text


def test_plugin_that_breaks_shows_a_page_and_logs_no_name(
    site: Site, lms: Lms, placed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    answer = get(client, path + "p/boom")
    assert answer.status_code == 500
    assert "RuntimeError" not in answer.text
    reference = re.search(r"500 · ([0-9a-f]{8})", answer.text)
    assert reference
    written = capsys.readouterr()
    assert reference[1] in written.out + written.err
    assert "Айгерім" not in written.out + written.err
    assert "frame-ancestors 'self' https://lms.school.kz" in answer.headers["Content-Security-Policy"]


def test_plugin_that_was_switched_off_leaves_an_honest_page(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    site.runtime.plugins = {}
    assert get(client, path).status_code == 404


def test_upload_larger_than_allowed_is_refused_in_the_frame(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    answer = post(client, path + "p/act", token_of(get(client, path)), filling="x" * 9_000_000)
    assert answer.status_code == 413
    assert "<h1" in answer.text
    assert "https://lms.school.kz" in answer.headers["Content-Security-Policy"]


# Language


def test_language_a_person_chose_is_kept_for_the_next_launch(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    path = site.enter(client, lms, **placed)
    page = get(client, path)
    assert '<html lang="kk"' in page.text
    chosen = post(client, path + "language", token_of(page), language="ru")
    assert (chosen.status_code, chosen.location) == (303, path)
    assert '<html lang="ru"' in get(client, path).text
    again = site.client()
    assert '<html lang="ru"' in get(again, site.enter(again, lms, **placed)).text
    post(client, path + "language", token_of(page), language="xx")
    assert '<html lang="ru"' in get(client, path).text
    assert post(client, path + "language", "", language="en").status_code == 403


# Deep linking


def answer_of(page: TestResponse, lms: Lms, site: Site) -> tuple[str, dict[str, Any]]:
    """Return where a deep-linking answer is posted and its claims, checked with our public keys."""
    action = re.search(r'<form id="return" method="post" action="([^"]+)"', page.text)
    token = re.search(r'name="JWT" value="([^"]+)"', page.text)
    assert action, page.text
    assert token
    keys = KeySet.import_key_set(site.client().get("/lti/jwks.json", base_url=PUBLIC).json)
    claims = jwt.decode(token[1], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == (lms.client_id, lms.issuer)
    return action[1].replace("&amp;", "&"), dict(claims)


def test_teacher_places_one_item_with_its_column_and_the_link_opens_it(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms, data="opaque"))
    listed = get(client, path)
    assert "pick/probe/pick" in listed.text
    picker = get(client, path + "pick/probe/")
    placed = post(client, path + "pick/probe/pick", token_of(picker), title="Бақылау", maximum="12.50")
    assert placed.status_code == 200
    where, claims = answer_of(placed, lms, site)
    assert where.startswith(f"{lms.issuer}/mod/lti/contentitem_return.php?course=2")
    assert f"form-action 'self' {lms.issuer};" in placed.headers["Content-Security-Policy"]
    (item,) = claims[Claim.DL_CONTENT_ITEMS]
    made = item["custom"][ACTIVITY_PARAMETER]
    assert claims[Claim.DL_DATA] == "opaque"
    assert (item["type"], item["title"]) == ("ltiResourceLink", "Бақылау")
    assert item["lineItem"]["scoreMaximum"] == 12.5
    assert item["lineItem"]["resourceId"] == made
    assert stored(site, activity) == 1
    pupil = site.client()
    page = get(pupil, site.enter(pupil, lms, CUSTOM=item["custom"], RESOURCE_LINK={"id": "new"}))
    assert f'<p id="where">{made}</p>' in page.text


def test_cancel_is_an_empty_answer_and_makes_nothing(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms))
    token = token_of(get(client, path))
    _, claims = answer_of(post(client, path + "cancel", token), lms, site)
    assert claims.get(Claim.DL_CONTENT_ITEMS, []) == []
    assert stored(site, activity) == 0


def test_pupil_s_deep_linking_request_offers_nothing(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **{**deep_linking(lms), "ROLES": [LEARNER]})
    page = get(client, path)
    assert page.status_code == 404
    token = token_of(page)
    assert post(client, path + "pick/probe/pick", token, title="x").status_code == 403
    assert post(client, path + "cancel", token).status_code == 200
    assert stored(site, activity) == 0


def test_link_made_by_hand_is_bound_by_the_teacher_and_then_opens_for_pupils(site: Site, lms: Lms) -> None:
    pupil, staff = site.client(), site.client()
    waiting = get(pupil, site.enter(pupil, lms))
    assert waiting.status_code == 404
    assert f"{lms.issuer}/mod/lti/return.php" in waiting.text
    path = site.enter(staff, lms, **teacher())
    listed = get(staff, path)
    assert "pick/probe/pick" in listed.text
    bound = post(staff, path + "pick/probe/pick", token_of(listed), title="Қолмен", maximum="5")
    assert (bound.status_code, bound.location) == (303, path)
    assert 'id="where"' in get(staff, path).text
    with site.runtime.database.service(write=False) as db:
        made = db.execute(select(activity.c.id)).scalar_one()
        assert db.execute(select(resource_link.c.activity)).scalar_one() == made
    assert f'<p id="where">{made}</p>' in get(pupil, site.enter(pupil, lms)).text
    assert post(staff, path + "pick/probe/pick", token_of(listed), title="Again").status_code == 404
    assert stored(site, activity) == 1


def test_pupil_binds_no_link(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms)
    token = token_of(get(client, path))
    assert post(client, path + "pick/probe/pick", token, title="x").status_code == 403
    assert post(client, path + "cancel", token).status_code == 404
    assert stored(site, activity) == 0


def test_picker_of_a_plugin_that_is_not_there_is_not_there(site: Site, lms: Lms) -> None:
    client = site.client()
    path = site.enter(client, lms, **deep_linking(lms))
    for name in ("other", "..", "%2e%2e", "probe/../probe"):
        assert get(client, path + f"pick/{name}/pick").status_code in (404, 308)


def test_review_of_a_pupil_s_work_opens_the_activity(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    asked = teacher(MESSAGE_TYPE="LtiSubmissionReviewRequest", FOR_USER={"user_id": "5"}, **placed)
    path = site.enter(client, lms, **asked)
    assert get(client, path).status_code == 200
    assert site.session(client, path).role is Role.TEACHER


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "{0}"])
def test_hostile_names_and_titles_are_shown_as_text(hostile: str, site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    client = site.client()
    page = get(client, site.enter(client, lms, name=hostile, **placed))
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "49" not in page.text.split("<h1>")[1].split("</h1>")[0]
    made = make.make_activity(site.runtime.database, lms.made.school_id, plugin="probe", title=hostile)
    page = get(client, site.enter(client, lms, CUSTOM={ACTIVITY_PARAMETER: made}))
    assert "<script>alert" not in page.text


def test_core_launch_without_a_course_opens_what_was_placed(site: Site, lms: Lms, placed: dict[str, Any]) -> None:
    site.enter(site.client(), lms, **placed)
    client = site.client()
    path = site.enter(client, lms, CONTEXT=None, NRPS=None)
    page = client.get(path, base_url=PUBLIC)
    assert page.status_code == 200
    assert "Айгерім" in page.text
