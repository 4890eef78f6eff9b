"""The claims of the messages a platform sends (LTI Core 1.3, section 5; Deep Linking 2.0; Submission Review 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from lti.vocab import VERSION, Claim, MessageType


@dataclass(frozen=True)
class Person:
    """Who launches, with what of them the tool may know; an empty text sends no claim."""

    id: str
    roles: tuple[str, ...]
    given_name: str = ""
    family_name: str = ""
    name: str = ""
    email: str = ""
    sourcedid: str = ""
    locale: str = ""


@dataclass(frozen=True)
class Course:
    """The context of a launch; ``sourcedid`` is the course's number in the school's own records."""

    id: str
    label: str
    title: str
    sourcedid: str = ""


@dataclass(frozen=True)
class ResourceLink:
    """The placed activity."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class Services:
    """Addresses of AGS and NRPS; ``lineitem`` only when the link has exactly one column."""

    scopes: tuple[str, ...] = ()
    lineitems: str = ""
    lineitem: str = ""
    memberships: str = ""


@dataclass(frozen=True)
class DeepLinkingSettings:
    """What may be chosen and where the choice is sent; ``data`` is opaque and must come back."""

    return_url: str
    accept_types: tuple[str, ...] = ("ltiResourceLink",)
    targets: tuple[str, ...] = ("frame", "iframe", "window")
    accept_multiple: bool = True
    accept_line_item: bool | None = None
    title: str = ""
    text: str = ""
    data: str | None = None


@dataclass(frozen=True)
class Message:
    """One LTI message before it is addressed and signed.

    Attributes:
        type: The message type.
        person: Who launches.
        course: The context.
        link: The activity; required but in deep linking.
        services: Addresses of the services the tool was granted.
        custom: Custom parameters, texts.
        presentation: The ``launch_presentation`` claim.
        platform: The ``tool_platform`` claim.
        for_user: Whose work is looked at, in a submission review.
        settings: The deep-linking settings, in deep linking.
        extra: Further claims, by full name.
    """

    type: str
    person: Person
    course: Course
    link: ResourceLink | None = None
    services: Services = Services()
    custom: Mapping[str, str] = field(default_factory=dict)
    presentation: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] = field(default_factory=dict)
    for_user: str = ""
    settings: DeepLinkingSettings | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def claims_of(message: Message) -> dict[str, Any]:
    """Return the message's claims, without those that address it (iss, aud, nonce, deployment).

    Raises:
        Fatal: The message lacks what its type requires (``incomplete_message``).
    """
    _check_complete(message)
    return {
        Claim.MESSAGE_TYPE: message.type,
        Claim.VERSION: VERSION,
        **_person(message),
        **_place(message),
        **_services(message.services),
        **_deep_linking(message.settings),
        **({Claim.FOR_USER: {"user_id": message.for_user}} if message.for_user else {}),
        **({Claim.CUSTOM: dict(message.custom)} if message.custom else {}),
        **({Claim.LAUNCH_PRESENTATION: dict(message.presentation)} if message.presentation else {}),
        **({Claim.TOOL_PLATFORM: dict(message.platform)} if message.platform else {}),
        **message.extra,
    }


def _check_complete(message: Message) -> None:
    missing = [
        name
        for name, absent in (
            ("sub", not message.person.id),
            ("resource_link", message.type != MessageType.DEEP_LINKING and message.link is None),
            ("deep_linking_settings", message.type == MessageType.DEEP_LINKING and message.settings is None),
            ("for_user", message.type == MessageType.SUBMISSION_REVIEW and not message.for_user),
        )
        if absent
    ]
    if missing:
        text = N_("A message of type {type} cannot be sent without {missing}.")
        raise Fatal("incomplete_message", say(text, type=message.type, missing=", ".join(missing)))


def _person(message: Message) -> dict[str, Any]:
    person = message.person
    optional = {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "name": person.name,
        "email": person.email,
    }
    lis = {"person_sourcedid": person.sourcedid, "course_section_sourcedid": message.course.sourcedid}
    return {
        "sub": person.id,
        Claim.ROLES: list(person.roles),
        **({Claim.LIS: lis} if any(lis.values()) else {}),
        **{name: value for name, value in optional.items() if value},
    }


def _place(message: Message) -> dict[str, Any]:
    course, link = message.course, message.link
    told = {"label": course.label, "title": course.title}
    context = {"id": course.id, **{name: text for name, text in told.items() if text}, "type": ["CourseSection"]}
    if link is None:
        return {Claim.CONTEXT: context}
    shown = {"title": link.title, "description": link.description, "id": link.id}
    return {Claim.CONTEXT: context, Claim.RESOURCE_LINK: shown}


def _services(services: Services) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if services.lineitems and services.scopes:
        endpoint: dict[str, Any] = {"scope": list(services.scopes), "lineitems": services.lineitems}
        if services.lineitem:
            endpoint["lineitem"] = services.lineitem
        claims[Claim.AGS_ENDPOINT] = endpoint
    if services.memberships:
        service = {"context_memberships_url": services.memberships, "service_versions": ["1.0", "2.0"]}
        claims[Claim.NRPS] = service
    return claims


def _deep_linking(settings: DeepLinkingSettings | None) -> dict[str, Any]:
    if settings is None:
        return {}
    claim: dict[str, Any] = {
        "accept_types": list(settings.accept_types),
        "accept_presentation_document_targets": list(settings.targets),
        "accept_copy_advice": False,
        "accept_multiple": settings.accept_multiple,
        "accept_unsigned": False,
        "auto_create": False,
        "can_confirm": False,
        "deep_link_return_url": settings.return_url,
        "title": settings.title,
        "text": settings.text,
    }
    if settings.accept_line_item is not None:
        claim["accept_lineitem"] = settings.accept_line_item
    if settings.data is not None:
        claim["data"] = settings.data
    return {Claim.DL_SETTINGS: claim}
