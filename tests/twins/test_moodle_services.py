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

MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
BASE = "http://localhost:8081"
SERVICES = "/mod/lti/services.php"
ROSTER = f"{SERVICES}/CourseSection/2/bindings/1/memberships"
ITEMS = f"{SERVICES}/2/lineitems"


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


def score(
    user: str = "6", given: Any = 30, of: Any = 40, at: str = "2026-11-21T21:52:15.385Z", **more: Any
) -> dict[str, Any]:
    body = {"userId": user, "scoreGiven": given, "scoreMaximum": of, "timestamp": at}
    body |= {"activityProgress": "Completed", "gradingProgress": "FullyGraded", **more}
    return {name: value for name, value in body.items() if value is not None}


def results(client: ServiceClient, item: str = "2", more: str = "") -> dict[str, Any]:
    answer = client.call("GET", f"{ITEMS}/{item}/lineitem/results?type_id=1{more}", RESULTS)
    assert answer.status_code == 200
    return {entry["userId"]: entry for entry in answer.json or []}


# The exchanges once recorded between a plain tool and a Moodle 4.5.6, in their order: what, method, path, kind
# (Accept of a GET, Content-Type of the rest), body, status, and what of the answer matters.
T = "?type_id=1"
ITEM2 = f"{ITEMS}/2/lineitem"
EXCHANGES: list[tuple[str, str, str, str, Any, int, Any]] = [
    ("roster", "GET", ROSTER, MEMBERS, None, 200, {"members": 32}),
    ("roster, any type", "GET", ROSTER, "*/*", None, 200, {"members": 32}),
    ("roster as json", "GET", ROSTER, "application/json", None, 400, {"reason": "No handler found for "}),
    (
        "roster, list of types",
        "GET",
        ROSTER,
        f"{MEMBERS}, application/json",
        None,
        400,
        {"reason": "No handler found for "},
    ),
    (
        "roster, first ten",
        "GET",
        f"{ROSTER}?limit=10",
        MEMBERS,
        None,
        200,
        {"members": 10, "link": '&from=10>; rel="next"'},
    ),
    ("roster, next ten", "GET", f"{ROSTER}?limit=10&from=10", MEMBERS, None, 200, {"members": 10, "link": "from=20"}),
    ("learners", "GET", f"{ROSTER}?role=Learner", MEMBERS, None, 200, {"members": 31}),
    (
        "instructors",
        "GET",
        f"{ROSTER}?role=http%3A%2F%2Fpurl.imsglobal.org%2Fvocab%2Flis%2Fv2%2Fmembership%23Instructor",
        MEMBERS,
        None,
        200,
        {"members": 1},
    ),
    ("roster of a link", "GET", f"{ROSTER}?rlid=1", MEMBERS, None, 200, {"members": 32, "message": True}),
    ("roster, no token", "GET", ROSTER, MEMBERS, "no token", 401, {"reason": "Unauthorized"}),
    ("roster, bad token", "GET", ROSTER, MEMBERS, "bad token", 401, {"reason": "Unauthorized"}),
    ("columns", "GET", ITEMS + T, LINE_ITEMS, None, 200, {"items": ["2"]}),
    ("columns, any type", "GET", ITEMS + T, "*/*", None, 400, {"reason": "No context or unsupported content type"}),
    (
        "columns as json",
        "GET",
        ITEMS + T,
        "application/json",
        None,
        400,
        {"reason": "No handler found for /2/lineitems"},
    ),
    ("columns, first", "GET", f"{ITEMS}{T}&limit=1", LINE_ITEMS, None, 200, {"items": ["2"], "link": "rel=“last”"}),
    ("columns of a link", "GET", f"{ITEMS}{T}&resource_link_id=1", LINE_ITEMS, None, 200, {"items": ["2"]}),
    ("columns of a tag", "GET", f"{ITEMS}{T}&tag=exam", LINE_ITEMS, None, 200, {"items": ["2"]}),
    ("columns of a resource", "GET", f"{ITEMS}{T}&resource_id=exam-1", LINE_ITEMS, None, 200, {"items": ["2"]}),
    (
        "make a column",
        "POST",
        ITEMS + T,
        LINE_ITEM,
        {"scoreMaximum": 50, "label": "Қосымша баған", "resourceId": "extra-1", "tag": "extra"},
        201,
        {"id": f"{BASE}{ITEMS}/3/lineitem{T}"},
    ),
    (
        "make a column of a link",
        "POST",
        ITEMS + T,
        LINE_ITEM,
        {"scoreMaximum": 50, "label": "Екінші баған", "resourceLinkId": "1", "startDateTime": "2026-11-21T10:00:00Z"},
        201,
        {"id": f"{BASE}{ITEMS}/4/lineitem{T}", "startDateTime": "2026-11-21T10:00:00Z"},
    ),
    (
        "make a column as json",
        "POST",
        ITEMS + T,
        "application/json",
        {"scoreMaximum": 50, "label": "x"},
        400,
        {"reason": "No handler found for /2/lineitems  application/json"},
    ),
    (
        "make the same column again",
        "POST",
        ITEMS + T,
        LINE_ITEM,
        {"scoreMaximum": 50, "label": "Қосымша баған", "resourceId": "extra-1", "tag": "extra"},
        201,
        {"id": f"{BASE}{ITEMS}/5/lineitem{T}"},
    ),
    (
        "read the made column",
        "GET",
        f"{ITEMS}/3/lineitem{T}",
        LINE_ITEM,
        None,
        200,
        {"scoreMaximum": 50, "tag": "extra"},
    ),
    (
        "change it",
        "PUT",
        f"{ITEMS}/3/lineitem{T}",
        LINE_ITEM,
        {"scoreMaximum": 60, "label": "Қосымша баған (өзгертілді)", "resourceId": "extra-1", "tag": "extra"},
        200,
        {"scoreMaximum": 60, "id": f"{BASE}{ITEMS}/3/lineitem{T}"},
    ),
    (
        "score it",
        "POST",
        f"{ITEMS}/3/lineitem/scores{T}",
        SCORE,
        score(at="2026-11-21T21:52:13.097Z"),
        200,
        {"text": ""},
    ),
    ("its results", "GET", f"{ITEMS}/3/lineitem/results{T}", RESULTS, None, 200, {"marks": {"6": (45, 60)}}),
    ("delete the second", "DELETE", f"{ITEMS}/4/lineitem{T}", "", None, 204, {"text": ""}),
    ("read the link's column", "GET", ITEM2 + T, LINE_ITEM, None, 200, {"resourceLinkId": "1", "ltiLinkId": "1"}),
    ("score", "POST", f"{ITEM2}/scores{T}", SCORE, score(comment="Жарайсың! <b>қалың</b> мәтін"), 200, {"text": ""}),
    (
        "score in the same second",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=31, at="2026-11-21T21:52:15.423Z"),
        409,
        {"text": "[]", "phrase": "Refusing score with an earlier timestamp for item 2 and user 6"},
    ),
    ("older score", "POST", f"{ITEM2}/scores{T}", SCORE, score(at="2020-01-01T00:00:00Z"), 409, {"text": "[]"}),
    (
        "with an offset",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=32, at="2026-11-22T02:52:17+05:00"),
        200,
        {"text": ""},
    ),
    (
        "with microseconds",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=33, at="2026-11-21T21:52:18.807118+00:00"),
        200,
        {"text": ""},
    ),
    ("above", "POST", f"{ITEM2}/scores{T}", SCORE, score(given=50, at="2026-11-21T21:52:19.932Z"), 200, {"text": ""}),
    ("is clipped", "GET", f"{ITEM2}/results{T}", RESULTS, None, 200, {"marks": {"5": (35, 40), "6": (40, 40)}}),
    ("zero", "POST", f"{ITEM2}/scores{T}", SCORE, score(given=0, at="2026-11-21T21:52:22.263Z"), 200, {"text": ""}),
    ("is kept", "GET", f"{ITEM2}/results{T}", RESULTS, None, 200, {"marks": {"5": (35, 40), "6": (0, 40)}}),
    (
        "pending",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=20, at="2026-11-21T21:52:23.416Z", gradingProgress="PendingManual"),
        200,
        {"text": ""},
    ),
    ("clears", "GET", f"{ITEM2}/results{T}", RESULTS, None, 200, {"marks": {"5": (35, 40)}}),
    (
        "without a mark",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=None, of=None, at="2026-11-21T21:52:24.582Z", gradingProgress="NotReady"),
        200,
        {"text": ""},
    ),
    ("teacher", "POST", f"{ITEM2}/scores{T}", SCORE, score("3", at="2026-11-21T21:52:25.706Z"), 400, {"text": "[]"}),
    (
        "unknown user",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score("99999", at="2026-11-21T21:52:25.724Z"),
        400,
        {"text": "[]", "phrase": 'Incorrect score received{"userId": "99999"'},
    ),
    (
        "score as json",
        "POST",
        f"{ITEM2}/scores{T}",
        "application/json",
        score(at="2026-11-21T21:52:25.740Z"),
        400,
        {"reason": "No handler found for /2/lineitems/2/lineitem/scores  application/json"},
    ),
    (
        "score with a charset",
        "POST",
        f"{ITEM2}/scores{T}",
        f"{SCORE}; charset=utf-8",
        score(at="2026-11-21T21:52:25.751Z"),
        200,
        {"text": ""},
    ),
    ("future", "POST", f"{ITEM2}/scores{T}", SCORE, score(given=39, at="2030-01-01T00:00:00Z"), 200, {"text": ""}),
    (
        "blocks",
        "POST",
        f"{ITEM2}/scores{T}",
        SCORE,
        score(given=38, at="2026-11-21T21:52:26.898Z"),
        409,
        {"text": "[]"},
    ),
    (
        "no type_id",
        "POST",
        f"{ITEM2}/scores",
        SCORE,
        score(given=1, of=1, at="2031-01-01T00:00:00Z"),
        200,
        {"text": ""},
    ),
    ("results", "GET", f"{ITEM2}/results{T}", RESULTS, None, 200, {"marks": {"5": (35, 40), "6": (40, 40)}}),
    ("one result", "GET", f"{ITEM2}/results{T}&user_id=6", RESULTS, None, 200, {"marks": {"6": (40, 40)}}),
    ("results, first", "GET", f"{ITEM2}/results{T}&limit=1", RESULTS, None, 404, {"html": True}),
]


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
