"""A browser without a window: cookies by path, forms as they stand on a page, and no redirect followed by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from connector.base.outbound import Outbound, Reply

_COOKIE = re.compile(r"(?:^|, )(?P<name>kopir_\w+)=(?P<value>[^;]*)(?P<rest>[^,]*)")
_FORM = "application/x-www-form-urlencoded"


@dataclass
class Form:
    """A form: where it goes and what it would send."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What came back from one request."""

    reply: Reply
    cookies: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.reply.status

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute; empty where there is none."""
        found = self.reply.headers.get("location", "")
        return urljoin(self.reply.url, found) if found else ""

    def forms(self) -> list[Form]:
        """Return the page's forms."""
        reader = _Reader(self.reply.url)
        reader.feed(self.reply.text)
        reader.close()
        return reader.forms

    def form(self, part: str) -> Form | None:
        """Return the first form whose address ends so, or that has a field of this name."""
        every = self.forms()
        return next((one for one in every if one.action.endswith(part) or part in one.fields), None)


class Browser:
    """One browser; another one shares nothing with it."""

    def __init__(self, outbound: Outbound, language: str = "en") -> None:
        """Start with no cookies."""
        self._outbound = outbound
        self._language = language
        self.cookies: dict[tuple[str, str], str] = {}

    def get(self, url: str) -> Page:
        """Open an address."""
        return self._keep(self._outbound.request("GET", url, headers=self._headers(url)))

    def post(self, url: str, fields: Mapping[str, str]) -> Page:
        """Send a form."""
        return self._keep(self._outbound.request("POST", url, headers=self._headers(url), form=fields))

    def follow(self, page: Page) -> Page:
        """Follow redirects within the site, as a browser would at once; at most five."""
        for _ in range(5):
            if page.status not in (302, 303) or not page.location:
                return page
            page = self.get(page.location)
        return page

    def submit(self, form: Form, fields: Mapping[str, str] | None = None) -> Page:
        """Send a form of a page with some fields filled in, and follow where that leads."""
        return self.follow(self.post(form.action, {**form.fields, **(fields or {})}))

    def _headers(self, url: str) -> dict[str, str]:
        path = urlsplit(url).path
        sent = [f"{name}={value}" for (below, name), value in self.cookies.items() if path.startswith(below)]
        return {"Accept-Language": self._language, **({"Cookie": "; ".join(sent)} if sent else {})}

    def _keep(self, reply: Reply) -> Page:
        found = tuple(_COOKIE.finditer(reply.headers.get("set-cookie", "")))
        for cookie in found:
            path = re.search(r"; Path=([^;]+)", cookie["rest"])
            place = (path[1] if path else "/", cookie["name"])
            if "; Max-Age=0" in cookie["rest"]:
                self.cookies.pop(place, None)
            else:
                self.cookies[place] = cookie["value"]
        return Page(reply, tuple(f"{one['name']}=[redacted]{one['rest']}" for one in found))


class _Reader(HTMLParser):
    """Collect forms with what they would send unchanged."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(urljoin(self._url, values.get("action") or self._url)))
            self._open = True
        elif tag == "input" and self._open and values.get("name"):
            if values.get("type") in ("radio", "checkbox") and "checked" not in values:
                return
            self.forms[-1].fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False
