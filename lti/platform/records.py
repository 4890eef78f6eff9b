"""What the platform knows of itself and of its tools, and what it asks others to remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class PlatformFacts:
    """The addresses an administrator types into a tool.

    Attributes:
        issuer: The platform's name in ``iss``, without a final slash.
        auth_url: OpenID Connect authorisation endpoint.
        token_url: OAuth 2.0 token endpoint; also the audience of a tool's assertion.
        jwks_url: The platform's public keys.
    """

    issuer: str
    auth_url: str
    token_url: str
    jwks_url: str


@dataclass(frozen=True)
class RegisteredTool:
    """One tool in one deployment.

    Attributes:
        client_id: The tool's name towards the token endpoint.
        deployment_id: The placement, as text.
        name: What teachers call it.
        login_url: Where a launch begins; may carry a query of its own.
        redirect_uris: The only addresses an id_token is ever sent to, compared as exact text.
        target_link_uri: The address launched when a link names none.
        deep_linking_url: The address launched to choose content; the target link when None.
        jwks_url: Where the tool publishes its keys.
        jwks: The tool's keys, when they were typed in instead.
        scopes: Service scopes the administrator granted.
    """

    client_id: str
    deployment_id: str
    name: str
    login_url: str
    redirect_uris: tuple[str, ...]
    target_link_uri: str
    deep_linking_url: str | None = None
    jwks_url: str | None = None
    jwks: Mapping[str, Any] | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FormPost:
    """A form the browser posts by itself: the address and its hidden fields."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class BrowserSession:
    """Who sits at the browser: the platform's user id and a text only this session has."""

    user_id: str
    session_id: str


class ToolStore(Protocol):
    """Remembers registered tools."""

    def find_tool(self, client_id: str) -> RegisteredTool | None:
        """Return the tool of this client id, or None."""
        ...


class OnceStore(Protocol):
    """Remembers what was used up, across every process of the platform."""

    def spend(self, kind: str, value: str, until: datetime) -> bool:
        """Use a value up; False when it was used before. It may be forgotten after ``until``."""
        ...
