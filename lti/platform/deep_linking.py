"""The deep-linking response, checked in full before any item of it is used (Deep Linking 2.0, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connector.base.clock import Clock
from connector.base.i18n import N_, say
from lti.platform import claims as checks
from lti.platform.errors import ResponseRefused, ToolKeyRefused
from lti.platform.keys import ToolKeys
from lti.platform.records import OnceStore, PlatformFacts, RegisteredTool
from lti.vocab import VERSION, Claim, MessageType

LONGEST_RESPONSE = timedelta(hours=1)
MAX_ITEMS = 100


@dataclass(frozen=True)
class Chosen:
    """What came back from the tool's picker: the items, and a word for the person."""

    items: tuple[Mapping[str, Any], ...]
    message: str = ""
    error_message: str = ""


@dataclass
class ResponseCheck:
    """Check deep-linking responses.

    Attributes:
        facts: Our issuer, which the response must be addressed to.
        tool_keys: The tools' public keys.
        once: Remembers spent nonces.
        clock: The present.
    """

    facts: PlatformFacts
    tool_keys: ToolKeys
    once: OnceStore
    clock: Clock

    def check(
        self, tool: RegisteredTool, token: str, *, data: str | None, accept_types: tuple[str, ...], multiple: bool
    ) -> Chosen:
        """Return the items of a response to a request of ours.

        Args:
            tool: The tool that was asked.
            token: The form's ``JWT``.
            data: The ``data`` of our request, which must come back as it was; None when none was sent.
            accept_types: The item types of our request.
            multiple: Whether our request allowed more than one item.

        Raises:
            ResponseRefused: Anything about it is wrong; then none of it is used.
        """
        try:
            claims = self.tool_keys.verify(tool, token)
        except ToolKeyRefused as error:
            raise ResponseRefused("invalid_client", error.reason, error.message) from error
        self._check_address(tool, claims)
        self._check_message(tool, claims, data)
        items = _items(claims, accept_types, multiple)
        self._spend(tool, claims)
        return Chosen(items, _text(claims, Claim.DL_MSG), _text(claims, Claim.DL_ERRORMSG))

    def _check_address(self, tool: RegisteredTool, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != tool.client_id:
            raise _bad("wrong_issuer", N_("The tool's answer does not carry its client id."))
        if not checks.audience_is(claims, self.facts.issuer):
            raise _bad("wrong_audience", N_("The tool's answer is addressed to somebody else."))
        if not checks.is_current(claims, self.clock(), LONGEST_RESPONSE):
            raise _bad("wrong_times", N_("The tool's answer has expired, or its times are wrong."))

    def _check_message(self, tool: RegisteredTool, claims: Mapping[str, Any], data: str | None) -> None:
        wanted = {
            Claim.MESSAGE_TYPE: MessageType.DEEP_LINKING_RESPONSE,
            Claim.VERSION: VERSION,
            Claim.DEPLOYMENT_ID: tool.deployment_id,
        }
        for name, value in wanted.items():
            if claims.get(name) != value:
                text = N_("The tool's answer has a wrong {claim}.")
                raise ResponseRefused("invalid_request", "wrong_claim", say(text, claim=name.rsplit("/", 1)[1]))
        if data is not None and claims.get(Claim.DL_DATA) != data:
            raise _bad("wrong_data", N_("The tool's answer belongs to another request."))

    def _spend(self, tool: RegisteredTool, claims: Mapping[str, Any]) -> None:
        nonce = claims.get("nonce")
        until = (checks.instant(claims, "exp") or self.clock()) + checks.LEEWAY
        if not isinstance(nonce, str) or not 0 < len(nonce) <= 512:
            raise _bad("no_nonce", N_("The tool's answer carries no nonce."))
        if not self.once.spend(f"dl-nonce:{tool.client_id}", nonce, until):
            raise _bad("replayed", N_("The tool's answer was used before."))


def _items(claims: Mapping[str, Any], accept_types: tuple[str, ...], multiple: bool) -> tuple[Mapping[str, Any], ...]:
    listed = claims.get(Claim.DL_CONTENT_ITEMS, [])
    if not isinstance(listed, list) or len(listed) > MAX_ITEMS or not all(isinstance(item, dict) for item in listed):
        raise _bad("bad_items", N_("The tool's answer holds no readable list of items."))
    if any(item.get("type") not in accept_types for item in listed):
        raise _bad("type_not_accepted", N_("The tool sent an item of a type that was not asked for."))
    if len(listed) > 1 and not multiple:
        raise _bad("too_many_items", N_("The tool sent several items where one was asked for."))
    return tuple(listed)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    return value[:1000] if isinstance(value, str) else ""


def _bad(reason: str, text: str) -> ResponseRefused:
    return ResponseRefused("invalid_request", reason, say(text))
