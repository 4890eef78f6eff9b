"""A running Kopir with its own database, and LMSs of every make that a registration can meet."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from werkzeug.wrappers import Request, Response

from connector.app import create_app
from connector.base.config import Settings
from connector.base.secrets import new_key
from connector.host.invitations import Invited, invite_lms
from connector.host.registry import School
from connector.host.runtime import Runtime, build_runtime
from tests.support.databases import Place
from tests.support.serving import serving

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPES = [f"{AGS}lineitem", f"{AGS}lineitem.readonly", f"{AGS}result.readonly", f"{AGS}score",
          "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"]  # fmt: skip


@dataclass
class MovingClock:
    """The present, moved by hand."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass
class Kopir:
    """A running installation and its only school."""

    runtime: Runtime
    school: School
    url: str
    clock: MovingClock

    def invite(self, **options: Any) -> Invited:
        return invite_lms(self.runtime, self.school.id, **options)

    def jwks(self) -> dict[str, Any]:
        found = requests.get(f"{self.url}/lti/jwks.json", timeout=10).json()["keys"]
        return {key["kid"]: key for key in found}


class _Later:
    """An application that is made after its port is known."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@contextmanager
def running_kopir(place: Place, folder: Path, *, private: Any = "on", school: str = "gymnasium") -> Iterator[Kopir]:
    """Serve Kopir over a test's database on a free port."""
    later, clock = _Later(), MovingClock()
    with serving(later) as url:
        settings = Settings(
            data_dir=folder,
            database_url=place.url,
            database_service_url=place.service_url,
            secret_key=new_key(),
            encryption_keys=(new_key(),),
            public_url=url,
            allow_private_networks=private,
            job_threads=0,
        )
        runtime = build_runtime(settings, clock)
        later.app = create_app(runtime)
        made = runtime.registry.make_school(school, "№5 гимназия", runtime.vault, clock())
        try:
            yield Kopir(runtime, made, url, clock)
        finally:
            runtime.database.close()


@dataclass
class Vendor:
    """What an LMS does when a tool registers, as data; every value can be spoilt by a test.

    Attributes:
        family: ``product_family_code``.
        token: The registration token it opens the page with, or None.
        token_on_get: The configuration is shown only to who has the token.
        deployment: The deployment it answers with, or None.
        changes: Members of the configuration that differ; None removes one.
        answer: Replaces the registration's answer.
        configuration: Replaces the configuration's answer.
        asked: Every call it got.
    """

    family: str = "moodle"
    token: str | None = "reg-token"
    token_on_get: bool = False
    deployment: str | None = "7"
    client: str = "client-1"
    status: int = 200
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    changes: dict[str, Any] = field(default_factory=dict)
    platform: dict[str, Any] = field(default_factory=dict)
    answer: Callable[[Request], Response] | None = None
    configuration: Callable[[Request], Response] | None = None
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    base: str = ""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data(as_text=True)
        self.asked.append((request.method, request.path, dict(request.headers), body))
        return self.respond(request)(environ, start_response)

    def respond(self, request: Request) -> Response:
        holds = request.headers.get("Authorization") == f"Bearer {self.token}"
        if request.path == "/openid-configuration":
            if self.configuration is not None:
                return self.configuration(request)
            if self.token_on_get and not holds:
                return Response("unauthorized", 401)
            return _json(self.document())
        if request.path == "/register":
            return self.answer(request) if self.answer is not None else self.register(request, holds)
        return Response("not found", 404)

    def document(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/auth",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/jwks",
            "registration_endpoint": f"{self.base}/register",
            "scopes_supported": self.scopes,
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "claims_supported": ["sub", "iss", "name", "given_name", "family_name", "email"],
            PLATFORM: {
                "product_family_code": self.family,
                "version": "1",
                "messages_supported": [
                    {"type": "LtiResourceLinkRequest"},
                    {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
                ],
                "variables": ["Person.sourcedId", "Context.id.history"],
                **self.platform,
            },
            **self.changes,
        }
        return {name: item for name, item in value.items() if item is not None}

    def register(self, request: Request, holds: bool) -> Response:
        if self.token is not None and not holds:
            return Response("invalid_token", 401)
        if self.token is None and "Authorization" in request.headers:
            return Response("no token was given", 400)
        sent = json.loads(request.get_data(as_text=True))
        tool = {**sent[TOOL], **({"deployment_id": self.deployment} if self.deployment else {})}
        return _json({**sent, "client_id": self.client, TOOL: tool}, self.status)

    @property
    def registrations(self) -> list[dict[str, Any]]:
        """What was posted to register."""
        return [json.loads(body) for method, path, _, body in self.asked if (method, path) == ("POST", "/register")]

    def headers_of(self, method: str, path: str) -> dict[str, str]:
        return next(headers for how, where, headers, _ in self.asked if (how, where) == (method, path))

    def query(self) -> dict[str, str]:
        """What it adds to the tool's address."""
        token = {"registration_token": self.token} if self.token else {}
        return {"openid_configuration": f"{self.base}/openid-configuration", **token}


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


@contextmanager
def running_vendor(vendor: Vendor | None = None) -> Iterator[Vendor]:
    vendor = vendor or Vendor()
    with serving(vendor) as base:
        vendor.base = base
        yield vendor


@dataclass
class Page:
    """A page of the registration, as a browser without scripts sees it."""

    status: int
    text: str
    policy: str

    @property
    def key(self) -> str:
        found = re.search(r'name="key" value="([^"]+)"', self.text)
        assert found, self.text
        return html.unescape(found[1])

    @property
    def code(self) -> str:
        found = re.search(r"<code>([a-z_]+)</code>", self.text)
        return found[1] if found else ""


def _page(answer: requests.Response) -> Page:
    return Page(answer.status_code, answer.text, answer.headers["Content-Security-Policy"])


def open_page(address: str, **query: str) -> Page:
    """Open a registration address the way an LMS does; by default in English."""
    parts = urlsplit(address)
    merged = {**{name: values[0] for name, values in parse_qs(parts.query).items()}, **query}
    url = f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(merged)}"
    return _page(requests.get(url, headers={"Accept-Language": "en"}, timeout=20))


def press_connect(kopir: Kopir, page: Page, **fields: str) -> Page:
    form = {"key": page.key, **fields}
    return _page(requests.post(f"{kopir.url}/lti/register", data=form, headers={"Accept-Language": "en"}, timeout=20))


def connect(kopir: Kopir, vendor: Vendor, address: str = "", **fields: str) -> Page:
    """Go the whole way: invitation, preview, agreement."""
    shown = open_page(address or kopir.invite().url, **vendor.query())
    assert shown.status == 200, shown.text
    return press_connect(kopir, shown, **fields)
