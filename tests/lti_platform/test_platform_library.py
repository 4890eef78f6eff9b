"""What bare lti1p3platform lets through, and what the wrapper makes of the same input."""

from __future__ import annotations

import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration

from connector.base.clock import utc_now
from connector.base.errors import Fatal
from lti.platform.errors import AuthorisationRefused, ResponseRefused, TokenRefused
from lti.platform.hints import Intent
from lti.platform.keys import PlatformKey, read_header
from lti.platform.library import CheckedRequest, SafeRegistration
from lti.platform.platform import target_of
from lti.vocab import Claim, MessageType, Scope
from tests.lti_platform.kit import (
    CALLBACK,
    ISSUER,
    SESSION,
    Stage,
    a_message,
    assertion,
    open_claims,
    request_pairs,
)

PEM = PlatformKey.new_pem()


class BareConf(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **kwargs: Any) -> None:
        self._registration = kwargs["registration"]

    def get_registration_by_params(self, **_kwargs: Any) -> Registration:
        return self._registration


class BareLogin(OIDCLoginAbstract):
    def set_lti_message_hint(self, **kwargs: Any) -> None:
        self._lti_message_hint = kwargs["hint"]

    def get_redirect(self, url: str) -> str:
        return url


class BareLaunch(LTIAdvantageMessageLaunchAbstract):
    def render_launch_form(self, launch_data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return launch_data


def bare_conf(stage: Stage) -> BareConf:
    public = RSAKey.import_key(PEM).as_pem(private=False).decode()
    registration = (
        Registration()
        .set_iss(ISSUER)
        .set_client_id(stage.tool.client_id)
        .set_deployment_id("1")
        .set_launch_url(stage.tool.target_link_uri)
        .set_oidc_login_url(stage.tool.login_url)
        .set_platform_private_key(PEM)
        .set_platform_public_key(public)
        .set_tool_key_set({"keys": [stage.tool_key.as_dict(private=False, alg="RS256")]})
    )
    return BareConf(registration=registration)


def bare_launch(stage: Stage, **fields: str) -> BareLaunch:
    launch = BareLaunch(CheckedRequest(fields), bare_conf(stage))
    launch.set_user_data("5", [])
    return launch


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.fixture
def stage(tool_key: RSAKey) -> Stage:
    made = Stage(tool_key)
    # The bare library reads the machine's clock.
    made.clock.now = utc_now()
    return made


def test_an_id_token_is_never_posted_to_an_address_that_is_not_registered(stage: Stage) -> None:
    evil = "https://evil.example/steal"
    bare = bare_launch(stage, nonce="n", state="s", redirect_uri=evil, client_id=stage.tool.client_id)
    assert bare.lti_launch()["launch_url"] == evil
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, redirect_uri=evil), SESSION)
    assert refused.value.redirect_uri is None
    assert stage.platform.refusal_form(refused.value) is None


def test_a_request_that_breaks_the_protocol_is_refused(stage: Stage) -> None:
    broken = {"response_type": "code", "response_mode": "query", "scope": "email", "prompt": "login", "login_hint": "6"}
    base = {"nonce": "n", "state": "s", "redirect_uri": CALLBACK, "client_id": stage.tool.client_id}
    assert bare_launch(stage, **base, **broken).lti_launch()["id_token"]
    for name, value in broken.items():
        with pytest.raises(AuthorisationRefused) as refused:
            stage.platform.authorise(request_pairs(stage, **{name: value}), SESSION)
        assert refused.value.redirect_uri == CALLBACK, name


def test_a_login_address_with_a_query_keeps_it(stage: Stage) -> None:
    login_url = "https://tool.example/login?school=7&blank="
    stage.register(login_url=login_url)
    bare = BareLogin(None, bare_conf(stage))
    bare.set_lti_message_hint(hint="h")
    assert bare.prepare_preflight_url("5").count("?") == 2
    intent = Intent(stage.tool.client_id, MessageType.RESOURCE_LINK, stage.tool.target_link_uri)
    address = stage.platform.login_address(stage.tool, intent, SESSION, "h")
    assert address.startswith("https://tool.example/login?school=7&blank=&iss=")
    assert address.count("?") == 1


def test_deep_linking_without_an_address_of_its_own_stays_deep_linking(stage: Stage) -> None:
    bare = bare_launch(stage, nonce="n", state="s", redirect_uri=CALLBACK, client_id=stage.tool.client_id)
    bare.set_dl("https://lms.example/return")
    sent = bare.lti_launch()["id_token"]
    assert open_claims(PEM, sent)[Claim.MESSAGE_TYPE] == "LtiResourceLinkRequest"
    assert stage.tool.deep_linking_url is None
    target = target_of(stage.tool, MessageType.DEEP_LINKING)
    authorised = stage.authorise(MessageType.DEEP_LINKING, target)
    form = stage.platform.launch_form(authorised, a_message(MessageType.DEEP_LINKING))
    assert stage.open(form.fields["id_token"])[Claim.MESSAGE_TYPE] == "LtiDeepLinkingRequest"


def test_a_message_without_its_link_is_not_sent(stage: Stage) -> None:
    bare = bare_launch(stage, nonce="n", state="s", redirect_uri=CALLBACK, client_id=stage.tool.client_id)
    assert Claim.RESOURCE_LINK not in open_claims(PEM, bare.lti_launch()["id_token"])
    with pytest.raises(Fatal, match="incomplete_message"):
        stage.platform.launch_form(stage.authorise(), a_message(MessageType.RESOURCE_LINK, link=None))


