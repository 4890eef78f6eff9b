"""The profiles themselves.

Moodle's facts were measured on 4.5.6; the others come from the sources named at each.
"""

from __future__ import annotations

from datetime import timedelta

from lti.profiles.blackboard import BLACKBOARD
from lti.profiles.openedx import OPEN_EDX
from lti.profiles.profile import Profile, Quirk, ScoreError
from lti.profiles.sakai import SAKAI

_MOODLE = "https://github.com/moodle/moodle/blob/MOODLE_405_STABLE/"
_SCORES = _MOODLE + "mod/lti/service/gradebookservices/classes/local/resources/scores.php"
_GRADEBOOK = _MOODLE + "mod/lti/service/gradebookservices/classes/local/service/gradebookservices.php"
_RESULTS = _MOODLE + "mod/lti/service/gradebookservices/classes/local/resources/results.php"
_MEMBERSHIPS = _MOODLE + "mod/lti/service/memberships/classes/local/service/memberships.php"
_AGS = "https://www.imsglobal.org/spec/lti-ags/v2p0/"
_CANVAS_SCORES = "https://github.com/instructure/canvas-lms/blob/master/app/controllers/lti/ims/scores_controller.rb"
_CANVAS_DOCS = "https://developerdocs.instructure.com/services/canvas/external-tools/lti/"
_D2L_AUDIENCE = "https://api.brightspace.com/auth/token"
_PM = "https://www.imsglobal.org/spec/lti-pm-s/v0p1"

GENERIC = Profile(
    key="generic",
    title="LTI 1.3",
    # The cautious side of what the specification leaves open.
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    zero_omitted_in_results=True,
    pending_clears_grade=True,
    accepted_may_be_overridden=True,
    quirks=(
        Quirk("timestamp_resolution", "Whole seconds are kept by every platform known; finer ones not by all.", _AGS),
        Quirk("equal_timestamp_refused", "A platform must not apply a score that is not newer.", _AGS),
        Quirk("zero_omitted_in_results", "resultScore is optional, so its absence says nothing.", _AGS),
        Quirk("pending_clears_grade", "A platform may pass over a score that is not FullyGraded.", _AGS),
        Quirk("accepted_may_be_overridden", "A platform may keep a grade its teacher set.", _AGS),
    ),
)

MOODLE = Profile(
    key="moodle",
    title="Moodle",
    family_codes=("moodle",),
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    orders_by_grade_time=True,
    future_timestamp_blocks=True,
    results_pageable=False,
    zero_omitted_in_results=True,
    score_clipped=True,
    pending_clears_grade=True,
    accepted_may_be_overridden=True,
    results_have_timestamp=True,
    roster_hides_inactive=True,
    assistants_are_learners_in_roster=True,
    token_media_type="text/html",  # noqa: S106 - a media type, not a secret.
    deep_linking_takes_label=False,
    key_set_blocked_by_default=True,
    scopes_granted_silently_cut=True,
    link_header_malformed=True,
    item_variables=("Context.id.history",),
    score_errors=(ScoreError(400, "incorrect score received", "not_gradable"),),
    quirks=(
        Quirk(
            "item_variables",
            "Context.id.history is filled in, ResourceLink.id.history and dates are not.",
            _MOODLE + "mod/lti/locallib.php",
        ),
        Quirk("timestamp_resolution", "Grades keep whole seconds, so two scores in one second answer 409.", _SCORES),
        Quirk("equal_timestamp_refused", "A repeated score has the stored grade's second and answers 409.", _SCORES),
        Quirk("orders_by_grade_time", "Compared with the grade's timemodified, which a teacher's edit moves.", _SCORES),
        Quirk("future_timestamp_blocks", "The stored time is the score's; later scores wait until it passes.", _SCORES),
        Quirk("results_pageable", "A limit on results answers 404 with a page.", _RESULTS),
        Quirk(
            "zero_omitted_in_results", "The score is written only when the grade is not empty; 0 may be.", _GRADEBOOK
        ),
        Quirk("score_clipped", "The gradebook cuts grades at the column's maximum.", _GRADEBOOK),
        Quirk("pending_clears_grade", "Anything but FullyGraded stores an empty grade.", _SCORES),
        Quirk("accepted_may_be_overridden", "An overridden grade stays though the score answers 200.", _GRADEBOOK),
        Quirk("results_have_timestamp", "Results carry the grade's time in the site's zone.", _GRADEBOOK),
        Quirk("roster_hides_inactive", "Only active enrolments are listed; status is never Inactive.", _MEMBERSHIPS),
        Quirk(
            "assistants_are_learners_in_roster",
            "Instructor needs moodle/course:manageactivities in the roster, mod/lti:manage at launch.",
            _MEMBERSHIPS,
        ),
        Quirk("token_media_type", "token.php answers JSON labelled text/html.", _MOODLE + "mod/lti/token.php"),
        Quirk("deep_linking_takes_label", "The column gets the item's title.", _MOODLE + "mod/lti/locallib.php"),
        Quirk(
            "key_set_blocked_by_default",
            "Private addresses and ports other than 80 and 443 are blocked for the LMS's own requests.",
            _MOODLE + "lib/classes/files/curl_security_helper.php",
        ),
        Quirk(
            "scopes_granted_silently_cut",
            "Scopes that are not granted are left out without a word.",
            _MOODLE + "mod/lti/token.php",
        ),
        Quirk(
            "link_header_malformed",
            "Curly quotes around rel and &amp; in the address.",
            _MOODLE + "mod/lti/service/gradebookservices/classes/local/resources/lineitems.php",
        ),
        Quirk(
            "score_errors", "Also said of a teacher or an unenrolled user; the words are in the HTTP reason.", _SCORES
        ),
    ),
)

