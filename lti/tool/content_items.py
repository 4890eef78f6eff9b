"""Content items: everything a picker may put into a course, typed, checked, and fitted to what a platform takes.

Source: Deep Linking 2.0 §3 (item types and their properties), §3.1 (extension properties), §4.4.1 (what is accepted).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import nh3

from lti.tool.claims import DeepLinkingSettings, web_address
from lti.tool.wire import instant

Claims = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """An icon or a thumbnail; sizes in pixels."""

    url: str
    width: int | None = None
    height: int | None = None

    def to_claim(self) -> Claims:
        """Return the JSON form."""
        return _told({"url": _address(self.url), "width": _size(self.width), "height": _size(self.height)})


@dataclass(frozen=True)
class Window:
    """How an item opens in a window of its own (§3.2: ``window``)."""

    target_name: str | None = None
    width: int | None = None
    height: int | None = None
    features: str | None = None

    def to_claim(self) -> Claims:
        """Return the JSON form."""
        sizes = {"width": _size(self.width), "height": _size(self.height)}
        return _told({"targetName": self.target_name, **sizes, "windowFeatures": self.features})


@dataclass(frozen=True)
class Frame:
    """How an item opens inside a page (§3.2: ``iframe``); ``src`` is for a plain link only."""

    width: int | None = None
    height: int | None = None
    src: str | None = None

    def to_claim(self) -> Claims:
        """Return the JSON form."""
        src = None if self.src is None else _address(self.src)
        return _told({"src": src, "width": _size(self.width), "height": _size(self.height)})


@dataclass(frozen=True)
class Span:
    """From when until when; either may be open. ``available`` is for opening, ``submission`` for handing in."""

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse an end before its start, and times without a zone."""
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("a span ends after it starts")

    def to_claim(self) -> Claims:
        """Return the JSON form."""
        start, end = (None if moment is None else instant(moment) for moment in (self.start, self.end))
        return _told({"startDateTime": start, "endDateTime": end})


@dataclass(frozen=True)
class ItemLineItem:
    """The column a placed item brings along (Deep Linking 2.0 §3.2.1).

    Attributes:
        score_maximum: Above zero.
        label: Name of the column; Moodle takes the item's title instead.
        resource_id: Our id of the resource, by which the column is found again.
        tag: Our second mark, by which columns of one resource are told apart.
        grades_released: Whether pupils see the mark at once; None leaves it to the platform.
        reviewed_at: The address the platform opens to look at one pupil's work; "" for the link's own, None when it
            is not asked to (Submission Review 1.0 §4).
    """

    score_maximum: Decimal
    label: str | None = None
    resource_id: str | None = None
    tag: str | None = None
    grades_released: bool | None = None
    reviewed_at: str | None = None

    def __post_init__(self) -> None:
        """Refuse a maximum no platform takes."""
        if not self.score_maximum.is_finite() or self.score_maximum <= 0:
            raise ValueError("a line item's maximum must be above zero")

    def to_claim(self) -> Claims:
        """Return the JSON form."""
        review: Claims | None = None
        if self.reviewed_at is not None:
            review = {"reviewableStatus": ["Submitted", "Completed"]}
            if self.reviewed_at:
                review["url"] = _address(self.reviewed_at)
        value = {
            "scoreMaximum": self.score_maximum, "label": self.label, "resourceId": self.resource_id, "tag": self.tag,
            "gradesReleased": self.grades_released, "submissionReview": review,
        }  # fmt: skip
        return _told(value)


@dataclass(frozen=True, kw_only=True)
class Item:
    """What every content item may have.

    Attributes:
        title: Its name.
        text: Description, plain text.
        icon: A small picture.
        thumbnail: A larger one.
        extensions: Properties outside the specification; their names are whole addresses.
    """

    title: str | None = None
    text: str | None = None
    icon: Picture | None = None
    thumbnail: Picture | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The item's type, as the platform calls it."""
        raise NotImplementedError

    @property
    def media_type(self) -> str | None:
        """What the item is a file of; None where that says nothing."""
        return None

    def own(self) -> Claims:
        """Return the properties of this type alone.

        Raises:
            ValueError: One of them cannot be placed.
        """
        raise NotImplementedError

    def to_claim(self) -> Claims:
        """Return the JSON form.

        Raises:
            ValueError: A property cannot be placed: an address that is none, a size below one, an empty text.
        """
        if self.title is not None and not self.title.strip():
            raise ValueError("an item's title is not blank")
        odd = [name for name in self.extensions if web_address(name) is None]
        if odd:
            raise ValueError(f"an extension is named by a whole address, not {odd[0]}")
        pictures = {"icon": self.icon, "thumbnail": self.thumbnail}
        shown = {name: picture.to_claim() for name, picture in pictures.items() if picture is not None}
        return _told({"type": self.type, "title": self.title, "text": self.text, **shown, **self.own()}) | dict(
            self.extensions
        )


