"""The ``Link`` header as platforms really send it, and walking pages without being led astray.

RFC 8288 says ``<url>; rel="next"``. Moodle's gradebook services send curly quotes and ``&amp;`` in the address
(mod/lti/service/gradebookservices, seen in 4.5), so the reader takes those too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit, urlunsplit

from connector.base.i18n import N_, say
from lti.errors import ForeignPage

MAX_PAGES = 1000

Page = TypeVar("Page")

_ENTRY = re.compile(r"<([^<>]*)>([^<]*)")
_PARAM = re.compile(r";\s*([A-Za-z0-9_*\-]+)\s*=\s*(\"[^\"]*\"?|'[^']*'|[^\s;,]+)")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "″": '"', "‘": "'", "’": "'"})
_MOJIBAKE = re.compile("â\x80[\x9c\x9d\x9e]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Link:
    """One entry of a ``Link`` header: an address, its case kept, and its relations in lower case."""

    url: str
    rels: frozenset[str]


def parse_link_header(value: str) -> list[Link]:
    """Read every entry that has an address and a relation; what cannot be read is left out."""
    text = _MOJIBAKE.sub('"', value).translate(_QUOTES)
    links = []
    for url, rest in _ENTRY.findall(text):
        rels = _relations(rest)
        if url.strip() and rels:
            links.append(Link(url.strip().replace("&amp;", "&"), rels))
    return links


def _relations(parameters: str) -> frozenset[str]:
    for name, value in _PARAM.findall(parameters):
        if name.lower() == "rel":
            return frozenset(value.strip("\"'").lower().split())
    return frozenset()


def find_link(header: str | None, rel: str, base: str) -> str | None:
    """Return the absolute address of a relation, or None."""
    for link in parse_link_header(header or ""):
        if rel in link.rels:
            return urljoin(base, link.url)
    return None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address, with the scheme's own port filled in."""
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme)


def walk_pages(
    first: str,
    fetch: Callable[[str], tuple[Page, str | None]],
    *,
    cap: int = MAX_PAGES,
    repeats: bool = False,
) -> Iterator[Page]:
    """Yield page after page, following ``rel="next"`` as it is.

    Args:
        first: Address of the first page.
        fetch: Reads one page and returns it with its ``Link`` header.
        cap: More pages than this are taken for a fault.
        repeats: The platform names a parameter twice in its links (profile flag ``link_query_repeated``); each is
            then kept once, for the platform itself refuses its own address otherwise.

    Raises:
        ForeignPage: The next page is on another site (``foreign_page``), was read already (``page_loop``), or
            there are too many (``too_many_pages``).
    """
    url: str | None = first
    seen: set[str] = set()
    while url is not None:
        if url in seen:
            raise ForeignPage("page_loop", say(N_("The LMS's pages lead in a circle.")))
        if len(seen) >= cap:
            raise ForeignPage("too_many_pages", say(N_("The LMS sent more than {cap} pages."), cap=cap))
        seen.add(url)
        page, header = fetch(url)
        yield page
        url = _next(header, url, first)
        if url is not None and repeats:
            url = without_repeats(url)


def _next(header: str | None, current: str, first: str) -> str | None:
    url = find_link(header, "next", current)
    if url is None or same_origin(url, first):
        return url
    secured = _secured(url)
    if same_origin(secured, first):
        return secured
    raise ForeignPage("foreign_page", say(N_("The LMS's next page is on another site; the token is not sent there.")))


def same_origin(left: str, right: str) -> bool:
    """Tell whether two addresses have the same scheme, host and port."""
    try:
        return origin(left) == origin(right)
    except ValueError:
        return False


def _secured(url: str) -> str:
    # An LMS behind a TLS proxy may write http into its links; asking the same host by https instead leaks nothing.
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="https")) if parts.scheme == "http" else url


def with_query(url: str, **params: str | None) -> str:
    """Return the address with these query parameters set, replacing ones of the same name, keeping the others."""
    given = {name: value for name, value in params.items() if value is not None}
    parts = urlsplit(url)
    kept = [piece for piece in parts.query.split("&") if piece and _name(piece) not in given]
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in given.items()]
    return urlunsplit(parts._replace(query="&".join(kept + added)))


def without_repeats(url: str) -> str:
    """Return the address with every query parameter kept at its first mention only, in its own spelling."""
    parts = urlsplit(url)
    kept: dict[str, str] = {}
    for piece in parts.query.split("&"):
        kept.setdefault(_name(piece), piece)
    return urlunsplit(parts._replace(query="&".join(kept.values())))


def _name(piece: str) -> str:
    pairs = parse_qsl(piece, keep_blank_values=True)
    return pairs[0][0] if pairs else piece


def below(url: str, segment: str) -> str:
    """Append a path segment before the query: Moodle's line items carry ``?type_id=`` (AGS 2.0 §3.4, §3.5)."""
    parts: SplitResult = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{segment}"))
