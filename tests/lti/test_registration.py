"""Dynamic registration as a tool (1EdTech lti-dr 1.0): whose a configuration is, what is asked, what answers mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.base.outbound import NetworkPolicy, Outbound, Reply
from lti.errors import RegistrationRefused, RegistrationUnavailable
from lti.tool.registration import explain_refusal, fetch_configuration, register
from lti.tool.registration_configuration import (
    PlatformConfiguration,
    is_issuers_own,
    read_configuration,
)
from lti.tool.registration_request import TOOL, ToolDescription, build_request, what_to_ask
from lti.vocab import FurtherScope, Scope
from tests.support.registering import PLATFORM, SCOPES, Vendor, running_vendor

URL = "https://lms.example.kz/openid-configuration"
ISSUER = "https://lms.example.kz"
TOOL_US = ToolDescription(
    login_url="https://kopir.kz:8443/lti/login",
    launch_url="https://kopir.kz:8443/lti/launch",
    jwks_url="https://kopir.kz:8443/lti/jwks.json",
    names={"kk": "Тесттер", "ru": "Тесты", "en": "Tests"},
    descriptions={"kk": "Құрал", "ru": "Инструмент", "en": "A tool"},
    language="kk",
    home_url="https://kopir.kz:8443/",
)


def everything() -> Outbound:
    return Outbound(NetworkPolicy(everything=True), connect=2, read=2, total=4)


def yes(_url: str) -> bool:
    return True


def no(_url: str) -> bool:
    return False


def document(**changes):
    vendor = Vendor(base=ISSUER, changes=changes)
    return vendor.document()


def read(url: str = URL, **changes) -> PlatformConfiguration:
    return read_configuration(document(**changes), url, no)


@pytest.mark.parametrize(
    ("configuration", "issuer"),
    [
        (URL, ISSUER),
        ("https://LMS.example.kz/x", ISSUER),
        ("https://lms.example.kz./x", ISSUER),
        ("https://lms.example.kz:443/x", ISSUER),
        ("https://lms.example.kz/moodle/mod/lti/openid-configuration.php", "https://lms.example.kz/moodle"),
        ("https://developer.blackboard.com/api", "https://blackboard.com"),
        ("http://localhost:8081/x", "http://localhost:8081"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]"),
    ],
)
def test_a_host_and_its_sub_domains_speak_for_their_issuer(configuration, issuer):
    assert is_issuers_own(configuration, issuer)


@pytest.mark.parametrize(
    ("configuration", "issuer"),
    [
        ("https://lms.example.kz.evil.tld/x", ISSUER),
        ("https://evil-lms.example.kz/x", ISSUER),
        ("https://evillms.example.kz/x", ISSUER),
        ("https://example.kz/x", ISSUER),
        ("https://other.example.kz/x", ISSUER),
        ("https://evil.tld/lms.example.kz", ISSUER),
        ("https://evil.tld/?x=https://lms.example.kz", ISSUER),
        ("http://lms.example.kz/x", ISSUER),
        ("https://lms.example.kz:8443/x", ISSUER),
        ("https://lms.example.kz/x", "https://lms.example.kz:8443"),
        ("https://evil.kz/x", "https://kz"),
        ("https://a.localhost/x", "https://localhost"),
        ("https://1.10.0.0.1/x", "https://10.0.0.1"),
        ("https://xn--lms-8cd.example.kz/x", ISSUER),
    ],
)
def test_a_host_that_only_looks_like_the_issuers_does_not_speak_for_it(configuration, issuer):
    assert not is_issuers_own(configuration, issuer)


_LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,4}[a-z0-9])?", fullmatch=True)


@given(st.lists(_LABEL, min_size=2, max_size=4), st.lists(_LABEL, min_size=1, max_size=3), st.text("abc-", max_size=3))
def test_ownership_goes_label_by_label(owner, below, stuck):
    host = ".".join(owner)
    assert is_issuers_own(f"https://{'.'.join([*below, host])}/x", f"https://{host}")
    assert not is_issuers_own(f"https://{host}/x", f"https://{'.'.join([*below, host])}")
    assert not is_issuers_own(f"https://{host}.evil-9/x", f"https://{host}")
    assert is_issuers_own(f"https://{stuck}{host}/x", f"https://{host}") is (stuck == "")


def test_a_configuration_is_read_whole_and_survives_being_kept():
    found = read(authorization_server="https://lms.example.kz/as")
    assert found.issuer == ISSUER
    assert found.authorization_server == "https://lms.example.kz/as"
    assert found.family_code == "moodle"
    assert [message.type for message in found.messages] == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert PlatformConfiguration.from_value(json.loads(json.dumps(found.to_value()))) == found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuer": None}, "configuration_incomplete"),
        ({"issuer": ["https://lms.example.kz"]}, "configuration_incomplete"),
        ({"registration_endpoint": None}, "configuration_incomplete"),
        ({"jwks_uri": ""}, "configuration_incomplete"),
        ({"issuer": "https://lms.example"}, "issuer_mismatch"),
        ({"issuer": "https://lms.example.kz.evil.tld"}, "issuer_mismatch"),
        ({"issuer": "https://lms.example.kz?x=1"}, "issuer_mismatch"),
        ({"issuer": "http://lms.example.kz"}, "not_https"),
        ({"token_endpoint": "http://lms.example.kz/token"}, "not_https"),
        ({"token_endpoint": "ftp://lms.example.kz/token"}, "bad_address"),
        ({"token_endpoint": "file:///etc/passwd"}, "bad_address"),
        ({"jwks_uri": "https://user:secret@lms.example.kz/jwks"}, "bad_address"),
        ({"authorization_endpoint": "https://evil;script-src *.tld/auth"}, "bad_address"),
        ({"authorization_endpoint": "https://evil;img-src/auth"}, "bad_address"),
        ({"authorization_endpoint": "https://lms.example.kz/a\r\nSet-Cookie: x"}, "bad_address"),
        ({"authorization_endpoint": "https://lms.example.kz\\@evil.tld/"}, "bad_address"),
        ({"authorization_endpoint": "https://lms.exаmple.kz/auth"}, "bad_address"),
        ({"registration_endpoint": "https://lms.example.kz:0/register"}, "bad_address"),
        ({"registration_endpoint": "https://lms.example.kz:99999/register"}, "bad_address"),
        ({"registration_endpoint": "https://lms.example.kz/" + "x" * 3000}, "bad_address"),
        ({"response_types_supported": ["code"]}, "unsupported_platform"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "unsupported_platform"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, "unsupported_platform"),
    ],
)
def test_a_configuration_that_cannot_be_trusted_or_used_is_refused(changes, reason):
    with pytest.raises(RegistrationRefused) as refused:
        read(**changes)
    assert refused.value.reason == reason


def test_https_with_one_address_in_the_clear_is_refused_even_where_http_is_allowed():
    with pytest.raises(RegistrationRefused) as refused:
        read_configuration(document(token_endpoint="http://lms.example.kz/token"), URL, yes)
    assert refused.value.reason == "mixed_security"


@pytest.mark.parametrize("value", [None, [], "text", 7, {}])
def test_a_document_of_another_kind_is_refused(value):
    with pytest.raises(RegistrationRefused):
        read_configuration(value, URL, no)


def test_lists_of_the_wrong_kind_are_read_as_empty():
    found = read(scopes_supported="all", claims_supported={"a": 1}, **{PLATFORM: {"messages_supported": [1, {}]}})
    assert (found.scopes, found.claims, found.messages) == ((), (), ())


def test_everything_moodle_wants_is_in_the_request():
    body = build_request(read(), TOOL_US)
    for name in ("response_types", "initiate_login_uri", "redirect_uris", "client_name", "jwks_uri"):
        assert body[name], name
    assert body["application_type"] == "web"
    assert body["token_endpoint_auth_method"] == "private_key_jwt"
    assert body["response_types"] == ["id_token"]
    assert set(body["grant_types"]) == {"implicit", "client_credentials"}
    assert body["redirect_uris"] == ["https://kopir.kz:8443/lti/launch"]
    tool = body[TOOL]
    assert tool["domain"] == "kopir.kz:8443"
    assert tool["target_link_uri"] == "https://kopir.kz:8443/lti/launch"
    assert [message["type"] for message in tool["messages"]] == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert tool["messages"][1]["placements"] == ["ContentArea"]


def test_names_come_in_the_schools_language_with_the_others_beside_them():
    body = build_request(read(), TOOL_US)
    assert (body["client_name"], body["client_name#ru"], body["client_name#en"]) == ("Тесттер", "Тесты", "Tests")
    assert "client_name#kk" not in body
    assert body[TOOL]["description#ru"] == "Инструмент"


def test_no_more_is_asked_than_is_needed_and_offered():
    asked = what_to_ask(read(scopes_supported=[*SCOPES[:2], "openid", "https://lms.example.kz/delete-everything"]))
    assert asked.scopes == tuple(SCOPES[:2])
    assert set(asked.missing_scopes) == set(SCOPES[2:])
    assert "email" not in asked.claims
    assert asked.custom == {"user_idnumber": "$Person.sourcedId", "context_id_history": "$Context.id.history"}


def test_a_platform_that_lists_no_scopes_is_asked_for_all():
    assert set(what_to_ask(read(scopes_supported=None)).scopes) == set(SCOPES)


def test_canvas_is_told_the_privacy_level_and_given_only_placements_that_pick():
    placements = ["course_navigation", "https://canvas.instructure.com/lti/assignment_selection", "link_selection"]
    platform = {
        "product_family_code": "canvas",
        "messages_supported": [{"type": "LtiDeepLinkingRequest", "placements": placements}],
    }
    tool = build_request(read(**{PLATFORM: platform}), TOOL_US)[TOOL]
    assert tool["https://canvas.instructure.com/lti/privacy_level"] == "name_only"
    picker = next(message for message in tool["messages"] if message["type"] == "LtiDeepLinkingRequest")
    assert picker["placements"] == placements[1:]


def test_submission_review_is_asked_where_it_is_offered():
    offered = {"messages_supported": [{"type": "LtiSubmissionReviewRequest"}]}
    assert "LtiSubmissionReviewRequest" in what_to_ask(read(**{PLATFORM: offered})).messages
    assert "LtiSubmissionReviewRequest" not in what_to_ask(read()).messages


def respond_with(status: int, body: str | bytes, **headers: str):
    from werkzeug.wrappers import Response

    return lambda _request: Response(body, status, headers=headers)


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (respond_with(302, "", Location="http://10.0.0.1/"), RegistrationRefused, "configuration_redirects"),
        (respond_with(301, "", Location="https://lms.example.kz/"), RegistrationRefused, "configuration_redirects"),
        (respond_with(401, "no"), RegistrationRefused, "token_refused"),
        (respond_with(403, "no"), RegistrationRefused, "token_refused"),
        (respond_with(404, "no"), RegistrationUnavailable, "configuration_unavailable"),
        (respond_with(503, "busy", **{"Retry-After": "30"}), RegistrationUnavailable, "configuration_unavailable"),
        (respond_with(200, "<!DOCTYPE html><html>"), RegistrationRefused, "configuration_unreadable"),
        (respond_with(200, "[" * 100_000), RegistrationRefused, "configuration_unreadable"),
        (respond_with(200, b"\xff\xfe\x00"), RegistrationRefused, "configuration_unreadable"),
        (respond_with(200, b"{" + b" " * 300_000 + b"}"), RegistrationRefused, "answer_too_large"),
    ],
)
def test_an_answer_that_is_no_configuration_is_refused(answer, error, reason):
    with running_vendor(Vendor(configuration=answer)) as lms, pytest.raises(error) as refused:
        fetch_configuration(everything(), f"{lms.base}/openid-configuration", None, http_allowed=yes)
    assert refused.value.reason == reason
    assert len(lms.asked) == 1


def test_a_private_address_is_not_reached_unless_allowed():
    with running_vendor() as lms:
        guarded = Outbound(NetworkPolicy())
        with pytest.raises(RegistrationRefused) as refused:
            fetch_configuration(guarded, f"{lms.base}/openid-configuration", None, http_allowed=yes)
        assert refused.value.reason == "private_network"
        assert lms.asked == []


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "/x", "https://", "http:///x", "https://[x]/", "\x00"])
def test_an_address_that_is_none_is_refused_before_any_call(url):
    with pytest.raises(RegistrationRefused) as refused:
        fetch_configuration(everything(), url, None, http_allowed=yes)
    assert refused.value.reason == "bad_address"


@pytest.mark.parametrize("token", ["two words", "new\nline", "ключ", "x" * 9000])
def test_a_token_that_cannot_be_a_header_is_refused(token):
    with running_vendor() as lms:
        with pytest.raises(RegistrationRefused) as refused:
            fetch_configuration(everything(), f"{lms.base}/openid-configuration", token, http_allowed=yes)
        assert refused.value.reason == "bad_token"
        assert lms.asked == []


def test_the_request_is_json_with_the_token_and_sent_once():
    with running_vendor() as lms:
        found = fetch_configuration(everything(), f"{lms.base}/openid-configuration", "reg-token", http_allowed=yes)
        client = register(everything(), found, build_request(found, TOOL_US), "reg-token")
        headers = lms.headers_of("POST", "/register")
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer reg-token"
    assert headers["User-Agent"].startswith("Kopir/")
    assert (client.client_id, client.deployment_id) == ("client-1", "7")
    assert set(client.scopes or ()) == set(SCOPES)
    assert len(lms.registrations) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"client_id": "c"}, ("c", None, None)),
        ({"client_id": 10000000000042, TOOL: {"deployment_id": 12}}, ("10000000000042", "12", None)),
        ({"client_id": "c", "scope": "b a a", TOOL: {"deployment_id": ""}}, ("c", None, ("a", "b"))),
    ],
)
def test_ids_come_back_as_text_whatever_they_were(body, expected):
    with running_vendor(Vendor(answer=respond_with(201, json.dumps(body)))) as lms:
        client = register(everything(), configured(lms), {}, None)
    assert (client.client_id, client.deployment_id, client.scopes) == expected


def configured(lms: Vendor) -> PlatformConfiguration:
    return fetch_configuration(everything(), f"{lms.base}/openid-configuration", None, http_allowed=yes)


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"client_id": ""}', '{"client_id": true}', '{"client_id": "a\\nb"}', "<html>",
     json.dumps({"client_id": "x" * 300})],
)  # fmt: skip
def test_an_answer_without_a_client_id_registers_nothing(body):
    answering = Vendor(answer=respond_with(200, body))
    with running_vendor(answering) as lms, pytest.raises(RegistrationRefused) as refused:
        register(everything(), configured(lms), {}, None)
    assert refused.value.reason == "answer_unreadable"


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, "missing_domain", "application/json", "missing_domain"),
        (400, "domain_targetlinkuri_mismatch", "application/json", "domain_mismatch"),
        (401, "token_already_used", "application/json", "token_already_used"),
        (401, "missing_registration_token", "application/json", "token_missing"),
        (401, "", "text/html", "token_refused"),
        (400, '{"error": "invalid_redirect_uri"}', "application/json", "invalid_redirect_uri"),
        (400, '{"error": "invalid_client_metadata", "error_description": "…"}', "application/json",
         "invalid_client_metadata"),
        (400, "invalid_application_type", "application/json", "registration_refused"),
        (403, "<html><body>Sign in</body></html>", "text/html", "answered_with_page"),
        (302, "", "text/html", "answered_with_page"),
        (200, "<html><body>Sign in</body></html>", "text/html", "answered_with_page"),
        (503, "<html>maintenance</html>", "text/html", "registration_unavailable"),
        (500, "", "text/html", "registration_unavailable"),
        (429, "", "text/plain", "registration_unavailable"),
    ],
)  # fmt: skip
def test_a_platforms_refusal_has_a_reason_and_words(status, body, kind, reason):
    reply = Reply(status, {"content-type": kind}, body.encode(), "https://lms.example.kz/register")
    error = explain_refusal(reply)
    assert error.reason == reason
    assert str(error.message)


def test_free_text_of_a_platform_does_not_reach_the_person_or_the_log():
    reply = Reply(400, {"content-type": "text/plain"}, "Айгерім Әбдірахманова is not allowed".encode(), "https://x.kz")
    assert "Айгерім" not in str(explain_refusal(reply))


def test_no_answer_at_all_says_that_the_tool_may_be_there():
    with running_vendor() as lms:
        found = configured(lms)
    with pytest.raises(RegistrationUnavailable) as failed:
        register(everything(), found, {}, None)
    assert "Look in the LMS" in str(failed.value.message)


def test_registration_asks_for_groups_and_notices_only_where_they_are_offered():
    further = [str(scope) for scope in FurtherScope]
    offered = {"notice_types_supported": ["LtiContextCopyNotice", "LtiAssetProcessorSubmissionNotice"]}
    asked = what_to_ask(read(scopes_supported=[*map(str, Scope), *further], **{PLATFORM: offered}))
    assert set(further) <= set(asked.scopes)
    assert asked.notices == ("LtiContextCopyNotice",)
    plain = what_to_ask(read(scopes_supported=list(map(str, Scope)), **{PLATFORM: offered}))
    assert not set(further) & {*plain.scopes, *plain.missing_scopes}
    assert plain.notices == ()
    assert not set(further) & set(what_to_ask(read(scopes_supported=None)).scopes)


def test_registration_keeps_which_notices_a_platform_sends():
    found = read(**{PLATFORM: {"notice_types_supported": ["LtiHelloWorldNotice", 1]}})
    assert found.notices == ("LtiHelloWorldNotice",)
    assert PlatformConfiguration.from_value(json.loads(json.dumps(found.to_value()))) == found
    older = {name: value for name, value in found.to_value().items() if name != "notices"}
    assert PlatformConfiguration.from_value(older).notices == ()
