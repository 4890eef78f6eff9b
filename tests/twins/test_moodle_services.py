from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from werkzeug.test import Client

from connector.base.outbound import NetworkPolicy, Outbound
from lti.platform.records import RegisteredTool
from sync.twins.moodle import Lms, Quirks, create_lms
from tests.twins.moodle_exchanges import (
    BASE,
    EXCHANGES,
    ITEM2,
    ITEMS,
    LINE_ITEM,
    LINE_ITEMS,
    MEMBERS,
    RESULTS,
    ROSTER,
    SCORE,
    SERVICES,
    T,
    score,
)
from tests.twins.moodle_kit import (
    NOW,
    SCOPES,
    KeyServer,
    ServiceClient,
    StillClock,
    assertion_claims,
    get_token,
    key_server,
    new_key,
    sign,
    token_form,
)


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return new_key()


@dataclass
class School:
    lms: Lms
    tool: RegisteredTool
    key: RSAKey
    keys: KeyServer
    clock: StillClock

    @property
    def client(self) -> Client:
        return Client(self.lms.app)

    def services(self, *scopes: str) -> ServiceClient:
        url = self.lms.platform_facts().token_url
        token = get_token(self.client, self.key, self.tool.client_id, url, self.clock.now, *scopes)
        return ServiceClient(self.client, token)

    def place(self, title: str = "Бақылау жұмысы №1", maximum: int = 40) -> None:
        item = {
            "title": title,
            "custom": {"exam_id": "1"},
            "lineItem": {"scoreMaximum": maximum, "resourceId": "exam-1", "tag": "exam"},
        }
        self.lms._parts.registry.add_activity(int(self.tool.deployment_id), item)


def register(lms: Lms, keys: KeyServer, name: str = "Kopir") -> RegisteredTool:
    return lms.register_tool(
        name,
        login_url="http://127.0.0.1:9001/login",
        redirect_uris=["http://127.0.0.1:9001/launch"],
        jwks_url=keys.url,
        target_link_uri="http://127.0.0.1:9001/launch",
    )


@pytest.fixture
def school(tmp_path: Path, tool_key: RSAKey) -> Iterator[School]:
    with key_server(tool_key) as keys:
        yield open_school(tmp_path, tool_key, keys, Quirks())


def open_school(tmp_path: Path, key: RSAKey, keys: KeyServer, quirks: Quirks) -> School:
    clock = StillClock()
    outbound = Outbound(NetworkPolicy(everything=True))
    lms = create_lms(tmp_path / "lms.sqlite3", BASE, clock=clock, tool_outbound=outbound, quirks=quirks)
    return School(lms, register(lms, keys), key, keys, clock)


def results(client: ServiceClient, item: str = "2", more: str = "") -> dict[str, Any]:
    answer = client.call("GET", f"{ITEMS}/{item}/lineitem/results?type_id=1{more}", RESULTS)
    assert answer.status_code == 200
    return {entry["userId"]: entry for entry in answer.json or []}


def test_every_recorded_exchange_with_moodle_gets_the_same_answer(tmp_path: Path, tool_key: RSAKey) -> None:
    with key_server(tool_key) as keys:
        school = open_school(tmp_path, tool_key, keys, Quirks(zero_in_results=True))
        school.place()
        token_exchanges = replay_tokens(school)
        services = school.services()
        services.call("POST", f"{ITEM2}/scores{T}", SCORE, score("5", 35, at="2026-11-21T21:51:41Z"))
        for what, method, path, kind, body, status, facts in EXCHANGES:
            caller = services
            if body in ("no token", "bad token"):
                caller = ServiceClient(school.client, "" if body == "no token" else "eyJ.bad.token")
            answer = caller.call(method, path, kind, None if caller is not services else body)
            assert answer.status_code == status, f"{what}: {answer.status} {answer.text[:300]}"
            check_facts(what, answer, facts)
        assert token_exchanges + len(EXCHANGES) == 53


def replay_tokens(school: School) -> int:
    unknown = "https://example.org/x"
    asked = [(SCOPES, 200, " ".join(SCOPES)), ((unknown,), 400, None), ((SCOPES[0], unknown), 200, SCOPES[0])]
    for scopes, status, granted in asked:
        claims = assertion_claims(school.tool.client_id, school.lms.platform_facts().token_url, NOW)
        answer = school.client.post("/mod/lti/token.php", data=token_form(sign(school.key, claims), scopes))
        assert (answer.status_code, answer.content_type) == (status, "text/html; charset=utf-8")
        body = json.loads(answer.text)
        assert body.get("scope") == granted
        assert body.get("error") == (None if status == 200 else "invalid_scope")
    return len(asked)


