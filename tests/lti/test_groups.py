"""Course Groups Service 1.0 against a platform that answers as Blackboard's documentation shows."""

from __future__ import annotations

import json

import pytest
from werkzeug.wrappers import Response

from lti.errors import ServiceForbidden, ServiceUnreadable, TokenRefused
from lti.tool.groups import CourseGroupsService, Group, GroupSet
from lti.tool.nrps import Member
from lti.tool.tokens import TokenSource
from lti.vocab import FurtherScope
from tests.lti.kit import OneKey, SetClock, outbound, registration

GROUPS = [
    {"id": "g1", "name": "7А-1", "tag": "lab", "set_id": "s1"},
    {"id": "g2", "name": "7А-2", "set_id": "s1", "unknown": 1},
    {"id": 3},
]


def service(lms, profile: str = "blackboard") -> CourseGroupsService:
    http = outbound()
    lms.token_scopes.add(FurtherScope.GROUPS_READONLY)
    tokens = TokenSource(http, OneKey(), None, SetClock())
    return CourseGroupsService(http, tokens, registration(lms.base, profile=profile), "1")


def serve(lms, path: str, body: object, **headers: str) -> str:
    lms.rule(path, lambda call: Response(json.dumps(body), headers=headers) if authorised(lms, call) else None)
    return lms.base + path


def authorised(lms, call) -> bool:
    return call.headers.get("Authorization", "").removeprefix("Bearer ") in lms.valid_tokens


def test_groups_every_group_is_read_with_its_set_and_tag(lms):
    url = serve(lms, "/groups", {"id": "x", "groups": GROUPS})
    assert service(lms).read_groups(url) == [
        Group("g1", "7А-1", "lab", "s1"), Group("g2", "7А-2", "", "s1"), Group("3", "3"),
    ]  # fmt: skip
    call = lms.seen("/groups")[0]
    assert call.headers["Accept"] == "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"


def test_groups_the_smallest_scope_is_asked_for(lms):
    service(lms).read_groups(serve(lms, "/groups", {"groups": []}))
    assert "contextgroup.readonly" in lms.seen("/token.php")[0].body
    assert "membership" not in lms.seen("/token.php")[0].body


def test_groups_sets_have_their_own_media_type(lms):
    url = serve(lms, "/sets", {"id": "x", "sets": [{"id": "s1", "name": "Зертханалық топтар"}, {"id": "s2"}]})
    assert service(lms).read_sets(url) == [GroupSet("s1", "Зертханалық топтар"), GroupSet("s2", "s2")]
    assert lms.seen("/sets")[0].headers["Accept"].endswith("contextgroupsetcontainer+json")


def test_groups_of_one_person_are_asked_for_by_filter_and_the_query_is_kept(lms):
    url = serve(lms, "/groups", {"groups": GROUPS[:1]})
    assert len(service(lms).read_groups(f"{url}?course=2", user_id="a&b")) == 1
    assert lms.seen("/groups")[0].query == "course=2&user_id=a%26b"


def test_groups_pages_are_followed_as_they_are_and_a_repeated_parameter_is_taken_once(lms):
    def paged(call):
        if "page=2" in call.query:
            return Response(json.dumps({"groups": GROUPS[2:]}))
        link = f"<{lms.base}/groups?course=2&page=2&course=2>; rel=“next”".encode().decode("latin-1")
        return Response(json.dumps({"groups": GROUPS[:2]}), headers={"Link": link})

    lms.rule("/groups", paged)
    assert len(service(lms).read_groups(f"{lms.base}/groups?course=2")) == 3
    assert lms.seen("/groups")[1].query == "course=2&page=2"


@pytest.mark.parametrize("body", [[], {}, {"groups": {}}, {"groups": ["g1"]}, {"groups": [{"name": "nameless"}]}])
def test_groups_an_answer_that_cannot_be_read_whole_is_an_error_not_a_shorter_list(lms, body):
    with pytest.raises(ServiceUnreadable):
        service(lms).read_groups(serve(lms, "/groups", body))


def test_groups_a_service_that_is_not_allowed_says_so(lms):
    with pytest.raises(ServiceForbidden):
        lms.rule("/groups", lambda call: Response("", 403))
        service(lms).read_groups(lms.base + "/groups")
    http = outbound()
    with pytest.raises(TokenRefused):
        lms.token_scopes.discard(FurtherScope.GROUPS_READONLY)
        refused = CourseGroupsService(http, TokenSource(http, OneKey(), None, SetClock()), lms.registration, "1")
        refused.read_groups(lms.base + "/groups")


def test_groups_of_a_member_come_with_the_roster():
    value = {"user_id": "5", "group_enrollments": [{"group_id": "g1"}, {"group_id": 2}, {}, "g3", {"group_id": ""}]}
    assert Member.parse(value).groups == ("g1", "2")
    assert Member.parse({"user_id": "5", "group_enrollments": "g1"}).groups == ()
