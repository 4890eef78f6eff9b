"""Each flag of a profile changes what is sent or how an answer is read: AGS 2.0 and NRPS 2.0 as products have them."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from lti.errors import ServiceForbidden
from lti.tool.ags import AssignmentAndGradeService
from lti.tool.gradebook import LineItem, Result, Score
from lti.tool.links import without_repeats
from lti.tool.nrps import NamesAndRolesService
from lti.tool.tokens import TokenSource
from tests.lti.kit import NOW, OneKey, SetClock, member, outbound, registration

SCORES, RESULTS = "/lineitem/scores", "/lineitem/results"


def of(lms, profile: str) -> tuple[AssignmentAndGradeService, NamesAndRolesService]:
    http = outbound()
    tokens, named = TokenSource(http, OneKey(), None, SetClock()), registration(lms.base, profile=profile)
    return AssignmentAndGradeService(http, tokens, named, "1"), NamesAndRolesService(http, tokens, named, "1")


def made(lms, profile: str, maximum: str = "40") -> str:
    item = of(lms, profile)[0].create_line_item(lms.line_items_url, LineItem("Зертхана", Decimal(maximum)))
    return str(item.id)


def posted(lms, path: str) -> dict:
    return json.loads(lms.seen(path, "POST")[-1].body)


# Whole numbers only.


@pytest.mark.parametrize(("profile", "sent"), [("openedx", 13), ("moodle", 12.5)])
def test_profile_integer_maximum_makes_a_column_of_whole_points(lms, profile, sent):
    made(lms, profile, "12.5")
    assert posted(lms, "/lineitems")["scoreMaximum"] == sent


def test_profile_integer_maximum_holds_for_a_changed_column_too(lms):
    ags, _ = of(lms, "openedx")
    item = ags.get_line_item(made(lms, "openedx"))
    assert ags.update_line_item(replace(item, score_maximum=Decimal("0.5"))).score_maximum == 1


@pytest.mark.parametrize(("profile", "sent"), [("openedx", (85, 125)), ("moodle", (8.5, 12.5))])
def test_profile_integer_maximum_sends_a_score_as_the_same_share_of_whole_points(lms, profile, sent):
    url = made(lms, profile)
    assert of(lms, profile)[0].post_score(url, Score("6", NOW, Decimal("8.5"), Decimal("12.5"))).accepted
    body = posted(lms, SCORES)
    assert (body["scoreGiven"], body["scoreMaximum"]) == sent


@given(st.decimals(0, 1000, places=3, allow_nan=False), st.decimals("0.001", 1000, places=3, allow_nan=False))
def test_profile_integer_maximum_changes_no_mark(given_, maximum):
    score = Score("6", NOW, given_, maximum)
    whole = score.with_whole_maximum()
    assert whole.score_maximum % 1 == 0
    assert whole.score_given * maximum == given_ * whole.score_maximum


def test_profile_integer_maximum_leaves_a_cleared_score_alone():
    cleared = Score("6", NOW)
    assert cleared.with_whole_maximum() is cleared


# New lines in comments.


@pytest.mark.parametrize(("profile", "sent"), [("blackboard", "Бір<br/>екі<br/><br/>үш"), ("moodle", "Бір\nекі\n\nүш")])
def test_profile_comment_line_break_is_written_as_the_product_shows_it(lms, profile, sent):
    ags, url = of(lms, profile)[0], made(lms, profile)
    ags.post_score(url, Score("6", NOW, Decimal(3), Decimal(4), comment="Бір\nекі\n\nүш"))
    assert posted(lms, SCORES)["comment"] == sent


def test_profile_comment_line_break_is_read_back_as_a_new_line(lms):
    url = made(lms, "blackboard")
    lms.rule(RESULTS, lambda call: Response(json.dumps([{"userId": "6", "resultScore": 3, "comment": "Бір<br/>екі"}])))
    assert of(lms, "blackboard")[0].read_results(url)[0].comment == "Бір\nекі"
    assert of(lms, "moodle")[0].read_results(url)[0].comment == "Бір<br/>екі"


@given(st.text(alphabet="аб \n", max_size=20).filter(str.strip))
def test_profile_comment_line_break_survives_the_way_there_and_back(comment):
    sent = Score("6", NOW, Decimal(3), Decimal(4), comment=comment).with_line_breaks("<br/>").comment
    assert Result("6", Decimal(3), Decimal(4), comment=sent).with_line_breaks("<br/>").comment == comment


# Page sizes.


@pytest.mark.parametrize(("profile", "sent"), [("d2l", "type_id=1&limit=200"), ("moodle", "type_id=1")])
def test_profile_line_items_page_limit_is_asked_for(lms, profile, sent):
    of(lms, profile)[0].list_line_items(lms.line_items_url)
    assert lms.seen("/lineitems", "GET")[-1].query == sent


@pytest.mark.parametrize(("profile", "sent"), [("d2l", "limit=200"), ("moodle", "")])
def test_profile_roster_limit_is_asked_for_unless_the_caller_says_otherwise(lms, profile, sent):
    roster = of(lms, profile)[1]
    assert len(roster.read_members(lms.roster_url).members) == 34
    assert lms.seen("/memberships")[-1].query == sent
    roster.read_members(lms.roster_url, limit=50)
    assert lms.seen("/memberships")[-1].query == "limit=50"


# Links that repeat themselves.


def test_profile_link_query_repeated_follows_a_next_page_with_each_parameter_once(lms):
    def answer(call):
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in lms.valid_tokens:
            return None
        if "page=2" in call.query:
            # Blackboard refuses its own address when a parameter stands in it twice.
            good = call.query.count("rlid=") == 1
            return Response(json.dumps({"members": [member(2)]}), 200 if good else 400)
        link = f'<{lms.roster_url}?rlid=_1&page=2&rlid=_1>; rel="next"'
        return Response(json.dumps({"members": [member(1)]}), headers={"Link": link})

    lms.rule("/memberships", answer)
    whole = of(lms, "blackboard")[1].read_members(lms.roster_url, rlid="_1")
    assert [one.user_id for one in whole.members] == ["1", "2"]
    assert whole.complete
    assert lms.seen("/memberships")[-1].query == "rlid=_1&page=2"
    # Everybody else's links are followed to the letter.
    assert not of(lms, "canvas")[1].read_members(lms.roster_url, rlid="_1").complete
    assert lms.seen("/memberships")[-1].query == "rlid=_1&page=2&rlid=_1"


@pytest.mark.parametrize(
    ("url", "once"),
    [
        ("https://lms.kz/m?rlid=1&rlid=1", "https://lms.kz/m?rlid=1"),
        ("https://lms.kz/m?rlid=1&x=%20&rlid=2", "https://lms.kz/m?rlid=1&x=%20"),
        ("https://lms.kz/m", "https://lms.kz/m"),
        ("https://lms.kz/m?a", "https://lms.kz/m?a"),
        ("https://lms.kz/m?%61=1&a=2#x", "https://lms.kz/m?%61=1#x"),
    ],
)
def test_profile_link_query_repeated_keeps_the_first_mention_in_its_own_spelling(url, once):
    assert without_repeats(url) == once


# Comments and the filter by person.


@pytest.mark.parametrize(("profile", "query"), [("blackboard", "type_id=1"), ("moodle", "type_id=1&user_id=6")])
def test_profile_results_by_user_drop_comment_reads_the_column_and_keeps_the_comment(lms, profile, query):
    url = made(lms, profile)
    ags = of(lms, profile)[0]

    def answer(call):
        rows = [{"userId": user, "resultScore": 3, "comment": f"Пікір {user}"} for user in ("5", "6")]
        return Response(json.dumps(rows[1:] if "user_id=6" in call.query else rows))

    lms.rule(RESULTS, answer)
    (found,) = ags.read_results(url, "6")
    assert (found.user_id, found.comment) == ("6", "Пікір 6")
    assert lms.seen(RESULTS)[-1].query == query


# Columns no tool may delete.


def test_profile_line_items_deletable_is_known_without_asking(lms):
    url = made(lms, "openedx")
    with pytest.raises(ServiceForbidden) as caught:
        of(lms, "openedx")[0].delete_line_item(url)
    assert caught.value.reason == "not_deletable"
    assert lms.count("/lineitem", "DELETE") == 0
    of(lms, "moodle")[0].delete_line_item(url)
    assert lms.count("/lineitem", "DELETE") == 1
