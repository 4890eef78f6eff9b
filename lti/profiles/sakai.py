"""Sakai: from its source; not measured here."""

from __future__ import annotations

from datetime import timedelta

from lti.profiles.profile import Profile, Quirk

_AGS = "https://www.imsglobal.org/spec/lti-ags/v2p0/"
_SOURCE = "https://github.com/sakaiproject/sakai/tree/master/lti"

SAKAI = Profile(
    key="sakai",
    title="Sakai",
    family_codes=("sakai",),
    timestamp_resolution=timedelta(seconds=1),
    equal_timestamp_refused=True,
    zero_omitted_in_results=True,
    accepted_may_be_overridden=True,
    platform_storage=True,
    item_variables=(
        "Context.id.history",
        "ResourceLink.id.history",
        "ResourceLink.available.startDateTime",
        "ResourceLink.available.endDateTime",
        "ResourceLink.submission.startDateTime",
        "ResourceLink.submission.endDateTime",
    ),
    quirks=(
        Quirk("timestamp_resolution", "As the generic profile; not measured.", _AGS),
        Quirk("equal_timestamp_refused", "As the generic profile; not measured.", _AGS),
        Quirk("zero_omitted_in_results", "As the generic profile; not measured.", _AGS),
        Quirk("accepted_may_be_overridden", "As the generic profile; not measured.", _AGS),
        Quirk("item_variables", "Histories and dates are filled in; read in its code, not measured.", _SOURCE),
        Quirk("platform_storage", "lti_storage_target is _parent, after org.sakailms.lti.prelaunch.", _SOURCE),
    ),
)
