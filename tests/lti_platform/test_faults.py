"""Every fault found in lti1p3platform 0.1.8, shown on the bare library, and shown to be absent here.

Each test does the same thing twice. The first half asserts what the library does when it is used as its README says:
should a later release mend it, that half fails and says so. The second half asserts what Kopir does.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask, render_template
from jinja2 import Environment
from joserfc.jwk import RSAKey
from lti1p3platform.ags import LtiAgs
from lti1p3platform.deep_linking import LtiDeepLinking
from lti1p3platform.exceptions import LtiException
from lti1p3platform.lineitem import TLineItem
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract, MessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request
from lti1p3platform.response import Response
from lti1p3platform.score import TScore, UpdateScoreStatus
from lti1p3platform.service_connector import AssignmentsGradesService, NamesRoleProvisioningService, TPage

from connector.base.clock import utc_now
from connector.base.errors import Fatal
from connector.base.outbound import NetworkPolicy, Outbound
from connector.host.tools.keys import WAIT, key_ring, rotate
from connector.host.tools.platform import platform_of
from lti.platform.errors import AuthorisationRefused, ResponseRefused, TokenRefused, ToolKeyRefused
from lti.platform.grades import read_line_item, read_score
from lti.platform.hints import Intent
from lti.platform.keys import KeyRing, PlatformKey, ToolKeys, read_header
from lti.platform.messages import DeepLinkingSettings
from lti.platform.platform import target_of
from lti.platform.records import FormPost
from lti.tool.jwks import KeySets
from lti.vocab import Claim, MessageType, Scope
from tests.lti_platform.kit import CALLBACK, ISSUER, SESSION, Stage, a_message, assertion, open_claims, request_pairs
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC
from tests.support.tools_kit import Vendor, open_vendor
from tests.twins.moodle_kit import key_server

PEM = PlatformKey.new_pem()
PUBLIC_PEM = RSAKey.import_key(PEM).as_pem(private=False).decode()


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


class BareRequest(Request):
    """The request as an adapter hands it on: form, query and header as they came."""

    def build_metadata(self, request: Any) -> Any:
        usual = {
            "method": "GET",
            "form_data": {},
            "get_data": {},
            "headers": {},
            "content_type": None,
            "path": "",
            "json": None,
        }
        return {**usual, **request}


class BareGrades(AssignmentsGradesService):
    """The grade service over a list, as the README has it."""

    done: list[Any]

    def find_lineitems(self, page: int = 1, limit: Any = None, **filters: Any) -> TPage:
        known = {"line_item_id", "resource_link_id", "resource_id", "tag"}
        if set(filters) - known:
            raise TypeError(f"unexpected keyword argument {sorted(set(filters) - known)}")
        self.limit = limit
        return {"content": [], "has_next": True}

    def find_lineitem(self, line_item_id: str) -> TLineItem:
        return {"id": line_item_id}

    def create_lineitem(self, creation_data: TLineItem) -> TLineItem:
        return creation_data

    def update_lineitem(self, update_data: TLineItem) -> TLineItem:
        return update_data

    def delete_lineitem(self, line_item_id: str) -> None:
        self.done.append(("deleted", line_item_id))

    def update_score(self, line_item_id: str, score: TScore) -> UpdateScoreStatus:
        self.done.append(("score", score))
        return UpdateScoreStatus.SUCCESS

    def get_results(self, line_item_id: str, page: int = 1, limit: Any = None, user_id: Any = None) -> TPage:
        return {"content": [], "has_next": True}


class BareRoster(NamesRoleProvisioningService):
    def get_member_data_page(self, page: int = 1, limit: Any = None, role: Any = None, since: Any = None) -> TPage:
        return {"content": [], "has_next": True}

    def get_context_by_id(self) -> Any:
        from lti1p3platform.membership import Context

        return Context(id="2", label="a", title="b")

    def is_resource_link_valid(self, context_id: str, resource_link_id: str) -> bool:
        return True


def bare_registration(stage: Stage) -> Registration:
    return (
        Registration()
        .set_iss(ISSUER)
        .set_client_id(stage.tool.client_id)
        .set_deployment_id("1")
        .set_launch_url(stage.tool.target_link_uri)
        .set_oidc_login_url(stage.tool.login_url)
        .set_platform_private_key(PEM)
        .set_platform_public_key(PUBLIC_PEM)
        .set_tool_key_set({"keys": [stage.tool_key.as_dict(private=False, alg="RS256")]})
    )


def bare_conf(stage: Stage) -> BareConf:
    return BareConf(registration=bare_registration(stage))


def bare_launch(stage: Stage, **fields: str) -> BareLaunch:
    form = {"nonce": "n", "state": "s", "redirect_uri": CALLBACK, "client_id": stage.tool.client_id, **fields}
    launch = BareLaunch(BareRequest({"method": "POST", "form_data": form}), bare_conf(stage))
    launch.set_user_data("5", [])
    return launch


def bare_token(stage: Stage, *scopes: str) -> str:
    return str(bare_conf(stage).get_access_token(stage.token_form(assertion(stage), *scopes))["access_token"])


def bare_grades(stage: Stage, token: str, **request: Any) -> BareGrades:
    asked = BareRequest({"headers": {"Authorization": f"Bearer {token}"}, **request})
    made = BareGrades(asked, bare_conf(stage), f"{ISSUER}/lineitems", f"{ISSUER}/lineitems/2")
    made.done = []
    return made


def bare_roster(stage: Stage, query: dict[str, str]) -> BareRoster:
    token = bare_token(stage, Scope.MEMBERSHIP_READONLY)
    asked = BareRequest({"headers": {"Authorization": f"Bearer {token}"}, "get_data": query})
    return BareRoster(asked, bare_conf(stage), f"{ISSUER}/members")


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.fixture
def stage(tool_key: RSAKey) -> Stage:
    made = Stage(tool_key)
    # The bare library reads the machine's clock.
    made.clock.now = utc_now()
    return made


@pytest.fixture
def vendor(sqlite_place: Place, tmp_path: Path) -> Iterator[Vendor]:
    with open_vendor(sqlite_place, tmp_path) as opened:
        yield opened


def test_01_an_id_token_goes_to_any_address_a_request_names(stage: Stage) -> None:
    evil = "https://evil.example/steal"
    assert bare_launch(stage, redirect_uri=evil).lti_launch()["launch_url"] == evil
    with pytest.raises(AuthorisationRefused) as refused:
        stage.platform.authorise(request_pairs(stage, redirect_uri=evil), SESSION)
    assert stage.platform.refusal_form(refused.value) is None


def test_02_the_launch_form_reflects_what_came_unescaped(stage: Stage, vendor: Vendor) -> None:
    folder = Path(importlib.import_module("lti1p3platform").__file__ or "").parent / "framework" / "templates"
    attack = '"><script>alert(1)</script>'
    (template,) = folder.rglob("launch.html")
    # The library's own environment has no autoescape; its package cannot be imported here (see 25).
    assert "autoescape" not in (folder / "__init__.py").read_text()
    bare = Environment().from_string(template.read_text("utf-8"))
    assert attack in bare.render(launch_url="https://t", id_token="x", state=attack)
    app: Flask = vendor.site.app
    with app.test_request_context():
        form = FormPost(CALLBACK, {"state": attack})
        ours = render_template("kopir/tool_post.html", lang="en", url=form.url, fields=form.fields, t=lambda text: text)
    assert attack not in ours
    answer = app.test_client().get("/platform/auth", base_url=PUBLIC)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_03_the_check_of_the_client_vanishes_under_optimisation(stage: Stage) -> None:
    program = (
        "from tests.lti_platform.test_faults import *\n"
        "stage = Stage(RSAKey.generate_key(2048, {'kid': 'k'}))\n"
        "try:\n    bare_launch(stage, client_id='another').lti_launch(); print('launched')\n"
        "except Exception as error: print('refused')\n"
    )
    said = [
        subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True, check=True).stdout
        for flags in ([], ["-O"])
    ]
    assert [one.strip() for one in said] == ["refused", "launched"]
    with pytest.raises(AuthorisationRefused, match="unknown_client"):
        stage.platform.authorise(request_pairs(stage, client_id="another"), SESSION)
    for name in ("authorisation", "tokens", "bearer", "deep_linking", "library", "hints", "keys", "grades"):
        source = Path(importlib.import_module(f"lti.platform.{name}").__file__ or "").read_text("utf-8")
        assert "assert " not in source


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("response_type", "code"), ("response_mode", "query"), ("scope", "email"), ("prompt", "login"),
     ("login_hint", "6"), ("lti_message_hint", "made up")],
)  # fmt: skip
def test_04_the_request_s_fields_are_not_looked_at(stage: Stage, field: str, wrong: str) -> None:
    assert bare_launch(stage, **{field: wrong}).lti_launch()["id_token"]
    with pytest.raises(AuthorisationRefused):
        stage.platform.authorise(request_pairs(stage, **{field: wrong}), SESSION)


def test_05_a_message_goes_out_without_its_link(stage: Stage) -> None:
    assert Claim.RESOURCE_LINK not in open_claims(PEM, bare_launch(stage).lti_launch()["id_token"])
    with pytest.raises(Fatal, match="incomplete_message"):
        stage.platform.launch_form(stage.authorise(), a_message(link=None))
    form = stage.platform.launch_form(stage.authorise(), a_message())
    assert stage.open(form.fields["id_token"])["nonce"] == "nonce-1"


def test_06_a_login_address_with_a_query_gets_a_second_question_mark(stage: Stage) -> None:
    stage.register(login_url="https://tool.example/login?school=7")
    bare = BareLogin(None, bare_conf(stage))
    bare.set_lti_message_hint(hint="h")
    assert bare.prepare_preflight_url("5").count("?") == 2
    intent = Intent(stage.tool.client_id, MessageType.RESOURCE_LINK, stage.tool.target_link_uri)
    address = stage.platform.login_address(stage.tool, intent, SESSION, "h")
    assert address.startswith("https://tool.example/login?school=7&iss=")


@pytest.mark.parametrize(
    "changes", [{"iss": "x"}, {"aud": "https://elsewhere.example"}, {"exp": None}, {"iat": None}, {"jti": None}]
)
def test_07_an_assertion_is_not_looked_at_beyond_its_signature(stage: Stage, changes: dict[str, Any]) -> None:
    form = stage.token_form(assertion(stage, **changes), Scope.SCORE)
    assert bare_conf(stage).get_access_token(form)["access_token"]
    with pytest.raises(TokenRefused):
        stage.platform.token(form)


def test_07_an_assertion_is_good_again_and_again_and_so_is_any_token_of_the_tool(stage: Stage) -> None:
    form = stage.token_form(assertion(stage), Scope.SCORE)
    answer = stage.token_form(stage.response(), Scope.SCORE) | {"client_assertion_type": "anything"}
    for asked in (form, form, answer):
        assert bare_conf(stage).get_access_token(asked)["access_token"]
    assert stage.platform.token(form).access_token
    for asked in (form, answer):
        with pytest.raises(TokenRefused):
            stage.platform.token(asked)


def test_08_unknown_scopes_give_an_empty_token(stage: Stage) -> None:
    form = stage.token_form(assertion(stage), "https://example.org/x")
    assert bare_conf(stage).get_access_token(form)["scope"] == ""
    with pytest.raises(TokenRefused) as refused:
        stage.platform.token(form)
    assert refused.value.error == "invalid_scope"
    stage.register(scopes=frozenset({Scope.SCORE}))
    assert stage.platform.token(stage.token_form(assertion(stage))).scopes == (Scope.SCORE,)


def test_09_an_access_token_is_bound_to_nothing(stage: Stage) -> None:
    bound = {"aud", "jti", str(Claim.DEPLOYMENT_ID)}
    assert not bound & set(open_claims(PEM, bare_token(stage)))
    ours = stage.platform.token(stage.token_form(assertion(stage))).access_token
    assert bound <= set(stage.open(ours))
    assert (read_header(ours) or {})["kid"]


def test_09_a_token_opens_no_course_but_those_its_tool_stands_in(vendor: Vendor) -> None:
    elsewhere = f"/platform/ags/{uuid.uuid4().hex}/lineitems"
    assert vendor.call("GET", vendor.columns).status_code == 200
    assert vendor.call("GET", elsewhere).status_code == 404


def test_10_one_scope_opens_every_door(stage: Stage, vendor: Vendor) -> None:
    bare = bare_token(stage, Scope.RESULT_READONLY)
    posting = bare_grades(stage, bare, method="POST", json={"scoreGiven": 1})
    deleting = bare_grades(stage, bare, method="DELETE")
    assert (posting.handle_update_score("2").code, deleting.handle_delete_lineitem("2").code) == (200, 204)
    ours = vendor.token(Scope.RESULT_READONLY)
    assert vendor.call("GET", f"{vendor.column}/results", token=ours).status_code == 200
    assert vendor.call("POST", f"{vendor.column}/scores", vendor.score(), token=ours).status_code == 403
    assert vendor.call("DELETE", vendor.column, token=ours).status_code == 403
    assert vendor.call("GET", vendor.members, token=ours).status_code == 403


def test_11_a_bad_token_is_an_error_of_the_server(stage: Stage, vendor: Vendor) -> None:
    now = int(utc_now().timestamp())
    old = Registration.encode_and_sign({"iss": ISSUER, "iat": now - 200, "exp": now - 100, "scopes": ""}, PEM)
    for token, error in (("garbage", pyjwt.PyJWTError), (old, (pyjwt.PyJWTError, LtiException))):
        service = bare_grades(stage, token)
        with pytest.raises(error):
            service.handle_resp(service.handle_get_lineitems)
    for token in ("garbage", old, "", "a.b.c"):
        answer = vendor.call("GET", vendor.columns, token=token)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_12_the_second_page_breaks(stage: Stage, vendor: Vendor) -> None:
    service = bare_grades(stage, bare_token(stage), get_data={"page": "2"})
    with pytest.raises(TypeError):
        service.handle_get_lineitems()
    vendor.call("POST", vendor.columns, {"label": "x", "scoreMaximum": 1})
    first = vendor.call("GET", f"{vendor.columns}?limit=1")
    second = first.headers["Link"][1:].partition(">")[0].removeprefix(PUBLIC)
    assert len(vendor.call("GET", second).json) == 1


def test_13_an_unknown_parameter_breaks_and_a_limit_stays_text(stage: Stage, vendor: Vendor) -> None:
    with pytest.raises(TypeError):
        bare_grades(stage, bare_token(stage), get_data={"foo": "1"}).handle_get_lineitems()
    service = bare_grades(stage, bare_token(stage), get_data={"limit": "1"})
    service.handle_get_lineitems()
    assert service.limit == "1"
    assert vendor.call("GET", f"{vendor.columns}?foo=1&limit=1").status_code == 200
    for wrong in ("x", "-1", "0", "1.5", "٣"):
        assert vendor.call("GET", f"{vendor.columns}?limit={wrong}").status_code == 400


def test_14_rlid_breaks_the_roster_and_pages_end_without_a_limit(stage: Stage, vendor: Vendor) -> None:
    with pytest.raises(TypeError):
        bare_roster(stage, {"rlid": "1"}).handle_get_members()
    assert "next" not in (bare_roster(stage, {}).handle_get_members().result or {})
    assert vendor.call("GET", f"{vendor.members}?rlid={vendor.link}").status_code == 200
    assert vendor.call("GET", f"{vendor.members}?rlid={uuid.uuid4().hex}").status_code == 404
    assert vendor.call("GET", f"{vendor.members}?rlid=1&role=x&unknown=2").status_code == 404


def test_15_a_claim_for_one_column_keeps_a_scope_too_many(stage: Stage) -> None:
    claim = LtiAgs(None, f"{ISSUER}/2", True).get_lti_ags_launch_claim()
    (endpoint,) = claim.values()
    assert Scope.RESULT_READONLY in endpoint["scope"]
    services = a_message().services
    assert services.scopes == (Scope.SCORE,)
    form = stage.platform.launch_form(stage.authorise(), a_message(services=services))
    assert stage.open(form.fields["id_token"])[Claim.AGS_ENDPOINT]["scope"] == [Scope.SCORE]


def test_16_deep_linking_silently_becomes_an_ordinary_launch(stage: Stage) -> None:
    bare = bare_launch(stage)
    bare.set_dl(f"{ISSUER}/return")
    assert open_claims(PEM, bare.lti_launch()["id_token"])[Claim.MESSAGE_TYPE] == "LtiResourceLinkRequest"
    assert stage.tool.deep_linking_url is None
    target = target_of(stage.tool, MessageType.DEEP_LINKING)
    form = stage.platform.launch_form(
        stage.authorise(MessageType.DEEP_LINKING, target), a_message(MessageType.DEEP_LINKING)
    )
    assert stage.open(form.fields["id_token"])[Claim.MESSAGE_TYPE] == "LtiDeepLinkingRequest"


@pytest.mark.parametrize(
    "changes",
    [{"iss": "x"}, {"aud": "https://elsewhere.example"}, {"exp": None}, {"nonce": None}, {Claim.DEPLOYMENT_ID: "2"},
     {Claim.DL_DATA: "another"}],
)  # fmt: skip
def test_17_a_choice_is_not_looked_at_beyond_its_signature(stage: Stage, changes: dict[str, Any]) -> None:
    token = stage.response(**{Claim.DL_DATA: "ours", **changes})
    assert bare_conf(stage).validate_deeplinking_resp({"JWT": token}) == [stage.item]
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, token, data="ours")


def test_17_a_choice_is_taken_again_and_an_item_without_a_type_breaks(stage: Stage) -> None:
    token, typeless = stage.response(), stage.response(items=[{"title": "x"}])
    assert bare_conf(stage).validate_deeplinking_resp({"JWT": token}) == [stage.item]
    assert bare_conf(stage).validate_deeplinking_resp({"JWT": token}) == [stage.item]
    with pytest.raises(KeyError):
        bare_conf(stage).validate_deeplinking_resp({"JWT": typeless})
    assert stage.platform.chosen(stage.tool, token, data=None).items
    for refused in (token, typeless):
        with pytest.raises(ResponseRefused):
            stage.platform.chosen(stage.tool, refused, data=None)


def test_18_a_launch_message_passes_as_an_access_token(stage: Stage, vendor: Vendor) -> None:
    claims = open_claims(PEM, bare_launch(stage).lti_launch()["id_token"])
    sent = Registration.encode_and_sign({name: one for name, one in claims.items() if name not in ("aud", "azp")}, PEM)
    assert bare_conf(stage).validate_token(sent) is True
    ring = key_ring(vendor.site.runtime)
    now = int(vendor.site.clock().timestamp())
    message = {"iss": PUBLIC, "aud": PUBLIC, "sub": vendor.tool.client_id, "exp": now + 60, "scope": Scope.LINEITEM,
               Claim.DEPLOYMENT_ID: "1"}  # fmt: skip
    assert vendor.call("GET", vendor.columns, token=ring.sign(message)).status_code == 401
    assert vendor.call("GET", vendor.columns, token=ring.sign(message, "at+jwt")).status_code == 200


def test_19_deep_linking_settings_are_fixed_and_disordered(stage: Stage) -> None:
    (bare,) = LtiDeepLinking("https://r").get_lti_deep_linking_launch_claim(extra_data={"a": "b"}).values()
    assert (bare["accept_multiple"], bare["auto_create"], "accept_lineitem" in bare) == (True, True, False)
    assert isinstance(bare["data"], dict)
    settings = DeepLinkingSettings(
        "https://r", ("link", "ltiResourceLink"), accept_multiple=False, accept_line_item=True, data="text"
    )
    form = stage.platform.launch_form(
        stage.authorise(MessageType.DEEP_LINKING), a_message(MessageType.DEEP_LINKING, settings=settings)
    )
    ours = stage.open(form.fields["id_token"])[Claim.DL_SETTINGS]
    assert ours["accept_types"] == ["link", "ltiResourceLink"]
    assert (ours["accept_multiple"], ours["auto_create"], ours["accept_lineitem"], ours["data"]) == (
        False,
        False,
        True,
        "text",
    )


def test_20_any_body_is_a_score(stage: Stage, vendor: Vendor) -> None:
    for body in ({"scoreGiven": -5}, {"userId": None}, [], "text"):
        service = bare_grades(stage, bare_token(stage), method="POST", json=body)
        assert service.handle_update_score("2").code == 200
        assert vendor.call("POST", f"{vendor.column}/scores", body).status_code == 400


def test_21_the_next_page_of_results_is_lost_without_a_column_s_address(stage: Stage, vendor: Vendor) -> None:
    token = bare_token(stage)
    asked = BareRequest({"headers": {"Authorization": f"Bearer {token}"}})
    service = BareGrades(asked, bare_conf(stage), f"{ISSUER}/lineitems")
    assert service.handle_get_results("2").result["next"].startswith("None/results")
    assert vendor.send().status_code == 204
    answer = vendor.call("GET", f"{vendor.column}/results?limit=1")
    assert [one["scoreOf"] for one in answer.json] == [f"{PUBLIC}{vendor.column}"]


def test_22_one_key_for_ever_parsed_anew_each_time(stage: Stage, vendor: Vendor) -> None:
    bare, claims = bare_registration(stage), {"sub": "5"}
    Registration.encode_and_sign(claims, PEM, expiration=60)
    assert set(claims) == {"sub", "iat", "exp"}
    assert len(bare.get_jwks()) == 1
    here, clock = vendor.site.runtime, vendor.site.clock
    before, old = key_ring(here).kid, vendor.token()
    begins = rotate(here)
    assert key_ring(here).kid == before
    assert len(platform_of(here).jwks()["keys"]) == 2
    clock.ahead = (begins - datetime.now(begins.tzinfo)).total_seconds() + 1
    assert key_ring(here).kid != before
    assert len(platform_of(here).jwks()["keys"]) == 2
    clock.ahead = (WAIT + timedelta(hours=2)).total_seconds()
    assert len(platform_of(here).jwks()["keys"]) == 1
    clock.ahead = 0.0
    rotate(here, wait=timedelta(0))
    assert before not in {key["kid"] for key in platform_of(here).jwks()["keys"]}
    assert vendor.call("GET", vendor.columns, token=old).status_code == 401


def test_22_a_ring_opens_what_any_of_its_keys_signed() -> None:
    one, two = PlatformKey(PEM), PlatformKey(PlatformKey.new_pem())
    ring = KeyRing(one, two)
    kept = {"sub": "5"}
    assert ring.open(two.sign(kept, "at+jwt"), "at+jwt") == kept
    assert ring.open(PlatformKey(PlatformKey.new_pem()).sign(kept, "at+jwt"), "at+jwt") is None
    assert ring.open("nonsense", "at+jwt") is None
    assert read_header(ring.sign(kept)) == {"typ": "JWT", "alg": "RS256", "kid": one.kid}


def test_23_a_tool_s_keys_are_read_unguarded_and_kept_for_ever(stage: Stage, tool_key: RSAKey) -> None:
    with key_server(tool_key) as server:
        registration = bare_registration(stage).set_tool_key_set(None).set_tool_key_set_url(server.url)
        bare = BareConf(registration=registration)
        assert bare.tool_validate_and_decode(assertion(stage))
        fresh = RSAKey.generate_key(2048, {"kid": "tool-2"})
        server.keys.append(fresh)
        with pytest.raises(LtiException):
            bare.tool_validate_and_decode(assertion(stage, key=fresh))
        ours = Stage(tool_key, jwks_url=server.url)
        assert ours.platform.token(ours.token_form(assertion(ours)))
        assert ours.platform.token(ours.token_form(assertion(ours, key=fresh)))
        # And not at all where the address is inside a private network nobody allowed.
        shut = ToolKeys(KeySets(Outbound(NetworkPolicy()), clock=ours.clock))
        with pytest.raises(ToolKeyRefused, match="jwks_unreachable"):
            shut.verify(ours.tool, assertion(ours))


def test_24_two_requests_at_a_time_mix_their_tokens(stage: Stage) -> None:
    conf = bare_conf(stage)
    conf.validate_jwt_format(assertion(stage))
    kept = conf._jwt["body"]["jti"]
    conf.validate_jwt_format(assertion(stage))
    assert conf._jwt["body"]["jti"] != kept

    def launch(number: int) -> tuple[str, str]:
        nonce = f"nonce-{number}"
        pairs = request_pairs(stage, nonce=nonce, state=f"state-{number}")
        form = stage.platform.launch_form(stage.platform.authorise(pairs, SESSION), a_message())
        return stage.open(form.fields["id_token"])["nonce"], form.fields["state"]

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(launch, range(32)))
    assert seen == [(f"nonce-{number}", f"state-{number}") for number in range(32)]


def test_25_its_adapters_need_a_module_that_is_gone() -> None:
    gone = "import sys; sys.modules['pkg_resources'] = None; import lti1p3platform.framework.templates"
    assert subprocess.run([sys.executable, "-c", gone], capture_output=True, check=False).returncode != 0
    ours = "import sys; sys.modules['pkg_resources'] = None; import lti.platform.platform, connector.web.platform"
    told = f"{ours}; assert not [one for one in sys.modules if one.startswith('lti1p3platform.framework')]"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, check=False).returncode == 0


def test_26_numbers_and_names_have_the_wrong_kind_and_nothing_checks_them() -> None:
    assert "int" in str(TLineItem.__annotations__["scoreMaximum"])
    assert "int" in str(TScore.__annotations__["userId"])
    item = read_line_item(b'{"label": "a", "scoreMaximum": 12.5}')
    assert str(item.maximum) == "12.5"
    sent = {"userId": "a-7", "timestamp": "2026-11-21T09:00:00Z", "activityProgress": "Completed",
            "gradingProgress": "FullyGraded", "scoreGiven": 0.1, "scoreMaximum": 0.3}  # fmt: skip
    score = read_score(json.dumps(sent).encode())
    assert (score.user_id, str(score.given), str(score.maximum)) == ("a-7", "0.1", "0.3")


def test_27_what_the_library_lacks_is_here(stage: Stage, vendor: Vendor) -> None:
    assert not hasattr(MessageLaunchAbstract, "set_given_name")
    assert not hasattr(Response, "www_authenticate")
    form = stage.platform.launch_form(
        stage.authorise(), a_message(platform={"guid": "g"}, presentation={"locale": "kk"})
    )
    claims = stage.open(form.fields["id_token"])
    assert {"given_name", "family_name", Claim.LIS, Claim.TOOL_PLATFORM, Claim.LAUNCH_PRESENTATION} <= set(claims)
    client = vendor.site.app.test_client()
    told = client.get("/.well-known/openid-configuration", base_url=PUBLIC).json
    assert told["registration_endpoint"] == f"{PUBLIC}/platform/register"
    refused = client.post("/platform/token", data={"grant_type": "password"}, base_url=PUBLIC)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    assert refused.headers["Cache-Control"] == "no-store"
