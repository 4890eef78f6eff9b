"""Pages of a service: how many a tool asked for, from where on, and the address of the next one (RFC 8288)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from connector.base.i18n import N_, say
from lti.platform.errors import ServiceRefused

MOST = 200


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for.

    Attributes:
        limit: At most so many, 1 to 200.
        after: The last id of the page before, empty for the first.
        filters: Known filters that carry a value.
    """

    limit: int
    after: str
    filters: Mapping[str, str]


def page_of(query: Mapping[str, str], *known: str) -> Page:
    """Return what a query asks for; parameters nobody knows are passed over (AGS 2.0, section 3.2.4).

    Raises:
        ServiceRefused: 400, ``limit`` is not a whole number above zero.
    """
    text = query.get("limit", str(MOST))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        message = say(N_("“{field}” must be a whole number above zero."), field="limit")
        raise ServiceRefused(400, "invalid_request", "bad_limit", message)
    filters = {name: query[name] for name in known if query.get(name)}
    return Page(min(int(text), MOST), query.get("after", ""), filters)


def next_link(url: str, page: Page, last: str) -> str:
    """Return the ``Link`` header that leads to the page behind ``last``, the filters kept."""
    query = urlencode({**page.filters, "limit": page.limit, "after": last})
    return f'<{url}?{query}>; rel="next"'
