"""Every case of the self-test, in order: the 43 of the certification, then what else has broken tools before.

Sources: 1EdTech LTI Advantage certification guide 1.3, section 6 (tools); LTI Core 1.3; Security Framework 1.0; Deep
Linking 2.0; NRPS 2.0; AGS 2.0.
"""

from __future__ import annotations

from connector.base.i18n import N_
from connector.host.selftest.records import Case, Group
from lti.tool import refusals as clause

AGS, NRPS, DL = "AGS 2.0", "NRPS 2.0", "Deep Linking 2.0"
TOKEN = "Security Framework 1.0 §4.1"  # noqa: S105 - a clause, not a secret.


def _number(group: Group, prefix: str, titles: tuple[tuple[str, str], ...]) -> tuple[Case, ...]:
    return tuple(Case(f"{prefix}-{number:02}", group, *one) for number, one in enumerate(titles, 1))


BAD = _number(
    Group.BAD,
    "bad",
    (
        (N_("The token's header names no key"), clause.SEC_VALIDATION),
        (N_("The token's header names an unknown key"), clause.SEC_KEYS),
        (N_("The LTI version is wrong"), clause.CORE_VERSION),
        (N_("The LTI version is missing"), clause.CORE_VERSION),
        (N_("The token is no LTI message"), clause.SEC_ID_TOKEN),
        (N_("All LTI claims are missing"), clause.CORE_CLAIMS),
        (N_("The token's times are long past"), clause.SEC_VALIDATION),
        (N_("The message type is missing"), clause.CORE_MESSAGE),
        (N_("The roles are missing"), clause.CORE_ROLES),
        (N_("The deployment is missing"), clause.CORE_DEPLOYMENT),
        (N_("The resource link has no id"), clause.CORE_LINK),
        (N_("The person is missing"), clause.CORE_USER),
    ),
)

_VALID = (
    (N_("A launch with everything"), clause.CORE_MESSAGE),
    (N_("Several roles"), clause.CORE_ROLES),
    (N_("A role by its short name"), clause.CORE_ROLES),
    (N_("A role nobody knows"), clause.CORE_ROLES),
    (N_("No role"), clause.CORE_ROLES),
    (N_("An e-mail address only"), clause.CORE_USER),
    (N_("Names only"), clause.CORE_USER),
    (N_("Nothing personal at all"), clause.CORE_USER),
    (N_("An e-mail address and no course"), clause.CORE_CLAIMS),
)
TEACHER = _number(Group.TEACHER, "teacher", _VALID)
STUDENT = _number(Group.STUDENT, "student", _VALID)

DEEP_LINKING = _number(
    Group.DEEP_LINKING,
    "deep-linking",
    (
        (N_("A deep-linking request opens the picker"), f"{DL} §4.4.1"),
        (N_("The answer comes back to the platform"), f"{DL} §4.5"),
        (N_("The answer is a deep-linking response"), f"{DL} §4.5.1"),
        (N_("The answer's times are right"), f"{DL} §4.5.1"),
        (N_("The answer is signed by a published key"), clause.SEC_KEYS),
        (N_("The answer has every required claim"), f"{DL} §4.5.1"),
        (N_("The answer holds what was placed, and the request's data"), f"{DL} §4.5.2"),
    ),
)

ROSTER = _number(
    Group.ROSTER,
    "roster",
    (
        (N_("A teacher's launch with the roster service"), f"{NRPS} §3.6"),
        (N_("The roster is asked for"), f"{NRPS} §2.1"),
        (N_("The request accepts the roster's media type"), f"{NRPS} §2.2"),
        (N_("The request has the platform's token"), TOKEN),
        (N_("The token has the roster's scope and no other"), f"{NRPS} §3.5"),
    ),
)

GRADES = _number(
    Group.GRADES,
    "grades",
    ((N_("A pupil's launch with the gradebook: the tool makes its column and posts a score"), f"{AGS} §3"),),
)

