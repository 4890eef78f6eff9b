"""Roles of a launch or a membership, reduced to the few that decide anything here (Core 1.3 appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from lti.vocab import INSTITUTION_ROLES, MEMBERSHIP_ROLES, SYSTEM_ROLES, TEST_USER


class Role(StrEnum):
    """What a person is in the course; ADMINISTRATOR also covers the institution and the system."""

    LEARNER = "learner"
    INSTRUCTOR = "instructor"
    ASSISTANT = "assistant"
    ADMINISTRATOR = "administrator"
    MENTOR = "mentor"
    TEST_USER = "test_user"


_BY_NAME = {
    "Learner": Role.LEARNER,
    "Student": Role.LEARNER,
    "Instructor": Role.INSTRUCTOR,
    "Administrator": Role.ADMINISTRATOR,
    "Mentor": Role.MENTOR,
    "TeachingAssistant": Role.ASSISTANT,
}
_ASSISTANTS = frozenset({"TeachingAssistant", "TeachingAssistantGroup", "TeachingAssistantOffering",
                         "TeachingAssistantSection", "TeachingAssistantTemplate", "Grader"})  # fmt: skip
_ABOVE_COURSE = frozenset({"Administrator", "SysAdmin", "AccountAdmin"})
_OLD_COURSE = "urn:lti:role:ims/lis/"
_OLD_ABOVE = ("urn:lti:sysrole:ims/lis/", "urn:lti:instrole:ims/lis/")


def parse_roles(values: Iterable[object]) -> frozenset[Role]:
    """Return the known roles among URIs and short names; whatever is unknown is passed over.

    A role in the institution (``institution/person#Instructor``) says nothing of this course and gives nothing,
    but an administrator's does.
    """
    found = (_role(value) for value in values if isinstance(value, str))
    return frozenset(role for role in found if role is not None)


def _role(value: str) -> Role | None:
    text = value.strip()
    if text == TEST_USER:
        return Role.TEST_USER
    base, hash_sign, name = text.partition("#")
    if hash_sign:
        return _from_uri(base, name)
    if text.startswith(_OLD_COURSE):
        principal, _, sub = text.removeprefix(_OLD_COURSE).partition("/")
        return _course_role(principal, sub)
    for prefix in _OLD_ABOVE:
        if text.startswith(prefix):
            return Role.ADMINISTRATOR if text.removeprefix(prefix) in _ABOVE_COURSE else None
    return _BY_NAME.get(text)


def _from_uri(base: str, name: str) -> Role | None:
    if base == MEMBERSHIP_ROLES:
        return _course_role(name, "")
    if base.startswith(MEMBERSHIP_ROLES + "/"):
        return _course_role(base.removeprefix(MEMBERSHIP_ROLES + "/"), name)
    if base in (INSTITUTION_ROLES, SYSTEM_ROLES) and name in _ABOVE_COURSE:
        return Role.ADMINISTRATOR
    return None


def _course_role(principal: str, sub: str) -> Role | None:
    if sub in _ASSISTANTS:
        return Role.ASSISTANT
    return _BY_NAME.get(principal)
