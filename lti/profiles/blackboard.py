"""Blackboard Learn: from its documentation and from what tools in production work round; not measured here."""

from __future__ import annotations

from datetime import timedelta

from lti.profiles.profile import Profile, Quirk, ScoreError

_AGS = "https://www.imsglobal.org/spec/lti-ags/v2p0/"
_DOCS = "https://docs.anthology.com/docs/blackboard/lti/"
_HYPOTHESIS = "https://github.com/hypothesis/lms/blob/main/lms/product/blackboard/"

BLACKBOARD = Profile(
    key="blackboard",
    title="Blackboard Learn",
    family_codes=("blackboardlearn", "blackboard"),
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    zero_omitted_in_results=True,
    accepted_may_be_overridden=True,
    platform_storage=True,
    link_query_repeated=True,
    results_by_user_drop_comment=True,
    comment_line_break="<br/>",
    score_errors=(ScoreError(400, "user could not be found", "not_gradable"),),
    deployments_come_later=True,
    frame_sources=("https://*.blackboard.com",),
    quirks=(
        Quirk("timestamp_resolution", "As the generic profile; not measured.", _AGS),
        Quirk("equal_timestamp_refused", "As the generic profile; not measured.", _AGS),
        Quirk("zero_omitted_in_results", "As the generic profile; not measured.", _AGS),
        Quirk("accepted_may_be_overridden", "As the generic profile; not measured.", _AGS),
        Quirk("platform_storage", "The frame lti_storage_frame keeps data for the tool.", _DOCS),
        Quirk("link_query_repeated", "A roster's next page may name rlid twice.", _HYPOTHESIS),
        Quirk("results_by_user_drop_comment", "The filter user_id leaves comments out.", _HYPOTHESIS),
        Quirk("comment_line_break", "Comments are shown as HTML, so a new line alone is lost.", _HYPOTHESIS),
        Quirk("score_errors", "Said of a person who is not enrolled.", _HYPOTHESIS),
        Quirk("deployments_come_later", "One client for all schools; a deployment is a school's installation.", _DOCS),
        Quirk("frame_sources", "The issuer is one for all; each school's pages have a host of their own.", _DOCS),
    ),
)
