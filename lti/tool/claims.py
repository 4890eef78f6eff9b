"""The claims of a launch as frozen records; what is optional and malformed is left out, not guessed.

Sources: LTI Core 1.3 §5.3–§5.4, AGS 2.0 §3.1, NRPS 2.0 §2.1, Deep Linking 2.0 §4.4, Submission Review 1.0 §3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lti.tool.roles import Role, parse_roles
from lti.tool.wire import text
from lti.vocab import Claim

MAX_ID = 255


@dataclass(frozen=True)
class Context:
    """The course the launch came from."""

    id: str
    label: str | None = None
    title: str | None = None
    type: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResourceLink:
    """The placement in the course; its id is unique within the deployment and new in a copied course."""

    id: str
    title: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Names:
    """How the person is called, as far as the platform tells."""

    given: str | None = field(default=None, repr=False)
    family: str | None = field(default=None, repr=False)
    middle: str | None = field(default=None, repr=False)
    full: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AgsEndpoint:
    """Where scores go.

    Attributes:
        scopes: What this tool may do here.
        line_items: Address of the line items, if there is one.
        line_item: Address of the one line item bound to the link, present only when there is exactly one.
    """

    scopes: frozenset[str]
    line_items: str | None
    line_item: str | None


@dataclass(frozen=True)
class NrpsEndpoint:
    """Where the roster is read."""

    memberships_url: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupsEndpoint:
    """Where the course's groups are read (Course Groups 1.0 §3.1)."""

    groups_url: str
    sets_url: str | None = None


@dataclass(frozen=True)
class NoticesEndpoint:
    """Where a tool says which notices it wants (Platform Notification Service 1.0).

    Attributes:
        url: The service, for this deployment.
        scopes: What this tool may do there.
        types: Notice types the platform sends.
    """

    url: str
    scopes: frozenset[str]
    types: tuple[str, ...]


@dataclass(frozen=True)
class DeepLinkingSettings:
    """What the platform takes back from the picker.

    Attributes:
        return_url: Where the answer is posted.
        accept_types: Content item types.
        accept_targets: frame, iframe, window.
        accept_multiple: More than one item may be returned; False when not said.
        accept_line_item: Whether items may bring a line item; None when not said (Moodle says nothing and takes it).
        auto_create: Items are saved without the teacher confirming.
        title: Suggested title.
        text: Suggested description.
        data: Opaque text to send back, None when none was given.
        accept_media_types: Media types of files, in lower case; empty when all are taken.
    """

    return_url: str
    accept_types: frozenset[str]
    accept_targets: frozenset[str] = frozenset()
    accept_multiple: bool = False
    accept_line_item: bool | None = None
    auto_create: bool = False
    title: str | None = None
    text: str | None = None
    data: str | None = field(default=None, repr=False)
    accept_media_types: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ForUser:
    """Whose submission is reviewed; Moodle sends the id only."""

    user_id: str
    roles: frozenset[Role] = frozenset()
    names: Names = field(default_factory=Names, repr=False)


@dataclass(frozen=True)
class Presentation:
    """How the platform shows the tool, and where it wants the person back."""

    return_url: str | None = None
    document_target: str | None = None
    locale: str | None = None


@dataclass(frozen=True)
class Platform:
    """Which product the platform is."""

    product_family_code: str | None = None
    version: str | None = None
    guid: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Lis:
    """Ids from the student information system; in Moodle the idnumber fields."""

    person_sourcedid: str | None = field(default=None, repr=False)
    course_section_sourcedid: str | None = None
    course_offering_sourcedid: str | None = None


