"""Deep Linking 2.0: content items (§3) and the response (§4.5), as Moodle 4.5 took it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lti.errors import DeepLinkingRefused
from lti.tool.claims import DeepLinkingSettings
from lti.tool.deep_linking import ContentItem, ItemLineItem, build_response
from lti.tool.signature import read_header, verify
from lti.vocab import Claim
from tests.lti.kit import CLIENT, ISSUER, NOW, key_pair, registration

SETTINGS = DeepLinkingSettings(
    return_url="http://moodle.example/mod/lti/contentitem_return.php?course=2&id=1&sesskey=Jd",
    accept_types=frozenset({"ltiResourceLink"}),
    accept_multiple=True,
)
ITEM = ContentItem(
    "Бақылау жұмысы №1",
    url="https://kopir.example/launch",
    text="Алгебра",
    custom={"exam_id": "1"},
    line_item=ItemLineItem(Decimal("40"), "Бақылау", "exam-1", "exam"),
    iframe={"width": 800, "height": 600},
)


def respond(items, settings=SETTINGS, **more):
    return build_response(
        settings, items, registration=registration(), deployment_id="1", key=key_pair("tool"), now=NOW, **more
    )


def claims_of(response) -> dict:
    return verify(response.jwt, key_pair("tool").key)


def test_the_response_has_every_required_claim():
    response = respond([ITEM])
    found = claims_of(response)
    assert response.return_url == SETTINGS.return_url
    assert read_header(response.jwt) == {"typ": "JWT", "alg": "RS256", "kid": key_pair("tool").kid}
    assert len(found.pop("nonce")) >= 32
    assert found == {
        "iss": CLIENT,
        "aud": ISSUER,
        "iat": NOW.timestamp() - 60,
        "exp": NOW.timestamp() + 300,
        Claim.MESSAGE_TYPE: "LtiDeepLinkingResponse",
        Claim.VERSION: "1.3.0",
        Claim.DEPLOYMENT_ID: "1",
        Claim.DL_CONTENT_ITEMS: [
            {
                "type": "ltiResourceLink",
                "title": "Бақылау жұмысы №1",
                "url": "https://kopir.example/launch",
                "text": "Алгебра",
                "custom": {"exam_id": "1"},
                "lineItem": {"scoreMaximum": 40, "label": "Бақылау", "resourceId": "exam-1", "tag": "exam"},
                "iframe": {"width": 800, "height": 600},
            }
        ],
    }


def test_data_is_echoed_only_when_it_was_given():
    assert Claim.DL_DATA not in claims_of(respond([ITEM]))
    assert claims_of(respond([ITEM], replace(SETTINGS, data="op=321&v=ә")))[Claim.DL_DATA] == "op=321&v=ә"
    assert claims_of(respond([], replace(SETTINGS, data="")))[Claim.DL_DATA] == ""


def test_cancelling_answers_with_no_items():
    assert claims_of(respond([]))[Claim.DL_CONTENT_ITEMS] == []


def test_messages_for_the_teacher_travel():
    found = claims_of(respond([], message="Дайын", error="Болмады"))
    assert (found[Claim.DL_MSG], found[Claim.DL_ERRORMSG]) == ("Дайын", "Болмады")


def test_two_responses_never_have_one_nonce():
    assert claims_of(respond([]))["nonce"] != claims_of(respond([]))["nonce"]


@pytest.mark.parametrize(("accepts", "sent"), [(None, True), (True, True), (False, False)])
def test_a_column_is_left_out_only_where_the_platform_said_no(accepts, sent):
    item = claims_of(respond([ITEM], replace(SETTINGS, accept_line_item=accepts)))[Claim.DL_CONTENT_ITEMS][0]
    assert ("lineItem" in item) is sent


def test_more_items_than_the_platform_takes_are_refused():
    one = replace(SETTINGS, accept_multiple=False)
    assert len(claims_of(respond([ITEM, ITEM]))[Claim.DL_CONTENT_ITEMS]) == 2
    assert claims_of(respond([ITEM], one))
    with pytest.raises(DeepLinkingRefused) as caught:
        respond([ITEM, ITEM], one)
    assert caught.value.reason == "too_many_items"


def test_a_type_the_platform_does_not_take_is_refused():
    with pytest.raises(DeepLinkingRefused) as caught:
        respond([ITEM], replace(SETTINGS, accept_types=frozenset({"link", "html"})))
    assert caught.value.reason == "type_not_accepted"
    assert claims_of(respond([], replace(SETTINGS, accept_types=frozenset())))[Claim.DL_CONTENT_ITEMS] == []


@pytest.mark.parametrize("bad", [{"title": " "}, {"url": "javascript:alert(1)"}, {"url": ""}, {"url": "/launch"}])
def test_an_item_that_cannot_be_launched_is_refused(bad):
    with pytest.raises(DeepLinkingRefused) as caught:
        respond([replace(ITEM, **bad)])
    assert caught.value.reason == "bad_item"


def test_an_item_may_have_a_title_only():
    assert claims_of(respond([ContentItem("a")]))[Claim.DL_CONTENT_ITEMS] == [{"type": "ltiResourceLink", "title": "a"}]


def test_a_maximum_keeps_its_digits():
    line_item = claims_of(respond([replace(ITEM, line_item=ItemLineItem(Decimal("12.50")))]))[Claim.DL_CONTENT_ITEMS][0]
    assert line_item["lineItem"] == {"scoreMaximum": 12.5}


@pytest.mark.parametrize("maximum", ["0", "-1", "NaN", "Infinity"])
def test_a_column_needs_a_maximum_above_zero(maximum):
    with pytest.raises(ValueError, match="maximum"):
        ItemLineItem(Decimal(maximum))


def test_the_response_is_checked_before_it_leaves(monkeypatch):
    monkeypatch.setattr("lti.tool.deep_linking.sign", lambda claims, key: "a.b.c")
    with pytest.raises(DeepLinkingRefused) as caught:
        respond([ITEM])
    assert caught.value.reason == "self_check_failed"


def test_a_response_shows_no_token_in_its_repr():
    response = respond([ITEM])
    assert response.jwt not in repr(response)
