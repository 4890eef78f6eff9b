"""The answer to a deep-linking request: what was placed, signed, and where it is posted."""

from __future__ import annotations

from collections.abc import Sequence

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.host.launches import Session, deep_linking_of
from connector.host.links import ACTIVITY_PARAMETER
from connector.host.runtime import Runtime
from lti.tool.deep_linking import ContentItem, DeepLinkingResponse, ItemLineItem, build_response
from plugins.contract import Activity, Placement


def answer(runtime: Runtime, session: Session, made: Sequence[tuple[Activity, Placement]]) -> DeepLinkingResponse:
    """Sign the answer for what was placed; nothing placed is an empty answer, which the LMS takes as a cancel.

    Raises:
        Fatal: The registration is gone, or the launch was no deep-linking request.
        DeepLinkingRefused: The platform does not take what was placed.
    """
    registration = runtime.registry.get(session.registration_id)
    settings = deep_linking_of(session)
    if registration is None or settings is None:
        raise Fatal("no_deep_linking", say(N_("This launch cannot place anything in a course.")))
    return build_response(
        settings,
        [_item(runtime, activity, placement) for activity, placement in made],
        registration=registration,
        deployment_id=session.details["deployment_id"],
        key=runtime.keys.for_registration(registration),
        now=runtime.clock(),
    )


def _item(runtime: Runtime, activity: Activity, placement: Placement) -> ContentItem:
    line = None
    if activity.score_maximum is not None:
        # The activity's id is the column's resource id, so that a column is found again and never made twice.
        line = ItemLineItem(activity.score_maximum, activity.title, activity.id, placement.tag or None)
    return ContentItem(
        title=activity.title, url=runtime.launch_url, custom={ACTIVITY_PARAMETER: activity.id}, line_item=line
    )