def check_facts(what: str, answer: Any, facts: dict[str, Any]) -> None:
    body = json.loads(answer.text) if answer.text and not facts.get("html") else None
    for name, wanted in facts.items():
        if name == "members":
            assert len(body["members"]) == wanted, what
        elif name == "message":
            assert all("message" in member for member in body["members"])
        elif name == "items":
            assert [entry["id"].split("/lineitems/")[1].split("/")[0] for entry in body] == wanted
        elif name == "marks":
            assert {e["userId"]: (e["resultScore"], e["resultMaximum"]) for e in body} == wanted, what
        elif name == "link":
            assert wanted in answer.headers["Link"].encode("latin-1").decode(), what
        elif name == "text":
            assert answer.text == wanted, what
        elif name == "phrase":
            assert wanted in answer.status, what
        elif name == "html":
            assert answer.content_type.startswith("text/html") and "<html" in answer.text
        elif name == "reason":
            assert body["reason"].startswith(wanted), what
            assert answer.content_type == "application/json; charset=utf-8"
        else:
            assert body[name] == wanted, what


def test_a_mark_of_zero_stands_in_the_gradebook_but_not_in_results(school: School) -> None:
    school.place()
    services = school.services()
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=0)).status_code == 200
    assert results(services) == {}
    assert school.lms.gradebook()[0].marks() == {"6": Decimal(0)}


def test_a_column_keeps_five_places_of_a_rescaled_mark(school: School) -> None:
    school.place(maximum=10)
    services = school.services()
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=2, of=3))
    assert school.lms.gradebook()[0].marks() == {"6": Decimal("6.66667")}
    assert results(services)["6"]["resultScore"] == 6.66667


def test_a_teachers_override_outlives_a_score_that_was_answered_with_200(school: School) -> None:
    school.place()
    services = school.services()
    school.lms.override_grade("2", "6", Decimal(25))
    later = score(given=39, at="2026-11-21T23:00:00Z")
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, later).status_code == 200
    assert results(services)["6"]["resultScore"] == 25
    school.lms.override_grade("2", "6", None)
    assert school.lms.gradebook()[0].marks() == {"6": Decimal("39.00000")}


def test_an_override_newer_than_the_score_answers_409(school: School) -> None:
    school.place()
    school.lms.override_grade("2", "6", Decimal(25))
    before = score(given=39, at="2026-11-21T21:52:11Z")
    assert school.services().call("POST", f"{ITEM2}/scores{T}", SCORE, before).status_code == 409


def test_a_locked_grade_answers_500_and_stays(school: School) -> None:
    school.place()
    services = school.services()
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=10))
    school.lms.lock_grade("2", "6")
    answer = services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=20, at="2026-11-21T22:00:00Z"))
    assert (answer.status_code, answer.text) == (500, "[]")
    assert school.lms.gradebook()[0].marks() == {"6": Decimal("10.00000")}
    school.lms.lock_grade("2", "6", False)
    again = services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=20, at="2026-11-21T22:00:00Z"))
    assert again.status_code == 200


def test_a_suspended_pupil_leaves_the_roster_but_can_be_scored(school: School) -> None:
    school.place()
    services = school.services()
    school.lms.suspend("6")
    members = services.call("GET", ROSTER, MEMBERS).json["members"]
    assert len(members) == 31
    assert "6" not in {member["user_id"] for member in members}
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, score()).status_code == 200


def test_the_assistant_is_a_learner_in_the_roster_and_cannot_be_scored(school: School) -> None:
    school.place()
    services = school.services()
    roles = {m["user_id"]: m["roles"] for m in services.call("GET", ROSTER, MEMBERS).json["members"]}
    assert roles["3"] == ["Instructor"]
    assert roles["4"] == ["Learner"]
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, score("4")).status_code == 400


def test_a_pupils_number_is_the_schools_own(school: School) -> None:
    members = school.services().call("GET", ROSTER, MEMBERS).json["members"]
    first = next(member for member in members if member["user_id"] == "5")
    assert first["lis_person_sourcedid"] == "2026010001"
    assert (first["family_name"], first["ext_user_username"]) == ("Әбдірахманова", "student01")


