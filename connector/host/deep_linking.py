"""The answer to a deep-linking request: what was placed, fitted to what the LMS takes, signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.base.errors import Fatal
from connector.base.i18n import N_, say, translate
from connector.base.ids import new_id
from connector.host.basket import Chosen
from connector.host.launches import Session, deep_linking_of
from connector.host.links import ACTIVITY_PARAMETER
from connector.host.rooms import make_activity
from connector.host.runtime import Runtime
from lti.profiles import profile_for
from lti.tool.claims import DeepLinkingSettings
from lti.tool.content_items import (
    FileItem,
    HtmlItem,
    ImageItem,
    Item,
    ItemLineItem,
    LinkItem,
    ResourceLinkItem,
    Span,
    Window,
    fit,
)
from lti.tool.deep_linking import DeepLinkingResponse, Words, build_response
from lti.tool.ports import Registration
from lti.tool.variables import asked_of
from plugins.contract import Material, MaterialKind, Placement


@dataclass(frozen=True)
class _Wish:
    item: Item
    chosen: Chosen
    activity_id: str = ""


def answer(runtime: Runtime, session: Session, chosen: Sequence[Chosen]) -> DeepLinkingResponse:
    """Make the chosen activities and sign the answer; nothing chosen is an empty answer, a cancel to the LMS.

    What the LMS does not take is not made, and the teacher is told in the answer.

    Raises:
        Fatal: The registration is gone, or the launch was no deep-linking request.
        DeepLinkingRefused: Something chosen cannot be placed at all.
    """
    registration = runtime.registry.get(session.registration_id)
    settings = settings_of(runtime, session)
    if registration is None or settings is None:
        raise Fatal("no_deep_linking", say(N_("This launch cannot place anything in a course.")))
    wishes = [_wish(runtime, registration, one) for one in chosen]
    fitted = fit(settings, [wish.item for wish in wishes])
    left = {id(item): reason for item, reason in fitted.left_out}
    response = build_response(
        settings,
        fitted.items,
        registration=registration,
        deployment_id=session.details["deployment_id"],
        key=runtime.keys.for_registration(registration),
        now=runtime.clock(),
        words=_words(session, [(wish, left[id(wish.item)]) for wish in wishes if id(wish.item) in left], fitted.items),
    )
    # Signed before anything is made: what cannot be sent is not kept either.
    with runtime.database.school(session.school_id) as db:
        for wish in wishes:
            if wish.chosen.placement is not None and id(wish.item) not in left:
                make_activity(db, session, wish.chosen.plugin, wish.chosen.placement, runtime.clock(), wish.activity_id)
    return response


def settings_of(runtime: Runtime, session: Session) -> DeepLinkingSettings | None:
    """Return what the LMS takes back: as it said, less what its kind is known not to take."""
    settings, registration = deep_linking_of(session), runtime.registry.get(session.registration_id)
    if settings is None or registration is None:
        return settings
    known = profile_for(registration.profile).item_types
    return replace(settings, accept_types=settings.accept_types & set(known)) if known else settings


def _words(session: Session, left: Sequence[tuple[_Wish, str]], kept: Sequence[Item]) -> Words:
    if not left:
        return Words()
    names = ", ".join(f"«{wish.chosen.title}»" for wish, _ in left)
    text = say(N_("Not added, because the LMS does not take it here: {names}."), names=names)
    told = translate(text, session.language)
    reasons = "; ".join(f"{wish.item.type}: {reason}" for wish, reason in left)
    return Words(message=told, log=reasons) if kept else Words(error=told, error_log=reasons)


def _wish(runtime: Runtime, registration: Registration, chosen: Chosen) -> _Wish:
    if chosen.placement is not None:
        activity_id = new_id()
        return _Wish(_activity(runtime, registration, chosen.placement, activity_id), chosen, activity_id)
    if chosen.material is None:
        raise ValueError("nothing was chosen")
    return _Wish(_material(chosen, chosen.material), chosen)


def _activity(runtime: Runtime, registration: Registration, placed: Placement, activity_id: str) -> ResourceLinkItem:
    line = None
    if placed.score_maximum is not None:
        # The activity's id is the column's resource id, so that a column is found again and never made twice.
        line = ItemLineItem(
            placed.score_maximum, placed.title, activity_id, placed.tag or None, grades_released=placed.grades_released
        )
    asked = asked_of(profile_for(registration.profile).item_variables)
    dates = placed.dates
    return ResourceLinkItem(
        title=placed.title,
        text=placed.text or None,
        url=runtime.launch_url,
        custom={ACTIVITY_PARAMETER: activity_id, **asked},
        line_item=line,
        window=Window("_blank") if placed.own_window else None,
        available=Span(dates.opens_at, dates.closes_at) if dates.opens_at or dates.closes_at else None,
        submission=Span(dates.submit_from, dates.submit_until) if dates.submit_from or dates.submit_until else None,
    )


def _material(chosen: Chosen, material: Material) -> Item:
    title, text = material.title, material.text or None
    match material.kind:
        case MaterialKind.HTML:
            return HtmlItem(title=title, text=text, html=material.html)
        case MaterialKind.IMAGE:
            return ImageItem(title=title, text=text, url=chosen.url, kind=material.media_type)
        case MaterialKind.FILE:
            return FileItem(
                title=title, text=text, url=chosen.url, expires_at=chosen.expires_at, kind=material.media_type
            )
        case MaterialKind.LINK:
            return LinkItem(title=title, text=text, url=chosen.url, window=Window("_blank"))
