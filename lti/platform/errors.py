"""Refusals of the platform: which protocol error a tool is told, and what a person reads."""

from __future__ import annotations

from connector.base.errors import Fatal
from connector.base.i18n import Message


class ProtocolRefusal(Fatal):
    """Refuse a tool's message; ``error`` is the code of OAuth 2.0 or OpenID Connect that names the fault."""

    def __init__(self, error: str, reason: str, message: Message) -> None:
        """Keep the protocol's code beside our own reason."""
        super().__init__(reason, message)
        self.error = error


class AuthorisationRefused(ProtocolRefusal):
    """Refuse an authorisation request.

    Attributes:
        redirect_uri: Where the refusal may be told, or None: then only a page of our own may say it.
        state: The tool's state, to be given back.
    """

    def __init__(self, error: str, reason: str, message: Message, redirect_uri: str | None, state: str) -> None:
        """Keep the address only when the caller has found it registered."""
        super().__init__(error, reason, message)
        self.redirect_uri = redirect_uri
        self.state = state


class TokenRefused(ProtocolRefusal):
    """Refuse an access token (RFC 6749, section 5.2): HTTP 400 with ``{"error": …}``."""


class ServiceRefused(ProtocolRefusal):
    """Refuse a service call.

    Attributes:
        status: The HTTP status to answer with.
        retry_after: Seconds to wait, 0 when waiting does not help.
    """

    def __init__(self, status: int, error: str, reason: str, message: Message) -> None:
        """Keep the HTTP status of the refusal."""
        super().__init__(error, reason, message)
        self.status = status
        self.retry_after = 0


class BearerRefused(ServiceRefused):
    """Refuse a service call for its token (RFC 6750, section 3.1): 401 without a good one, 403 without its scope."""

    @property
    def challenge(self) -> str:
        """The value of the ``WWW-Authenticate`` header."""
        return f'Bearer error="{self.error}"' if self.error else "Bearer"


class ResponseRefused(ProtocolRefusal):
    """Refuse a deep-linking response; nothing of it is used."""


class ToolKeyRefused(ProtocolRefusal):
    """Refuse a token whose signing key the tool does not publish, or whose signature is wrong."""


class RegistrationRefused(ProtocolRefusal):
    """Refuse a tool's registration (RFC 7591, section 3.2.2): HTTP 400 with ``{"error": …}``."""