HOSTILE = (
    Case("audience-other", Group.HOSTILE, N_("The token is for another tool"), clause.SEC_VALIDATION),
    Case("audience-extra", Group.HOSTILE, N_("The token is for this tool and a stranger"), clause.SEC_VALIDATION),
    Case("audience-extra-azp", Group.HOSTILE, N_("Several audiences, and azp names another"), clause.SEC_VALIDATION),
    Case("azp-other", Group.HOSTILE, N_("One audience, and azp names another"), clause.SEC_VALIDATION),
    Case("audience-list", Group.HOSTILE, N_("A list with this tool alone, and azp, is let in"), clause.SEC_VALIDATION),
    Case("issuer-other", Group.HOSTILE, N_("The token is another issuer's"), clause.SEC_VALIDATION),
    Case("issuer-unknown", Group.HOSTILE, N_("A login from an unknown issuer"), clause.SEC_LOGIN),
    Case("client-unknown", Group.HOSTILE, N_("A login for an unknown client"), clause.SEC_LOGIN),
    Case("login-empty", Group.HOSTILE, N_("A login without its parameters"), clause.SEC_LOGIN),
    Case("target-foreign", Group.HOSTILE, N_("A login that leads to a stranger's address"), clause.SEC_LOGIN),
    Case("too-old", Group.HOSTILE, N_("Made two hours ago, though not expired"), clause.SEC_VALIDATION),
    Case("expired", Group.HOSTILE, N_("Expired ten minutes ago"), clause.SEC_VALIDATION),
    Case("future", Group.HOSTILE, N_("Made ten minutes ahead"), clause.SEC_VALIDATION),
    Case("state-missing", Group.HOSTILE, N_("No state"), clause.SEC_CSRF),
    Case("state-forged", Group.HOSTILE, N_("A state that was changed"), clause.SEC_CSRF),
    Case("cookie-missing", Group.HOSTILE, N_("A browser that did not begin the login"), clause.SEC_CSRF),
    Case("browser-other", Group.HOSTILE, N_("A browser with another login's secret"), clause.SEC_CSRF),
    Case("nonce-missing", Group.HOSTILE, N_("No nonce"), clause.SEC_VALIDATION),
    Case("nonce-unbound", Group.HOSTILE, N_("The nonce of another login"), clause.SEC_VALIDATION),
    Case("nonce-replayed", Group.HOSTILE, N_("The same launch twice"), clause.SEC_VALIDATION),
    Case("copies", Group.HOSTILE, N_("Sixteen copies at once: exactly one is let in"), clause.SEC_VALIDATION),
    Case("alg-none", Group.HOSTILE, N_("An unsigned token"), clause.SEC_VALIDATION),
    Case("alg-hs256", Group.HOSTILE, N_("Signed HS256 with the public key as the secret"), clause.SEC_VALIDATION),
    Case("signature-other", Group.HOSTILE, N_("Signed with a stranger's key under a known kid"), clause.SEC_VALIDATION),
    Case("key-inside", Group.HOSTILE, N_("The token brings its own key"), clause.SEC_VALIDATION),
    Case("key-elsewhere", Group.HOSTILE, N_("The token says where its key is"), clause.SEC_VALIDATION),
    Case("deployment-unknown", Group.HOSTILE, N_("A deployment of no school"), clause.CORE_DEPLOYMENT),
    Case("deployment-other", Group.HOSTILE, N_("Another deployment than at login"), clause.CORE_LOGIN),
    Case("target-other", Group.HOSTILE, N_("Another target link than at login"), clause.CORE_TARGET),
    Case("message-other", Group.HOSTILE, N_("A message type that is not served"), clause.CORE_MESSAGE),
    Case("platform-error", Group.HOSTILE, N_("The platform answers with an error"), clause.SEC_ERROR),
    Case("picker-without-return", Group.HOSTILE, N_("Deep linking without a return address"), clause.DEEP_LINKING),
    Case("body-1mb", Group.HOSTILE, N_("A launch of one megabyte"), clause.SEC_VALIDATION),
)  # fmt: skip

OWN = (
    Case("keys", Group.OWN, N_("The tool publishes the key it signs with, and nothing private"), clause.SEC_KEYS),
    Case("login", Group.OWN, N_("A login asks the platform for what the specification asks"), clause.SEC_REQUEST),
    Case(
        "picker-cancel", Group.OWN, N_("Leaving the picker answers with no items and the request's data"), f"{DL} §4.5"
    ),
    Case("grades-column", Group.OWN, N_("The column is looked for, then made once"), f"{AGS} §3.2"),
    Case("grades-score", Group.OWN, N_("The score is whole, with a time that says its zone"), f"{AGS} §3.4"),
    Case("grades-read-back", Group.OWN, N_("The score is read back before it counts as delivered"), f"{AGS} §3.3"),
    Case("grades-scopes", Group.OWN, N_("Every call has a token for it and no more"), TOKEN),
    Case("sessions-apart", Group.OWN, N_("One launch's secret opens no other launch"), clause.SEC_CSRF),
    Case("rows", Group.OWN, N_("The launches stored are exactly those let in"), clause.SEC_VALIDATION),
)

CASES: tuple[Case, ...] = (*BAD, *TEACHER, *STUDENT, *DEEP_LINKING, *ROSTER, *GRADES, *HOSTILE, *OWN)
BY_ID = {case.id: case for case in CASES}
