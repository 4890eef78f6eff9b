"""A person at a browser, without a browser: pages are opened over HTTP, links followed and forms sent.

Nothing is reached but what a person could reach. Cookies follow a browser's rules, save that a Secure cookie is
kept over http on the loopback, as browsers do.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urljoin

from connector.base.errors import Fatal
from connector.base.i18n import N_, say

_TIMEOUT_SECONDS = 60


@dataclass
class Form:
    """A form as it stands on a page.

    Attributes:
        action: Absolute address.
        method: GET or POST.
        fields: What would be sent if nothing were changed; the first button is not among them.
        options: The values a radio group, check box or list offers, by field, with the label's text.
        buttons: Names and values of the submit buttons.
        multipart: It sends files.
        id: The form's id.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    multipart: bool = False
    id: str = ""


@dataclass(frozen=True)
class Sheet:
    """A page that came back.

    Attributes:
        url: Where it is, after redirects.
        status: HTTP status.
        html: Its source.
        forms: Its forms.
        links: Absolute addresses of its links, with their text.
        frames: Absolute addresses of its iframes.
        token: The host's page token, where there is one.
        text: What a person reads, tags removed.
    """

    url: str
    status: int
    html: str
    forms: tuple[Form, ...]
    links: tuple[tuple[str, str], ...]
    frames: tuple[str, ...]
    token: str
    text: str

    def form(self, part: str = "") -> Form:
        """Return the first form whose action, id or a button's name or value holds a text.

        Raises:
            Fatal: There is none; the page is not what a person would expect here.
        """
        for form in self.forms:
            named = [form.action, form.id, *(piece for button in form.buttons for piece in button), *form.fields]
            if any(part in piece for piece in named):
                return form
        raise _unexpected(self, f"form {part}")

    def link(self, part: str) -> str:
        """Return the first link whose address or text holds a text.

        Raises:
            Fatal: There is none.
        """
        for url, text in self.links:
            if part in url or part in text:
                return url
        raise _unexpected(self, f"link {part}")


def _unexpected(sheet: Sheet, wanted: str) -> Fatal:
    text = N_("The page {url} ({status}) has no {wanted}.")
    return Fatal("unexpected_page", say(text, url=sheet.url.split("?")[0], status=sheet.status, wanted=wanted))


