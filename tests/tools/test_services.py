"""What a vendor's tool may do at Kopir's grade and roster services, and what it may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from connector.db.tables.launches import result
from connector.host.tools.records import Change, State, ToolTable, change_tool, tools
from connector.host.tools.registering import invite_tool
from connector.web.platform import throttles
from lti.platform.throttle import Throttle
from lti.vocab import Scope
from sync.jobs.tables import job
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, teacher
from tests.support.tools_kit import TOOL, Vendor, later, make_vendor, open_vendor


@pytest.fixture
def vendor(sqlite_place: Place, tmp_path: Path) -> Iterator[Vendor]:
    with open_vendor(sqlite_place, tmp_path) as opened:
        yield opened


def standing(vendor: Vendor) -> tuple[str | None, str] | None:
    with vendor.site.runtime.database.school(vendor.tool.school_id, write=False) as db:
        row = db.execute(select(result.c.score_given, result.c.progress)).first()
    return None if row is None else (row.score_given, row.progress)


def deliveries(vendor: Vendor) -> int:
    with vendor.site.runtime.database.service(write=False) as db:
        return db.scalar(select(func.count()).select_from(job).where(job.c.kind == "deliver_scores")) or 0


def test_final_score_becomes_the_pupils_result_and_a_delivery(vendor: Vendor) -> None:
    assert vendor.send().status_code == 204
    assert standing(vendor) == ("8", "graded")
    assert deliveries(vendor) == 1


def test_score_that_is_not_final_never_touches_a_mark_that_is(vendor: Vendor) -> None:
    assert vendor.send(gradingProgress="PendingManual").status_code == 204
    assert standing(vendor) == (None, "submitted")
    vendor.send(later(1))
    for minute, grading in enumerate(("Pending", "PendingManual", "NotReady", "Failed"), start=2):
        assert vendor.send(later(minute), gradingProgress=grading, scoreGiven=1).status_code == 204
    assert standing(vendor) == ("8", "graded")


def test_mark_is_taken_back_only_when_the_tool_says_so(vendor: Vendor) -> None:
    vendor.send()
    taken = {"activityProgress": "Initialized", "gradingProgress": "NotReady", "scoreGiven": None, "scoreMaximum": None}
    assert vendor.send(later(1), **taken).status_code == 204
    assert standing(vendor) == (None, "cleared")


def test_points_above_the_maximum_count_as_the_maximum(vendor: Vendor) -> None:
    assert vendor.send(scoreGiven=12).status_code == 204
    assert standing(vendor) == ("10", "graded")
    (own,) = vendor.call("GET", f"{vendor.column}/results").json
    assert own["resultScore"] == 12


def test_times_of_scores_rise_and_are_not_ahead(vendor: Vendor) -> None:
    now = later(0)
    assert vendor.send(now).status_code == 204
    for at in (now, now - timedelta(seconds=1)):
        assert vendor.send(at, scoreGiven=2).status_code == 409
    assert vendor.send(later(60)).status_code == 400
    assert standing(vendor) == ("8", "graded")


@pytest.mark.parametrize(
    "changes",
    [
        {"userId": "somebody"}, {"userId": None}, {"timestamp": "2026-11-21T09:00:00"}, {"timestamp": "soon"},
        {"scoreGiven": -1}, {"scoreGiven": "8"}, {"scoreGiven": True}, {"scoreMaximum": 0}, {"scoreMaximum": None},
        {"activityProgress": "Done"}, {"gradingProgress": None}, {"comment": ["x"]}, {"submission": []},
        {"submission": {"startedAt": "2026-11-21T10:00:00Z", "submittedAt": "2026-11-21T09:00:00Z"}},
    ],
)  # fmt: skip
def test_wrong_score_is_a_clear_400_and_changes_nothing(vendor: Vendor, changes: dict[str, object]) -> None:
    answer = vendor.send(**changes)
    assert answer.status_code == 400, answer.text
    assert answer.json["error"] == "invalid_request"
    assert answer.json["error_description"]
    assert standing(vendor) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"scoreGiven": NaN}', b"[" * 60_000, b"\xff\xfe", b"1e999999999"])
def test_body_that_is_no_json_object_is_a_400(vendor: Vendor, body: bytes) -> None:
    assert vendor.call("POST", f"{vendor.column}/scores", body).status_code == 400
    assert vendor.call("POST", vendor.columns, body).status_code == 400


def test_teacher_of_the_course_gets_no_mark(vendor: Vendor) -> None:
    lms = vendor.site.lmss["main"]
    _, session = vendor.site.admit(lms, **teacher())
    members = vendor.call("GET", vendor.members).json["members"]
    (name,) = [one["user_id"] for one in members if one["roles"][0].endswith("#Instructor")]
    assert session.account_id
    assert vendor.send(userId=name).status_code == 400


def test_columns_of_the_tools_own_are_kept_apart(vendor: Vendor) -> None:
    made = vendor.call("POST", vendor.columns, {"label": "Speed", "scoreMaximum": 5, "tag": "s", "resourceId": "r"})
    assert made.status_code == 201
    path = made.json["id"].removeprefix(PUBLIC)
    assert vendor.send(path=path, scoreGiven=4, scoreMaximum=5).status_code == 204
    assert standing(vendor) is None
    assert deliveries(vendor) == 0
    assert [one["label"] for one in vendor.call("GET", f"{vendor.columns}?tag=s").json] == ["Speed"]
    changed = vendor.call("PUT", path, {"label": "Pace", "scoreMaximum": 6})
    assert (changed.json["label"], changed.json["scoreMaximum"]) == ("Pace", 6)
    assert "tag" not in changed.json
    assert vendor.call("DELETE", path).status_code == 204
    assert vendor.call("GET", path).status_code == 404
    assert vendor.call("DELETE", vendor.column).status_code == 403
    foreign = {"label": "x", "scoreMaximum": 1, "resourceLinkId": vendor.context}
    assert vendor.call("POST", vendor.columns, foreign).status_code == 403


def test_pages_lead_through_every_column_once(vendor: Vendor) -> None:
    for number in range(4):
        vendor.call("POST", vendor.columns, {"label": f"c{number}", "scoreMaximum": 1})
    path, seen = f"{vendor.columns}?limit=2", []
    while path:
        answer = vendor.call("GET", path)
        seen += [one["id"] for one in answer.json]
        assert len(answer.json) <= 2
        link = answer.headers.get("Link", "")
        path = link[1:].partition(">")[0].removeprefix(PUBLIC)
    assert len(seen) == len(set(seen)) == 5


def test_another_schools_tool_sees_nothing_of_this_one(vendor: Vendor, tmp_path: Path) -> None:
    site = vendor.site
    other_lms = site.lms(site.lmss["main"].jwks_url, school="lyceum-2", issuer="https://lms2.school.kz")
    other = make_vendor(site, other_lms, str(vendor.tool.jwks_url), vendor.key)
    assert other.tool.school_id != vendor.tool.school_id
    for method, path in (("GET", vendor.columns), ("GET", vendor.column), ("GET", f"{vendor.column}/results"),
                         ("GET", vendor.members), ("DELETE", vendor.column)):  # fmt: skip
        assert other.call(method, path).status_code == 404, path
    assert other.call("POST", f"{vendor.column}/scores", vendor.score()).status_code == 404
    assert standing(vendor) is None
    # Nor does another tool of the same school, in the same course, where it was not placed.
    second = make_vendor(site, site.lmss["main"], str(vendor.tool.jwks_url), vendor.key)
    assert second.call("GET", vendor.column).status_code == 404
    assert second.subject != vendor.subject


def test_tool_that_is_off_is_refused_at_once(vendor: Vendor) -> None:
    token = vendor.token()
    change_tool(vendor.site.runtime, vendor.tool.school_id, vendor.tool.id, Change(state=State.OFF))
    assert vendor.ask_token().json["error"] == "invalid_client"
    assert vendor.call("POST", f"{vendor.column}/scores", vendor.score(), token=token).status_code == 401
    change_tool(vendor.site.runtime, vendor.tool.school_id, vendor.tool.id, Change(state=State.ON))
    assert vendor.send().status_code == 204


def test_scope_taken_away_ends_what_older_tokens_may(vendor: Vendor) -> None:
    token = vendor.token()
    change = Change(scopes=frozenset({str(Scope.LINEITEM_READONLY)}))
    change_tool(vendor.site.runtime, vendor.tool.school_id, vendor.tool.id, change)
    assert vendor.call("GET", vendor.columns, token=token).status_code == 200
    assert vendor.call("POST", f"{vendor.column}/scores", vendor.score(), token=token).status_code == 403


def test_large_bodies_and_floods_are_turned_away(vendor: Vendor) -> None:
    assert vendor.call("POST", f"{vendor.column}/scores", b"x" * 70_000).status_code == 413
    with vendor.site.app.app_context():
        throttles().calls = Throttle(per_minute=60, burst=3)
    codes = [vendor.call("GET", vendor.columns).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert int(vendor.call("GET", vendor.columns).headers["Retry-After"]) >= 1


def test_assertion_is_good_once_among_sixteen_at_a_time(vendor: Vendor) -> None:
    signed = vendor.assertion()
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda _: vendor.ask_token(client_assertion=signed).status_code, range(16)))
    assert sorted(codes) == [200] + [400] * 15


def test_scores_of_one_pupil_at_a_time_leave_the_latest(vendor: Vendor) -> None:
    vendor.token()
    start = later(-10)
    times = [start + timedelta(seconds=step) for step in range(12)]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda one: vendor.send(one[1], scoreGiven=one[0] % 10).status_code, enumerate(times)))
    assert set(codes) <= {204, 409}
    kept = vendor.call("GET", f"{vendor.column}/results?user_id={vendor.subject}").json
    assert [one["resultScore"] for one in kept] == [11 % 10]
    assert standing(vendor) == ("1", "graded")


DESCRIPTION = {
    "application_type": "web", "response_types": ["id_token"], "grant_types": ["implicit", "client_credentials"],
    "initiate_login_uri": f"{TOOL}/login", "redirect_uris": [f"{TOOL}/launch"], "client_name": "Зертхана",
    "jwks_uri": f"{TOOL}/jwks.json", "token_endpoint_auth_method": "private_key_jwt", "scope": f"{Scope.SCORE} other",
    "https://purl.imsglobal.org/spec/lti-tool-configuration": {
        "domain": "lab.vendor.kz", "target_link_uri": f"{TOOL}/launch", "claims": ["iss", "sub", "name"],
        "messages": [{"type": "LtiDeepLinkingRequest", "target_link_uri": f"{TOOL}/choose"}],
    },
}  # fmt: skip


def register(vendor: Vendor, token: str, **changes: object):
    body = json.dumps({**DESCRIPTION, **changes})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return vendor.site.app.test_client().post("/platform/register", data=body, headers=headers, base_url=PUBLIC)


def test_tool_registers_itself_once_and_works_only_after_a_person_agreed(vendor: Vendor) -> None:
    here, school = vendor.site.runtime, vendor.tool.school_id
    token, _ = invite_tool(here, school)
    made = register(vendor, token)
    assert made.status_code == 201, made.text
    assert made.json["scope"] == Scope.SCORE
    assert register(vendor, token).status_code == 401
    (waiting,) = tools(here, school, State.PENDING)
    assert waiting.client_id == made.json["client_id"]
    assert ToolTable(here.database).find_tool(waiting.client_id) is None
    change_tool(here, school, waiting.id, Change(state=State.ON))
    assert ToolTable(here.database).find_tool(waiting.client_id) is not None


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("redirect_uris", ["https://evil.example/x"], "invalid_redirect_uri"),
        ("redirect_uris", ["http://lab.vendor.kz/x"], "invalid_redirect_uri"),
        ("redirect_uris", ["javascript:alert(1)"], "invalid_redirect_uri"),
        ("redirect_uris", [], "invalid_redirect_uri"),
        ("initiate_login_uri", "https://lab.vendor.kz.evil.example/login", "invalid_client_metadata"),
        ("initiate_login_uri", "https://user@lab.vendor.kz/login", "invalid_client_metadata"),
        ("token_endpoint_auth_method", "client_secret_basic", "invalid_client_metadata"),
        ("jwks_uri", "file:///etc/passwd", "invalid_client_metadata"),
        ("client_name", "", "invalid_client_metadata"),
    ],
)
def test_description_that_points_elsewhere_is_refused_and_the_invitation_stays(
    vendor: Vendor, field: str, value: object, error: str
) -> None:
    here = vendor.site.runtime
    here.settings = here.settings.model_copy(update={"allow_private_networks": ()})
    token, _ = invite_tool(vendor.site.runtime, vendor.tool.school_id)
    refused = register(vendor, token, **{field: value})
    assert (refused.status_code, refused.json["error"]) == (400, error)
    assert register(vendor, token).status_code == 201


def test_configuration_names_the_issuer_and_every_endpoint(vendor: Vendor) -> None:
    client = vendor.site.app.test_client()
    for path in ("/.well-known/openid-configuration", "/platform/openid-configuration"):
        told = client.get(path, base_url=PUBLIC).json
        assert told["issuer"] == PUBLIC
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"):
            assert told[name].startswith(f"{PUBLIC}/platform/")


def test_amounts_keep_their_digits(vendor: Vendor) -> None:
    assert vendor.send(scoreGiven=7.25).status_code == 204
    assert standing(vendor) == ("7.25", "graded")
    assert Decimal(str(vendor.call("GET", f"{vendor.column}/results").json[0]["resultScore"])) == Decimal("7.25")
