"""Launches that are served: LTI Core 1.3 §5.3–§5.4 and the certification guide's valid payloads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lti.errors import Outcome
from lti.tool.roles import Role
from lti.vocab import Claim, MessageType
from tests.lti.kit import CLIENT, INSTRUCTOR, LEARNER, NOW, Visit, registration

LIS = "http://purl.imsglobal.org/vocab/lis/v2/"


def test_moodles_launch_is_read_whole():
    launch = Visit().post()
    assert launch.subject == "5"
    assert launch.deployment_id == "1"
    assert launch.message_type is MessageType.RESOURCE_LINK
    assert launch.roles == {Role.LEARNER}
    assert launch.role_uris == (LEARNER,)
    assert (launch.context.id, launch.context.label, launch.context.type) == ("2", "MATH101", ("CourseSection",))
    assert (launch.resource_link.id, launch.resource_link.title) == ("1", "Бақылау жұмысы №1")
    assert launch.resource_link.description is None
    assert launch.names.given == "Айгерім"
    assert launch.custom["static"] == "сәлем"
    assert launch.ags.line_item.endswith("type_id=1")
    assert launch.nrps.versions == ("1.0", "2.0")
    assert launch.platform.product_family_code == "moodle"
    assert launch.lis.person_sourcedid == "2026010001"
    assert launch.locale == "en"
    assert launch.presentation.document_target == "iframe"
    assert launch.deep_linking is None


def test_what_single_use_needs_is_exposed():
    visit = Visit()
    launch = visit.post()
    assert launch.nonce == visit.nonce
    assert launch.state_id == visit.login.state_id
    assert launch.expires_at == NOW + timedelta(seconds=120)


def test_every_check_is_in_the_trace_with_its_clause_and_nothing_personal():
    launch = Visit().post()
    assert [check.name for check in launch.trace] == [
        "body_size", "state", "browser", "header", "signature", "iss", "aud", "times", "nonce", "version",
        "message_type", "deployment_id", "target_link_uri", "sub", "roles", "resource_link",
    ]  # fmt: skip
    assert all(check.clause and check.outcome is Outcome.PASSED for check in launch.trace)
    for personal in ("Айгерім", "2026010001", launch.nonce):
        assert personal not in str(launch.trace)


def test_the_repr_of_a_launch_names_nobody():
    shown = repr(Visit().post())
    assert "Айгерім" not in shown
    assert "2026010001" not in shown


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ([INSTRUCTOR], {Role.INSTRUCTOR}),
        ([INSTRUCTOR, f"{LIS}institution/person#Faculty", LEARNER], {Role.INSTRUCTOR, Role.LEARNER}),
        (["Instructor"], {Role.INSTRUCTOR}),
        (["Learner"], {Role.LEARNER}),
        ([f"{LIS}unknown/unknown#Helper"], set()),
        ([""], set()),
        ([], set()),
        ([f"{LIS}institution/person#Instructor"], set()),
        ([f"{LIS}institution/person#Student"], set()),
        ([f"{LIS}institution/person#Administrator"], {Role.ADMINISTRATOR}),
        ([f"{LIS}system/person#SysAdmin"], {Role.ADMINISTRATOR}),
        ([f"{LIS}membership/Instructor#TeachingAssistant"], {Role.ASSISTANT}),
        ([f"{LIS}membership/Instructor#PrimaryInstructor"], {Role.INSTRUCTOR}),
        ([f"{LIS}membership/Learner#GuestLearner"], {Role.LEARNER}),
        ([f"{LIS}membership#Mentor"], {Role.MENTOR}),
        ([f"{LIS}membership#ContentDeveloper"], set()),
        (["http://purl.imsglobal.org/vocab/lti/system/person#TestUser", LEARNER], {Role.TEST_USER, Role.LEARNER}),
        (["urn:lti:role:ims/lis/Instructor/Lecturer"], {Role.INSTRUCTOR}),
        (["urn:lti:sysrole:ims/lis/SysAdmin", "urn:lti:instrole:ims/lis/Student"], {Role.ADMINISTRATOR}),
        ([None, 7, {}, "Learner"], {Role.LEARNER}),
        (["instructor", "http://evil.example/membership#Instructor", f"{LIS}membershipX#Instructor"], set()),
    ],
)
def test_certification_roles_of_every_kind_launch(sent, known):
    assert Visit().post(ROLES=sent).roles == known


@pytest.mark.parametrize(
    "changes",
    [
        {"given_name": None, "family_name": None, "name": None},
        {"given_name": None, "family_name": None, "name": None, "email": "a@example.kz"},
        {"CONTEXT": None, "email": "a@example.kz"},
        {"CONTEXT": {"label": "no id"}},
        {"CONTEXT": "text"},
        {"LIS": None, "CUSTOM": None, "AGS_ENDPOINT": None, "NRPS": None, "LAUNCH_PRESENTATION": None},
        {"TOOL_PLATFORM": [], "LIS": 7, "LAUNCH_PRESENTATION": "x", "AGS_ENDPOINT": {"lineitems": 5}},
        {"https://example.org/unknown": {"any": ["thing"]}},
    ],
)
def test_certification_what_is_optional_may_be_missing_or_odd(changes):
    assert Visit().post(**changes).subject == "5"


def test_a_course_without_an_id_is_no_course():
    assert Visit().post(CONTEXT={"label": "x"}).context is None


def test_a_blank_name_is_no_name():
    names = Visit().post(given_name="", middle_name=" ", name=None).names
    assert (names.given, names.middle, names.full) == (None, None, None)


def test_custom_values_are_text_and_a_null_is_left_out():
    custom = Visit().post(CUSTOM={"a": "1", "b": 2, "c": None, "d": True, "e": {"x": "ә"}}).custom
    assert custom == {"a": "1", "b": "2", "d": "true", "e": '{"x": "ә"}'}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "/relative", 7, "http://[broken"])
def test_a_return_address_that_is_not_the_web_is_dropped(url):
    launch = Visit().post(LAUNCH_PRESENTATION={"return_url": url, "locale": "kk"})
    assert launch.presentation.return_url is None
    assert launch.locale == "kk"


def test_an_anonymous_launch_is_served_only_where_that_is_switched_on():
    launch = Visit(registration=registration(allow_anonymous=True)).post(sub=None)
    assert launch.subject is None
    assert Visit(registration=registration(allow_anonymous=True)).post(sub="").subject is None


@pytest.mark.parametrize("aud", [CLIENT, [CLIENT], [CLIENT, CLIENT]])
def test_the_audience_may_be_a_text_or_a_list(aud):
    assert Visit().post(aud=aud).subject == "5"


def test_an_authorised_party_that_is_us_is_fine():
    assert Visit().post(azp=CLIENT).subject == "5"


def test_moodles_deep_linking_request_is_read():
    settings = {
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["frame", "iframe", "window"],
        "accept_multiple": True,
        "auto_create": False,
        "deep_link_return_url": "http://moodle.example/mod/lti/contentitem_return.php?course=2&id=1&sesskey=Jd",
        "title": "Peer tool",
        "text": "",
    }
    launch = Visit().post(
        MESSAGE_TYPE="LtiDeepLinkingRequest", RESOURCE_LINK=None, ROLES=None, DL_SETTINGS=settings, TARGET_LINK_URI=None
    )
    assert launch.message_type is MessageType.DEEP_LINKING
    assert launch.resource_link is None
    assert launch.deep_linking.accept_multiple
    assert launch.deep_linking.accept_line_item is None
    assert launch.deep_linking.data is None
    assert launch.deep_linking.return_url.endswith("sesskey=Jd")
    assert {check.name for check in launch.trace if check.outcome is Outcome.ABSENT} == {"target_link_uri", "roles"}


def test_a_click_on_a_grade_in_moodle_is_a_launch_for_somebody_else():
    launch = Visit().post(
        MESSAGE_TYPE="LtiSubmissionReviewRequest", FOR_USER={"user_id": "5"}, sub="3", ROLES=[INSTRUCTOR]
    )
    assert launch.message_type is MessageType.SUBMISSION_REVIEW
    assert launch.for_user.user_id == "5"
    assert launch.subject == "3"


def test_a_mentors_pupils_are_read():
    assert Visit().post(ROLE_SCOPE_MENTOR=["5", "6", 7]).mentored == ("5", "6")


@pytest.mark.parametrize("seconds", [0, 59, -59])
def test_clocks_may_differ_by_a_minute(seconds):
    visit = Visit()
    assert visit.post(now=NOW + timedelta(seconds=seconds)).subject == "5"


def test_the_launch_record_cannot_be_changed():
    launch = Visit().post()
    with pytest.raises(AttributeError):
        launch.subject = "6"
    assert replace(launch, subject="6").subject == "6"


def test_claims_are_named_as_the_specification_names_them():
    assert Claim.ROLES == "https://purl.imsglobal.org/spec/lti/claim/roles"
    assert Claim.AGS_ENDPOINT == "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
    assert Claim.NRPS == "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
    assert Claim.DL_SETTINGS == "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
