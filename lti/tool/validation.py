"""The checks of a launch, each small, each leaving one line in the trace.

Order matters: nothing of the token is believed before its signature, and nothing is fetched before the state and
the browser are known to be ours.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.base.secrets import Signer, fingerprint
from lti.errors import Check, KeyUnavailable, LaunchReason, LaunchRefused, Outcome
from lti.tool import refusals as r
from lti.tool.claims import MAX_ID, parse_deep_linking, parse_for_user, parse_resource_link, web_address
from lti.tool.login import STATE_SECONDS, LoginState, read_state
from lti.tool.ports import KeySource, Registration
from lti.tool.signature import ALGORITHM, FOREIGN_KEY_HEADERS, NotAToken, WrongSignature, read_header, verify
from lti.vocab import DATA_PRIVACY_DRAFT, NOT_OFFERED, VERSION, Claim, MessageType

Deployments = Callable[[Registration, str], bool]

ACCEPTED_MESSAGES = (
    MessageType.RESOURCE_LINK,
    MessageType.DEEP_LINKING,
    MessageType.SUBMISSION_REVIEW,
    MessageType.DATA_PRIVACY,
)
KNOWN_ERRORS = frozenset(
    {"invalid_request", "invalid_scope", "unauthorized_client", "access_denied", "unsupported_response_type",
     "server_error", "temporarily_unavailable", "login_required", "interaction_required", "consent_required",
     "account_selection_required"}
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Bounds of a launch.

    Attributes:
        body_bytes: Largest form.
        leeway: How far the two clocks may differ.
        oldest: An id_token issued longer ago is refused, whatever its ``exp`` says.
        trusted_audiences: Further audiences an id_token may name besides our client id.
    """

    body_bytes: int = 64 * 1024
    leeway: timedelta = timedelta(seconds=60)
    oldest: timedelta = timedelta(hours=1)
    trusted_audiences: frozenset[str] = frozenset()


@dataclass
class Trace:
    """Collects the checks of one launch and makes its refusal."""

    checks: list[Check] = field(default_factory=list)
    registration_id: str | None = None
    return_url: str | None = None

    def note(self, name: str, clause: str, outcome: Outcome = Outcome.PASSED) -> None:
        """Record how a check ended."""
        self.checks.append(Check(name, clause, outcome))

    def fail(self, reason: LaunchReason, check: str, clause: str | None = None, /, **values: object) -> LaunchRefused:
        """Record the failure and return the refusal to raise."""
        clause = clause or r.REFUSALS[reason].clause
        self.note(check, clause, Outcome.FAILED)
        return r.refuse(
            reason,
            clause=clause,
            return_url=self.return_url,
            trace=tuple(self.checks),
            registration_id=self.registration_id,
            **values,
        )


def check_size(form: Mapping[str, str], limits: Limits, trace: Trace) -> None:
    """Refuse a form over the limit before anything in it is read."""
    if sum(len(name) + len(value) for name, value in form.items()) > limits.body_bytes:
        raise trace.fail(LaunchReason.TOO_LARGE, "body_size", limit=limits.body_bytes)
    trace.note("body_size", r.SEC_VALIDATION)


