"""What a plain tool and a Moodle 4.5.6 once said to each other, as a table."""

from __future__ import annotations

from typing import Any

MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
BASE = "http://localhost:8081"
SERVICES = "/mod/lti/services.php"
ROSTER = f"{SERVICES}/CourseSection/2/bindings/1/memberships"
ITEMS = f"{SERVICES}/2/lineitems"


def score(
    user: str = "6", given: Any = 30, of: Any = 40, at: str = "2026-11-21T21:52:15.385Z", **more: Any
) -> dict[str, Any]:
    body = {"userId": user, "scoreGiven": given, "scoreMaximum": of, "timestamp": at}
    body |= {"activityProgress": "Completed", "gradingProgress": "FullyGraded", **more}
    return {name: value for name, value in body.items() if value is not None}


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
