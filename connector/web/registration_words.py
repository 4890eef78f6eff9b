"""Words for what is asked of an LMS: services, messages, claims and values."""

from __future__ import annotations

from connector.base.i18n import N_
from lti.vocab import FurtherScope, MessageType, Scope

SCOPE_WORDS: dict[str, str] = {
    Scope.LINEITEM: N_("make and change our own grade columns"),
    Scope.LINEITEM_READONLY: N_("read our own grade columns"),
    Scope.RESULT_READONLY: N_("read the marks in our own columns, to prove that they arrived"),
    Scope.SCORE: N_("send marks to our own columns"),
    Scope.MEMBERSHIP_READONLY: N_("read the list of the course's members"),
    FurtherScope.GROUPS_READONLY: N_("read the course's groups"),
    FurtherScope.NOTICE_HANDLERS: N_("be told when a course is copied"),
}

MESSAGE_WORDS: dict[str, str] = {
    MessageType.RESOURCE_LINK: N_("open an activity from a course"),
    MessageType.DEEP_LINKING: N_("let a teacher choose an activity for a course"),
    MessageType.SUBMISSION_REVIEW: N_("show a teacher one pupil's work from the gradebook"),
    MessageType.DATA_PRIVACY: N_("show what Kopir keeps about a person, and take wishes to erase it"),
}

CLAIM_WORDS: dict[str, str] = {
    "sub": N_("the person's number in the LMS"),
    "name": N_("the full name"),
    "given_name": N_("the given name"),
    "family_name": N_("the family name"),
}

VARIABLE_WORDS: dict[str, str] = {
    "user_idnumber": N_("the person's ID number in the LMS, by which marks find the journal"),
    "course_idnumber": N_("the course's ID number"),
    "context_id_history": N_("which course this one was copied from"),
    "resource_link_id_history": N_("which activity this one was copied from"),
}

FIELD_WORDS: dict[str, str] = {
    "auth_url": N_("sign-in address"),
    "token_url": N_("token address"),
    "jwks_url": N_("address of the LMS's keys"),
    "token_audience": N_("audience of our requests"),
    "profile": N_("kind of LMS"),
}

_STEPS: dict[str, tuple[str, ...]] = {
    "moodle": (
        N_("In the list of tools, press «Activate» on the new card: Moodle keeps it pending until then."),
        N_("In each course, a teacher switches it on: More > LTI External tools > Show in activity chooser."),
    ),
    "canvas": (N_("In Canvas, confirm the tool, switch it on and make it available to an account or a course."),),
    "blackboard": (N_("In Blackboard, approve the tool for your institution and note its deployment ID."),),
    "d2l": (N_("In Brightspace, switch the tool on and add a deployment for your courses."),),
}


def next_steps(profile: str) -> tuple[str, ...]:
    """Return what the administrator does next in this kind of LMS."""
    return _STEPS.get(profile, (N_("In the LMS, switch the tool on for your courses."),))
