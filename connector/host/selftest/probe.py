"""The way of a launch through the tool's real addresses: begin a login, answer it, and see where it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import select

from connector.base.outbound import Outbound
from connector.db.tables.launches import launch as launch_table
from connector.host.runtime import Runtime
from connector.host.selftest import jose, messages
from connector.host.selftest.browser import Browser, Page
from connector.host.selftest.lms import SelftestLms
from connector.host.selftest.redact import address, redacted

_CODE = re.compile(r"<code>([a-z_]+)</code> · ([^<]+)</p>")
_LAUNCH = re.compile(r"/l/([0-9a-f]{32})/")
LOGIN, LAUNCH = "/lti/login", "/lti/launch"
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """Where a login or a launch ended.

    Attributes:
        status: HTTP status.
        landed: ``launch``, ``refusal``, ``lms`` (sent to the platform to sign in), ``page`` or ``nothing``.
        reason: The refusal page's code.
        clause: The refusal page's clause.
        role: What the person is on the launch's pages, as it was stored.
        page: Status of the launch's first page; 0 where there was none.
        stored: How many launches were stored by it.
        cookies: Names of session cookies that came with it.
        launch_id: The launch's own id.
        messages: What was sent and what came back, redacted.
        answer: The answer itself.
    """

    status: int
    landed: str
    reason: str = ""
    clause: str = ""
    role: str = ""
    page: int = 0
    stored: int = 0
    cookies: tuple[str, ...] = ()
    launch_id: str = ""
    messages: tuple[Message, ...] = field(default=(), repr=False)
    answer: Page | None = field(default=None, repr=False)

    def short(self) -> str:
        """Return it in short: ``303 launch as teacher``, ``400 refusal missing_claim``."""
        words = [str(self.status), self.landed, self.reason]
        if self.role:
            words.append(f"as {self.role}")
        if self.page:
            words.append(f"(page {self.page})")
        if self.landed != "launch" and self.stored:
            words.append(f"but {self.stored} launch stored")
        return " ".join(word for word in words if word)


@dataclass
class Login:
    """A login that was begun: what the tool asked the platform for, and the browser it was begun in."""

    browser: Browser
    asked: dict[str, str]
    seen: Seen


@dataclass(frozen=True)
class Target:
    """What is tested.

    Attributes:
        url: Where its addresses are.
        server: ``shipped`` or ``live``.
        launch_url: The target link that platforms register.
        runtime: The installation, for what was stored.
        school_id: The run's own school.
        registration_id: The run's own registration.
    """

    url: str
    server: str
    launch_url: str
    runtime: Runtime
    school_id: str
    registration_id: str


class Probe:
    """Begins logins and posts launches, each in a browser of its own unless one is given.

    Attributes:
        let_in: How many launches were let in so far.
    """

    def __init__(self, target: Target, lms: SelftestLms, outbound: Outbound) -> None:
        """Take what is tested, the platform, and the way there."""
        self.target = target
        self.lms = lms
        self.outbound = outbound
        self.let_in = 0

    def url(self, path: str) -> str:
        """Return an address of what is tested."""
        return f"{self.target.url}{path}"

    def public_keys(self) -> list[dict[str, Any]]:
        """Return the tool's public keys, as it serves them now."""
        document = self.outbound.request("GET", self.url("/lti/jwks.json")).json()
        return list(document["keys"])

    def login(self, browser: Browser | None = None, **changes: str | None) -> Login:
        """Send a login initiation (Security Framework 1.0 §5.1.1.1) and read what the tool asks for."""
        using = browser or Browser(self.outbound)
        form = {
            "iss": self.lms.issuer, "target_link_uri": self.target.launch_url, "login_hint": messages.PUPIL_SUB,
            "lti_message_hint": "hint", "client_id": self.lms.client_id, "lti_deployment_id": self.lms.deployment,
            **changes,
        }  # fmt: skip
        sent = {name: value for name, value in form.items() if value is not None}
        page = using.post(self.url(LOGIN), sent)
        seen = self._read(page, [{"request": f"POST {LOGIN}", "form": redacted(sent)}], self._launches())
        asked = dict(parse_qsl(urlsplit(page.location).query)) if seen.landed == "lms" else {}
        return Login(using, asked, seen)

    def token(self, login: Login, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Sign the answer to a login."""
        claims = messages.launch(self.lms, self.target.launch_url, login.asked.get("nonce", ""), **changes)
        return jose.encode(self.header() if header is None else header, claims, self.lms.pair)

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return the header of a good token, changed."""
        value = {"typ": "JWT", "alg": "RS256", "kid": self.lms.pair.kid, **changes}
        return {name: item for name, item in value.items() if item is not messages.GONE}

    def launch(self, login: Login | None = None, **changes: Any) -> Seen:
        """Begin a login if none is given, sign its answer, post it."""
        begun = login or self.login()
        return self.post(begun, self.token(begun, **changes))

    def post(self, login: Login, id_token: str | None, browser: Browser | None = None, **form: str | None) -> Seen:
        """Post a launch; ``form`` changes or leaves out (None) its fields."""
        fields = {"id_token": id_token, "state": login.asked.get("state", ""), **form}
        sent = {name: value for name, value in fields.items() if value is not None}
        before = self._launches()
        page = (browser or login.browser).post(self.url(LAUNCH), sent)
        return self._read(page, [*login.seen.messages, {"request": f"POST {LAUNCH}", "form": redacted(sent)}], before,
                          browser or login.browser)  # fmt: skip

    def enter(self, seen: Seen, browser: Browser) -> Page:
        """Open the first page of a launch that was let in."""
        return browser.get(self.url(f"/l/{seen.launch_id}/"))

    def _read(self, page: Page, sent: list[Message], before: set[str], browser: Browser | None = None) -> Seen:
        path = urlsplit(page.location).path
        found, code = _LAUNCH.fullmatch(path), _CODE.search(page.reply.text)
        stored = self._launches() - before
        came = {
            "status": page.status, "location": address(page.location) if page.location else None,
            "cookies": list(page.cookies), "reason": code[1] if code else None, "clause": code[2] if code else None,
        }  # fmt: skip
        messages_ = (*sent, {"response": {name: value for name, value in came.items() if value}})
        values: dict[str, Any] = {
            "status": page.status, "stored": len(stored), "messages": messages_, "answer": page,
            "cookies": tuple(cookie for cookie in page.cookies if cookie.startswith("kopir_launch=")),
        }  # fmt: skip
        if found and browser is not None:
            self.let_in += 1
            first = browser.follow(page)
            return Seen(landed="launch", role=self._role(found[1]), page=first.status, launch_id=found[1], **values)
        if code:
            return Seen(landed="refusal", reason=code[1], clause=code[2], **values)
        if page.location.startswith(self.lms.base):
            return Seen(landed="lms", **values)
        return Seen(landed="page" if page.reply.body else "nothing", **values)

    def _launches(self) -> set[str]:
        school = self.target.school_id
        query = select(launch_table.c.id).where(launch_table.c.school_id == school)
        with self.target.runtime.database.school(school, write=False) as db:
            return set(db.execute(query).scalars())

    def launches(self) -> int:
        """Return how many launches are stored."""
        return len(self._launches())

    def _role(self, launch_id: str) -> str:
        school = self.target.school_id
        query = select(launch_table.c.role).where(launch_table.c.school_id == school, launch_table.c.id == launch_id)
        with self.target.runtime.database.school(school, write=False) as db:
            return str(db.execute(query).scalar_one_or_none() or "")
