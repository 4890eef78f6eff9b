"""What we ask of a platform when we register (Dynamic Registration 1.0 §3.5.2, OIDC Registration 1.0 §2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lti.profiles import profile_for
from lti.tool.registration_configuration import PlatformConfiguration
from lti.vocab import FurtherScope, MessageType, NoticeType, Scope

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"

# Nobody's e-mail address is used, so none is asked for.
CLAIMS = ("iss", "sub", "name", "given_name", "family_name")
# A variable a platform does not fill in would come back as its own name, so only those it lists are asked for.
VARIABLES = {
    "user_idnumber": "Person.sourcedId",
    "course_idnumber": "CourseSection.sourcedId",
    "context_id_history": "Context.id.history",
    "resource_link_id_history": "ResourceLink.id.history",
}
MESSAGES = (
    MessageType.RESOURCE_LINK,
    MessageType.DEEP_LINKING,
    MessageType.SUBMISSION_REVIEW,
    MessageType.DATA_PRIVACY,
)
NOTICES = (NoticeType.HELLO, NoticeType.CONTEXT_COPY)
# Where a teacher picks an activity, by the last part of the placement's name: the specification's and Canvas's.
_PICKERS = ("ContentArea", "assignment_selection", "link_selection")


@dataclass(frozen=True)
class ToolDescription:
    """Who we are.

    Attributes:
        login_url: Where logins are begun.
        launch_url: The one redirect URI and target link.
        jwks_url: Our public keys.
        names: The tool's name by language.
        descriptions: One sentence by language.
        language: The language of the names that carry no language tag.
        home_url: A page about us.
    """

    login_url: str
    launch_url: str
    jwks_url: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    language: str
    home_url: str


@dataclass(frozen=True)
class Asked:
    """What will be asked, for the person who is to agree.

    Attributes:
        scopes: Services asked for.
        missing_scopes: Services we need and this platform does not offer.
        messages: Messages asked for, by type.
        claims: What is said of a person in a launch.
        custom: Custom parameters and the variables behind them.
        notices: What the platform will be asked to tell by itself, once launches name its service for that.
    """

    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    messages: tuple[str, ...]
    claims: tuple[str, ...]
    custom: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def what_to_ask(configuration: PlatformConfiguration) -> Asked:
    """Return what we ask of this platform: all we need that it offers, and nothing beyond."""
    offered = set(configuration.scopes)
    scopes = tuple(str(scope) for scope in Scope)
    wanted = tuple(scope for scope in scopes if not offered or scope in offered)
    wanted += tuple(str(scope) for scope in FurtherScope if scope in offered)
    known = {message.type for message in configuration.messages}
    messages = tuple(str(kind) for kind in MESSAGES if kind is MessageType.RESOURCE_LINK or kind in known)
    variables = set(configuration.variables)
    custom = {name: f"${variable}" for name, variable in VARIABLES.items() if variable in variables}
    missing = tuple(scope for scope in scopes if scope not in wanted)
    told = FurtherScope.NOTICE_HANDLERS in offered
    notices = tuple(str(kind) for kind in NOTICES if told and kind in configuration.notices)
    return Asked(wanted, missing, messages, _claims(configuration), custom, notices)


def _claims(configuration: PlatformConfiguration) -> tuple[str, ...]:
    offered = set(configuration.claims) | {"iss", "sub"}
    return tuple(claim for claim in CLAIMS if not configuration.claims or claim in offered)


def build_request(configuration: PlatformConfiguration, tool: ToolDescription) -> dict[str, Any]:
    """Return the body of the registration.

    Moodle refuses one without ``response_types``, ``initiate_login_uri``, ``redirect_uris``, ``client_name``,
    ``jwks_uri``, ``token_endpoint_auth_method`` or ``domain``, which must be the target link's host with its port
    (mod/lti/classes/local/ltiopenid/registration_helper.php).
    """
    asked = what_to_ask(configuration)
    configured: dict[str, Any] = {
        "domain": urlsplit(tool.launch_url).netloc,
        **dict(_in_languages("description", tool.descriptions, tool.language)),
        "target_link_uri": tool.launch_url,
        "custom_parameters": dict(asked.custom),
        "claims": list(asked.claims),
        "messages": [_message(kind, configuration, tool) for kind in asked.messages],
        **dict(profile_for(configuration.family_code).registration_extras),
    }
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": tool.login_url,
        "redirect_uris": [tool.launch_url],
        **dict(_in_languages("client_name", tool.names, tool.language)),
        "client_uri": tool.home_url,
        "jwks_uri": tool.jwks_url,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(asked.scopes),
        TOOL: configured,
    }


def _message(kind: str, configuration: PlatformConfiguration, tool: ToolDescription) -> dict[str, Any]:
    value: dict[str, Any] = {"type": kind, "target_link_uri": tool.launch_url}
    value.update(_in_languages("label", tool.names, tool.language))
    if kind == MessageType.DEEP_LINKING:
        offered = next(message.placements for message in configuration.messages if message.type == kind)
        placements = [name for name in offered if name.rsplit("/", 1)[-1] in _PICKERS]
        if placements:
            value["placements"] = placements
    return value


def _in_languages(name: str, texts: Mapping[str, str], first: str) -> Iterator[tuple[str, str]]:
    """Yield ``name`` and ``name#kk``, ``name#ru``… (OIDC Registration 1.0 §2.1)."""
    yield name, texts[first]
    for language, text in texts.items():
        if language != first:
            yield f"{name}#{language}", text
