"""An LMS of each make registers by invitation; invitations are spent once; nothing hostile gets through."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from connector.db.tables.launches import account
from connector.db.tables.registry import invitation, registration, registration_request, signing_key
from connector.host.invitations import invitations, revoke_invitation
from connector.host.registered import find_existing
from lti.profiles import PROFILES
from tests.support.databases import Place
from tests.support.registering import (
    SCOPES,
    TOOL,
    Kopir,
    Vendor,
    connect,
    open_page,
    press_connect,
    running_kopir,
    running_vendor,
)


@pytest.fixture
def anywhere(database_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    """Kopir on SQLite and on PostgreSQL, as the two small roles."""
    with running_kopir(database_place, tmp_path) as running:
        yield running


@pytest.fixture
def kopir(sqlite_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    with running_kopir(sqlite_place, tmp_path) as running:
        yield running


@pytest.fixture
def guarded(sqlite_place: Place, tmp_path: Path) -> Iterator[Kopir]:
    """Kopir that may reach nothing inside private networks."""
    with running_kopir(sqlite_place, tmp_path, private="off") as running:
        yield running


def registrations(kopir: Kopir) -> int:
    with kopir.runtime.database.service(write=False) as db:
        return db.scalar(select(func.count()).select_from(registration)) or 0


def found(kopir: Kopir, lms: Vendor):
    (one,) = kopir.runtime.registry.find(lms.base, None)
    return one


MOODLE = Vendor(family="moodle", token="t1", deployment="2", status=200)
CANVAS = Vendor(family="canvas", token="t2", token_on_get=True, deployment=None, status=201, client="10000000000042")
D2L = Vendor(family="desire2learn", token=None, deployment="d-1", status=201)
BLACKBOARD = Vendor(family="BlackboardLearn", token="t3", deployment=None, status=201)
SAKAI = Vendor(family="sakai", token="t4", deployment="1", status=200)
OTHER = Vendor(family="unheard-of", token="t5", deployment="x", status=201)


@pytest.mark.parametrize(
    ("made", "profile"),
    [(MOODLE, "moodle"), (CANVAS, "canvas"), (D2L, "d2l"), (BLACKBOARD, "blackboard"), (SAKAI, "sakai"),
     (OTHER, "generic")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_make_of_lms_registers_in_its_own_way(anywhere, made, profile):
    vendor = Vendor(**{**made.__dict__, "asked": []})
    with running_vendor(vendor) as lms:
        done = connect(anywhere, lms)
        one = found(anywhere, lms)
    assert done.status == 200, done.text
    assert one.profile == profile
    assert one.client_id == vendor.client
    assert (one.auth_url, one.token_url, one.jwks_url) == (f"{lms.base}/auth", f"{lms.base}/token", f"{lms.base}/jwks")
    assert one.token_audience == PROFILES[profile].token_audience
    school = anywhere.runtime.registry.school_of(one.id, vendor.deployment or "none")
    assert (school is not None) is (vendor.deployment is not None)
    assert len(lms.registrations) == 1


def test_the_token_goes_with_both_calls_where_there_is_one_and_with_none_where_there_is_none(kopir):
    with running_vendor(Vendor(**{**CANVAS.__dict__, "asked": []})) as canvas:
        connect(kopir, canvas)
        assert canvas.headers_of("GET", "/openid-configuration")["Authorization"] == "Bearer t2"
        assert canvas.headers_of("POST", "/register")["Authorization"] == "Bearer t2"
    with running_vendor(Vendor(**{**D2L.__dict__, "asked": []})) as d2l:
        connect(kopir, d2l)
        assert all("Authorization" not in headers for _, _, headers, _ in d2l.asked)


def test_the_platforms_own_token_audience_wins(kopir):
    with running_vendor(Vendor(family="desire2learn", changes={"authorization_server": "https://as.example"})) as lms:
        connect(kopir, lms)
        assert found(kopir, lms).token_audience == "https://as.example"


def test_nothing_is_asked_of_the_lms_before_a_person_agrees(kopir):
    with running_vendor() as lms:
        shown = open_page(kopir.invite().url, **lms.query())
        assert [path for _, path, _, _ in lms.asked] == ["/openid-configuration"]
    assert shown.status == 200
    assert "send marks to our own columns" in shown.text
    assert "E-mail addresses are not asked for" in shown.text
    assert registrations(kopir) == 0


def test_each_registration_has_a_key_pair_of_its_own_and_publishes_it(kopir):
    with running_vendor() as one, running_vendor() as two:
        connect(kopir, one)
        connect(kopir, two)
        kids = {kopir.runtime.keys.for_registration(found(kopir, lms)).kid for lms in (one, two)}
    assert len(kids) == 2
    assert set(kopir.jwks()) == kids


def test_a_refused_registration_leaves_no_key_behind(kopir):
    with running_vendor(Vendor(answer=lambda _: Response("missing_domain", 400))) as lms:
        refused = connect(kopir, lms)
    assert (refused.status, refused.code) == (400, "missing_domain")
    assert "PUBLIC_URL" in refused.text
    assert kopir.jwks() == {}
    assert registrations(kopir) == 0


def test_an_invitation_survives_the_lms_saying_no(kopir):
    invited = kopir.invite()
    with running_vendor(Vendor(answer=lambda _: Response("token_already_used", 401))) as lms:
        refused = connect(kopir, lms, invited.url)
        assert refused.code == "token_already_used"
        lms.answer = None
        assert connect(kopir, lms, invited.url).status == 200


def test_an_invitation_registers_one_lms_once(kopir):
    invited = kopir.invite()
    with running_vendor() as one, running_vendor() as two:
        assert connect(kopir, one, invited.url).status == 200
        again = open_page(invited.url, **two.query())
        assert two.asked == []
    assert (again.status, again.code) == (403, "invitation_used")
    assert registrations(kopir) == 1


def test_sixteen_clicks_at_once_send_one_registration(anywhere):
    with running_vendor() as lms:
        shown = open_page(anywhere.invite().url, **lms.query())
        seen: list[int] = []
        threads = [
            threading.Thread(target=lambda: seen.append(press_connect(anywhere, shown).status)) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == [200, *[400] * 15]
        assert len(lms.registrations) == 1


def test_two_previews_of_one_invitation_register_once(kopir):
    invited = kopir.invite()
    with running_vendor() as lms:
        first = open_page(invited.url, **lms.query())
        second = open_page(invited.url, **lms.query())
        assert press_connect(kopir, first).code == "preview_over"
        assert press_connect(kopir, second).status == 200
        assert len(lms.registrations) == 1


@pytest.mark.parametrize("spoil", ["x", "", "\x00", "é"])
def test_a_wrong_invitation_opens_nothing_and_calls_nobody(kopir, spoil):
    with running_vendor() as lms:
        page = open_page(kopir.invite().url, **{**lms.query(), "invitation": spoil})
        assert lms.asked == []
    assert (page.status, page.code) == (403, "no_invitation")


def test_an_invitation_ends_and_can_be_taken_back(kopir):
    short, taken = kopir.invite(lasting=timedelta(hours=1)), kopir.invite()
    assert revoke_invitation(kopir.runtime, taken.id)
    assert not revoke_invitation(kopir.runtime, taken.id)
    kopir.clock.tick(hours=2)
    with running_vendor() as lms:
        assert open_page(short.url, **lms.query()).code == "invitation_expired"
        assert open_page(taken.url, **lms.query()).code == "invitation_revoked"
        assert lms.asked == []
    states = {one.id: one.state(kopir.clock()) for one in invitations(kopir.runtime)}
    assert states == {short.id: "expired", taken.id: "revoked"}


def test_an_invitation_taken_back_between_preview_and_agreement_registers_nothing(kopir):
    invited = kopir.invite()
    with running_vendor() as lms:
        shown = open_page(invited.url, **lms.query())
        revoke_invitation(kopir.runtime, invited.id)
        assert press_connect(kopir, shown).code == "invitation_revoked"
        assert lms.registrations == []


def test_a_preview_lasts_an_hour(kopir):
    with running_vendor() as lms:
        shown = open_page(kopir.invite().url, **lms.query())
        kopir.clock.tick(hours=2)
        assert press_connect(kopir, shown).code == "preview_over"
        assert lms.registrations == []


def test_what_was_previewed_is_what_is_asked_though_the_configuration_changed_meanwhile(kopir):
    with running_vendor() as lms, running_vendor() as evil:
        shown = open_page(kopir.invite().url, **lms.query())
        lms.changes = {"registration_endpoint": f"{evil.base}/register", "jwks_uri": f"{evil.base}/jwks"}
        assert press_connect(kopir, shown).status == 200
        assert evil.asked == []
        assert found(kopir, lms).jwks_url == f"{lms.base}/jwks"


def test_secrets_are_kept_sealed_or_hashed(kopir):
    invited = kopir.invite()
    with running_vendor() as lms:
        shown = open_page(invited.url, **lms.query())
        with kopir.runtime.database.service(write=False) as db:
            kept = json.dumps([[str(value) for value in row] for table in (invitation, registration_request)
                               for row in db.execute(select(table))])  # fmt: skip
        for secret in (invited.url.rpartition("=")[2], lms.token, shown.key):
            assert str(secret) not in kept
        press_connect(kopir, shown)
        with kopir.runtime.database.service(write=False) as db:
            assert db.scalar(select(registration_request.c.sealed_token)) is None
            assert "PRIVATE" not in str(db.scalar(select(signing_key.c.sealed_pem)))


def test_an_address_without_an_lms_tells_where_to_paste_it(kopir):
    page = open_page(kopir.invite().url)
    assert page.status == 200
    assert "Add LTI Advantage" in page.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "http://127.0.0.1.evil.tld"}, "issuer_mismatch"),
        ({"issuer": "http://127.0.0.2"}, "issuer_mismatch"),
        ({"issuer": "https://127.0.0.1"}, "issuer_mismatch"),
        ({"jwks_uri": "javascript:alert(1)"}, "bad_address"),
        ({"authorization_endpoint": "http://evil;frame-ancestors/"}, "bad_address"),
        ({"token_endpoint": None}, "configuration_incomplete"),
    ],
)
def test_a_hostile_configuration_is_refused_in_words_inside_the_frame(kopir, changes, code):
    with running_vendor(Vendor(changes=changes)) as lms:
        page = open_page(kopir.invite().url, **lms.query())
    assert (page.status, page.code) == (400, code)
    assert "frame-ancestors *" in page.policy
    assert "evil;" not in page.policy
    assert registrations(kopir) == 0


def test_a_lying_configuration_cannot_put_markup_into_the_page(kopir):
    with running_vendor(Vendor(family='<img src=x onerror="alert(1)">')) as lms:
        page = open_page(kopir.invite().url, **lms.query())
    assert page.status == 200
    assert "<img" not in page.text


def test_a_configuration_that_redirects_inside_is_not_followed(kopir):
    with running_vendor() as inner:
        away = Response("", 302, headers={"Location": f"{inner.base}/openid-configuration"})
        with running_vendor(Vendor(configuration=lambda _: away)) as lms:
            assert open_page(kopir.invite().url, **lms.query()).code == "configuration_redirects"
        assert inner.asked == []


def test_a_private_lms_is_not_reached_without_the_administrators_word(guarded):
    with running_vendor() as lms:
        page = open_page(guarded.invite().url, **lms.query())
        assert lms.asked == []
    assert page.code == "private_network"


def test_allowing_one_host_allows_that_host_and_port_alone(guarded):
    with running_vendor() as lms, running_vendor() as other:
        host = lms.base.removeprefix("http://")
        invited = guarded.invite(allow_hosts=(host,))
        assert open_page(invited.url, **other.query()).code == "private_network"
        assert other.asked == []
        lms.changes = {"jwks_uri": f"{other.base}/jwks"}
        assert open_page(invited.url, **lms.query()).code == "private_network"
        lms.changes = {"registration_endpoint": f"{other.base}/register"}
        assert open_page(invited.url, **lms.query()).code == "private_network"
        lms.changes = {}
        assert connect(guarded, lms, invited.url).status == 200
        assert other.asked == []
        assert guarded.runtime.registry.private_hosts() == {host}


def test_one_schools_allowed_host_is_not_open_to_another_invitation(guarded):
    with running_vendor() as lms:
        allowed = guarded.invite(allow_hosts=(lms.base.removeprefix("http://"),))
        assert connect(guarded, lms, allowed.url).status == 200
        before = len(lms.asked)
        assert open_page(guarded.invite().url, **lms.query()).code == "private_network"
        assert len(lms.asked) == before


def test_the_lms_may_frame_the_page_and_strangers_may_not(kopir):
    with running_vendor() as lms:
        page = open_page(kopir.invite().url, **lms.query())
    assert f"frame-ancestors 'self' {lms.base}" in page.policy
    assert "*" not in page.policy
    assert "script-src 'self';" in page.policy


def test_canvas_schools_may_frame_the_page_and_later_launches(kopir):
    with running_vendor(Vendor(**{**CANVAS.__dict__, "asked": [], "deployment": "d"})) as lms:
        shown = open_page(kopir.invite().url, **lms.query())
        press_connect(kopir, shown)
    assert "https://*.instructure.com" in shown.policy
    assert "https://*.instructure.com" in kopir.runtime.registry.frame_origins(kopir.school.id)


@pytest.mark.parametrize(("language", "words"), [("kk", "қосу керек пе"), ("ru", "Подключить"), ("en", "Connect")])
def test_the_preview_speaks_three_languages(kopir, language, words):
    with running_vendor() as lms:
        assert words in open_page(kopir.invite().url, **lms.query(), lang=language).text


def test_registering_again_updates_and_orphans_nobody(anywhere):
    runtime = anywhere.runtime
    with running_vendor() as lms:
        connect(anywhere, lms)
        first = found(anywhere, lms)
        kid = runtime.keys.for_registration(first).kid
        now = anywhere.clock()
        with runtime.database.school(anywhere.school.id) as db:
            row = {"school_id": anywhere.school.id, "id": "a" * 32, "issuer": lms.base, "sub": "5",
                   "registration_id": first.id, "seen_at": now}  # fmt: skip
            db.execute(account.insert().values(row))
        lms.changes = {"token_endpoint": f"{lms.base}/token-2"}
        lms.deployment = "8"
        invited = anywhere.invite()
        shown = open_page(invited.url, **lms.query())
        assert "connected to the school already" in shown.text
        assert f"{lms.base}/token-2" in shown.text
        assert "up to date" in press_connect(anywhere, shown).text
        second = found(anywhere, lms)
        assert (second.id, second.token_url) == (first.id, f"{lms.base}/token-2")
        assert runtime.keys.for_registration(second).kid == kid
        assert all(runtime.registry.school_of(first.id, place) is not None for place in ("7", "8"))
        with runtime.database.school(anywhere.school.id, write=False) as db:
            assert db.execute(select(account.c.sub).where(account.c.issuer == lms.base)).scalars().all() == ["5"]


def test_a_new_client_stands_beside_the_old_one_unless_told_to_replace_it(kopir):
    with running_vendor() as lms:
        connect(kopir, lms)
        lms.client = "client-2"
        connect(kopir, lms)
        assert {one.client_id for one in kopir.runtime.registry.find(lms.base, None)} == {"client-1", "client-2"}
        newest, oldest = find_existing(kopir.runtime, kopir.school.id, lms.base)
        assert (newest.client_id, oldest.client_id) == ("client-2", "client-1")
        lms.client = "client-3"
        done = connect(kopir, lms, replace=oldest.id)
        assert "up to date" in done.text
        kept = {one.client_id: one.id for one in kopir.runtime.registry.find(lms.base, None)}
        assert kept == {"client-2": newest.id, "client-3": oldest.id}


def test_one_school_cannot_take_anothers_registration_or_deployment(kopir):
    stranger = kopir.runtime.registry.make_school("other", "№6", kopir.runtime.vault, kopir.clock())
    with running_vendor() as lms:
        connect(kopir, lms)
        first = found(kopir, lms)
        home, kopir.school = kopir.school, stranger
        lms.changes = {"jwks_uri": f"{lms.base}/evil-jwks"}
        assert connect(kopir, lms).code == "registration_taken"
        lms.client = "client-9"
        assert connect(kopir, lms, replace=first.id).status == 200
        kopir.school = home
    kept = kopir.runtime.registry.get(first.id)
    assert kept is not None
    assert (kept.jwks_url, kept.client_id) == (f"{lms.base}/jwks", "client-1")
    owner = kopir.runtime.registry.school_of(first.id, "7")
    assert owner is not None
    assert owner.id == home.id


def test_services_the_lms_did_not_grant_are_named(kopir):
    def grant_less(request):
        sent = json.loads(request.get_data(as_text=True))
        return Response(json.dumps({**sent, "client_id": "c", "scope": SCOPES[0],
                                    TOOL: {"deployment_id": "1"}}), 201)  # fmt: skip

    with running_vendor(Vendor(answer=grant_less)) as lms:
        done = connect(kopir, lms)
    assert "read the list of the course&#39;s members" in done.text
    assert "data-lti-close-after" not in done.text


def test_the_page_gives_itself_back_when_all_is_well(kopir):
    with running_vendor() as lms:
        done = connect(kopir, lms)
    assert "data-lti-close-after" in done.text
    assert "Activate" in done.text


def test_a_label_of_the_schools_choice_is_what_the_lms_shows(kopir):
    with running_vendor() as lms:
        connect(kopir, lms, kopir.invite(label="Мектеп тесттері").url)
        (sent,) = lms.registrations
    assert sent["client_name"] == "Мектеп тесттері"
    assert not [name for name in sent if name.startswith("client_name#")]