@pytest.mark.parametrize(
    "body",
    [
        score(of=None),
        score(given="many"),
        score(timestamp=None),
        score(gradingProgress=None),
        [1],
        "nonsense",
        score(given=True),
    ],
)
def test_an_unusable_score_answers_400_and_writes_nothing(school: School, body: Any) -> None:
    school.place()
    answer = school.services().call("POST", f"{ITEM2}/scores{T}", SCORE, body)
    assert (answer.status_code, answer.text) == (400, "[]")
    assert school.lms.gradebook()[0].marks() == {}


def test_a_cyrillic_comment_travels_in_the_reason_phrase(school: School) -> None:
    school.place()
    answer = school.services().call("POST", f"{ITEM2}/scores{T}", SCORE, score("3", comment="бірінші\r\nекінші"))
    assert answer.status_code == 400
    assert "бірінші" in answer.status.encode("latin-1").decode()


def test_a_timestamp_without_a_zone_is_the_schools_own_time(school: School) -> None:
    school.place()
    services = school.services()
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=10, at="2026-11-21T21:00:00Z"))
    early = score(given=20, at="2026-11-22T01:59:00")
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, early).status_code == 409
    late = score(given=20, at="2026-11-22T02:01:00")
    assert services.call("POST", f"{ITEM2}/scores{T}", SCORE, late).status_code == 200


def test_a_score_without_a_comment_clears_the_comment(school: School) -> None:
    school.place()
    services = school.services()
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(comment="Жақсы"))
    assert results(services)["6"]["comment"] == "Жақсы"
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(at="2026-11-21T22:00:00Z"))
    assert "comment" not in results(services)["6"]


def test_a_new_maximum_keeps_percentages(school: School) -> None:
    school.place()
    services = school.services()
    services.call("POST", f"{ITEM2}/scores{T}", SCORE, score(given=20))
    changed = {"scoreMaximum": 10, "label": "Бақылау", "resourceId": "exam-1", "tag": "exam"}
    assert services.call("PUT", f"{ITEM2}{T}", LINE_ITEM, changed).status_code == 200
    assert (results(services)["6"]["resultScore"], results(services)["6"]["resultMaximum"]) == (5, 10)
    shown = services.call("GET", f"{ITEM2}{T}", LINE_ITEM).json
    assert shown["resourceLinkId"] == "1"


def test_another_tools_column_is_refused(school: School, tmp_path: Path) -> None:
    school.place()
    other = register(school.lms, school.keys, "Other")
    url = school.lms.platform_facts().token_url
    services = ServiceClient(school.client, get_token(school.client, school.key, other.client_id, url, NOW))
    assert services.call("GET", ITEM2, LINE_ITEM).status_code == 403
    assert services.call("GET", f"{ITEM2}{T}", LINE_ITEM).status_code == 401
    assert services.call("GET", ROSTER, MEMBERS).status_code == 401
    assert services.call("GET", ITEMS, LINE_ITEMS).json == []
    bound = {"scoreMaximum": 5, "label": "x", "resourceLinkId": "1"}
    assert services.call("POST", ITEMS, LINE_ITEM, bound).status_code == 403


def test_what_is_not_there_answers_404_in_json(school: School) -> None:
    services = school.services()
    for path in (f"{ITEMS}/77/lineitem", f"{SERVICES}/9/lineitems/2/lineitem"):
        answer = services.call("GET", path, LINE_ITEM)
        assert (answer.status_code, answer.json["status"]) == (404, 404)


@pytest.mark.parametrize(
    ("scope", "method", "path", "kind"),
    [
        ("result.readonly", "POST", f"{ITEM2}/scores", SCORE),
        ("lineitem.readonly", "DELETE", ITEM2, ""),
        ("lineitem.readonly", "POST", ITEMS, LINE_ITEM),
        ("score", "GET", f"{ITEM2}/results", RESULTS),
        ("score", "GET", ROSTER, MEMBERS),
    ],
)
def test_a_token_opens_only_what_its_scope_says(school: School, scope: str, method: str, path: str, kind: str) -> None:
    school.place()
    services = school.services(f"https://purl.imsglobal.org/spec/lti-ags/scope/{scope}")
    body = score() if kind == SCORE else {"scoreMaximum": 5, "label": "x"}
    answer = services.call(method, path, kind, body if method == "POST" else None)
    assert answer.status_code == 401
    assert len(school.lms.gradebook()) == 1
    assert school.lms.gradebook()[0].marks() == {}


