"""The library's own doors, should anybody use them, lead to the same checks; its faults are in test_faults.py."""

from __future__ import annotations

import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.registration import Registration

from connector.base.clock import utc_now
from connector.base.errors import Fatal
from lti.platform.errors import TokenRefused
from lti.platform.keys import PlatformKey, read_header
from lti.platform.library import CheckedRequest, SafeRegistration
from lti.vocab import Scope
from tests.lti_platform.kit import (
    CALLBACK,
    ISSUER,
    Stage,
    a_message,
    assertion,
    open_claims,
)

PEM = PlatformKey.new_pem()


class BareConf(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **kwargs: Any) -> None:
        self._registration = kwargs["registration"]

    def get_registration_by_params(self, **_kwargs: Any) -> Registration:
        return self._registration


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
