"""Launches that must be refused, each with its reason: Security Framework 1.0 §5.1.3, Core 1.3 §5.3, certification."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from connector.base.i18n import translate
from connector.base.secrets import Signer
from lti.errors import LaunchReason as R
from lti.errors import LaunchRefused, Outcome
from lti.tool.login import STATE_PURPOSE
from lti.tool.refusals import REFUSALS, refuse, replayed, teacher_message, with_error
from tests.lti.kit import (
    CLIENT,
    NOW,
    TARGET,
    Book,
    FixedKeys,
    Visit,
    claims,
    encode,
    encode_hs256,
    key_pair,
    registration,
)


def refused(visit: Visit | None = None, id_token: str | None = None, **options) -> LaunchRefused:
    with pytest.raises(LaunchRefused) as caught:
        (visit or Visit()).post(id_token, **options)
    error = caught.value
    assert error.clause
    assert error.trace[-1].outcome is Outcome.FAILED
    return error


def reason(*args, **options) -> R:
    return refused(*args, **options).launch_reason


# The twelve bad payloads of the certification guide 1.3, section 6.


def test_certification_1_no_kid_even_though_the_set_has_one_key():
    visit = Visit()
    assert reason(visit, visit.token({"typ": "JWT", "alg": "RS256"})) is R.MISSING_KID
    assert reason(visit, visit.token({"alg": "RS256", "kid": ""})) is R.MISSING_KID
    assert reason(visit, visit.token({"alg": "RS256", "kid": 7})) is R.MISSING_KID
    assert visit.keys.asked == []


def test_certification_2_incorrect_kid():
    visit = Visit()
    assert reason(visit, visit.token({"alg": "RS256", "kid": "imstester_66067"})) is R.UNKNOWN_KEY


@pytest.mark.parametrize("version", ["11.3", "1.3", "1.3.0 ", "LTI-1p3", "1.3.1", 1.3, ["1.3.0"]])
def test_certification_3_wrong_version(version):
    assert reason(VERSION=version) is R.WRONG_VERSION


def test_certification_4_no_version():
    assert reason(VERSION=None) is R.MISSING_CLAIM


def test_certification_5_not_an_lti_message():
    visit = Visit()
    token = encode({"alg": "RS256", "kid": key_pair().kid}, {"name": "badltilaunch"})
    assert reason(visit, token) is R.BAD_ISSUER


def test_certification_6_missing_claims():
    bare = {"MESSAGE_TYPE": None, "VERSION": None, "ROLES": None, "RESOURCE_LINK": None}
    assert reason(**bare) is R.MISSING_CLAIM


def test_certification_7_timestamps_incorrect():
    assert reason(iat=11111, exp=22222) is R.EXPIRED


def test_certification_8_no_message_type():
    assert reason(MESSAGE_TYPE=None) is R.MISSING_CLAIM


def test_certification_9_no_roles_claim():
    assert reason(ROLES=None) is R.MISSING_CLAIM


def test_certification_10_no_deployment_id():
    assert reason(DEPLOYMENT_ID=None) is R.MISSING_CLAIM
    assert reason(DEPLOYMENT_ID="") is R.MISSING_CLAIM


@pytest.mark.parametrize("link", [None, {}, {"title": "x"}, {"id": ""}, {"id": "x" * 256}, "1", []])
def test_certification_11_no_resource_link_id(link):
    assert reason(RESOURCE_LINK=link) is R.MISSING_CLAIM


@pytest.mark.parametrize("sub", [None, ""])
def test_certification_12_no_user_where_anonymous_launches_are_off(sub):
    assert reason(sub=sub) is R.MISSING_CLAIM


# Header and signature.


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS256", "RS384", "PS256", "ES256", "", None, 5])
def test_any_algorithm_but_rs256_is_refused_before_a_key_is_asked_for(alg):
    visit = Visit()
    assert reason(visit, visit.token({"alg": alg, "kid": key_pair().kid})) is R.BAD_ALGORITHM
    assert visit.keys.asked == []


def test_an_unsigned_token_is_refused():
    visit = Visit()
    token = visit.token({"alg": "none", "kid": key_pair().kid}).rsplit(".", 1)[0] + "."
    assert reason(visit, token) is R.BAD_ALGORITHM
    assert reason(visit, visit.token().rsplit(".", 1)[0] + ".") is R.BAD_SIGNATURE


def test_hs256_signed_with_the_public_key_is_refused():
    visit = Visit()
    public = key_pair().key.as_pem(private=False)
    for alg in ("HS256", "RS256"):
        token = encode_hs256({"alg": alg, "kid": key_pair().kid}, claims(visit.nonce), public)
        assert reason(visit, token) in (R.BAD_ALGORITHM, R.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
    ],
)
def test_a_header_that_brings_its_own_key_is_refused(extra):
    visit = Visit()
    token = visit.token({"alg": "RS256", "kid": key_pair().kid, **extra})
    assert reason(visit, token) is R.BAD_HEADER
    assert visit.keys.asked == []


def test_an_unknown_header_parameter_is_passed_over():
    visit = Visit()
    token = visit.token({"alg": "RS256", "kid": key_pair().kid, "typ": "JWT", "iat": 5})
    assert visit.post(token).subject == "5"


def test_a_header_over_512_bytes_is_refused():
    visit = Visit()
    token = visit.token({"alg": "RS256", "kid": key_pair().kid, "x": "y" * 600})
    assert reason(visit, token) is R.NOT_A_LAUNCH


def test_a_token_signed_by_another_key_under_a_known_kid_is_refused():
    visit = Visit()
    assert reason(visit, visit.token(key=key_pair("stranger").key)) is R.BAD_SIGNATURE


def test_a_changed_payload_is_refused():
    visit = Visit()
    head, _, mac = visit.token().split(".")
    other = visit.token(ROLES=["Instructor"]).split(".")[1]
    assert reason(visit, f"{head}.{other}.{mac}") is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    "token",
    ["x", "a.b", "a.b.c.d", "..", "e30.e30.", "bnVsbA.e30.AAAA", "WyJhbGciXQ.e30.AAAA", "ә.ә.ә", "eyJhbGciOiJSUzI1NiJ9",
     "NzU.e30.AAAA", "a" * 60_000],
)  # fmt: skip
def test_what_is_no_token_at_all_is_refused(token):
    assert reason(Visit(), token) is R.NOT_A_LAUNCH


@pytest.mark.parametrize("payload", [b"[]", b'["iss"]', b"null", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 20_000])
def test_a_payload_that_is_no_object_is_refused(payload):
    visit = Visit()
    token = encode({"alg": "RS256", "kid": key_pair().kid}, payload)
    assert reason(visit, token) is R.NOT_A_LAUNCH


# Parties and times.


@pytest.mark.parametrize("iss", ["http://moodle.example/", "http://evil.example", None, ["http://moodle.example"]])
def test_another_issuer_is_refused(iss):
    assert reason(iss=iss) is R.BAD_ISSUER


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"aud": ["other", CLIENT]},
        {"aud": [CLIENT, 7]},
        {"aud": {"a": CLIENT}},
        {"aud": [[CLIENT]]},
        {"aud": CLIENT + " "},
        {"azp": "other"},
        {"azp": ""},
        {"aud": [CLIENT], "azp": "other"},
    ],
)
def test_an_audience_that_is_not_us_alone_is_refused(changes):
    assert reason(**changes) is R.BAD_AUDIENCE


def test_an_empty_authorised_party_null_is_not_us():
    visit = Visit()
    body = {**claims(visit.nonce), "azp": None}
    assert reason(visit, encode({"alg": "RS256", "kid": key_pair().kid}, body)) is R.BAD_AUDIENCE


def test_a_trusted_further_audience_needs_the_authorised_party():
    from lti.tool.validation import Limits, Trace, check_parties

    limits = Limits(trusted_audiences=frozenset({"sister"}))
    ours = {"iss": registration().issuer, "aud": [CLIENT, "sister"]}
    with pytest.raises(LaunchRefused):
        check_parties(ours, registration(), limits, Trace())
    check_parties({**ours, "azp": CLIENT}, registration(), limits, Trace())


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_exp_and_iat_are_required(name):
    error = refused(**{name: None})
    assert error.launch_reason is R.MISSING_CLAIM
    assert name in str(error.message)


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", ["1795297896", True, [], {}])
def test_times_must_be_numbers(name, value):
    assert reason(**{name: value}) is R.MALFORMED_CLAIM


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"1e999"])
def test_times_must_be_finite(text):
    visit = Visit()
    body = json.dumps(claims(visit.nonce, exp=123456)).encode().replace(b"123456", text)
    token = encode({"alg": "RS256", "kid": key_pair().kid}, body)
    assert reason(visit, token) is R.MALFORMED_CLAIM


def test_a_token_from_the_future_is_refused_and_the_difference_named():
    error = refused(iat=int(NOW.timestamp()) + 300, exp=int(NOW.timestamp()) + 400)
    assert error.launch_reason is R.ISSUED_IN_FUTURE
    assert "300" in str(error.message)


def test_an_expired_token_is_refused_after_the_leeway():
    visit = Visit()
    assert reason(visit, now=NOW + timedelta(seconds=120)) is R.EXPIRED
    assert visit.post(now=NOW + timedelta(seconds=119)).subject == "5"


def test_a_token_issued_long_ago_is_refused_whatever_its_end():
    now = int(NOW.timestamp())
    assert reason(iat=now - 3601, exp=now + 10_000) is R.EXPIRED


# State, nonce, browser.


def test_a_nonce_of_another_login_is_refused():
    first, second = Visit(), Visit()
    assert reason(second, first.token()) is R.BAD_NONCE


@pytest.mark.parametrize("nonce", [None, "", "ә", 7, ["x"]])
def test_a_nonce_that_is_missing_or_odd_is_refused(nonce):
    visit = Visit()
    body = {**claims("x"), "nonce": nonce}
    assert reason(visit, encode({"alg": "RS256", "kid": key_pair().kid}, body)) is R.BAD_NONCE


def test_the_cookie_of_another_browser_is_refused():
    assert reason(secret=Visit().login.cookie_value) is R.OTHER_BROWSER


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_cookie_the_page_can_offer_a_new_window(secret):
    error = refused(secret=secret)
    assert error.launch_reason is R.NO_COOKIE
    assert "new window" in str(teacher_message(error))


def test_a_state_is_required_and_must_be_ours():
    visit = Visit()
    token = visit.token()
    assert reason(visit, form={"id_token": token}) is R.STATE_MISSING
    assert reason(visit, form={"id_token": token, "state": "forged.state"}) is R.STATE_INVALID
    assert reason(visit, form={"id_token": token, "state": visit.login.state + "x"}) is R.STATE_INVALID
    other = Visit(signer=Signer("z" * 40, STATE_PURPOSE))
    assert reason(visit, form={"id_token": token, "state": other.login.state}) is R.STATE_INVALID


def test_a_state_is_good_for_ten_minutes():
    visit = Visit()
    late = NOW + timedelta(seconds=601)
    token = encode({"alg": "RS256", "kid": key_pair().kid}, claims(visit.nonce, late))
    assert reason(visit, token, now=late) is R.STATE_EXPIRED
    assert visit.post(visit.token(), now=NOW + timedelta(seconds=60)).subject == "5"


def test_nothing_is_fetched_for_a_launch_without_a_good_state_and_browser():
    keys = FixedKeys()
    visit = Visit(keys=keys)
    reason(visit, secret="x")
    reason(visit, form={"id_token": visit.token(), "state": "a.b"})
    assert keys.asked == []


def test_a_registration_that_was_switched_off_between_login_and_launch_is_unknown():
    visit = Visit()
    visit.book = Book()
    assert reason(visit) is R.UNKNOWN_ISSUER


def test_a_token_of_one_client_is_no_good_in_a_login_of_another():
    mine, other = Visit(), Visit(registration=registration(id="r2", client_id="other"))
    token = encode({"alg": "RS256", "kid": key_pair().kid}, claims(other.nonce, aud=mine.registration.client_id))
    assert reason(other, token) is R.BAD_AUDIENCE


def test_a_nonce_seen_before_is_refused_by_whoever_spends_it():
    launch = Visit().post()
    error = replayed(launch.presentation.return_url, launch.trace, launch.registration.id)
    assert error.launch_reason is R.REPLAYED
    assert error.return_url == launch.presentation.return_url


# Message claims.


@pytest.mark.parametrize(
    "kind", ["LtiDeepLinkingResponse", "LtiContextLaunchRequest", "x", 5, ["LtiResourceLinkRequest"], {}]
)
def test_core_other_messages_are_refused(kind):
    assert reason(MESSAGE_TYPE=kind) is R.WRONG_MESSAGE_TYPE


@pytest.mark.parametrize("kind", ["LtiAssetProcessorSettingsRequest", "LtiReportReviewRequest", "LtiEulaRequest"])
def test_asset_processor_and_licence_messages_are_refused_politely_with_the_way_back(kind):
    error = refused(MESSAGE_TYPE=kind, RESOURCE_LINK=None)
    assert error.launch_reason is R.MESSAGE_NOT_OFFERED
    assert error.message.values["message_type"] == kind
    assert error.return_url


def test_an_unknown_deployment_is_refused_and_named():
    visit = Visit(login_params={"lti_deployment_id": "9"})
    error = refused(visit, DEPLOYMENT_ID="9")
    assert error.launch_reason is R.UNKNOWN_DEPLOYMENT
    assert "9" in str(error.message)


def test_another_deployment_than_the_logins_is_refused():
    visit = Visit(known=lambda registration, deployment: True)
    assert reason(visit, DEPLOYMENT_ID="2") is R.DEPLOYMENT_MISMATCH


@pytest.mark.parametrize("deployment", [1, ["1"], {"id": "1"}])
def test_a_deployment_must_be_text(deployment):
    assert reason(DEPLOYMENT_ID=deployment) is R.MISSING_CLAIM


def test_a_deployment_over_255_characters_is_refused():
    visit = Visit(known=lambda registration, deployment: True, login_params={"lti_deployment_id": None})
    assert reason(visit, DEPLOYMENT_ID="d" * 256) is R.MALFORMED_CLAIM
    assert visit.post(DEPLOYMENT_ID="d" * 255).deployment_id == "d" * 255


@pytest.mark.parametrize("target", [TARGET + "/", TARGET + "?x=1", "https://evil.example/launch", TARGET.upper()])
def test_a_target_other_than_the_logins_is_refused(target):
    assert reason(TARGET_LINK_URI=target) is R.TARGET_MISMATCH


@pytest.mark.parametrize("target", [None, "", 5, [TARGET]])
def test_a_target_is_required(target):
    assert reason(TARGET_LINK_URI=target) is R.MISSING_CLAIM


@pytest.mark.parametrize("sub", ["s" * 256, "Айгерім", "a\nb", "a\x00", 5, ["5"], {"id": "5"}])
def test_a_subject_is_at_most_255_ascii_characters(sub):
    assert reason(sub=sub) is R.MALFORMED_CLAIM
    assert Visit().post(sub="s" * 255).subject == "s" * 255


@pytest.mark.parametrize("roles", ["Learner", {"a": 1}, 5])
def test_roles_must_be_a_list(roles):
    assert reason(ROLES=roles) is R.MALFORMED_CLAIM


@pytest.mark.parametrize(
    "settings",
    [None, {}, {"deep_link_return_url": "https://lms.example/r"}, {"accept_types": ["ltiResourceLink"]},
     {"accept_types": ["ltiResourceLink"], "deep_link_return_url": "javascript:alert(1)"}],
)  # fmt: skip
def test_deep_linking_without_a_return_address_or_types_is_refused(settings):
    assert reason(MESSAGE_TYPE="LtiDeepLinkingRequest", DL_SETTINGS=settings) is R.MISSING_CLAIM


# Errors from the platform, size.


@pytest.mark.parametrize("code", ["access_denied", "unauthorized_client", "invalid_request", "login_required"])
def test_an_error_response_instead_of_a_token_is_explained(code):
    visit = Visit()
    error = refused(visit, form={"error": code, "error_description": "<b>Айгерім</b>", "state": visit.login.state})
    assert error.launch_reason is R.PLATFORM_ERROR
    assert code in str(error.message)
    assert error.registration_id == "r1"


def test_an_invented_error_code_is_not_repeated():
    visit = Visit()
    error = refused(visit, form={"error": "<script>", "state": visit.login.state})
    assert "<script>" not in str(error.message)


def test_an_error_response_with_a_foreign_state_is_not_believed():
    assert reason(Visit(), form={"error": "access_denied", "state": "a.b"}) is R.STATE_INVALID


def test_a_body_of_a_megabyte_is_refused_before_anything_is_read():
    visit = Visit()
    assert reason(visit, "x" * 1_000_000) is R.TOO_LARGE
    assert visit.keys.asked == []


# What a refusal says.


def test_after_the_signature_a_refusal_knows_the_way_back():
    error = refused(VERSION="11.3")
    assert error.return_url == "http://moodle.example/mod/lti/return.php?course=2&sesskey=vd07"
    back = with_error(error.return_url, "Қате", error.reason)
    assert back.startswith(error.return_url + "&lti_errormsg=%D2%9A")
    assert back.endswith("&lti_errorlog=wrong_version")


def test_before_the_signature_no_return_address_is_believed():
    visit = Visit()
    assert refused(visit, visit.token(key=key_pair("stranger").key)).return_url is None
    assert with_error(None, "x", "y") is None
    assert with_error("javascript:alert(1)", "x", "y") is None


def test_a_refusals_trace_ends_at_the_failed_check_and_names_nobody():
    error = refused(sub=5)
    assert error.trace[-1].name == "sub"
    assert [check.outcome for check in error.trace[:-1]] == [Outcome.PASSED] * (len(error.trace) - 1)
    assert "Айгерім" not in str(error) + str(error.trace)


@pytest.mark.parametrize("code", list(R))
def test_every_reason_has_both_sentences_in_three_languages(code):
    entry = REFUSALS[code]
    assert entry.clause
    for text in (entry.teacher, entry.admin):
        for language in ("kk", "ru"):
            assert translate(text, language) != text, f"{text} has no {language}"


VALUES = dict.fromkeys(
    ["limit", "name", "issuer", "client_id", "deployment", "error", "minutes", "alg", "seconds", "message_type",
     "claim", "target"], "7",
)  # fmt: skip


@pytest.mark.parametrize("code", list(R))
@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_every_sentence_can_be_filled_in_every_language(code, language):
    error = refuse(code, **VALUES)
    assert "{" not in translate(error.message, language)
    assert "{" not in translate(teacher_message(error), language)