def section(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a claim that is an object; an empty one when it is absent or something else."""
    value = claims.get(name)
    return value if isinstance(value, dict) else {}


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list; empty when it is no list."""
    return tuple(item for item in value if isinstance(item, str) and item) if isinstance(value, list) else ()


def web_address(value: object) -> str | None:
    """Return an absolute http(s) address, or None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def parse_context(claims: Mapping[str, Any]) -> Context | None:
    """Return the course, or None: a launch without one is fine (certification guide, valid launches)."""
    value = section(claims, Claim.CONTEXT)
    context_id = text(value.get("id"))
    if context_id is None:
        return None
    return Context(context_id, text(value.get("label")), text(value.get("title")), texts(value.get("type")))


def parse_resource_link(claims: Mapping[str, Any]) -> ResourceLink | None:
    """Return the placement, or None when it has no usable id."""
    value = section(claims, Claim.RESOURCE_LINK)
    link_id = text(value.get("id"))
    if link_id is None or len(link_id) > MAX_ID:
        return None
    return ResourceLink(link_id, text(value.get("title")), text(value.get("description")))


def parse_names(claims: Mapping[str, Any]) -> Names:
    """Return the name's parts and the address, each None when absent or blank."""
    return Names(
        given=text(claims.get("given_name")),
        family=text(claims.get("family_name")),
        middle=text(claims.get("middle_name")),
        full=text(claims.get("name")),
        email=text(claims.get("email")),
    )


def parse_ags(claims: Mapping[str, Any]) -> AgsEndpoint | None:
    """Return the gradebook's addresses, or None when the platform offers none."""
    value = section(claims, Claim.AGS_ENDPOINT)
    line_items, line_item = web_address(value.get("lineitems")), web_address(value.get("lineitem"))
    if line_items is None and line_item is None:
        return None
    return AgsEndpoint(frozenset(texts(value.get("scope"))), line_items, line_item)


def parse_nrps(claims: Mapping[str, Any]) -> NrpsEndpoint | None:
    """Return the roster's address, or None when the platform offers none."""
    value = section(claims, Claim.NRPS)
    url = web_address(value.get("context_memberships_url"))
    return NrpsEndpoint(url, texts(value.get("service_versions"))) if url else None


def parse_groups(claims: Mapping[str, Any]) -> GroupsEndpoint | None:
    """Return where the groups are, or None when the platform offers none."""
    value = section(claims, Claim.GROUPS)
    url = web_address(value.get("context_groups_url"))
    return GroupsEndpoint(url, web_address(value.get("context_group_sets_url"))) if url else None


def parse_notices(claims: Mapping[str, Any]) -> NoticesEndpoint | None:
    """Return where notices are asked for, or None when the platform sends none."""
    value = section(claims, Claim.NOTICES)
    url = web_address(value.get("platform_notification_service_url"))
    if url is None:
        return None
    return NoticesEndpoint(url, frozenset(texts(value.get("scope"))), texts(value.get("notice_types_supported")))


def parse_deep_linking(claims: Mapping[str, Any]) -> DeepLinkingSettings | None:
    """Return what the picker may answer with, or None when a required part is missing."""
    value = section(claims, Claim.DL_SETTINGS)
    return_url, types = web_address(value.get("deep_link_return_url")), value.get("accept_types")
    if return_url is None or not isinstance(types, list):
        return None
    line_item = value.get("accept_lineitem")
    return DeepLinkingSettings(
        return_url=return_url,
        accept_types=frozenset(texts(types)),
        accept_targets=frozenset(texts(value.get("accept_presentation_document_targets"))),
        accept_multiple=value.get("accept_multiple") is True,
        accept_line_item=line_item if isinstance(line_item, bool) else None,
        auto_create=value.get("auto_create") is True,
        title=text(value.get("title")),
        text=text(value.get("text")),
        data=value["data"] if isinstance(value.get("data"), str) else None,
        accept_media_types=_media_types(value.get("accept_media_types")),
    )


def _media_types(value: object) -> frozenset[str]:
    """Read ``accept_media_types``, a text parted by commas; some platforms send a list."""
    parts = value.split(",") if isinstance(value, str) else texts(value)
    return frozenset(part.strip().lower() for part in parts if part.strip())


def parse_for_user(claims: Mapping[str, Any]) -> ForUser | None:
    """Return whose work is looked at, or None."""
    value = section(claims, Claim.FOR_USER)
    # The draft of the data-privacy launch says ``id``.
    user_id = text(value.get("user_id")) or text(value.get("id"))
    roles = value.get("roles")
    if user_id is None:
        return None
    return ForUser(user_id, parse_roles(roles if isinstance(roles, list) else ()), parse_names(value))


def parse_presentation(claims: Mapping[str, Any]) -> Presentation:
    """Return how the tool is shown; a return address that is not http(s) is left out."""
    value = section(claims, Claim.LAUNCH_PRESENTATION)
    return Presentation(
        web_address(value.get("return_url")), text(value.get("document_target")), text(value.get("locale"))
    )


def parse_platform(claims: Mapping[str, Any]) -> Platform:
    """Return which product launched us."""
    value = section(claims, Claim.TOOL_PLATFORM)
    return Platform(*(text(value.get(name)) for name in ("product_family_code", "version", "guid", "name")))


def parse_lis(claims: Mapping[str, Any]) -> Lis:
    """Return the SIS ids."""
    value = section(claims, Claim.LIS)
    names = ("person_sourcedid", "course_section_sourcedid", "course_offering_sourcedid")
    return Lis(*(text(value.get(name)) for name in names))


def parse_custom(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return the custom parameters; a null is left out, another value becomes its JSON text."""
    value = section(claims, Claim.CUSTOM)
    return {
        str(name): item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
        for name, item in value.items()
        if item is not None
    }
