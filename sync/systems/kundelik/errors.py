"""The journal's errors, by the type in the body, as who can mend them and what they leave known.

An error may come with HTTP 200, and maintenance is a web page: neither is ever an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connector.base.errors import Fatal, Hold, KopirError, Record, Retriable
from connector.base.i18n import N_, Message, say
from sync.systems.contract import Evidence


@dataclass(frozen=True)
class Rule:
    """What one kind of error means.

    Attributes:
        family: Who can mend it.
        reason: Stable code.
        text: Sentence for a person.
        evidence: What a read that ended so proves.
    """

    family: type[KopirError]
    reason: str
    text: str
    evidence: Evidence = Evidence.UNKNOWN


_TOKEN = N_("The journal refuses the access token. Sign in to the journal again in the connection's settings.")
_RIGHTS = N_("The journal account has no right to this. Use an account with rights to the class's journal.")
_LATER = N_("The journal failed and is asked again later.")
_REFUSED = N_("The journal refused the request as wrong.")

TOKEN_REFUSED = Rule(Fatal, "token_refused", _TOKEN, Evidence.UNAUTHORISED)
FORBIDDEN = Rule(Fatal, "forbidden", _RIGHTS, Evidence.UNAUTHORISED)
NOT_FOUND = Rule(Record, "not_found", N_("The journal has no such record."), Evidence.GONE)
REFUSED = Rule(Record, "request_refused", _REFUSED)
RATE_LIMITED = Rule(
    Retriable, "rate_limited", N_("The journal's limit of requests is reached; the rest follows later.")
)
HTML_PAGE = Rule(Retriable, "html_page", N_("The journal shows a web page instead of data: it is under maintenance."))
UNREADABLE = Rule(Retriable, "unreadable_answer", N_("The journal's answer is cut off or broken."))
BAD_RECORD = Rule(Retriable, "bad_record", N_("A record of the journal's answer lacks what it must have."))
UNKNOWN_ERROR = Rule(Retriable, "unknown_error", _LATER)

# The type without its ``api`` or ``authorization`` prefix, in lower case: both spellings occur.
BY_TYPE: dict[str, Rule] = {
    "invalidtoken": TOKEN_REFUSED,
    "tokenrequired": TOKEN_REFUSED,
    "failed": Rule(
        Fatal, "sign_in_refused", N_("The journal does not know this login and password."), Evidence.UNAUTHORISED
    ),
    "outofscope": Rule(Fatal, "out_of_scope", _RIGHTS, Evidence.UNAUTHORISED),
    "notowner": FORBIDDEN,
    "ownerforbidden": FORBIDDEN,
    "systemforbidden": FORBIDDEN,
    "resourceunavailable": NOT_FOUND,
    "methodnotsupported": Rule(
        Hold, "not_offered", N_("The journal does not offer this to our program; the vendor opens it."), Evidence.GONE
    ),
    "requestlimit": RATE_LIMITED,
    "servererror": Rule(Retriable, "server_error", _LATER),
    "unknownerror": UNKNOWN_ERROR,
    "httpsrequired": Rule(Fatal, "https_required", N_("The journal's address must begin with https.")),
    "parameterinvalid": REFUSED,
    "invalidrequest": REFUSED,
}

_EVIDENCE = {rule.reason: rule.evidence for rule in (*BY_TYPE.values(), TOKEN_REFUSED, FORBIDDEN, NOT_FOUND)}
_PREFIXES = ("api", "authorization")


def make(rule: Rule, retry_after: timedelta | None = None) -> KopirError:
    """Return the exception of a rule."""
    if issubclass(rule.family, Retriable):
        return rule.family(rule.reason, say(rule.text), retry_after)
    return rule.family(rule.reason, say(rule.text))


def rule_of(value: Any) -> Rule | None:
    """Return the rule for a JSON value that is an error, or None for data.

    Marks, works and classes have a ``type`` too, so a type counts as an error only when it is a known one, is
    spelled as errors are, or stands with nothing but a description.
    """
    if not isinstance(value, dict):
        return None
    known = {str(key).lower(): item for key, item in value.items()}
    kind = known.get("type")
    if not isinstance(kind, str) or "id" in known:
        return None
    bare, prefixed = _bare(kind)
    if bare in BY_TYPE:
        return BY_TYPE[bare]
    return UNKNOWN_ERROR if prefixed or known.keys() <= {"type", "description"} else None


def _bare(kind: str) -> tuple[str, bool]:
    lower = kind.lower()
    for prefix in _PREFIXES:
        if lower.startswith(prefix) and lower != prefix:
            return lower.removeprefix(prefix), True
    return lower, False


def of_status(status: int) -> Rule | None:
    """Return the rule for an HTTP status, or None for success."""
    if status in (401, 403):
        return TOKEN_REFUSED if status == 401 else FORBIDDEN
    if status in (404, 410):
        return NOT_FOUND
    if status == 429:
        return RATE_LIMITED
    if status >= 500:
        return Rule(Retriable, f"http_{status}", _LATER)
    return None if status < 300 else REFUSED


def evidence_of(error: KopirError) -> Evidence:
    """Return what a read that ended in this error proves about what it did not show."""
    return _EVIDENCE.get(error.reason, Evidence.UNKNOWN)


def failed(reason: str, message: Message) -> Retriable:
    """Return an error that another try may mend."""
    return Retriable(reason, message)
