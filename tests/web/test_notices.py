"""Platform Notification Service 1.0 through the web: notices of platforms, and asking platforms for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from connector.cli.main import main
from connector.db.tables.notices import notice, notice_subscription
from connector.host.notices import AGREED, SUBSCRIBE, TAKE_NOTICE, notice_handler, subscribe_handler
from lti.tool.keys import public_jwk
from lti.vocab import Claim, FurtherScope
from sync.jobs.runner import Handlers, execute_job
from sync.jobs.runner import Runtime as JobRuntime
from sync.jobs.tables import job
from tests.lti.kit import Platform
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, key_pair, open_site, sign

COPY, HELLO = "LtiContextCopyNotice", "LtiHelloWorldNotice"
HANDLER = f"{PUBLIC}/lti/notices"


@pytest.fixture(scope="module")
def canvas() -> Iterator[Platform]:
    """An LMS with a notification service that keeps one handler per type."""
    server = Platform()
    server.keys = [public_jwk(key_pair())]
    server.token_scopes.add(FurtherScope.NOTICE_HANDLERS)
    yield server
    server.close()


@pytest.fixture
def pns(canvas: Platform) -> dict[str, str]:
    """What is subscribed there."""
    kept: dict[str, str] = {}

    def answer(call: Any) -> Response:
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in canvas.valid_tokens:
            return Response("", 401)
        if call.method == "PUT":
            kept[call.json()["notice_type"]] = call.json()["handler"]
        listed = [{"notice_type": kind, "handler": kept.get(kind, "")} for kind in (HELLO, COPY)]
        return Response(json.dumps({"notice_handlers": listed}))

    canvas.rules[:] = [("/pns", None, answer)]
    canvas.calls.clear()
    return kept


@pytest.fixture
def site(sqlite_place: Place, tmp_path: Path, canvas: Platform) -> Iterator[Site]:
    with open_site(sqlite_place, tmp_path) as opened:
        opened.lmss["canvas"] = opened.lms(f"{canvas.base}/certs.php", "lyceum-9", canvas.base)
        yield opened


@pytest.fixture
def lms(site: Site) -> Lms:
    return site.lmss["canvas"]


def jwt(site: Site, lms: Lms, notice_id: str = "n1", kind: str = COPY, **changes: Any) -> str:
    now = int(site.clock().timestamp())
    value: dict[str, Any] = {
        "iss": lms.issuer, "aud": lms.client_id, "iat": now, "exp": now + 300, "nonce": notice_id,
        Claim.VERSION: "1.3.0", Claim.DEPLOYMENT_ID: lms.deployment,
        Claim.NOTICE: {"id": notice_id, "timestamp": "2026-11-21T18:54:36Z", "type": kind},
        Claim.CONTEXT: {"id": "copy", "title": "7Б"}, Claim.ORIGIN_CONTEXTS: ["origin"],
        Claim.FOR_USER: {"user_id": "5", "name": "Айгерім"},
    }  # fmt: skip
    for name, item in changes.items():
        value[str(Claim[name]) if name in Claim.__members__ else name] = item
    return sign({"alg": "RS256", "kid": key_pair().kid}, {str(name): item for name, item in value.items()})


def send(site: Site, *tokens: str, body: Any = None) -> TestResponse:
    sent = body if body is not None else json.dumps({"notices": [{"jwt": token} for token in tokens]})
    return site.client().post("/lti/notices", data=sent, content_type="application/json", base_url=PUBLIC)


def rows(site: Site, table: Any) -> list[Any]:
    found = []
    for school in site.runtime.registry.schools():
        with site.runtime.database.school(school.id, write=False) as db:
            found += db.execute(select(table).where(table.c.school_id == school.id)).all()
    return found


def work(site: Site, *hooks: Any) -> None:
    """Run every job that is due."""
    handlers = Handlers()
    handlers.add(TAKE_NOTICE, notice_handler(site.runtime, hooks))
    handlers.add(SUBSCRIBE, subscribe_handler(site.runtime))
    jobs = JobRuntime(site.runtime.database, handlers)
    while execute_job(jobs):
        pass


def test_notices_of_a_copied_course_are_answered_at_once_and_told_on_by_a_job(site: Site, lms: Lms) -> None:
    told: list[tuple[Any, ...]] = []

    def hook(_runtime: Any, *facts: Any) -> bool:
        told.append(facts)
        return True

    answer = send(site, jwt(site, lms))
    assert (answer.status_code, answer.json) == (200, {"new": 1, "repeated": 0, "refused": 0})
    assert told == []
    work(site, hook)
    assert told == [(lms.made.registration_id, "1", "copy", ["origin"])]
    (row,) = rows(site, notice)
    assert (row.state, row.school_id) == ("done", lms.made.school_id)


def test_notices_delivered_again_count_once(site: Site, lms: Lms) -> None:
    told: list[Any] = []
    token = jwt(site, lms)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(site, token).json, range(6)))
    assert sum(answer["new"] for answer in answers) == 1
    work(site, lambda *facts: told.append(facts))
    assert send(site, token, jwt(site, lms, "n2")).json == {"new": 1, "repeated": 1, "refused": 0}
    work(site, lambda *facts: told.append(facts))
    assert len(told) == 2
    assert len(rows(site, notice)) == 2


def test_notices_that_greet_are_answered_200_and_noted(site: Site, lms: Lms, pns: dict[str, str]) -> None:
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    assert send(site, jwt(site, lms, "hello", HELLO, CONTEXT=None)).status_code == 200
    work(site)
    assert {row.type: row.heard_at is not None for row in rows(site, notice_subscription)} == {HELLO: True, COPY: False}


def test_notices_of_a_kind_nobody_knows_are_taken_politely_and_nothing_personal_is_kept(site: Site, lms: Lms) -> None:
    answer = send(site, jwt(site, lms, "n3", "LtiAssetProcessorSubmissionNotice"))
    assert (answer.status_code, answer.json["new"]) == (200, 1)
    (row,) = rows(site, notice)
    assert (row.state, row.details) == ("passed_over", {})
    assert not rows(site, job)


def test_notices_that_cannot_be_believed_are_refused_and_the_others_kept(site: Site, lms: Lms) -> None:
    good, bad = jwt(site, lms), jwt(site, lms, "n2", iss="https://evil.example")
    refused = send(site, bad)
    assert (refused.status_code, refused.json["error"]) == (400, "unknown_issuer")
    assert send(site, body="x").status_code == 400
    assert send(site, body=b"x" * (1024 * 1024 + 1)).status_code == 413
    assert site.client().get("/lti/notices", base_url=PUBLIC).status_code == 405
    assert rows(site, notice) == []
    assert send(site, bad, good).json == {"new": 1, "repeated": 0, "refused": 1}


def test_notices_for_a_deployment_of_no_school_are_answered_and_not_kept(site: Site, lms: Lms) -> None:
    assert send(site, jwt(site, lms, DEPLOYMENT_ID="77")).json == {"new": 0, "repeated": 0, "refused": 0}
    assert rows(site, notice) == []


def test_notices_whose_keys_cannot_be_read_now_are_asked_for_again(site: Site, canvas: Platform, lms: Lms) -> None:
    canvas.rules[:] = [("/certs.php", None, lambda call: Response("", 503))]
    answer = send(site, jwt(site, lms))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    canvas.rules.clear()


def claim(lms: Lms, **changes: Any) -> dict[str, Any]:
    told = {"platform_notification_service_url": f"{lms.issuer}/pns", "service_versions": ["1.0"],
            "scope": [FurtherScope.NOTICE_HANDLERS], "notice_types_supported": [HELLO, COPY, "LtiOther"],
            **changes}  # fmt: skip
    return {"NOTICES": told}


def test_notices_are_subscribed_after_the_first_launch_that_offers_them(
    site: Site, canvas: Platform, lms: Lms, pns: dict[str, str]
) -> None:
    site.enter(site.client(), lms, **claim(lms))
    assert pns == {}, "a launch waits for nobody"
    work(site)
    assert pns == {HELLO: HANDLER, COPY: HANDLER}
    assert {row.state for row in rows(site, notice_subscription)} == {"subscribed"}
    asked = canvas.count("/pns")
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    assert canvas.count("/pns") == asked, "what is agreed is not asked again at every launch"


def test_notices_that_are_subscribed_already_are_not_put_again(
    site: Site, canvas: Platform, lms: Lms, pns: dict[str, str]
) -> None:
    pns.update({HELLO: HANDLER, COPY: "https://elsewhere.example/"})
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    assert [call.json()["notice_type"] for call in canvas.seen("/pns", "PUT")] == [COPY]


@pytest.mark.parametrize("changes", [{"scope": []}, {"notice_types_supported": ["LtiOther"]}])
def test_notices_that_are_not_offered_are_not_asked_for(changes: dict[str, Any], site: Site, lms: Lms) -> None:
    site.enter(site.client(), lms, **claim(lms, **changes))
    assert rows(site, notice_subscription) == []


def test_notices_that_an_lms_refuses_are_said_so_and_asked_again_after_a_week(
    site: Site, canvas: Platform, lms: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas.rules[:] = [("/pns", None, lambda call: Response("", 403))]
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    assert {(row.state, row.reason) for row in rows(site, notice_subscription)} == {("refused", "forbidden")}
    monkeypatch.setattr("connector.host.notices._asked", type("Never", (), {"lately": lambda *_: False})())
    site.enter(site.client(), lms, **claim(lms))
    assert {row.state for row in rows(site, notice_subscription)} == {"refused"}
    site.clock.ahead = AGREED.total_seconds() + 1
    site.enter(site.client(), lms, **claim(lms))
    assert {row.state for row in rows(site, notice_subscription)} == {"asked"}
    canvas.rules.clear()


def test_notices_are_asked_for_again_when_the_lms_was_down(site: Site, canvas: Platform, lms: Lms) -> None:
    canvas.rules[:] = [("/pns", None, lambda call: Response("", 503))]
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    (waiting,) = [row for row in rows(site, job) if row.kind == SUBSCRIBE]
    assert waiting.state == "ready"
    assert {row.state for row in rows(site, notice_subscription)} == {"asked"}
    canvas.rules.clear()


def test_notices_are_listed_for_whoever_runs_kopir(
    site: Site, lms: Lms, pns: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.enter(site.client(), lms, **claim(lms))
    work(site)
    send(site, jwt(site, lms))
    settings = site.runtime.settings
    for name, value in {
        "DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key, "PUBLIC_URL": PUBLIC,
        "ENCRYPTION_KEYS": ",".join(settings.encryption_keys), "DATA_DIR": str(settings.data_dir),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    ask = ["lti", "notices", "--school", "lyceum-9", "--json"]
    asked = json.loads(CliRunner().invoke(main, ask).output)
    assert {(row["type"], row["state"]) for row in asked} == {(HELLO, "subscribed"), (COPY, "subscribed")}
    (came,) = json.loads(CliRunner().invoke(main, [*ask, "--received"]).output)
    assert (came["type"], came["state"], came["notice_id"]) == (COPY, "waiting", "n1")
    assert CliRunner().invoke(main, ["lti", "notices", "--school", "nowhere"]).exit_code == 1
