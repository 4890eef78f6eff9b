"""What is said when a launch is refused: to the teacher what to do, to the administrator what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from connector.base.i18n import N_, Message, say
from lti.errors import Check, LaunchReason, LaunchRefused
from lti.tool.links import with_query

SEC_LOGIN = "Security Framework 1.0 §5.1.1.1"
SEC_REQUEST = "Security Framework 1.0 §5.1.1.2"
SEC_ERROR = "Security Framework 1.0 §5.1.1.5"
SEC_ID_TOKEN = "Security Framework 1.0 §5.1.2"  # noqa: S105 - a clause, not a secret.
SEC_VALIDATION = "Security Framework 1.0 §5.1.3"
SEC_KEYS = "Security Framework 1.0 §6.3"
SEC_CSRF = "Security Framework 1.0 §7.3.1"
CORE_LOGIN = "LTI Core 1.3 §4.1"
CORE_MESSAGE = "LTI Core 1.3 §5.3.1"
CORE_VERSION = "LTI Core 1.3 §5.3.2"
CORE_DEPLOYMENT = "LTI Core 1.3 §5.3.3"
CORE_TARGET = "LTI Core 1.3 §5.3.4"
CORE_LINK = "LTI Core 1.3 §5.3.5"
CORE_USER = "LTI Core 1.3 §5.3.6"
CORE_ROLES = "LTI Core 1.3 §5.3.7"
CORE_CLAIMS = "LTI Core 1.3 §5.4"
DEEP_LINKING = "Deep Linking 2.0 §4.4.1"
DATA_PRIVACY = "Data Privacy Launch (draft), for_user"


@dataclass(frozen=True)
class Refusal:
    """The two sentences and the clause of one reason; the administrator's may name what was seen."""

    teacher: str
    admin: str
    clause: str


_REOPEN = N_("Go back to your course and open the activity again.")
_WAIT = N_("The activity opens in a moment. Please wait.")
_TELL = N_("This activity is not set up correctly. Tell your LMS administrator: code {code}.")
_STRANGE = N_("Your LMS sent something that cannot be accepted. Tell your LMS administrator: code {code}.")