def test_every_page_of_columns_can_be_reached_through_the_unreadable_links(school: School) -> None:
    services = school.services()
    for number in range(5):
        services.call("POST", ITEMS, LINE_ITEM, {"scoreMaximum": 5, "label": f"{number}"})
    answer = services.call("GET", f"{ITEMS}?limit=2&from=2", LINE_ITEMS)
    links = answer.headers["Link"].encode("latin-1").decode()
    assert [entry["label"] for entry in answer.json] == ["2", "3"]
    assert "rel=“next”" in links
    assert "rel=“prev”" in links
    assert "limit=2&amp;from=4" in links
    last = services.call("GET", f"{ITEMS}?limit=2&from=4", LINE_ITEMS)
    assert "next" not in last.headers["Link"].encode("latin-1").decode()


def test_an_assertion_from_the_future_is_refused_and_its_error_named(school: School) -> None:
    facts = school.lms.platform_facts()
    seconds = int(NOW.timestamp())
    claims = assertion_claims(school.tool.client_id, facts.token_url, NOW, iat=seconds + 5)
    answer = school.client.post("/mod/lti/token.php", data=token_form(sign(school.key, claims)))
    assert answer.status_code == 400
    assert "Cannot handle token with iat prior to" in json.loads(answer.text)["error"]


def test_an_unknown_key_answers_json_that_is_broken(school: School) -> None:
    facts = school.lms.platform_facts()
    claims = assertion_claims(school.tool.client_id, facts.token_url, NOW)
    answer = school.client.post("/mod/lti/token.php", data=token_form(sign(new_key("other"), claims)))
    assert answer.status_code == 400
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


def test_a_tool_whose_keys_cannot_be_read_gets_an_html_404(school: School) -> None:
    school.keys.status = 500
    facts = school.lms.platform_facts()
    claims = assertion_claims(school.tool.client_id, facts.token_url, NOW)
    answer = school.client.post("/mod/lti/token.php", data=token_form(sign(school.key, claims)))
    assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")


def test_moodle_checks_neither_audience_nor_replay_of_an_assertion(school: School) -> None:
    claims = assertion_claims(school.tool.client_id, "https://elsewhere.example", NOW, jti=None)
    form = token_form(sign(school.key, claims))
    assert [school.client.post("/mod/lti/token.php", data=form).status_code for _ in range(2)] == [200, 200]


def test_an_expired_access_token_is_refused(school: School) -> None:
    services = school.services()
    school.clock.pass_time(seconds=3601)
    assert services.call("GET", ROSTER, MEMBERS).status_code == 401


def test_the_store_is_seeded_once(school: School, tmp_path: Path) -> None:
    school.place()
    outbound = Outbound(NetworkPolicy(everything=True))
    again = create_lms(tmp_path / "lms.sqlite3", BASE, clock=school.clock, tool_outbound=outbound)
    assert len(again.users()) == 32
    assert [column.item.label for column in again.gradebook()] == ["Бақылау жұмысы №1"]
    assert Client(again.app).get("/mod/lti/certs.php").json == school.client.get("/mod/lti/certs.php").json


def test_thirty_pupils_submitting_at_once_all_keep_their_mark(school: School) -> None:
    school.place()
    services = school.services()

    def send(number: int) -> int:
        own = ServiceClient(Client(school.lms.app), services.token)
        return own.call("POST", f"{ITEM2}/scores{T}", SCORE, score(str(number), number)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(send, range(5, 35))) == [200] * 30
    assert school.lms.gradebook()[0].marks() == {str(number): Decimal(number) for number in range(5, 35)}


def test_one_of_many_equal_scores_sent_at_once_is_taken(school: School) -> None:
    school.place()
    services = school.services()

    def send(_: int) -> int:
        own = ServiceClient(Client(school.lms.app), services.token)
        return own.call("POST", f"{ITEM2}/scores{T}", SCORE, score()).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [200] + [409] * 7


def test_a_value_is_spent_once_by_many_threads(school: School) -> None:
    registry = school.lms._parts.registry
    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(lambda _: registry.spend("hint", "one", NOW), range(16)))
    assert spent.count(True) == 1