@dataclass(frozen=True, kw_only=True)
class ResourceLinkItem(Item):
    """A link that launches us (``ltiResourceLink``, §3.2.1).

    Attributes:
        url: The target link; the tool's own when None.
        custom: Parameters that come back in every launch of the link.
        line_item: Its column, or None for an ungraded link.
        window: How it opens in a window.
        iframe: How it opens in a frame.
        available: When it can be opened.
        submission: When work can be handed in.
    """

    url: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    line_item: ItemLineItem | None = None
    window: Window | None = None
    iframe: Frame | None = None
    available: Span | None = None
    submission: Span | None = None

    @property
    def type(self) -> str:
        """The item's type."""
        return "ltiResourceLink"

    def own(self) -> Claims:
        """Return the properties of this type alone."""
        if self.title is None:
            raise ValueError("an activity has a title")
        parts = {"lineItem": self.line_item, "window": self.window, "iframe": self.iframe,
                 "available": self.available, "submission": self.submission}  # fmt: skip
        url = None if self.url is None else _address(self.url)
        shown = {name: part.to_claim() for name, part in parts.items() if part is not None}
        return {"url": url, "custom": dict(self.custom) or None, **shown}


@dataclass(frozen=True, kw_only=True)
class LinkItem(Item):
    """A plain link (``link``); ``embed`` is HTML that shows it in place, made harmless here."""

    url: str
    embed: str | None = None
    window: Window | None = None
    iframe: Frame | None = None

    @property
    def type(self) -> str:
        """The item's type."""
        return "link"

    def own(self) -> Claims:
        """Return the properties of this type alone."""
        embed = None if self.embed is None else {"html": harmless(self.embed)}
        parts = {"window": self.window, "iframe": self.iframe}
        shown = {name: part.to_claim() for name, part in parts.items() if part is not None}
        return {"url": _address(self.url), "embed": embed, **shown}


@dataclass(frozen=True, kw_only=True)
class FileItem(Item):
    """A file the platform fetches at once and keeps (``file``); its address lives until ``expires_at``."""

    url: str
    expires_at: datetime | None = None
    kind: str | None = None

    @property
    def type(self) -> str:
        """The item's type."""
        return "file"

    @property
    def media_type(self) -> str | None:
        """What it is a file of."""
        return self.kind

    def own(self) -> Claims:
        """Return the properties of this type alone."""
        return {"url": _address(self.url), "expiresAt": None if self.expires_at is None else instant(self.expires_at)}


@dataclass(frozen=True, kw_only=True)
class HtmlItem(Item):
    """A piece of a page (``html``), made harmless here: no script, no style, no form, no frame."""

    html: str

    @property
    def type(self) -> str:
        """The item's type."""
        return "html"

    def own(self) -> Claims:
        """Return the properties of this type alone."""
        clean = harmless(self.html)
        if not clean.strip():
            raise ValueError("nothing is left of the HTML")
        return {"html": clean}


@dataclass(frozen=True, kw_only=True)
class ImageItem(Item):
    """A picture at an address that stays (``image``)."""

    url: str
    width: int | None = None
    height: int | None = None
    kind: str | None = None

    @property
    def type(self) -> str:
        """The item's type."""
        return "image"

    @property
    def media_type(self) -> str | None:
        """What it is a file of."""
        return self.kind

    def own(self) -> Claims:
        """Return the properties of this type alone."""
        return {"url": _address(self.url), "width": _size(self.width), "height": _size(self.height)}


@dataclass(frozen=True)
class Fitted:
    """What a platform is given.

    Attributes:
        items: What it takes, without the properties it does not take.
        left_out: What it does not take, each with the reason: ``type``, ``media_type`` or ``one_at_a_time``.
    """

    items: tuple[Item, ...]
    left_out: tuple[tuple[Item, str], ...]


def fit(settings: DeepLinkingSettings, items: Iterable[Item]) -> Fitted:
    """Leave out what a platform does not take, as it said (§4.4.1)."""
    kept: list[Item] = []
    left: list[tuple[Item, str]] = []
    for item in items:
        reason = _reason(settings, item, kept)
        if reason:
            left.append((item, reason))
        else:
            kept.append(_trimmed(settings, item))
    return Fitted(tuple(kept), tuple(left))


def _reason(settings: DeepLinkingSettings, item: Item, kept: Sequence[Item]) -> str:
    if item.type not in settings.accept_types:
        return "type"
    if item.media_type is not None and not takes_media(settings.accept_media_types, item.media_type):
        return "media_type"
    return "one_at_a_time" if kept and not settings.accept_multiple else ""


def _trimmed(settings: DeepLinkingSettings, item: Item) -> Item:
    if isinstance(item, ResourceLinkItem) and settings.accept_line_item is False:
        item = replace(item, line_item=None)
    if isinstance(item, ResourceLinkItem | LinkItem) and settings.accept_targets:
        window = item.window if "window" in settings.accept_targets else None
        iframe = item.iframe if "iframe" in settings.accept_targets else None
        item = replace(item, window=window, iframe=iframe)
    return item


def takes_media(accepted: frozenset[str], media_type: str) -> bool:
    """Tell whether a media type is among those accepted; where none are named, all are."""
    kind = media_type.partition(";")[0].strip().lower()
    return not accepted or bool(accepted & {kind, f"{kind.partition('/')[0]}/*", "*/*"})


def harmless(html: str) -> str:
    """Return HTML without anything that runs, frames, posts or styles."""
    return nh3.clean(html, url_schemes={"http", "https", "mailto"})


def _told(value: Mapping[str, Any]) -> Claims:
    return {name: item for name, item in value.items() if item is not None}


def _address(url: str) -> str:
    if web_address(url) is None:
        raise ValueError(f"not a web address: {url[:60]}")
    return url


def _size(pixels: int | None) -> int | None:
    if pixels is not None and pixels < 1:
        raise ValueError("a size is at least one pixel")
    return pixels
