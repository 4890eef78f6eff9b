from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from lti.platform.errors import ResponseRefused
from lti.vocab import Claim
from tests.lti_platform.kit import (
    ISSUER,
    Stage,
)


@pytest.fixture(scope="module")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-1"})


@pytest.fixture(scope="module")
def other_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "tool-2"})


@pytest.fixture
def stage(tool_key: RSAKey) -> Stage:
    return Stage(tool_key)


def test_a_good_response_gives_its_items(stage: Stage) -> None:
    token = stage.response(**{Claim.DL_DATA: "echo", Claim.DL_MSG: "Дайын"})
    chosen = stage.platform.chosen(stage.tool, token, data="echo")
    assert chosen.items == (stage.item,)
    assert chosen.message == "Дайын"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "client-2"},
        {"aud": "https://elsewhere.example"},
        {"aud": [ISSUER, "https://elsewhere.example"]},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nonce": None},
        {"nonce": ""},
        {Claim.DEPLOYMENT_ID: "2"},
        {Claim.MESSAGE_TYPE: "LtiResourceLinkRequest"},
        {Claim.VERSION: "1.1"},
        {Claim.DL_DATA: "another"},
        {Claim.DL_DATA: None},
        {"items": "x"},
        {"items": ["x"]},
        {"items": [{"type": "html", "html": "<script>"}]},
        {"items": [{"type": "ltiResourceLink"}] * 101},
    ],
)
def test_a_wrong_response_is_not_used_at_all(stage: Stage, changes: dict[str, Any]) -> None:
    token = stage.response(**{Claim.DL_DATA: "echo", **changes})
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, token, data="echo")


def test_a_response_is_used_once_and_a_refused_one_spends_nothing(stage: Stage) -> None:
    token = stage.response()
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, token, data="missing")
    stage.platform.chosen(stage.tool, token, data=None)
    with pytest.raises(ResponseRefused, match="replayed"):
        stage.platform.chosen(stage.tool, token, data=None)


def test_several_items_where_one_was_asked_for_are_refused(stage: Stage) -> None:
    token = stage.response(items=[stage.item, stage.item])
    with pytest.raises(ResponseRefused, match="too_many_items"):
        stage.platform.chosen(stage.tool, token, data=None, multiple=False)


def test_choosing_nothing_is_an_answer(stage: Stage) -> None:
    assert stage.platform.chosen(stage.tool, stage.response(items=[]), data=None).items == ()


def test_a_response_of_another_tools_key_is_refused(stage: Stage, other_key: RSAKey) -> None:
    with pytest.raises(ResponseRefused):
        stage.platform.chosen(stage.tool, stage.response(key=other_key), data=None)
