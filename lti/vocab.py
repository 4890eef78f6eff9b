"""The words of LTI 1.3: claim URIs, scopes, media types, message types and role URIs.

Sources: LTI Core 1.3 (errata 24 Jan 2023), Deep Linking 2.0, AGS 2.0, NRPS 2.0, Submission Review 1.0,
Course Groups 1.0, Platform Notification Service 1.0.
"""

from __future__ import annotations

from enum import StrEnum

VERSION = "1.3.0"

_LTI = "https://purl.imsglobal.org/spec/lti/claim/"
_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
_AGS = "https://purl.imsglobal.org/spec/lti-ags/"
_NRPS = "https://purl.imsglobal.org/spec/lti-nrps/"
_GROUPS = "https://purl.imsglobal.org/spec/lti-gs/"


class Claim(StrEnum):
    """The full name of every claim read or written here."""

    MESSAGE_TYPE = _LTI + "message_type"
    VERSION = _LTI + "version"
    DEPLOYMENT_ID = _LTI + "deployment_id"
    TARGET_LINK_URI = _LTI + "target_link_uri"
    RESOURCE_LINK = _LTI + "resource_link"
    ROLES = _LTI + "roles"
    CONTEXT = _LTI + "context"
    TOOL_PLATFORM = _LTI + "tool_platform"
    ROLE_SCOPE_MENTOR = _LTI + "role_scope_mentor"
    LAUNCH_PRESENTATION = _LTI + "launch_presentation"
    LIS = _LTI + "lis"
    CUSTOM = _LTI + "custom"
    LTI1P1 = _LTI + "lti1p1"
    FOR_USER = _LTI + "for_user"
    AGS_ENDPOINT = _AGS + "claim/endpoint"
    NRPS = _NRPS + "claim/namesroleservice"
    GROUPS = _GROUPS + "claim/groupsservice"
    NOTICES = _LTI + "platformnotificationservice"
    NOTICE = _LTI + "notice"
    ORIGIN_CONTEXTS = _LTI + "origin_contexts"
    DL_SETTINGS = _DL + "deep_linking_settings"
    DL_CONTENT_ITEMS = _DL + "content_items"
    DL_DATA = _DL + "data"
    DL_MSG = _DL + "msg"
    DL_LOG = _DL + "log"
    DL_ERRORMSG = _DL + "errormsg"
    DL_ERRORLOG = _DL + "errorlog"


class MessageType(StrEnum):
    """The messages a platform launches and the one we answer with."""

    RESOURCE_LINK = "LtiResourceLinkRequest"
    DEEP_LINKING = "LtiDeepLinkingRequest"
    SUBMISSION_REVIEW = "LtiSubmissionReviewRequest"
    DATA_PRIVACY = "LtiDataPrivacyLaunchRequest"
    DEEP_LINKING_RESPONSE = "LtiDeepLinkingResponse"


# The draft of the data-privacy launch had no prefix, and platforms of that time send it so still.
DATA_PRIVACY_DRAFT = "DataPrivacyLaunchRequest"
# Known, and not offered: see docs/decisions on asset processors and licence agreements.
NOT_OFFERED = frozenset({"LtiAssetProcessorSettingsRequest", "LtiReportReviewRequest", "LtiEulaRequest"})


class NoticeType(StrEnum):
    """The notices a platform sends without a person (Platform Notification Service 1.0)."""

    HELLO = "LtiHelloWorldNotice"
    CONTEXT_COPY = "LtiContextCopyNotice"


class Scope(StrEnum):
    """OAuth 2 scopes of the Advantage services."""

    LINEITEM = _AGS + "scope/lineitem"
    LINEITEM_READONLY = _AGS + "scope/lineitem.readonly"
    RESULT_READONLY = _AGS + "scope/result.readonly"
    SCORE = _AGS + "scope/score"
    MEMBERSHIP_READONLY = _NRPS + "scope/contextmembership.readonly"


class FurtherScope(StrEnum):
    """Scopes of services that few platforms have and nothing here depends on; asked for only where offered."""

    GROUPS_READONLY = _GROUPS + "scope/contextgroup.readonly"
    NOTICE_HANDLERS = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"


class Media(StrEnum):
    """Media types; platforms compare them exactly, so each call sends one and no list."""

    LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
    LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
    RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
    SCORE = "application/vnd.ims.lis.v1.score+json"
    MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
    GROUPS = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
    GROUP_SETS = "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"


MEMBERSHIP_ROLES = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION_ROLES = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
SYSTEM_ROLES = "http://purl.imsglobal.org/vocab/lis/v2/system/person"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

ROLE_LEARNER = MEMBERSHIP_ROLES + "#Learner"
ROLE_INSTRUCTOR = MEMBERSHIP_ROLES + "#Instructor"
ROLE_MENTOR = MEMBERSHIP_ROLES + "#Mentor"
ROLE_ADMINISTRATOR = MEMBERSHIP_ROLES + "#Administrator"
ROLE_TEACHING_ASSISTANT = MEMBERSHIP_ROLES + "/Instructor#TeachingAssistant"

CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
