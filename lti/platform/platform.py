"""Kopir as a platform: the one object a web layer talks to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connector.base.clock import Clock
from lti.platform import authorisation
from lti.platform.authorisation import Authorised
from lti.platform.bearer import BearerCheck, Grant
from lti.platform.deep_linking import Chosen, ResponseCheck
from lti.platform.errors import AuthorisationRefused
from lti.platform.hints import Hints, Intent
from lti.platform.keys import PlatformKeys, ToolKeys
from lti.platform.library import ID_TOKEN_SECONDS, SafeConf, SafeLaunch, SafeLogin, SafeRegistration
from lti.platform.messages import Message
from lti.platform.records import BrowserSession, FormPost, OnceStore, PlatformFacts, RegisteredTool, ToolStore
from lti.platform.tokens import TokenAnswer, TokenEndpoint
from lti.vocab import MessageType


class LtiPlatform:
    """Launch tools, answer their token requests and check what they send; safe to share between threads."""

    def __init__(
        self,
        facts: PlatformFacts,
        key: PlatformKeys,
        *,
        tools: ToolStore,
        once: OnceStore,
        tool_keys: ToolKeys,
        secret: str,
        clock: Clock,
        moodle_leniency: bool = False,
    ) -> None:
        """Wire the checks; ``secret`` signs message hints, ``moodle_leniency`` is as in TokenEndpoint."""
        self.facts = facts
        self._key = key
        self._tools = tools
        self._clock = clock
        self._hints = Hints(secret, once, clock)
        self._tokens = TokenEndpoint(facts, key, tools, tool_keys, once, clock, moodle_leniency)
        self._bearer = BearerCheck(facts, key, tools, clock)
        self._responses = ResponseCheck(facts, tool_keys, once, clock)

    def jwks(self) -> dict[str, Any]:
        """Return our public keys as a JWK set."""
        return self._key.public_jwks()

    def make_hint(self, intent: Intent, session: BrowserSession) -> str:
        """Return a one-use message hint bound to this user and session."""
        return self._hints.make(intent, session)

    def login_form(self, tool: RegisteredTool, intent: Intent, session: BrowserSession, hint: str) -> FormPost:
        """Return the form that begins a launch at the tool's login address."""
        login = self._login(tool, intent, hint)
        return FormPost(tool.login_url, login.fields(session.user_id))

    def login_address(self, tool: RegisteredTool, intent: Intent, session: BrowserSession, hint: str) -> str:
        """Return the same as one address, for a launch begun by a redirect."""
        return self._login(tool, intent, hint).prepare_preflight_url(session.user_id)

    def authorise(
        self, pairs: Iterable[tuple[str, str]], session: BrowserSession | None, hint: str | None = None
    ) -> Authorised:
        """Check an authorisation request and spend its hint.

        Args:
            pairs: Every field as it came, repeated ones included.
            session: Who sits at the browser, or None.
            hint: Our hint, when ``lti_message_hint`` wraps it.

        Raises:
            AuthorisationRefused: Tell the tool only through `refusal_form`.
        """
        return authorisation.check(authorisation.read_once(pairs), self._tools, self._hints, session, hint)

    def refusal_form(self, refusal: AuthorisationRefused) -> FormPost | None:
        """Return the error response for the tool, or None when only a page of ours may say it."""
        return authorisation.error_form(refusal)

    def launch_form(self, authorised: Authorised, message: Message, seconds: int = ID_TOKEN_SECONDS) -> FormPost:
        """Return the form with the signed id_token for a checked authorisation request.

        Args:
            authorised: The request that passed.
            message: What to send; its type must be the one intended when the launch began.
            seconds: The token's life.

        Raises:
            Fatal: The message lacks what its type requires.
        """
        conf = self._conf(authorised.tool)
        form: FormPost = SafeLaunch(authorised, message, conf, seconds).lti_launch()
        return form

    def token(self, form: Mapping[str, str]) -> TokenAnswer:
        """Answer a token request.

        Raises:
            TokenRefused: With the code of RFC 6749, section 5.2.
        """
        return self._tokens.answer(form)

    def grant(self, authorization: str, service: str, method: str) -> Grant:
        """Return the grant behind an ``Authorization`` header for one method of one service.

        Raises:
            BearerRefused: 401 or 403.
        """
        return self._bearer.check(authorization, service, method)

    def chosen(
        self,
        tool: RegisteredTool,
        token: str,
        *,
        data: str | None,
        accept_types: tuple[str, ...] = ("ltiResourceLink",),
        multiple: bool = True,
    ) -> Chosen:
        """Return the items of a deep-linking response.

        Raises:
            ResponseRefused: Anything about it is wrong.
        """
        return self._responses.check(tool, token, data=data, accept_types=accept_types, multiple=multiple)

    def _conf(self, tool: RegisteredTool) -> SafeConf:
        registration = SafeRegistration(self.facts, tool, self._key, int(self._clock().timestamp()))
        return SafeConf(
            registration=registration, tool=tool, tokens=self._tokens, bearer=self._bearer, responses=self._responses
        )

    def _login(self, tool: RegisteredTool, intent: Intent, hint: str) -> SafeLogin:
        login = SafeLogin(None, self._conf(tool))
        login.set_launch_url(intent.target_link_uri)
        login.set_lti_message_hint(hint=hint)
        return login


def target_of(tool: RegisteredTool, message_type: str, link_url: str = "") -> str:
    """Return the address a message of this type goes to: the link's own, the picker's, or the tool's."""
    if message_type == MessageType.DEEP_LINKING:
        return tool.deep_linking_url or tool.target_link_uri
    return link_url or tool.target_link_uri
