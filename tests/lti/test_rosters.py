"""NRPS 2.0 §2.4.2: differences followed where a platform tells them, whole reads elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from lti.tool.nrps import Member, NamesAndRolesService
from lti.tool.rosters import WHOLE_AFTER, KeptRoster, follow, merge
from lti.tool.tokens import TokenSource
from tests.lti.kit import NOW, OneKey, SetClock, member, outbound, page, registration

ROSTER = "/memberships"


class Kept:
    """A RosterStore that keeps JSON text, as the real one does."""

    def __init__(self) -> None:
        self.text: dict[str, str] = {}

    def load(self, url):
        return KeptRoster.from_value(json.loads(self.text[url])) if url in self.text else None

    def save(self, url, kept):
        self.text[url] = json.dumps(kept.to_value())

    def drop(self, url):
        self.text.pop(url, None)


class Course:
    """A course that numbers its changes and tells those after a number."""

    def __init__(self, lms) -> None:
        self.lms = lms
        self.log = [member(n) for n in range(1, 6)]
        lms.rule(ROSTER, self.answer)

    def answer(self, call):
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.lms.valid_tokens:
            return None
        since = int(call.query.partition("since=")[2] or 0)
        people = {one["user_id"]: one for one in self.log[since:]}
        shown = [one for one in people.values() if since or one.get("status") != "Deleted"]
        link = f'<{self.lms.roster_url}?since={len(self.log)}>; rel="differences"'
        return Response(json.dumps({"context": {"id": "2"}, "members": shown}), headers={"Link": link})


def service(lms, profile: str = "canvas") -> NamesAndRolesService:
    http = outbound()
    return NamesAndRolesService(
        http, TokenSource(http, OneKey(), None, SetClock()), registration(lms.base, profile=profile), "1"
    )


def ids(roster) -> set[str]:
    return {one.user_id for one in roster.members}


def queries(lms) -> list[str]:
    return [call.query for call in lms.seen(ROSTER)]


def test_nrps_differences_are_asked_for_after_the_first_whole_read(lms):
    course, store = Course(lms), Kept()
    assert ids(follow(service(lms), lms.roster_url, store, NOW)) == {"1", "2", "3", "4", "5"}
    course.log += [member(6), {**member(2), "status": "Deleted"}, {**member(3), "name": "Жаңа Есім"}]
    roster = follow(service(lms), lms.roster_url, store, NOW + timedelta(hours=1))
    assert ids(roster) == {"1", "3", "4", "5", "6"}
    assert roster.proves_absence
    assert next(one for one in roster.members if one.user_id == "3").names.full == "Жаңа Есім"
    again = follow(service(lms), lms.roster_url, store, NOW + timedelta(hours=2))
    assert again.members == roster.members
    assert queries(lms) == ["", "since=5", "since=8"]


def test_nrps_differences_say_the_last_word_on_somebody_who_left_and_came_back(lms):
    course, store = Course(lms), Kept()
    follow(service(lms), lms.roster_url, store, NOW)
    course.log += [{**member(2), "status": "Deleted"}, member(2)]
    assert "2" in ids(follow(service(lms), lms.roster_url, store, NOW))


def test_nrps_a_whole_read_is_made_at_least_once_a_day(lms):
    course, store = Course(lms), Kept()
    follow(service(lms), lms.roster_url, store, NOW)
    course.log.append(member(6))
    later = NOW + WHOLE_AFTER
    assert "6" in ids(follow(service(lms), lms.roster_url, store, later))
    assert queries(lms) == ["", ""]
    assert store.load(lms.roster_url).whole_at == later


@pytest.mark.parametrize(
    "fault",
    [lambda: Response("", 404), lambda: Response("", 400), lambda: page(200), lambda: Response('{"members": [{}]}')],
)
def test_nrps_differences_that_cannot_be_had_whole_are_replaced_by_a_whole_read(lms, fault):
    course, store = Course(lms), Kept()
    follow(service(lms), lms.roster_url, store, NOW)
    course.log.append({**member(2), "status": "Deleted"})
    lms.rules.insert(0, (ROSTER, None, lambda call: fault() if "since=5" in call.query else None))
    assert "2" not in ids(follow(service(lms), lms.roster_url, store, NOW))
    # The address that came with the whole read is the one used next.
    course.log.append(member(9))
    assert "9" in ids(follow(service(lms), lms.roster_url, store, NOW))
    assert queries(lms)[-1] == "since=6"


def test_nrps_without_differences_every_read_is_whole_and_nothing_is_kept(lms):
    store = Kept()
    for _ in range(2):
        assert len(follow(service(lms, "moodle"), lms.roster_url, store, NOW).members) == 34
    assert store.text == {}
    assert queries(lms) == ["", ""]


def test_nrps_an_incomplete_whole_read_keeps_nothing_to_go_on_from(lms):
    course, store = Course(lms), Kept()
    course.log.append({})
    lms.rules.clear()
    link = f'<{lms.roster_url}?since=1>; rel="differences"'
    lms.rule(ROSTER, lambda call: Response(json.dumps({"members": [member(1), {}]}), headers={"Link": link}))
    roster = follow(service(lms), lms.roster_url, store, NOW)
    assert not roster.complete
    assert roster.differences_url is None
    assert store.text == {}


def test_nrps_an_address_of_differences_on_another_site_is_never_asked(lms):
    link = {"Link": '<https://evil.example/?since=1>; rel="differences"'}
    lms.rule(ROSTER, lambda call: Response(json.dumps({"members": [member(1)]}), headers=link))
    assert service(lms).read_members(lms.roster_url).differences_url is None


def test_nrps_next_and_differences_may_stand_in_one_header(lms):
    def answer(call):
        url = lms.roster_url
        if "p=2" in call.query:
            return Response(
                json.dumps({"members": [member(2)]}), headers={"Link": f'<{url}?since=7>; rel="differences"'}
            )
        both = f'<{url}?p=2>; rel="next", <{url}?since=6>; rel="differences"'
        return Response(json.dumps({"members": [member(1)]}), headers={"Link": both})

    lms.rule(ROSTER, answer)
    roster = service(lms).read_members(lms.roster_url)
    assert ids(roster) == {"1", "2"}
    assert roster.differences_url == f"{lms.roster_url}?since=7"


_PEOPLE = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(["Active", "Inactive", "Deleted"])), max_size=8
).map(lambda pairs: tuple(Member(name, frozenset(), status) for name, status in pairs))


@given(_PEOPLE, _PEOPLE)
def test_nrps_differences_taken_in_two_steps_are_the_same_as_in_one(first, second):
    before = (Member("a", frozenset()), Member("b", frozenset()))
    assert merge(merge(before, first), second) == merge(before, first + second)
    assert all(one.status != "Deleted" for one in merge(before, first))


def test_nrps_what_is_kept_is_read_back_whole():
    one = Member.parse({**member(7), "group_enrollments": [{"group_id": "g"}], "lti11_legacy_user_id": "old"})
    kept = KeptRoster(None, (one,), "https://lms.kz/m?since=1", NOW)
    assert KeptRoster.from_value(json.loads(json.dumps(kept.to_value()))) == kept
    assert "Оқушы" not in repr(kept)