def check_state(form: Mapping[str, str], signer: Signer, now: datetime, trace: Trace) -> LoginState:
    """Return the state we signed at login, in time."""
    text = form.get("state", "")
    if not text:
        raise trace.fail(LaunchReason.STATE_MISSING, "state")
    state = read_state(text, signer)
    if state is None:
        raise trace.fail(LaunchReason.STATE_INVALID, "state")
    trace.registration_id = state.registration_id
    if now - state.issued_at > timedelta(seconds=STATE_SECONDS):
        raise trace.fail(LaunchReason.STATE_EXPIRED, "state_age", minutes=STATE_SECONDS // 60)
    trace.note("state", r.SEC_CSRF)
    return state


def check_platform_error(form: Mapping[str, str], trace: Trace) -> None:
    """Refuse an authentication error response: it has ``error`` and no id_token."""
    error = form.get("error")
    if error and not form.get("id_token"):
        shown = error if error in KNOWN_ERRORS else "unknown"
        raise trace.fail(LaunchReason.PLATFORM_ERROR, "platform_error", error=shown)


def check_browser(state: LoginState, secret: str | None, trace: Trace) -> None:
    """Make sure that the browser the login began in is the one that launches."""
    if not secret:
        raise trace.fail(LaunchReason.NO_COOKIE, "browser")
    if not hmac.compare_digest(fingerprint(secret), state.browser):
        raise trace.fail(LaunchReason.OTHER_BROWSER, "browser")
    trace.note("browser", r.SEC_CSRF)


def check_header(token: str, trace: Trace) -> str:
    """Judge the token's header and return its ``kid``."""
    try:
        header = read_header(token)
    except NotAToken as error:
        raise trace.fail(LaunchReason.NOT_A_LAUNCH, "token_form") from error
    if header.get("alg") != ALGORITHM:
        raise trace.fail(LaunchReason.BAD_ALGORITHM, "alg", alg=str(header.get("alg"))[:20])
    for name in FOREIGN_KEY_HEADERS:
        if name in header:
            raise trace.fail(LaunchReason.BAD_HEADER, "header", name=name)
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise trace.fail(LaunchReason.MISSING_KID, "kid")
    trace.note("header", r.SEC_VALIDATION)
    return kid


def check_signature(token: str, kid: str, jwks_url: str, keys: KeySource, trace: Trace) -> dict[str, Any]:
    """Return the claims, signed by the platform's key of this ``kid``."""
    try:
        claims = verify(token, keys.key(jwks_url, kid))
    except KeyUnavailable as error:
        seconds = math.ceil(error.retry_after.total_seconds()) if error.retry_after else 0
        raise trace.fail(LaunchReason(error.reason), "key", seconds=seconds) from error
    except WrongSignature as error:
        raise trace.fail(LaunchReason.BAD_SIGNATURE, "signature") from error
    except NotAToken as error:
        raise trace.fail(LaunchReason.NOT_A_LAUNCH, "payload") from error
    trace.note("signature", r.SEC_VALIDATION)
    return claims


def check_parties(claims: Mapping[str, Any], registration: Registration, limits: Limits, trace: Trace) -> None:
    """Check who issued the token and whom it is for: iss, aud, azp."""
    if claims.get("iss") != registration.issuer:
        raise trace.fail(LaunchReason.BAD_ISSUER, "iss", issuer=registration.issuer)
    trace.note("iss", r.SEC_VALIDATION)
    if not _meant_for(claims, registration.client_id, limits.trusted_audiences):
        raise trace.fail(LaunchReason.BAD_AUDIENCE, "aud", client_id=registration.client_id)
    trace.note("aud", r.SEC_VALIDATION)


def _meant_for(claims: Mapping[str, Any], client_id: str, trusted: frozenset[str]) -> bool:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(entry, str) for entry in listed) or client_id not in listed:
        return False
    if set(listed) - {client_id} - trusted:
        return False
    if "azp" in claims or len(set(listed)) > 1:
        return bool(claims.get("azp") == client_id)
    return True


def check_times(claims: Mapping[str, Any], limits: Limits, now: datetime, trace: Trace) -> datetime:
    """Check exp and iat, both required, and return the instant after which the token is refused anyway."""
    expires, issued = (_seconds(claims, name, trace) for name in ("exp", "iat"))
    present, leeway = now.timestamp(), limits.leeway.total_seconds()
    if issued > present + leeway:
        raise trace.fail(LaunchReason.ISSUED_IN_FUTURE, "iat", seconds=int(issued - present))
    last = min(expires + leeway, issued + limits.oldest.total_seconds())
    if present >= last:
        raise trace.fail(LaunchReason.EXPIRED, "exp")
    trace.note("times", r.SEC_VALIDATION)
    return now + timedelta(seconds=last - present)


def _seconds(claims: Mapping[str, Any], name: str, trace: Trace) -> float:
    value = claims.get(name)
    if value is None:
        raise trace.fail(LaunchReason.MISSING_CLAIM, name, r.SEC_ID_TOKEN, claim=name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise trace.fail(LaunchReason.MALFORMED_CLAIM, name, r.SEC_ID_TOKEN, claim=name)
    return float(value)


def check_nonce(claims: Mapping[str, Any], state: LoginState, trace: Trace) -> str:
    """Return the nonce, which is the one of this state; whether it was spent is the caller's to find out."""
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), state.nonce.encode()):
        raise trace.fail(LaunchReason.BAD_NONCE, "nonce")
    trace.note("nonce", r.SEC_VALIDATION)
    return nonce


def check_message(claims: Mapping[str, Any], trace: Trace) -> MessageType:
    """Check version and message type."""
    version, kind = claims.get(Claim.VERSION), claims.get(Claim.MESSAGE_TYPE)
    if version is None:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "version", r.CORE_VERSION, claim="version")
    if version != VERSION:
        raise trace.fail(LaunchReason.WRONG_VERSION, "version")
    trace.note("version", r.CORE_VERSION)
    if kind is None:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "message_type", r.CORE_MESSAGE, claim="message_type")
    if kind == DATA_PRIVACY_DRAFT:
        kind = MessageType.DATA_PRIVACY
    if isinstance(kind, str) and kind in NOT_OFFERED:
        raise trace.fail(LaunchReason.MESSAGE_NOT_OFFERED, "message_type", message_type=kind)
    if kind not in ACCEPTED_MESSAGES:
        raise trace.fail(LaunchReason.WRONG_MESSAGE_TYPE, "message_type", message_type=str(kind)[:60])
    trace.note("message_type", r.CORE_MESSAGE)
    return MessageType(kind)


