"""The answer of the deep-link picker: content items in a signed response, checked before it is posted.

Source: Deep Linking 2.0 §3 (content items), §4.5 (response); Security Framework 1.0 §5.2.2 (tool JWT).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.base.i18n import N_, say
from connector.base.secrets import new_token
from lti.errors import DeepLinkingRefused
from lti.tool.claims import DeepLinkingSettings, web_address
from lti.tool.ports import Registration, SigningKey
from lti.tool.signature import NotAToken, WrongSignature, read_header, sign, verify
from lti.tool.wire import to_json
from lti.vocab import VERSION, Claim, MessageType

BACKDATED = timedelta(seconds=60)
LIFETIME = timedelta(minutes=5)
RESOURCE_LINK_ITEM = "ltiResourceLink"


@dataclass(frozen=True)
class ItemLineItem:
    """The column a placed item brings along (Deep Linking 2.0 §3.2.1).

    Attributes:
        score_maximum: Above zero.
        label: Name of the column; Moodle takes the item's title instead.
        resource_id: Our id of the resource, by which the column is found again.
        tag: Our second mark, by which columns of one resource are told apart.
    """

    score_maximum: Decimal
    label: str | None = None
    resource_id: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        """Refuse a maximum no platform takes."""
        if not self.score_maximum.is_finite() or self.score_maximum <= 0:
            raise ValueError("a line item's maximum must be above zero")

    def to_claim(self) -> dict[str, Any]:
        """Return the JSON form."""
        value = {
            "scoreMaximum": self.score_maximum,
            "label": self.label,
            "resourceId": self.resource_id,
            "tag": self.tag,
        }
        return {name: item for name, item in value.items() if item is not None}


@dataclass(frozen=True)
class ContentItem:
    """One ``ltiResourceLink`` to place in the course.

    Attributes:
        title: Name of the activity.
        url: The target link; the tool's own when None.
        text: Description, plain text.
        custom: Parameters that come back in every launch of the link.
        line_item: Its column, or None for an ungraded link.
        window: ``targetName``, ``width``, ``height``, ``windowFeatures``.
        iframe: ``width``, ``height``.
    """

    title: str
    url: str | None = None
    text: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    line_item: ItemLineItem | None = None
    window: Mapping[str, str | int] | None = None
    iframe: Mapping[str, str | int] | None = None
    type: str = RESOURCE_LINK_ITEM

    def to_claim(self, *, with_line_item: bool = True) -> dict[str, Any]:
        """Return the JSON form."""
        value: dict[str, Any] = {"type": self.type, "title": self.title, "url": self.url, "text": self.text}
        value["custom"] = dict(self.custom) or None
        value["lineItem"] = self.line_item.to_claim() if self.line_item and with_line_item else None
        value["window"], value["iframe"] = self.window, self.iframe
        return {name: item for name, item in value.items() if item is not None}


@dataclass(frozen=True)
class DeepLinkingResponse:
    """What the page posts: one form field ``JWT`` to ``return_url``."""

    return_url: str
    jwt: str = field(repr=False)


def build_response(
    settings: DeepLinkingSettings,
    items: Sequence[ContentItem],
    *,
    registration: Registration,
    deployment_id: str,
    key: SigningKey,
    now: datetime,
    message: str | None = None,
    error: str | None = None,
) -> DeepLinkingResponse:
    """Make the signed answer and check it as the platform will; no items is the answer to «cancel».

    Args:
        settings: The request's settings.
        items: What was picked.
        registration: Who asked.
        deployment_id: The request's deployment.
        key: Our key towards this registration.
        now: The present instant; ``iat`` lies a minute before it, since Moodle takes no time ahead of its own.
        message: Text the platform shows (``msg``).
        error: Text the platform shows as an error (``errormsg``).

    Raises:
        DeepLinkingRefused: ``too_many_items``, ``type_not_accepted``, ``bad_item``, or ``self_check_failed``.
    """
    _check_items(settings, items)
    with_line_item = settings.accept_line_item is not False
    claims: dict[str, Any] = {
        "iss": registration.client_id,
        "aud": registration.issuer,
        "iat": int((now - BACKDATED).timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "nonce": new_token(),
        Claim.MESSAGE_TYPE: MessageType.DEEP_LINKING_RESPONSE,
        Claim.VERSION: VERSION,
        Claim.DEPLOYMENT_ID: deployment_id,
        Claim.DL_CONTENT_ITEMS: [item.to_claim(with_line_item=with_line_item) for item in items],
    }
    for name, value in ((Claim.DL_DATA, settings.data), (Claim.DL_MSG, message), (Claim.DL_ERRORMSG, error)):
        if value is not None:
            claims[name] = value
    token = sign(claims, key)
    _self_check(token, claims, key)
    return DeepLinkingResponse(settings.return_url, token)


def _check_items(settings: DeepLinkingSettings, items: Sequence[ContentItem]) -> None:
    if len(items) > 1 and not settings.accept_multiple:
        raise DeepLinkingRefused("too_many_items", say(N_("The LMS takes one activity at a time.")))
    for item in items:
        if item.type not in settings.accept_types:
            message = say(N_("The LMS does not take items of the type {type} here."), type=item.type)
            raise DeepLinkingRefused("type_not_accepted", message)
        if not item.title.strip() or (item.url is not None and web_address(item.url) is None):
            raise DeepLinkingRefused("bad_item", say(N_("An activity to place has no title or no valid address.")))


def _self_check(token: str, claims: Mapping[str, Any], key: SigningKey) -> None:
    try:
        good = read_header(token).get("kid") == key.kid and verify(token, key.key) == json.loads(to_json(claims))
    except (NotAToken, WrongSignature):
        good = False
    if not good:
        raise DeepLinkingRefused("self_check_failed", say(N_("The answer to the LMS could not be signed.")))