REFUSALS: dict[LaunchReason, Refusal] = {
    LaunchReason.TOO_LARGE: Refusal(
        _STRANGE, N_("The launch is larger than {limit} bytes; shorten the tool's custom parameters."), SEC_VALIDATION
    ),
    LaunchReason.MISSING_PARAMETER: Refusal(
        _TELL, N_("The LMS did not send {name}; the tool's initiate-login URL may be used for something else."),
        SEC_LOGIN,
    ),
    LaunchReason.UNKNOWN_ISSUER: Refusal(
        N_("This LMS is not connected yet. Tell your LMS administrator: code {code}."),
        N_("No active registration for issuer {issuer} and client id {client_id}; compare both with the LMS, letter "
           "by letter."),
        SEC_LOGIN,
    ),
    LaunchReason.AMBIGUOUS_CLIENT: Refusal(
        _TELL, N_("Issuer {issuer} has several registrations and the LMS sent no client id, so none can be chosen."),
        CORE_LOGIN,
    ),
    LaunchReason.UNKNOWN_DEPLOYMENT: Refusal(
        N_("Your school is not connected yet. Tell your LMS administrator: code {code}."),
        N_("Deployment {deployment} of this LMS belongs to no school; add it to the registration."),
        CORE_DEPLOYMENT,
    ),
    LaunchReason.DEPLOYMENT_MISMATCH: Refusal(
        _STRANGE, N_("The LMS named one deployment at login and another in the launch."), CORE_LOGIN
    ),
    LaunchReason.PLATFORM_ERROR: Refusal(
        N_("Your LMS did not confirm who you are. Sign in to the LMS again and open the activity from your course."),
        N_("The LMS answered with the error {error} instead of a launch; compare client id and redirect URL with the "
           "LMS."),
        SEC_ERROR,
    ),
    LaunchReason.STATE_MISSING: Refusal(
        _REOPEN, N_("The LMS did not send the state back, or the launch URL was opened directly."), SEC_CSRF
    ),
    LaunchReason.STATE_INVALID: Refusal(
        _REOPEN, N_("The state was not made here or was changed on its way; has SECRET_KEY changed?"), SEC_CSRF
    ),
    LaunchReason.STATE_EXPIRED: Refusal(
        N_("Opening took too long. Go back to your course and open the activity again."),
        N_("More than {minutes} minutes passed between login and launch."),
        SEC_CSRF,
    ),
    LaunchReason.NO_COOKIE: Refusal(
        N_("Your browser did not remember you on the way here. Open the activity from the course once more; where a "
           "button offers a new window, press it."),
        N_("The login's secret did not come back, by a cookie or by the LMS's storage. The next login from a frame "
           "asks the browser first and can go on in a new window."),
        SEC_CSRF,
    ),
    LaunchReason.OTHER_BROWSER: Refusal(
        _REOPEN, N_("The launch came from another browser than the login began in."), SEC_CSRF
    ),
    LaunchReason.NOT_A_LAUNCH: Refusal(
        _STRANGE, N_("The id_token is not a JSON Web Token with an LTI message."), SEC_ID_TOKEN
    ),
    LaunchReason.BAD_ALGORITHM: Refusal(
        _STRANGE, N_("The id_token is signed with {alg}; only RS256 is accepted."), SEC_VALIDATION
    ),
    LaunchReason.BAD_HEADER: Refusal(
        _STRANGE, N_("The id_token's header has {name}, which is not accepted."), SEC_VALIDATION
    ),
    LaunchReason.MISSING_KID: Refusal(_STRANGE, N_("The id_token's header names no key (kid)."), SEC_VALIDATION),
    LaunchReason.UNKNOWN_KEY: Refusal(
        _TELL, N_("The key the id_token is signed with is not among the LMS's keys; check the key set URL."), SEC_KEYS
    ),
    LaunchReason.KEY_PENDING: Refusal(
        _WAIT,
        N_("The LMS signs with a key that is not known here yet; its keys are read anew in {seconds} seconds."),
        SEC_KEYS,
    ),
    LaunchReason.BUSY: Refusal(
        _WAIT,
        N_("The database did not take the launch in time; the page tries again every {seconds} seconds."),
        SEC_VALIDATION,
    ),
    LaunchReason.WEAK_KEY: Refusal(_TELL, N_("The LMS's key has fewer than 2048 bits."), SEC_KEYS),
    LaunchReason.KEYS_UNREACHABLE: Refusal(
        N_("Your LMS cannot be reached right now. Try again in a minute."),
        N_("The LMS's key set cannot be fetched; check the key set URL and the network between the servers."),
        SEC_KEYS,
    ),
    LaunchReason.BAD_SIGNATURE: Refusal(_STRANGE, N_("The id_token's signature is wrong."), SEC_VALIDATION),
    LaunchReason.BAD_ISSUER: Refusal(
        _STRANGE, N_("The id_token's issuer is not the registration's {issuer}."), SEC_VALIDATION
    ),
    LaunchReason.BAD_AUDIENCE: Refusal(
        _STRANGE, N_("The id_token is not meant for client id {client_id} alone (aud, azp)."), SEC_VALIDATION
    ),
    LaunchReason.EXPIRED: Refusal(
        _REOPEN, N_("The id_token is over; if it always is, the clocks of the LMS and of this server differ."),
        SEC_VALIDATION,
    ),
    LaunchReason.ISSUED_IN_FUTURE: Refusal(
        _REOPEN, N_("The id_token's time is {seconds} seconds ahead; set the clock of the LMS or of this server."),
        SEC_VALIDATION,
    ),
    LaunchReason.BAD_NONCE: Refusal(
        _REOPEN, N_("The id_token's nonce is not the one this login asked for."), SEC_VALIDATION
    ),
    LaunchReason.REPLAYED: Refusal(
        N_("This page was opened already. Go back to your course and open the activity again."),
        N_("The same launch was sent twice: a reload, the back button, or a copy."),
        SEC_VALIDATION,
    ),
    LaunchReason.WRONG_VERSION: Refusal(_STRANGE, N_("The message is not of LTI version 1.3.0."), CORE_VERSION),
    LaunchReason.WRONG_MESSAGE_TYPE: Refusal(
        _TELL, N_("Messages of the type {message_type} are not served."), CORE_MESSAGE
    ),
    LaunchReason.MESSAGE_NOT_OFFERED: Refusal(
        N_("This service is not offered here. Tests, labs and portfolios open from your course as before."),
        N_("The LMS sent {message_type}. Kopir checks no submitted files and has no licence agreement to accept: take "
           "these placements off the tool in the LMS."),
        CORE_MESSAGE,
    ),
    LaunchReason.MISSING_CLAIM: Refusal(_STRANGE, N_("The launch has no {claim}."), CORE_CLAIMS),
    LaunchReason.MALFORMED_CLAIM: Refusal(
        _STRANGE, N_("The launch's {claim} has not the form the specification gives it."), CORE_CLAIMS
    ),
    LaunchReason.TARGET_MISMATCH: Refusal(
        _STRANGE, N_("The launch's target link is not the one the login began with."), CORE_TARGET
    ),
    LaunchReason.FOREIGN_TARGET: Refusal(
        _TELL, N_("The target link {target} is not an address of this tool; mend the tool's URL in the LMS."), SEC_LOGIN
    ),
}  # fmt: skip


def refuse(
    reason: LaunchReason,
    *,
    clause: str | None = None,
    return_url: str | None = None,
    trace: tuple[Check, ...] = (),
    registration_id: str | None = None,
    **values: object,
) -> LaunchRefused:
    """Make the refusal of a reason; the values fill the administrator's sentence."""
    entry = REFUSALS[reason]
    return LaunchRefused(
        reason,
        say(entry.admin, **values),
        clause or entry.clause,
        return_url,
        trace=trace,
        registration_id=registration_id,
    )


def teacher_message(error: LaunchRefused) -> Message:
    """Return the teacher's sentence of a refusal, translatable."""
    return say(REFUSALS[error.launch_reason].teacher, code=str(error.launch_reason))


def replayed(
    return_url: str | None, trace: tuple[Check, ...] = (), registration_id: str | None = None
) -> LaunchRefused:
    """Make the refusal of a nonce that was spent already; raised by whoever inserts it."""
    return refuse(LaunchReason.REPLAYED, return_url=return_url, trace=trace, registration_id=registration_id)


def with_error(return_url: str | None, shown: str, logged: str) -> str | None:
    """Return the address that takes the person back with the error (Core 1.3 §5.4.4), or None when there is none.

    Args:
        return_url: The platform's ``launch_presentation.return_url``.
        shown: Text the platform shows to the person (``lti_errormsg``).
        logged: Text for the platform's log (``lti_errorlog``); the reason code, no personal data.
    """
    if return_url is None or urlsplit(return_url).scheme not in ("http", "https"):
        return None
    return with_query(return_url, lti_errormsg=shown, lti_errorlog=logged)