class Person:
    """One person with one browser profile."""

    def __init__(self, language: str = "kk") -> None:
        """Start with no cookies."""
        self._jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        handlers = (urllib.request.HTTPCookieProcessor(self._jar), urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)
        self._headers = {"User-Agent": "Kopir rehearsal", "Accept-Language": language}

    def open(self, url: str) -> Sheet:
        """Open an address."""
        return self._send(urllib.request.Request(url, headers=self._headers))  # noqa: S310 -- our own sites.

    def submit(
        self,
        form: Form,
        fields: Mapping[str, str | list[str]] | None = None,
        *,
        button: str = "",
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> Sheet:
        """Send a form with some fields changed.

        Args:
            form: The form.
            fields: What the person typed or chose.
            button: Name or value of the button to press; the first by default.
            files: File name and content by field.
        """
        chosen = fields or {}
        values: dict[str, str | list[str]] = {**form.fields, **chosen}
        for name, value in form.buttons:
            if name and name not in chosen and (not button or button in (name, value)):
                values[name] = value
                break
        if form.method == "GET":
            return self.open(f"{form.action.split('?')[0]}?{urlencode(values, doseq=True)}")
        if form.multipart:
            body, kind = _multipart(values, files or {})
        else:
            body, kind = urlencode(values, doseq=True).encode(), "application/x-www-form-urlencoded"
        return self._post(form.action, body, kind)

    def post_json(self, url: str, value: Any, token: str) -> Any:
        """Send JSON as a page's script would; return the parsed answer."""
        body = json.dumps(value).encode()
        return json.loads(self._post(url, body, "application/json", {"X-Kopir-Token": token}).html)

    def follow(self, sheet: Sheet) -> Sheet:
        """Do what scripts do at once: send the form of a page that is only a step on the way.

        The steps of a launch (login, authorisation, launch) are such pages; at most eight are followed.
        """
        for _ in range(8):
            form = next((one for one in sheet.forms if _is_step(one)), None)
            if form is None:
                return sheet
            sheet = self.submit(form)
        raise _unexpected(sheet, "end of redirects")

    def _post(self, url: str, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> Sheet:
        sent = {**self._headers, "Content-Type": kind, **(headers or {})}
        return self._send(urllib.request.Request(url, data=body, headers=sent))  # noqa: S310 -- our own sites.

    def _send(self, request: urllib.request.Request) -> Sheet:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return read_sheet(answer.url, answer.status, answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return read_sheet(error.url or request.full_url, error.code, error.read().decode("utf-8", "replace"))


def _is_step(form: Form) -> bool:
    return bool({"id_token", "JWT", "login_hint"} & set(form.fields))


def _multipart(values: Mapping[str, str | list[str]], files: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts: list[bytes] = []
    for name, value in values.items():
        if name not in files:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            parts.append(head.encode() + str(value).encode() + b"\r\n")
    for name, (filename, content) in files.items():
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        parts.append(head.encode() + content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def read_sheet(url: str, status: int, html: str) -> Sheet:
    """Parse a page."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    text = " ".join(" ".join(reader.words).split())
    links, frames = tuple(reader.links), tuple(reader.frames)
    return Sheet(url, status, html, tuple(reader.forms), links, frames, reader.token, text)


class _Reader(HTMLParser):
    """Collect what a person can act on."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._form: Form | None = None
        self._link: str | None = None
        self._select = ""
        self._textarea = ""
        self._option: tuple[str, str] | None = None
        self._label: list[str] = []
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.frames: list[str] = []
        self.words: list[str] = []
        self.token = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        handler = getattr(self, f"_start_{tag}", None)
        if handler is not None:
            handler(values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "a":
            self._link = None
        elif tag == "select":
            self._select, self._option = "", None
        elif tag == "textarea":
            self._textarea = ""
        elif tag in ("label", "option"):
            self._option = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._link is not None and self.links:
            url, text = self.links[-1]
            self.links[-1] = (url, text + data)
        if self._form is not None and self._textarea:
            self._form.fields[self._textarea] += data
        if self._form is not None and self._option:
            name, value = self._option
            self._form.options[name][value] += data

    def _start_form(self, values: dict[str, str]) -> None:
        action = urljoin(self._url, values.get("action") or self._url)
        multipart = values.get("enctype", "") == "multipart/form-data"
        method = values.get("method", "get").upper()
        self._form = Form(action, method, multipart=multipart, id=values.get("id", ""))
        self.forms.append(self._form)

    def _start_a(self, values: dict[str, str]) -> None:
        if "href" in values:
            self._link = urljoin(self._url, values["href"])
            self.links.append((self._link, ""))

    def _start_iframe(self, values: dict[str, str]) -> None:
        if values.get("src"):
            self.frames.append(urljoin(self._url, values["src"]))

    def _start_meta(self, values: dict[str, str]) -> None:
        if values.get("name") == "kopir-token":
            self.token = values.get("content", "")

    def _start_input(self, values: dict[str, str]) -> None:
        name, kind = values.get("name", ""), values.get("type", "text")
        if self._form is None or not name or kind == "file":
            if self._form is not None and kind == "submit":
                self._form.buttons.append((name, values.get("value", "")))
            return
        if kind == "submit":
            self._form.buttons.append((name, values.get("value", "")))
        elif kind in ("radio", "checkbox"):
            value = values.get("value", "on")
            self._form.options.setdefault(name, {})[value] = ""
            self._option = (name, value)
            if "checked" in values:
                self._form.fields[name] = value
        else:
            self._form.fields[name] = values.get("value", "")

    def _start_button(self, values: dict[str, str]) -> None:
        if self._form is not None and values.get("type", "submit") == "submit":
            self._form.buttons.append((values.get("name", ""), values.get("value", "")))

    def _start_select(self, values: dict[str, str]) -> None:
        self._select = values.get("name", "")
        if self._form is not None and self._select:
            self._form.options[self._select] = {}

    def _start_option(self, values: dict[str, str]) -> None:
        if self._form is None or not self._select:
            return
        value = values.get("value", "")
        self._form.options[self._select][value] = ""
        self._option = (self._select, value)
        if "selected" in values or self._select not in self._form.fields:
            self._form.fields[self._select] = value

    def _start_textarea(self, values: dict[str, str]) -> None:
        if self._form is not None and values.get("name"):
            self._textarea = values["name"]
            self._form.fields[self._textarea] = ""