def test_any_token_of_the_tool_is_not_an_assertion(stage: Stage) -> None:
    somebody_elses = assertion(stage, iss="x", sub=stage.tool.client_id, aud="https://elsewhere.example", jti=None)
    form = {"grant_type": "client_credentials", "client_assertion_type": "any", "client_assertion": somebody_elses}
    form["scope"] = Scope.SCORE
    assert bare_conf(stage).get_access_token(form)["access_token"]
    with pytest.raises(TokenRefused):
        stage.platform.token(form)
    with pytest.raises(TokenRefused):
        stage.platform.token(stage.token_form(somebody_elses))


def test_an_unknown_scope_gives_no_empty_token(stage: Stage) -> None:
    form = stage.token_form(assertion(stage), "https://example.org/x")
    assert bare_conf(stage).get_access_token(form)["scope"] == ""
    with pytest.raises(TokenRefused) as refused:
        stage.platform.token(form)
    assert refused.value.error == "invalid_scope"


def test_an_access_token_says_whose_it_is(stage: Stage) -> None:
    bare = open_claims(PEM, bare_conf(stage).get_access_token(stage.token_form(assertion(stage)))["access_token"])
    assert not {"aud", "jti", Claim.DEPLOYMENT_ID} & set(bare)
    ours = stage.open(stage.platform.token(stage.token_form(assertion(stage))).access_token)
    assert {"aud", "jti", "exp", "iat", Claim.DEPLOYMENT_ID} <= set(ours)


def test_one_scope_does_not_open_every_door(stage: Stage) -> None:
    conf = bare_conf(stage)
    form = stage.token_form(assertion(stage), Scope.RESULT_READONLY)
    token = conf.get_access_token(form)["access_token"]
    assert conf.validate_token(token, [Scope.LINEITEM, Scope.SCORE, Scope.RESULT_READONLY]) is True
    ours = stage.platform.token(stage.token_form(assertion(stage), Scope.RESULT_READONLY)).access_token
    safe = stage.platform._conf(stage.tool)
    assert safe.validate_token(ours, [Scope.SCORE, Scope.RESULT_READONLY]) is False
    assert safe.validate_token(ours, [Scope.RESULT_READONLY]) is True


def test_an_id_token_is_not_an_access_token(stage: Stage) -> None:
    bare = bare_launch(stage, nonce="n", state="s", redirect_uri=CALLBACK, client_id=stage.tool.client_id)
    sent = bare.lti_launch()["id_token"]
    # The bare library refuses it only because it meets an audience it was not told of; without one it passes.
    claims = {k: v for k, v in open_claims(PEM, sent).items() if k not in ("aud", "azp")}
    assert bare_conf(stage).validate_token(Registration.encode_and_sign(claims, PEM)) is True
    form = stage.platform.launch_form(stage.authorise(), a_message())
    safe = stage.platform._conf(stage.tool)
    assert safe.validate_token(form.fields["id_token"]) is False
    assert safe.validate_token(form.fields["id_token"], [Scope.SCORE]) is False


def test_a_choice_addressed_to_somebody_else_is_not_taken(stage: Stage) -> None:
    token = stage.response(aud="https://elsewhere.example", exp=None, nonce=None)
    assert bare_conf(stage).validate_deeplinking_resp({"JWT": token}) == [stage.item]
    with pytest.raises(ResponseRefused):
        stage.platform._conf(stage.tool).validate_deeplinking_resp({"JWT": token})


def test_an_item_without_a_type_is_a_refusal_not_a_crash(stage: Stage) -> None:
    token = stage.response(items=[{"title": "no type"}])
    with pytest.raises(KeyError):
        bare_conf(stage).validate_deeplinking_resp({"JWT": token})
    with pytest.raises(ResponseRefused) as refused:
        stage.platform.chosen(stage.tool, token, data=None)
    assert refused.value.reason == "type_not_accepted"


def test_signing_leaves_the_callers_claims_alone(stage: Stage) -> None:
    registration = SafeRegistration(stage.platform.facts, stage.tool, PlatformKey(PEM), 1000)
    claims = {"sub": "5"}
    token = registration.platform_encode_and_sign(claims, expiration=60)
    assert claims == {"sub": "5"}
    assert (read_header(token) or {})["kid"] == registration.get_kid()
    bare = {"sub": "5"}
    Registration.encode_and_sign(bare, PEM, expiration=60)
    assert set(bare) == {"sub", "iat", "exp"}


def test_signing_does_not_parse_the_key_again(stage: Stage) -> None:
    registration = SafeRegistration(stage.platform.facts, stage.tool, PlatformKey(PEM), 1000)
    bare = bare_conf(stage).get_registration()

    def spent(sign: Any, times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            sign({"sub": "5"}, 60)
        return (time.perf_counter() - begun) / times

    assert spent(registration.platform_encode_and_sign, 20) * 5 < spent(bare.platform_encode_and_sign, 3)


def test_the_librarys_own_fetch_is_shut(stage: Stage) -> None:
    with pytest.raises(Fatal, match="unguarded_fetch"):
        stage.platform._conf(stage.tool).fetch_public_key("http://169.254.169.254/keys")


def test_the_librarys_doors_lead_to_the_same_checks(stage: Stage) -> None:
    conf = stage.platform._conf(stage.tool)
    answer = conf.get_access_token(stage.token_form(assertion(stage)))
    assert answer["token_type"] == "Bearer"
    assert conf.tool_validate_and_decode(assertion(stage))["sub"] == stage.tool.client_id
    assert conf.get_jwks() == stage.platform.jwks()
    safe = stage.platform._conf(stage.tool)
    with pytest.raises(TokenRefused):
        safe.get_access_token(stage.token_form(assertion(stage, aud="https://elsewhere.example")))
