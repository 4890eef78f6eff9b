"""A launch: the platform's form in, a validated record out, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.base.secrets import Signer
from lti.errors import Check, LaunchReason
from lti.tool import claims as c
from lti.tool import validation as v
from lti.tool.login import LoginState
from lti.tool.ports import KeySource, Registration, Registrations
from lti.tool.roles import Role, parse_roles
from lti.tool.wire import text
from lti.vocab import Claim, MessageType

_OF_A_LINK = (MessageType.RESOURCE_LINK, MessageType.SUBMISSION_REVIEW)


@dataclass(frozen=True)
class Launch:
    """A validated launch.

    The caller completes single use: it inserts (``registration.id``, ``nonce``) under a unique key and raises
    ``lti.tool.refusals.replayed`` when the row is there already. The row may go after ``expires_at``.

    Attributes:
        registration: Whose launch it is.
        deployment_id: Which deployment of that platform.
        message_type: Resource link, deep linking, submission review or data privacy.
        subject: The person's ``sub``; unique within the issuer; None when anonymous.
        roles: The known roles.
        role_uris: Every role as sent.
        context: The course, or None.
        resource_link: The placement; None in deep linking and data privacy.
        target_link_uri: The address launched, equal to the login's.
        names: Name and e-mail, as far as sent.
        locale: The user's language at the platform (``locale``, else the presentation's).
        custom: Custom parameters, text to text.
        ags: Gradebook addresses, or None.
        nrps: Roster address, or None.
        groups: Addresses of the course's groups, or None.
        notices: Where notices can be asked for, or None.
        deep_linking: What the picker may answer, only in deep linking.
        for_user: Whose work is reviewed, or whom a data-privacy launch is about; or None.
        presentation: How the tool is shown, and the return address.
        platform: Which product launched.
        lis: SIS ids.
        mentored: Users this person is a mentor of (``role_scope_mentor``).
        nonce: To be spent once.
        state_id: The login's id, to clear its cookie.
        expires_at: When the token would be refused anyway.
        raw: All claims as sent; personal, never logged.
        trace: What was checked, without personal data.
    """

    registration: Registration
    deployment_id: str
    message_type: MessageType
    subject: str | None
    roles: frozenset[Role]
    role_uris: tuple[str, ...]
    context: c.Context | None
    resource_link: c.ResourceLink | None
    target_link_uri: str
    names: c.Names = field(repr=False)
    locale: str | None
    custom: Mapping[str, str] = field(repr=False)
    ags: c.AgsEndpoint | None
    nrps: c.NrpsEndpoint | None
    groups: c.GroupsEndpoint | None
    notices: c.NoticesEndpoint | None
    deep_linking: c.DeepLinkingSettings | None
    for_user: c.ForUser | None
    presentation: c.Presentation
    platform: c.Platform
    lis: c.Lis
    mentored: tuple[str, ...]
    nonce: str = field(repr=False)
    state_id: str
    expires_at: datetime
    raw: Mapping[str, Any] = field(repr=False)
    trace: tuple[Check, ...] = field(repr=False)


def validate_launch(
    form: Mapping[str, str],
    *,
    browser_secret: str | None,
    registrations: Registrations,
    key_sets: KeySource,
    signer: Signer,
    deployments: v.Deployments,
    now: datetime,
    limits: v.Limits | None = None,
) -> Launch:
    """Check every clause a tool must check and return the launch.

    Args:
        form: The posted form (``id_token`` and ``state``, or ``error`` and ``state``).
        browser_secret: The value of the login's cookie (``login.cookie_name_for``) or of platform storage.
        registrations: Where registrations are found.
        key_sets: The platforms' keys.
        signer: The one that signed the state.
        deployments: Tells whether a deployment of a registration is known.
        now: The present instant.
        limits: Bounds; the usual ones by default.

    Raises:
        LaunchRefused: A check failed; it carries reason, clause, trace and, once known, the return address.
    """
    limits = limits or v.Limits()
    trace = v.Trace()
    v.check_size(form, limits, trace)
    state = v.check_state(form, signer, now, trace)
    v.check_platform_error(form, trace)
    v.check_browser(state, browser_secret, trace)
    registration = _registration(registrations, state, trace)
    token = form.get("id_token", "")
    kid = v.check_header(token, trace)
    claims = v.check_signature(token, kid, registration.jwks_url, key_sets, trace)
    v.check_parties(claims, registration, limits, trace)
    trace.return_url = v.return_address(claims)
    expires_at = v.check_times(claims, limits, now, trace)
    nonce = v.check_nonce(claims, state, trace)
    kind = v.check_message(claims, trace)
    deployment = v.check_deployment(claims, registration, state, deployments, trace)
    target = v.check_target(claims, kind, state, trace)
    subject = v.check_subject(claims, registration, trace)
    role_uris = v.check_roles(claims, kind, trace)
    v.check_payload(claims, kind, trace)
    presentation = c.parse_presentation(claims)
    return Launch(
        registration=registration,
        deployment_id=deployment,
        message_type=kind,
        subject=subject,
        roles=parse_roles(role_uris),
        role_uris=role_uris,
        context=c.parse_context(claims),
        resource_link=c.parse_resource_link(claims) if kind in _OF_A_LINK else None,
        target_link_uri=target,
        names=c.parse_names(claims),
        locale=text(claims.get("locale")) or presentation.locale,
        custom=c.parse_custom(claims),
        ags=c.parse_ags(claims),
        nrps=c.parse_nrps(claims),
        groups=c.parse_groups(claims),
        notices=c.parse_notices(claims),
        deep_linking=c.parse_deep_linking(claims) if kind is MessageType.DEEP_LINKING else None,
        for_user=c.parse_for_user(claims),
        presentation=presentation,
        platform=c.parse_platform(claims),
        lis=c.parse_lis(claims),
        mentored=c.texts(claims.get(Claim.ROLE_SCOPE_MENTOR)),
        nonce=nonce,
        state_id=state.state_id,
        expires_at=expires_at,
        raw=claims,
        trace=tuple(trace.checks),
    )


def _registration(registrations: Registrations, state: LoginState, trace: v.Trace) -> Registration:
    found = registrations.get(state.registration_id)
    if found is None:
        raise trace.fail(LaunchReason.UNKNOWN_ISSUER, "registration", issuer="-", client_id="-")
    return found
