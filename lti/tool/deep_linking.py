"""The answer of the deep-link picker: content items in a signed response, checked before it is posted.

Source: Deep Linking 2.0 §3 (content items), §4.5 (response); Security Framework 1.0 §5.2.2 (tool JWT).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.base.i18n import N_, say
from connector.base.secrets import new_token
from lti.errors import DeepLinkingRefused
from lti.tool.claims import DeepLinkingSettings
from lti.tool.content_items import Item, fit
from lti.tool.ports import Registration, SigningKey
from lti.tool.signature import NotAToken, WrongSignature, read_header, sign, verify
from lti.tool.wire import to_json
from lti.vocab import VERSION, Claim, MessageType

BACKDATED = timedelta(seconds=60)
LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Words:
    """What the platform is told besides the items: shown to the teacher, or written into its logs (§4.5)."""

    message: str | None = None
    error: str | None = None
    log: str | None = None
    error_log: str | None = None


@dataclass(frozen=True)
class DeepLinkingResponse:
    """What the page posts: one form field ``JWT`` to ``return_url``."""

    return_url: str
    jwt: str = field(repr=False)


def build_response(
    settings: DeepLinkingSettings,
    items: Sequence[Item],
    *,
    registration: Registration,
    deployment_id: str,
    key: SigningKey,
    now: datetime,
    words: Words = Words(),
) -> DeepLinkingResponse:
    """Make the signed answer and check it as the platform will; no items is the answer to «cancel».

    Args:
        settings: The request's settings.
        items: What was picked.
        registration: Who asked.
        deployment_id: The request's deployment.
        key: Our key towards this registration.
        now: The present instant; ``iat`` lies a minute before it, since Moodle takes no time ahead of its own.
        words: Texts for the teacher and the platform's logs.

    Raises:
        DeepLinkingRefused: ``too_many_items``, ``type_not_accepted``, ``bad_item``, or ``self_check_failed``.
    """
    shown = _check_items(settings, items)
    claims: dict[str, Any] = {
        "iss": registration.client_id,
        "aud": registration.issuer,
        "iat": int((now - BACKDATED).timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "nonce": new_token(),
        Claim.MESSAGE_TYPE: MessageType.DEEP_LINKING_RESPONSE,
        Claim.VERSION: VERSION,
        Claim.DEPLOYMENT_ID: deployment_id,
        Claim.DL_CONTENT_ITEMS: shown,
    }
    told = {
        Claim.DL_DATA: settings.data,
        Claim.DL_MSG: words.message,
        Claim.DL_ERRORMSG: words.error,
        Claim.DL_LOG: words.log,
        Claim.DL_ERRORLOG: words.error_log,
    }
    claims |= {str(name): value for name, value in told.items() if value is not None}
    token = sign(claims, key)
    _self_check(token, claims, key)
    return DeepLinkingResponse(settings.return_url, token)


def _check_items(settings: DeepLinkingSettings, items: Sequence[Item]) -> list[dict[str, Any]]:
    fitted = fit(settings, items)
    for item, reason in fitted.left_out:
        if reason == "one_at_a_time":
            raise DeepLinkingRefused("too_many_items", say(N_("The LMS takes one activity at a time.")))
        message = say(N_("The LMS does not take items of the type {type} here."), type=item.media_type or item.type)
        raise DeepLinkingRefused("type_not_accepted", message)
    try:
        return [item.to_claim() for item in fitted.items]
    except ValueError as error:
        message = say(N_("An activity to place has no title or no valid address."))
        raise DeepLinkingRefused("bad_item", message) from error


def _self_check(token: str, claims: Mapping[str, Any], key: SigningKey) -> None:
    try:
        good = read_header(token).get("kid") == key.kid and verify(token, key.key) == json.loads(to_json(claims))
    except (NotAToken, WrongSignature):
        good = False
    if not good:
        raise DeepLinkingRefused("self_check_failed", say(N_("The answer to the LMS could not be signed.")))
