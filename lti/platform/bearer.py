"""The check of an access token at a service: whose it is, and whether its scopes cover this very method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from connector.base.clock import Clock
from connector.base.i18n import N_, say
from lti.platform import claims as checks
from lti.platform.errors import BearerRefused
from lti.platform.keys import PlatformKeys
from lti.platform.records import PlatformFacts, RegisteredTool, ToolStore
from lti.platform.tokens import TOKEN_TYPE_HEADER
from lti.vocab import Claim, Scope

# AGS 2.0, section 3.1, and NRPS 2.0, section 2.3: any one of the scopes named suffices for the method.
NEEDED: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("lineitems", "GET"): frozenset({Scope.LINEITEM, Scope.LINEITEM_READONLY}),
        ("lineitems", "POST"): frozenset({Scope.LINEITEM}),
        ("lineitem", "GET"): frozenset({Scope.LINEITEM, Scope.LINEITEM_READONLY}),
        ("lineitem", "PUT"): frozenset({Scope.LINEITEM}),
        ("lineitem", "DELETE"): frozenset({Scope.LINEITEM}),
        ("scores", "POST"): frozenset({Scope.SCORE}),
        ("results", "GET"): frozenset({Scope.RESULT_READONLY}),
        ("memberships", "GET"): frozenset({Scope.MEMBERSHIP_READONLY}),
    }
)


@dataclass(frozen=True)
class Grant:
    """Whose token it is and what it holds."""

    tool: RegisteredTool
    scopes: frozenset[str]


@dataclass
class BearerCheck:
    """Open access tokens of ours.

    Attributes:
        facts: Our issuer, which is the token's issuer and audience.
        key: The key that signed it.
        tools: A tool removed since its token was minted is refused.
        clock: The present.
    """

    facts: PlatformFacts
    key: PlatformKeys
    tools: ToolStore
    clock: Clock

    def check(self, authorization: str, service: str, method: str) -> Grant:
        """Return the grant behind an ``Authorization`` header for one method of one service.

        Args:
            authorization: The header's value, or empty.
            service: ``lineitems``, ``lineitem``, ``scores``, ``results`` or ``memberships``.
            method: The HTTP method.

        Raises:
            BearerRefused: 401 without a good token, 403 when its scopes do not cover the method.
        """
        grant = self.open(authorization)
        if not NEEDED.get((service, method), frozenset()) & grant.scopes:
            text = N_("The access token does not cover this call.")
            raise BearerRefused(403, "insufficient_scope", "insufficient_scope", say(text))
        return grant

    def open(self, authorization: str) -> Grant:
        """Return the grant behind an ``Authorization`` header, whatever it covers.

        Raises:
            BearerRefused: 401 without a good token.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise BearerRefused(401, "", "no_token", say(N_("The call carries no access token.")))
        claims = self.key.open(token.strip(), TOKEN_TYPE_HEADER)
        tool = self.tools.find_tool(str(claims.get("sub", ""))) if claims else None
        if claims is None or tool is None or not self._is_ours(claims, tool):
            text = N_("The access token is not ours, or has expired.")
            raise BearerRefused(401, "invalid_token", "invalid_token", say(text))
        return Grant(tool, frozenset(str(claims.get("scope", "")).split()) & tool.scopes)

    def _is_ours(self, claims: Mapping[str, object], tool: RegisteredTool) -> bool:
        expires = checks.instant(claims, "exp")
        return (
            claims.get("iss") == self.facts.issuer
            and checks.audience_is(claims, self.facts.issuer)
            and claims.get(Claim.DEPLOYMENT_ID) == tool.deployment_id
            and expires is not None
            and self.clock() < expires
        )
