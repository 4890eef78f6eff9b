"""Notices: what a platform tells without a person, and asking it to (Platform Notification Service 1.0).

A notice is believed for its signature alone. It is read with the same checks as a launch, but for those that need a
browser; that each counts once is for whoever keeps their ids.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from lti.errors import LaunchReason, LaunchRefused, NoticeRefused
from lti.tool import validation as v
from lti.tool.claims import MAX_ID, Context, parse_context
from lti.tool.ports import KeySource, Registration, Registrations
from lti.tool.service import ServiceClient, demand, unreadable
from lti.tool.tokens import TokenSource
from lti.tool.wire import from_json, read_instant, text, to_json
from lti.vocab import VERSION, Claim, FurtherScope

MAX_BATCH = 100
MAX_ORIGINS = 100


@dataclass(frozen=True)
class Notice:
    """One notice of a platform we know.

    Attributes:
        registration: Whose it is.
        deployment_id: For which deployment.
        id: The platform's id of the notice; a repeated delivery has the same.
        type: What it tells, one of ``NoticeType`` or a type we do not know.
        sent_at: When the platform says it was made, or None.
        context: The course it is about, or None.
        origins: Ids of the courses that course was copied from, the nearest first.
    """

    registration: Registration
    deployment_id: str
    id: str
    type: str
    sent_at: datetime | None
    context: Context | None
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Subscription:
    """A notice type and where the platform sends it."""

    type: str
    handler: str


def read_batch(body: bytes) -> list[str]:
    """Return the signed notices of one delivery.

    Raises:
        NoticeRefused: It is not ``{"notices": [{"jwt": …}]}``, or holds more than a hundred (``not_a_notice``).
    """
    try:
        document = from_json(body)
    except ValueError:
        document = None
    items = document.get("notices") if isinstance(document, dict) else None
    tokens = [item.get("jwt") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not tokens or len(tokens) > MAX_BATCH or not all(isinstance(token, str) and token for token in tokens):
        raise _no_notice()
    return [str(token) for token in tokens]


def read_notice(
    token: str, registrations: Registrations, key_sets: KeySource, now: datetime, limits: v.Limits | None = None
) -> Notice:
    """Check a notice's signature and claims and return it.

    Raises:
        NoticeRefused: With the reason of the check that failed; the codes are those of launches, and
            ``not_a_notice``. With ``key_pending`` it has the seconds to wait.
    """
    limits, trace = limits or v.Limits(), v.Trace()
    try:
        kid = v.check_header(token, trace)
        registration = _registration(token, registrations)
        claims = v.check_signature(token, kid, registration.jwks_url, key_sets, trace)
        v.check_parties(claims, registration, limits, trace)
        v.check_times(claims, limits, now, trace)
    except LaunchRefused as refused:
        raise NoticeRefused(refused.reason, refused.message) from refused
    return _notice(registration, claims)


def _registration(token: str, registrations: Registrations) -> Registration:
    """Return whose notice this says it is; the signature, by that platform's keys, decides whether that is true."""
    claims = _unverified(token)
    audience = claims.get("azp", claims.get("aud"))
    named = audience if isinstance(audience, list) else [audience]
    issuer = claims.get("iss")
    found = [
        registration
        for client in named
        if isinstance(client, str) and isinstance(issuer, str)
        for registration in registrations.find(issuer, client)
    ]
    if len(found) != 1:
        message = say(N_("The notice is of an LMS that is not registered here."))
        raise NoticeRefused(LaunchReason.UNKNOWN_ISSUER, message)
    return found[0]


def _unverified(token: str) -> Mapping[str, Any]:
    payload = token.split(".")[1]
    try:
        value = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _no_notice()
    return value


def _notice(registration: Registration, claims: Mapping[str, Any]) -> Notice:
    told, deployment = claims.get(Claim.NOTICE), claims.get(Claim.DEPLOYMENT_ID)
    notice_id, kind = (text(told.get(name)) for name in ("id", "type")) if isinstance(told, dict) else (None, None)
    good = claims.get(Claim.VERSION) == VERSION and isinstance(claims.get("nonce"), str)
    if not good or notice_id is None or kind is None or not isinstance(deployment, str):
        raise _no_notice()
    if max(map(len, (notice_id, kind, deployment))) > MAX_ID or not deployment:
        raise _no_notice()
    return Notice(
        registration=registration,
        deployment_id=deployment,
        id=notice_id,
        type=kind,
        sent_at=read_instant(told.get("timestamp")) if isinstance(told, dict) else None,
        context=parse_context(claims),
        origins=_origins(claims.get(Claim.ORIGIN_CONTEXTS)),
    )


def _origins(value: object) -> tuple[str, ...]:
    """Return the ids of courses, given as texts or as objects with an id."""
    items = value[:MAX_ORIGINS] if isinstance(value, list) else []
    ids = (text(item.get("id")) if isinstance(item, dict) else text(item) for item in items)
    return tuple(found for found in ids if found is not None)


def _no_notice() -> NoticeRefused:
    return NoticeRefused("not_a_notice", say(N_("This is not a notice of the Platform Notification Service.")))


class NoticeHandlersService:
    """Which notices a platform sends us, for one deployment.

    Both calls may raise ``TokenRefused``, ``TokenUnavailable``, the ``Service…`` errors of ``lti.errors`` and what
    ``Outbound.request`` raises.
    """

    def __init__(self, http: Outbound, tokens: TokenSource, registration: Registration, deployment_id: str) -> None:
        """Take the outbound session, the token source and for whom the calls are made."""
        self._client = ServiceClient(http, tokens, registration, deployment_id)

    def read(self, url: str) -> list[Subscription]:
        """Return what is subscribed; a type without a handler is left out."""
        value, _ = self._client.read(url, (FurtherScope.NOTICE_HANDLERS,), "application/json")
        items = value.get("notice_handlers") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise unreadable()
        pairs = ((text(item.get("notice_type")), text(item.get("handler"))) for item in items if isinstance(item, dict))
        return [Subscription(kind, handler) for kind, handler in pairs if kind and handler]

    def subscribe(self, url: str, wanted: Subscription) -> None:
        """Have notices of one type sent to an address; an empty handler ends that."""
        body = to_json({"notice_type": wanted.type, "handler": wanted.handler})
        scopes = (FurtherScope.NOTICE_HANDLERS,)
        demand(
            self._client.send("PUT", url, scopes, accept="application/json", content_type="application/json", body=body)
        )
