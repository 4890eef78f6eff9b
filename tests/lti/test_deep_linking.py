"""Deep Linking 2.0: content items (§3) and the response (§4.5), as Moodle 4.5 took it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lti.errors import DeepLinkingRefused
from lti.tool.claims import DeepLinkingSettings
from lti.tool.content_items import (
    FileItem,
    Frame,
    HtmlItem,
    ImageItem,
    ItemLineItem,
    LinkItem,
    Picture,
    ResourceLinkItem,
    Span,
    Window,
    fit,
    harmless,
    takes_media,
)
from lti.tool.deep_linking import Words, build_response
from lti.tool.signature import read_header, verify
from lti.vocab import Claim
from tests.lti.kit import CLIENT, ISSUER, NOW, key_pair, registration

SETTINGS = DeepLinkingSettings(
    return_url="http://moodle.example/mod/lti/contentitem_return.php?course=2&id=1&sesskey=Jd",
    accept_types=frozenset({"ltiResourceLink"}),
    accept_multiple=True,
)
ITEM = ResourceLinkItem(
    title="Бақылау жұмысы №1",
    url="https://kopir.example/launch",
    text="Алгебра",
    custom={"exam_id": "1"},
    line_item=ItemLineItem(Decimal("40"), "Бақылау", "exam-1", "exam"),
    iframe=Frame(800, 600),
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
    found = claims_of(respond([], words=Words("Дайын", "Болмады")))
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
    assert claims_of(respond([ResourceLinkItem(title="a")]))[Claim.DL_CONTENT_ITEMS] == [
        {"type": "ltiResourceLink", "title": "a"}
    ]


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


START, END = datetime(2026, 11, 23, 4, tzinfo=UTC), datetime(2026, 11, 30, 4, tzinfo=UTC)
ALL = replace(SETTINGS, accept_types=frozenset({"ltiResourceLink", "link", "file", "html", "image"}))
EVERY = [
    (
        ResourceLinkItem(
            title="a", icon=Picture("https://k.kz/i.png", 16, 16), thumbnail=Picture("https://k.kz/t.png"),
            window=Window("_blank", 800, 600, "menubar=no"), available=Span(START, END), submission=Span(end=END),
            line_item=ItemLineItem(Decimal(10), grades_released=False, reviewed_at="https://k.kz/review"),
            extensions={"https://k.kz/ext": {"a": 1}},
        ),
        {
            "type": "ltiResourceLink", "title": "a",
            "icon": {"url": "https://k.kz/i.png", "width": 16, "height": 16}, "thumbnail": {"url": "https://k.kz/t.png"},
            "window": {"targetName": "_blank", "width": 800, "height": 600, "windowFeatures": "menubar=no"},
            "available": {"startDateTime": "2026-11-23T04:00:00.000Z", "endDateTime": "2026-11-30T04:00:00.000Z"},
            "submission": {"endDateTime": "2026-11-30T04:00:00.000Z"},
            "lineItem": {"scoreMaximum": 10, "gradesReleased": False, "submissionReview": {
                "reviewableStatus": ["Submitted", "Completed"], "url": "https://k.kz/review"}},
            "https://k.kz/ext": {"a": 1},
        },
    ),
    (
        LinkItem(url="https://k.kz/x", text="t", embed="<b onclick=x()>k</b><script>1</script>",
                 iframe=Frame(400, 300, "https://k.kz/f")),
        {"type": "link", "url": "https://k.kz/x", "text": "t", "embed": {"html": "<b>k</b>"},
         "iframe": {"src": "https://k.kz/f", "width": 400, "height": 300}},
    ),
    (
        FileItem(url="https://k.kz/x.pdf", title="x", kind="application/pdf", expires_at=END),
        {"type": "file", "url": "https://k.kz/x.pdf", "title": "x", "expiresAt": "2026-11-30T04:00:00.000Z"},
    ),
    (HtmlItem(html="<p>Ә</p>"), {"type": "html", "html": "<p>Ә</p>"}),
    (
        ImageItem(url="https://k.kz/x.png", width=10, height=20),
        {"type": "image", "url": "https://k.kz/x.png", "width": 10, "height": 20},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("item", "claim"), EVERY, ids=lambda value: getattr(value, "type", ""))
def test_every_type_travels_with_every_property(item, claim):
    assert claims_of(respond([item], ALL))[Claim.DL_CONTENT_ITEMS] == [claim]


@pytest.mark.parametrize(
    "bad",
    [
        LinkItem(url="ftp://k.kz/x"),
        FileItem(url="/relative"),
        ImageItem(url="https://k.kz/x.png", width=0),
        HtmlItem(html="<script>alert(1)</script>"),
        ResourceLinkItem(title="a", icon=Picture("javascript:1")),
        ResourceLinkItem(title="a", window=Window(width=-1)),
        ResourceLinkItem(title="a", extensions={"short": 1}),
        ResourceLinkItem(),
    ],
)
def test_property_no_platform_could_use_is_refused(bad):
    with pytest.raises(DeepLinkingRefused) as caught:
        respond([bad], ALL)
    assert caught.value.reason == "bad_item"


def test_span_that_ends_before_it_starts_is_none():
    with pytest.raises(ValueError, match="ends after"):
        Span(END, START)
    with pytest.raises(ValueError, match="zone"):
        Span(START.replace(tzinfo=None)).to_claim()


def test_what_the_platform_does_not_take_is_left_out_with_its_reason():
    one = replace(ALL, accept_types=frozenset({"ltiResourceLink", "file"}), accept_multiple=False,
                  accept_media_types=frozenset({"image/*"}))  # fmt: skip
    pdf = FileItem(url="https://k.kz/x.pdf", kind="application/pdf")
    html = HtmlItem(html="<p>a</p>")
    fitted = fit(one, [html, pdf, ITEM, ITEM])
    assert fitted.items == (ITEM,)
    assert fitted.left_out == ((html, "type"), (pdf, "media_type"), (ITEM, "one_at_a_time"))


@pytest.mark.parametrize(
    ("targets", "window", "iframe"),
    [(set(), True, True), ({"iframe"}, False, True), ({"window"}, True, False), ({"frame"}, False, False)],
)
def test_way_of_opening_the_platform_does_not_offer_is_left_away(targets, window, iframe):
    item = replace(ITEM, window=Window("_blank"))
    (fitted,) = fit(replace(ALL, accept_targets=frozenset(targets)), [item]).items
    assert (fitted.window is not None, fitted.iframe is not None) == (window, iframe)


@pytest.mark.parametrize(
    ("accepted", "media_type", "taken"),
    [((), "application/pdf", True), (("application/pdf",), "application/pdf; v=1", True),
     (("image/*",), "image/png", True), (("image/*",), "text/html", False), (("*/*",), "text/html", True)],
)  # fmt: skip
def test_media_types_are_matched_as_the_platform_wrote_them(accepted, media_type, taken):
    assert takes_media(frozenset(accepted), media_type) is taken


def test_logs_travel_beside_the_messages():
    found = claims_of(respond([], words=Words(log="l", error_log="e")))
    assert (found[Claim.DL_LOG], found[Claim.DL_ERRORLOG]) == ("l", "e")


@pytest.mark.parametrize(
    "html",
    ["<img src=x onerror=alert(1)>", "<a href='javascript:alert(1)'>a</a>", "<iframe src=//x></iframe>",
     "<form action=//x>",
     "<style>*{}</style>", "<p style='background:url(//x)'>a</p>", "<svg onload=alert(1)>",
     "<object data=//x></object>"],
)  # fmt: skip
def test_html_that_could_do_harm_is_disarmed(html):
    clean = harmless(html).lower()
    for word in ("onerror", "javascript:", "<iframe", "<form", "<style", "style=", "onload", "<object", "<svg"):
        assert word not in clean
