"""What the self-test's platform signs: a launch as a platform sends it, and everything that may be wrong with one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from connector.host.selftest.lms import SelftestLms
from lti.vocab import Claim, MessageType, Scope

_ROLES = "http://purl.imsglobal.org/vocab/lis/v2"
INSTRUCTOR, LEARNER = f"{_ROLES}/membership#Instructor", f"{_ROLES}/membership#Learner"
UNKNOWN_ROLE = f"{_ROLES}/unknown/unknown#Helper"
TEACHER_SUB, PUPIL_SUB = "person-1", "person-2"
TITLE = "Self-test"
GONE = object()
"""Stands for a claim that is left out."""


def names(number: str) -> dict[str, str]:
    """Return the names of an invented person."""
    return {"name": f"Person {number}", "given_name": "Person", "family_name": number}


def email(number: str) -> dict[str, str]:
    """Return the e-mail address of an invented person."""
    return {"email": f"person{number}@example.org"}


def launch(lms: SelftestLms, target: str, nonce_: str, /, **changes: Any) -> dict[str, Any]:
    """Return the claims of a pupil's launch (Core 1.3 §5.3).

    Args:
        lms: The platform.
        target: The tool's target link.
        nonce_: What the tool asked for.
        changes: Claims by name (``Claim`` members' names stand for their addresses); ``GONE`` leaves one out.
    """
    seconds = int(time.time())
    claims: dict[str, Any] = {
        "iss": lms.issuer, "aud": lms.client_id, "sub": PUPIL_SUB, "nonce": nonce_, "iat": seconds, "exp": seconds + 60,
        **names("2"), **email("2"), "locale": "en",
        Claim.MESSAGE_TYPE: MessageType.RESOURCE_LINK, Claim.VERSION: "1.3.0", Claim.DEPLOYMENT_ID: lms.deployment,
        Claim.TARGET_LINK_URI: target, Claim.ROLES: [LEARNER],
        Claim.RESOURCE_LINK: {"id": "link-1", "title": TITLE},
        Claim.CONTEXT: {"id": "selftest", "label": "SELFTEST", "title": TITLE, "type": ["CourseSection"]},
        Claim.TOOL_PLATFORM: {"guid": lms.run, "product_family_code": "kopir-selftest", "version": "1"},
        Claim.LAUNCH_PRESENTATION: {"document_target": "window", "locale": "en", "return_url": lms.url("return")},
        **services(lms),
    }  # fmt: skip
    return changed(claims, changes)


def services(lms: SelftestLms) -> dict[str, Any]:
    """Return the claims of the gradebook (AGS 2.0 §3.1) and of the roster (NRPS 2.0 §3.6.1.1)."""
    scopes = [Scope.LINEITEM, Scope.LINEITEM_READONLY, Scope.RESULT_READONLY, Scope.SCORE]
    return {
        Claim.AGS_ENDPOINT: {"scope": scopes, "lineitems": lms.url("lineitems")},
        Claim.NRPS: {"context_memberships_url": lms.url("members"), "service_versions": ["2.0"]},
    }


def teacher(**changes: Any) -> dict[str, Any]:
    """Return the changes that make a launch a teacher's."""
    return {"sub": TEACHER_SUB, "ROLES": [INSTRUCTOR], **names("1"), **email("1"), **changes}


def nobody() -> dict[str, Any]:
    """Return the changes that leave out who a person is."""
    return dict.fromkeys(("name", "given_name", "family_name", "email"), GONE)


def deep_linking(lms: SelftestLms, data: str, **settings: Any) -> dict[str, Any]:
    """Return the changes that make a launch a teacher's deep-linking request (Deep Linking 2.0 §4.4)."""
    asked = {
        "deep_link_return_url": lms.url("return"), "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe", "window"], "accept_multiple": False,
        "accept_lineitem": True, "auto_create": False, "data": data, **settings,
    }  # fmt: skip
    kept = {name: value for name, value in asked.items() if value is not GONE}
    return teacher(MESSAGE_TYPE=MessageType.DEEP_LINKING, RESOURCE_LINK=GONE, DL_SETTINGS=kept)


def changed(claims: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return claims with some replaced and some left out."""
    value = dict(claims)
    for name, item in changes.items():
        value[str(Claim[name]) if name in Claim.__members__ else name] = item
    return {str(name): item for name, item in value.items() if item is not GONE}
