"""The token endpoint: a signed assertion for an access token (RFC 7523; LTI Security Framework 1.0, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.base.clock import Clock
from connector.base.i18n import N_, Message, say
from connector.base.ids import new_id
from lti.platform import claims as checks
from lti.platform.errors import TokenRefused, ToolKeyRefused
from lti.platform.keys import PlatformKeys, ToolKeys, read_unverified_claims
from lti.platform.records import OnceStore, PlatformFacts, RegisteredTool, ToolStore
from lti.vocab import CLIENT_ASSERTION_TYPE, Claim

TOKEN_SECONDS = 3600
TOKEN_TYPE_HEADER = "at+jwt"  # noqa: S105 - the typ of RFC 9068, no secret.
LONGEST_ASSERTION = timedelta(hours=1)
MAX_JTI = 256


@dataclass(frozen=True)
class TokenAnswer:
    """A granted access token and the scopes it holds, in the order they were asked."""

    access_token: str
    scopes: tuple[str, ...]
    expires_in: int = TOKEN_SECONDS

    def body(self) -> dict[str, Any]:
        """Return the body of RFC 6749, section 5.1."""
        return {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": " ".join(self.scopes),
        }


@dataclass
class TokenEndpoint:
    """Check assertions and mint access tokens.

    Attributes:
        facts: Our addresses; the token URL and the issuer are the audiences accepted.
        key: Our signing key.
        tools: Where registrations are found.
        tool_keys: The tools' public keys.
        once: Remembers spent ``jti`` values.
        clock: The present.
        moodle_leniency: Check only what Moodle checks: the signature, and times without leeway. Moodle looks at
            neither ``aud`` nor ``jti``, and refuses an ``iat`` ahead of its clock (seen on Moodle 4.5.6).
    """

    facts: PlatformFacts
    key: PlatformKeys
    tools: ToolStore
    tool_keys: ToolKeys
    once: OnceStore
    clock: Clock
    moodle_leniency: bool = False

    def answer(self, form: Mapping[str, str]) -> TokenAnswer:
        """Answer a token request.

        Raises:
            TokenRefused: With the code of RFC 6749, section 5.2.
        """
        tool = self._find(form)
        assertion = form["client_assertion"]
        try:
            claims = self.tool_keys.verify(tool, assertion)
        except ToolKeyRefused as error:
            raise TokenRefused("invalid_client", error.reason, error.message) from error
        (self._check_as_moodle if self.moodle_leniency else self._check)(tool, claims)
        wanted = dict.fromkeys(form.get("scope", "").split())
        scopes = tuple(scope for scope in wanted if scope in tool.scopes)
        if not scopes:
            text = N_("None of the scopes asked for is granted to this tool.")
            raise TokenRefused("invalid_scope", "no_scope_granted", say(text))
        return TokenAnswer(self._mint(tool, scopes), scopes)

    def _find(self, form: Mapping[str, str]) -> RegisteredTool:
        needed = ("client_assertion", "client_assertion_type", "grant_type", "scope")
        if not all(form.get(name) for name in needed):
            raise _bad("invalid_request", "missing_field", say(N_("The token request lacks a field.")))
        if form["grant_type"] != "client_credentials" or form["client_assertion_type"] != CLIENT_ASSERTION_TYPE:
            text = N_("Only client_credentials with a JWT assertion is understood.")
            raise _bad("unsupported_grant_type", "wrong_grant", say(text))
        claims = read_unverified_claims(form["client_assertion"])
        if claims is None or not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _bad("invalid_request", "unreadable_assertion", say(N_("The assertion cannot be read.")))
        tool = self.tools.find_tool(claims["sub"])
        if tool is None:
            text = N_("No tool is registered under this client id.")
            raise _bad("invalid_client", "unknown_client", say(text))
        return tool

    def _check(self, tool: RegisteredTool, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != tool.client_id or claims.get("sub") != tool.client_id:
            raise _bad("invalid_client", "wrong_issuer", say(N_("The assertion's iss and sub must be the client id.")))
        if not checks.audience_is(claims, self.facts.token_url, self.facts.issuer):
            text = N_("The assertion is addressed to somebody else.")
            raise _bad("invalid_client", "wrong_audience", say(text))
        now = self.clock()
        if not checks.is_current(claims, now, LONGEST_ASSERTION):
            raise _bad("invalid_client", "wrong_times", say(N_("The assertion has expired, or its times are wrong.")))
        stated = claims.get(Claim.DEPLOYMENT_ID, tool.deployment_id)
        if stated != tool.deployment_id:
            raise _bad("invalid_client", "wrong_deployment", say(N_("The assertion names another deployment.")))
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
            raise _bad("invalid_client", "no_jti", say(N_("The assertion carries no jti.")))
        until = checks.instant(claims, "exp") or now
        if not self.once.spend(f"jti:{tool.client_id}", jti, until + checks.LEEWAY):
            raise _bad("invalid_client", "replayed", say(N_("The assertion was used before.")))

    def _check_as_moodle(self, _tool: RegisteredTool, claims: Mapping[str, Any]) -> None:
        now = self.clock()
        for name in ("nbf", "iat"):
            value = checks.instant(claims, name)
            if value is not None and int(value.timestamp()) > int(now.timestamp()):
                message = say(N_("Cannot handle token with {claim} prior to {time}"), claim=name, time=_atom(value))
                raise _bad("invalid_client", "from_the_future", message)
        expires = checks.instant(claims, "exp")
        if expires is not None and now >= expires:
            raise _bad("invalid_client", "expired", say(N_("Expired token")))

    def _mint(self, tool: RegisteredTool, scopes: tuple[str, ...]) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.facts.issuer,
            "aud": self.facts.issuer,
            "sub": tool.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": new_id(),
            "scope": " ".join(scopes),
            Claim.DEPLOYMENT_ID: tool.deployment_id,
        }
        return self.key.sign(claims, TOKEN_TYPE_HEADER)


def _bad(error: str, reason: str, message: Message) -> TokenRefused:
    return TokenRefused(error, reason, message)


def _atom(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S+0000")