CANVAS = Profile(
    key="canvas",
    title="Canvas",
    family_codes=("canvas",),
    timestamp_resolution=timedelta(seconds=1),
    pending_clears_grade=True,
    platform_storage=True,
    score_errors=(ScoreError(400, "last updated timestamp", "older_timestamp"),),
    deployments_come_later=True,
    item_variables=(
        "Context.id.history",
        "ResourceLink.id.history",
        "ResourceLink.available.startDateTime",
        "ResourceLink.available.endDateTime",
        "ResourceLink.submission.endDateTime",
    ),
    frame_sources=("https://*.instructure.com",),
    registration_extras=(
        ("https://canvas.instructure.com/lti/privacy_level", "name_only"),
        ("https://canvas.instructure.com/lti/vendor", "Kopir"),
    ),
    quirks=(
        Quirk(
            "item_variables",
            "Dates are the assignment's; what it does not know stays as it is written.",
            "https://github.com/instructure/canvas-lms/blob/master/lib/lti/variable_expander.rb",
        ),
        Quirk("score_errors", "An older timestamp is a 400 with this text, not a 409.", _CANVAS_SCORES),
        Quirk(
            "deployments_come_later",
            "A deployment is made per account or course, after the tool is switched on.",
            _CANVAS_DOCS + "file.registration",
        ),
        Quirk(
            "frame_sources",
            "The issuer is one for all; each school's pages have a host of their own.",
            _CANVAS_DOCS + "file.lti_launch_overview",
        ),
        Quirk(
            "registration_extras",
            "Without a privacy level launches are anonymous; e-mail is not asked for.",
            _CANVAS_DOCS + "file.registration",
        ),
        Quirk("timestamp_resolution", "Milliseconds are kept; whole seconds are safe everywhere.", _CANVAS_SCORES),
        Quirk("pending_clears_grade", "Progress other than FullyGraded or PendingManual clears it.", _CANVAS_SCORES),
        Quirk("platform_storage", "The frame post_message_forwarding keeps data for the tool.", _PM),
    ),
)

D2L = Profile(
    key="d2l",
    title="D2L Brightspace",
    family_codes=("desire2learn",),
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    zero_omitted_in_results=True,
    accepted_may_be_overridden=True,
    roster_limit=200,
    line_items_page_limit=200,
    token_audience=_D2L_AUDIENCE,
    registration_token_given=False,
    quirks=(
        Quirk(
            "token_audience",
            "One audience for all; the token URL is refused.",
            "https://github.com/hypothesis/lms/blob/main/lms/product/d2l/_plugin/misc.py",
        ),
        Quirk(
            "registration_token_given",
            "The registration page is opened without a token.",
            "https://github.com/openwebwork/webwork2/pull/2993",
        ),
        Quirk(
            "line_items_page_limit", "Pages hold 200 at most.", "https://github.com/dmitry-viskov/pylti1.3/issues/45"
        ),
        Quirk("timestamp_resolution", "As the generic profile; not measured.", _AGS),
        Quirk("equal_timestamp_refused", "As the generic profile; not measured.", _AGS),
        Quirk("zero_omitted_in_results", "As the generic profile; not measured.", _AGS),
        Quirk("accepted_may_be_overridden", "As the generic profile; not measured.", _AGS),
        Quirk("roster_limit", "Pages hold 200 at most.", "https://github.com/dmitry-viskov/pylti1.3/issues/45"),
    ),
)

_ALL = (GENERIC, MOODLE, CANVAS, D2L, BLACKBOARD, SAKAI, OPEN_EDX)
PROFILES: dict[str, Profile] = {profile.key: profile for profile in _ALL}
_BY_FAMILY = {code: profile for profile in PROFILES.values() for code in profile.family_codes}


def profile_for(product_family_code: str | None) -> Profile:
    """Return the profile of a product by its family code or our key; the generic one for an unknown product."""
    code = (product_family_code or "").strip().lower()
    return _BY_FAMILY.get(code) or PROFILES.get(code) or GENERIC