def check_deployment(
    claims: Mapping[str, Any], registration: Registration, state: LoginState, known: Deployments, trace: Trace
) -> str:
    """Return the deployment, the one of the login where that named one, and known to us."""
    deployment = claims.get(Claim.DEPLOYMENT_ID)
    if not isinstance(deployment, str) or not deployment:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "deployment_id", r.CORE_DEPLOYMENT, claim="deployment_id")
    if len(deployment) > MAX_ID:
        raise trace.fail(LaunchReason.MALFORMED_CLAIM, "deployment_id", r.CORE_DEPLOYMENT, claim="deployment_id")
    if state.deployment_hint not in (None, deployment):
        raise trace.fail(LaunchReason.DEPLOYMENT_MISMATCH, "deployment_id")
    if not known(registration, deployment):
        raise trace.fail(LaunchReason.UNKNOWN_DEPLOYMENT, "deployment_id", deployment=deployment)
    trace.note("deployment_id", r.CORE_DEPLOYMENT)
    return deployment


def check_target(claims: Mapping[str, Any], kind: MessageType, state: LoginState, trace: Trace) -> str:
    """Return the target link, the same as at login; a deep linking request may leave it out."""
    target = claims.get(Claim.TARGET_LINK_URI)
    if target is None and kind is MessageType.DEEP_LINKING:
        trace.note("target_link_uri", r.CORE_TARGET, Outcome.ABSENT)
        return state.target_link_uri
    if not isinstance(target, str) or not target:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "target_link_uri", r.CORE_TARGET, claim="target_link_uri")
    if target != state.target_link_uri:
        raise trace.fail(LaunchReason.TARGET_MISMATCH, "target_link_uri")
    trace.note("target_link_uri", r.CORE_TARGET)
    return target


def check_subject(claims: Mapping[str, Any], registration: Registration, trace: Trace) -> str | None:
    """Return ``sub``; None for an anonymous launch where the registration serves those."""
    subject = claims.get("sub")
    if subject is None or subject == "":
        if not registration.allow_anonymous:
            raise trace.fail(LaunchReason.MISSING_CLAIM, "sub", r.CORE_USER, claim="sub")
        trace.note("sub", r.CORE_USER, Outcome.ABSENT)
        return None
    if not isinstance(subject, str) or len(subject) > MAX_ID or not subject.isascii() or not subject.isprintable():
        raise trace.fail(LaunchReason.MALFORMED_CLAIM, "sub", r.CORE_USER, claim="sub")
    trace.note("sub", r.CORE_USER)
    return subject


def check_roles(claims: Mapping[str, Any], kind: MessageType, trace: Trace) -> tuple[str, ...]:
    """Return the roles as sent; the list may be empty or hold an empty text, but must be there."""
    roles = claims.get(Claim.ROLES)
    if roles is None and kind is MessageType.DEEP_LINKING:
        trace.note("roles", r.CORE_ROLES, Outcome.ABSENT)
        return ()
    if roles is None:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "roles", r.CORE_ROLES, claim="roles")
    if not isinstance(roles, list):
        raise trace.fail(LaunchReason.MALFORMED_CLAIM, "roles", r.CORE_ROLES, claim="roles")
    trace.note("roles", r.CORE_ROLES)
    return tuple(role for role in roles if isinstance(role, str) and role)


def check_payload(claims: Mapping[str, Any], kind: MessageType, trace: Trace) -> None:
    """Check what the message type itself requires: the resource link, or the deep linking settings."""
    if kind is MessageType.DEEP_LINKING:
        if parse_deep_linking(claims) is None:
            name = "deep_linking_settings"
            raise trace.fail(LaunchReason.MISSING_CLAIM, name, r.DEEP_LINKING, claim=name)
        trace.note("deep_linking_settings", r.DEEP_LINKING)
        return
    if kind is MessageType.DATA_PRIVACY:
        # It is about a person, not about a link; without for_user about the one who launched.
        told = parse_for_user(claims) is not None
        trace.note("for_user", r.DATA_PRIVACY, Outcome.PASSED if told else Outcome.ABSENT)
        return
    if parse_resource_link(claims) is None:
        raise trace.fail(LaunchReason.MISSING_CLAIM, "resource_link", r.CORE_LINK, claim="resource_link.id")
    trace.note("resource_link", r.CORE_LINK)


def return_address(claims: Mapping[str, Any]) -> str | None:
    """Return the platform's return address, once the claims are known to be the platform's."""
    presentation = claims.get(Claim.LAUNCH_PRESENTATION)
    return web_address(presentation.get("return_url")) if isinstance(presentation, dict) else None
