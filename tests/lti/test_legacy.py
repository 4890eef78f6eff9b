"""LTI 1.3 migration, claim ``lti1p1``: ids of the LTI 1.1 tool, believed when its secret signed them."""

from __future__ import annotations

import pytest

from lti.errors import Outcome
from lti.tool.legacy import LegacyIds, legacy_ids, signature_of
from lti.vocab import Claim
from tests.lti.kit import claims, registration

KEY, SECRET = "179248902", "my-lti11-secret"


def launch(**changes) -> dict:
    value = claims("n-1")
    value[Claim.LTI1P1] = {
        "oauth_consumer_key": KEY, "user_id": "old-5", "resource_link_id": "old-link",
        "oauth_consumer_key_sign": signature_of(value, registration(), KEY, SECRET), **changes,
    }  # fmt: skip
    return value


def read(value: dict) -> tuple[LegacyIds | None, Outcome]:
    found, check = legacy_ids(value, registration(), {KEY: SECRET}.get)
    return found, check.outcome


def test_lti1p1_signature_is_the_one_of_the_specification_s_example():
    told = {Claim.DEPLOYMENT_ID: "689302", "exp": 1551290856, "nonce": "172we8671fd8z"}
    named = registration(issuer="https://lmsvendor.com", client_id="PM48OJSfGDTAzAo")
    assert signature_of(told, named, KEY, SECRET) == "lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps="


def test_lti1p1_ids_with_a_good_signature_are_believed():
    assert read(launch()) == (LegacyIds(KEY, "old-5", "old-link"), Outcome.PASSED)


def test_lti1p1_ids_that_stayed_the_same_may_be_left_out():
    assert read(launch(user_id=None, resource_link_id=None))[0] == LegacyIds(KEY, "5", "1")


@pytest.mark.parametrize(
    "changes",
    [
        {"oauth_consumer_key_sign": None},
        {"oauth_consumer_key_sign": "AAAA"},
        {"oauth_consumer_key_sign": "ә"},
        {"oauth_consumer_key": "another"},
        {"oauth_consumer_key": None},
        {"oauth_consumer_key": ["179248902"]},
    ],
)
def test_lti1p1_ids_that_nothing_proves_are_passed_over(changes):
    assert read(launch(**changes)) == (None, Outcome.IGNORED)


@pytest.mark.parametrize("name", ["exp", "nonce", Claim.DEPLOYMENT_ID])
def test_lti1p1_signature_of_another_launch_proves_nothing(name):
    value = launch()
    value[name] = "changed"
    assert read(value) == (None, Outcome.IGNORED)


def test_lti1p1_claim_that_is_not_there_is_absent():
    assert read(claims("n-1")) == (None, Outcome.ABSENT)
    assert read({**claims("n-1"), Claim.LTI1P1: "x"}) == (None, Outcome.ABSENT)


def test_lti1p1_id_too_long_for_an_id_is_none():
    assert read(launch(user_id="x" * 256))[0].user_id == "5"
