"""Open edX: from the source of its LTI consumer; not measured here."""

from __future__ import annotations

from datetime import timedelta

from lti.profiles.profile import Profile, Quirk

_SOURCE = "https://github.com/openedx/xblock-lti-consumer/blob/master/lti_consumer/"
_AGS = "https://www.imsglobal.org/spec/lti-ags/v2p0/"

OPEN_EDX = Profile(
    key="openedx",
    title="Open edX",
    family_codes=("open edx", "openedx"),
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    zero_omitted_in_results=True,
    accepted_may_be_overridden=True,
    integer_maximum=True,
    line_items_deletable=False,
    dynamic_registration=False,
    item_types=("ltiResourceLink", "link", "html", "image"),
    quirks=(
        Quirk("timestamp_resolution", "As the generic profile; not measured.", _AGS),
        Quirk(
            "equal_timestamp_refused",
            "A score that is not newer is answered 400, not 409.",
            _SOURCE + "plugin/views.py",
        ),
        Quirk(
            "item_types",
            "Files are not taken.",
            _SOURCE + "lti_1p3/deep_linking.py",
        ),
        Quirk("zero_omitted_in_results", "As the generic profile; not measured.", _AGS),
        Quirk("accepted_may_be_overridden", "As the generic profile; not measured.", _AGS),
        Quirk("integer_maximum", "scoreMaximum is kept as an integer.", _SOURCE + "models.py"),
        Quirk(
            "line_items_deletable",
            "The permission names an action that never comes, so DELETE is refused.",
            _SOURCE + "lti_1p3/extensions/rest_framework/permissions.py",
        ),
        Quirk(
            "dynamic_registration",
            "Tools are entered by hand, per block.",
            "https://github.com/openedx/xblock-lti-consumer",
        ),
    ),
)
