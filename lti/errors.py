"""Errors of the LTI room: a refused launch, and service errors that say who can mend them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connector.base.errors import Fatal, KopirError, Record, Retriable
from connector.base.i18n import Message


class LaunchReason(StrEnum):
    """Why a login or a launch was refused; stable codes for screens, logs and metrics."""

    TOO_LARGE = "too_large"
    MISSING_PARAMETER = "missing_parameter"
    UNKNOWN_ISSUER = "unknown_issuer"
    AMBIGUOUS_CLIENT = "ambiguous_client"
    UNKNOWN_DEPLOYMENT = "unknown_deployment"
    DEPLOYMENT_MISMATCH = "deployment_mismatch"
    PLATFORM_ERROR = "platform_error"
    STATE_MISSING = "state_missing"
    STATE_INVALID = "state_invalid"
    STATE_EXPIRED = "state_expired"
    NO_COOKIE = "no_cookie"
    OTHER_BROWSER = "other_browser"
    NOT_A_LAUNCH = "not_a_launch"
    BAD_ALGORITHM = "bad_algorithm"
    BAD_HEADER = "bad_header"
    MISSING_KID = "missing_kid"
    UNKNOWN_KEY = "unknown_key"
    KEY_PENDING = "key_pending"
    WEAK_KEY = "weak_key"
    KEYS_UNREACHABLE = "keys_unreachable"
    BUSY = "busy"
    BAD_SIGNATURE = "bad_signature"
    BAD_ISSUER = "bad_issuer"
    BAD_AUDIENCE = "bad_audience"
    EXPIRED = "expired"
    ISSUED_IN_FUTURE = "issued_in_future"
    BAD_NONCE = "bad_nonce"
    REPLAYED = "replayed"
    WRONG_VERSION = "wrong_version"
    WRONG_MESSAGE_TYPE = "wrong_message_type"
    MESSAGE_NOT_OFFERED = "message_not_offered"
    MISSING_CLAIM = "missing_claim"
    MALFORMED_CLAIM = "malformed_claim"
    TARGET_MISMATCH = "target_mismatch"
    FOREIGN_TARGET = "foreign_target"


class Outcome(StrEnum):
    """How one check of a launch ended."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Check:
    """One line of a launch's trace; holds no personal data.

    Attributes:
        name: What was checked, a short stable code.
        clause: Where the specification asks for it.
        outcome: How it ended.
    """

    name: str
    clause: str
    outcome: Outcome


class LtiError(KopirError):
    """Anything that went wrong in the protocol."""


class LaunchRefused(LtiError):
    """A login or launch that is not served.

    Attributes:
        reason: The code; ``lti.tool.refusals.REFUSALS`` has the teacher's and the administrator's sentence for it.
        message: The administrator's sentence, with what was seen.
        clause: The specification's clause that was broken.
        return_url: Where the platform wants the person back, known only once the signature was good.
        trace: The checks up to and including the failed one.
        registration_id: Whose launch it was, when that is known.
    """

    def __init__(
        self,
        reason: LaunchReason,
        message: Message,
        clause: str,
        return_url: str | None = None,
        *,
        trace: tuple[Check, ...] = (),
        registration_id: str | None = None,
    ) -> None:
        """Keep what the refusal page and the trace need."""
        super().__init__(str(reason), message)
        self.launch_reason = reason
        self.clause = clause
        self.return_url = return_url
        self.trace = trace
        self.registration_id = registration_id


class KeyUnavailable(LtiError):
    """A platform's public key could not be had: ``unknown_key``, ``weak_key`` or ``keys_unreachable``.

    Attributes:
        retry_after: With ``key_pending``: when to ask again.
    """

    def __init__(self, reason: str, message: Message, retry_after: timedelta | None = None) -> None:
        """Keep the wait beside reason and message."""
        super().__init__(str(reason), message)
        self.retry_after = retry_after


class NoticeRefused(LtiError):
    """A notice that is not believed; its reason is a launch's, or ``not_a_notice``."""


class DeepLinkingRefused(LtiError):
    """The platform does not take these content items, or asked for an answer that cannot be given."""


class TokenRefused(Fatal, LtiError):
    """The platform gives no access token and trying again alone will not help."""


class TokenUnavailable(Retriable, LtiError):
    """The token endpoint is down, throttled or answers with a page instead of a token."""


class ServiceForbidden(Fatal, LtiError):
    """403: the scope is missing or the line item is another tool's."""


class ServiceUnauthorised(Fatal, LtiError):
    """401 even with a new token."""


class ServiceGone(Record, LtiError):
    """404: the line item, the link or the course is not there any more."""


class ServiceRejected(Record, LtiError):
    """400, 409, 422…: the platform does not take this request; the same request will fail again."""


class ServiceUnavailable(Retriable, LtiError):
    """429, 5xx, a maintenance page: the platform cannot answer now."""


class ServiceUnreadable(Retriable, LtiError):
    """The platform answered 200 with something that is not what the specification says."""


class ForeignPage(Fatal, LtiError):
    """A ``Link`` header leads to another site or in a circle, or never ends; a token is not sent there."""


class RegistrationRefused(Fatal, LtiError):
    """The platform cannot be registered, or does not take us: its configuration, our request or its rules forbid it."""


class RegistrationUnavailable(Retriable, LtiError):
    """The platform did not answer the registration; it may or may not have made the tool."""
