"""Names and Role Provisioning Services 2.0 against a roster that behaves as Moodle 4.5's."""

from __future__ import annotations

import json

import pytest
from werkzeug.wrappers import Response

from lti.errors import ServiceForbidden, ServiceUnavailable, ServiceUnreadable
from lti.tool.nrps import Member, NamesAndRolesService
from lti.tool.roles import Role
from lti.tool.tokens import TokenSource
from tests.lti.kit import OneKey, SetClock, member, outbound, page

ROSTER = "/memberships"


def service(lms) -> NamesAndRolesService:
    http = outbound()
    return NamesAndRolesService(http, TokenSource(http, OneKey(), None, SetClock()), lms.registration, "1")


def test_the_whole_roster_comes_in_one_page(lms):
    roster = service(lms).read_members(lms.roster_url)
    assert len(roster.members) == 34
    assert roster.complete
    assert roster.proves_absence
    assert (roster.context.id, roster.context.label) == ("2", "MATH101")
    first = roster.members[0]
    assert first.roles == {Role.INSTRUCTOR}
    assert (first.sourcedid, first.username, first.names.given) == ("2026000001", "student01", "Оқушы")
    assert lms.seen(ROSTER)[0].headers["Accept"] == "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


def test_pages_are_followed_to_the_end(lms):
    roster = service(lms).read_members(lms.roster_url, limit=10)
    assert [m.user_id for m in roster.members] == [str(n) for n in range(1, 35)]
    assert roster.complete
    assert [c.query for c in lms.seen(ROSTER)] == [
        "limit=10",
        "limit=10&from=10",
        "limit=10&from=20",
        "limit=10&from=30",
    ]


def test_a_roster_of_one_role_proves_nobodys_absence(lms):
    roster = service(lms).read_members(lms.roster_url, role="Learner")
    assert len(roster.members) == 32
    assert roster.complete
    assert roster.filtered
    assert not roster.proves_absence


def test_a_link_that_is_in_the_address_already_is_not_doubled(lms):
    service(lms).read_members(lms.roster_url + "?rlid=1", rlid="1")
    assert lms.seen(ROSTER)[0].query == "rlid=1"


@pytest.mark.parametrize("fault", [lambda c: page(503), lambda c: page(200), lambda c: Response("{}", 404)])
def test_a_later_page_that_fails_makes_the_roster_incomplete(lms, fault):
    lms.rule(ROSTER, lambda call: fault(call) if "from=20" in call.query else None)
    roster = service(lms).read_members(lms.roster_url, limit=10)
    assert len(roster.members) == 20
    assert not roster.complete
    assert not roster.proves_absence
    assert roster.problem is not None


def test_a_next_page_on_another_site_makes_the_roster_incomplete(lms):
    link = {"Link": '<https://evil.example/>; rel="next"'}
    lms.rule(ROSTER, lambda call: Response(json.dumps({"members": [member(5)]}), headers=link))
    roster = service(lms).read_members(lms.roster_url)
    assert [m.user_id for m in roster.members] == ["5"]
    assert not roster.complete


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda c: page(503), ServiceUnavailable),
        (lambda c: page(200), ServiceUnreadable),
        (lambda c: Response("{}", 403), ServiceForbidden),
        (lambda c: Response("[]"), ServiceUnreadable),
        (lambda c: Response('{"members": {}}'), ServiceUnreadable),
        (lambda c: Response('{"id": "x"}'), ServiceUnreadable),
    ],
)
def test_a_first_page_that_fails_is_an_error_not_an_empty_roster(lms, fault, error):
    lms.rule(ROSTER, fault)
    with pytest.raises(error):
        service(lms).read_members(lms.roster_url)


@pytest.mark.parametrize("odd", [{}, {"user_id": ""}, None, "x", {"user_id": None, "roles": []}])
def test_a_member_that_cannot_be_read_makes_the_roster_incomplete(lms, odd):
    lms.members = [member(1), odd]
    roster = service(lms).read_members(lms.roster_url)
    assert len(roster.members) == 1
    assert not roster.complete


def test_somebody_who_comes_twice_means_that_the_list_moved(lms):
    lms.members = [member(1), member(2), member(1)]
    roster = service(lms).read_members(lms.roster_url)
    assert [m.user_id for m in roster.members] == ["1", "2"]
    assert not roster.complete


def test_an_empty_course_is_a_complete_roster(lms):
    lms.members = []
    assert service(lms).read_members(lms.roster_url).proves_absence


def test_what_a_member_does_not_say_has_its_default():
    found = Member.parse({"user_id": 5})
    assert found == Member("5", frozenset())
    assert found.status == "Active"
    assert Member.parse({"user_id": "5", "status": "Inactive", "roles": ["Learner", "Ghost"]}).roles == {Role.LEARNER}


def test_nobody_is_named_in_a_repr(lms):
    roster = service(lms).read_members(lms.roster_url)
    assert "Оқушы" not in repr(roster) + repr(roster.members[0])
    assert "2026000001" not in repr(roster.members[0])
