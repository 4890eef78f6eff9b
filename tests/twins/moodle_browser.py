"""A browser without a window for the rehearsal LMS, and a tool it can launch."""

from __future__ import annotations

import json
import urllib.request
import uuid
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.test import Client, TestResponse
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lti.platform.records import RegisteredTool
from sync.twins.moodle import Lms
from tests.twins.moodle_kit import StillClock, sign

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((found.get("action", ""), {}))
        elif tag == "input" and self.forms and found.get("name"):
            self.forms[-1][1][found["name"]] = found.get("value", "")


def forms_of(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return the address and the fields of every form of a page."""
    reader = _Forms()
    reader.feed(page)
    return reader.forms


def form_to(page: str, action: str) -> dict[str, str]:
    return next(fields for address, fields in forms_of(page) if urlsplit(address).path == action)


@dataclass
class Browser:
    """One person's browser at the LMS, in process."""

    lms: Lms
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.lms.app)

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(path, query_string=query or None, base_url=self.lms.base_url)

    def post(self, path: str, **fields: str) -> TestResponse:
        return self.client.post(path, data=fields, base_url=self.lms.base_url)

    def sign_in(self, user_id: str) -> Browser:
        fields = form_to(self.get("/").text, "/login/index.php")
        assert self.post("/login/index.php", **fields, user=user_id).status_code == 303
        return self

    def begin(self, path: str, **query: str) -> dict[str, str]:
        """Open a launch page and return what it would post to the tool's login address."""
        page = self.get(path, **query)
        assert page.status_code == 200, page.text
        return forms_of(page.text)[0][1]

    def authorise(self, request: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Send an authorisation request and return where the answer would be posted, and its fields."""
        page = self.get("/mod/lti/auth.php", **request)
        assert page.status_code == 200, page.text
        return forms_of(page.text)[0]


def request_of(login: dict[str, str], redirect_uri: str, **changes: str | None) -> dict[str, str]:
    """Return the authorisation request a correct tool makes of a login initiation."""
    fields: dict[str, str | None] = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": login["client_id"],
        "redirect_uri": redirect_uri,
        "state": f"state-{uuid.uuid4().hex}",
        "nonce": uuid.uuid4().hex,
        "login_hint": login["login_hint"],
        "lti_message_hint": login["lti_message_hint"],
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def open_id_token(lms: Lms, token: str) -> dict[str, Any]:
    """Return an id_token's claims, its signature checked with the keys the LMS publishes."""
    keys = KeySet.import_key_set(Client(lms.app).get("/mod/lti/certs.php").json)
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def response_token(
    tool: RegisteredTool, key: RSAKey, issuer: str, clock: StillClock, items: Any, **changes: Any
) -> str:
    """Return a signed deep-linking response."""
    seconds = int(clock.now.timestamp())
    claims = {
        "iss": tool.client_id,
        "aud": [issuer],
        "iat": seconds,
        "exp": seconds + 600,
        "nonce": uuid.uuid4().hex,
        CLAIM + "deployment_id": tool.deployment_id,
        CLAIM + "message_type": "LtiDeepLinkingResponse",
        CLAIM + "version": "1.3.0",
        DL + "content_items": items,
        **changes,
    }
    return sign(key, {name: value for name, value in claims.items() if value is not None})


@dataclass
class PretendTool:
    """A small tool on a real server: it logs in, is launched, and answers deep linking with one graded item.

    Attributes:
        launches: The claims of every launch it took.
    """

    key: RSAKey
    lms_url: str = ""
    url: str = ""
    item: dict[str, Any] = field(default_factory=dict)
    launches: list[dict[str, Any]] = field(default_factory=list)
    clock: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        pages = {"/jwks.json": self._jwks, "/login": self._login, "/launch": self._launch}
        return pages[request.path](request)(environ, start_response)

    def _jwks(self, _request: Request) -> Response:
        body = json.dumps({"keys": [self.key.as_dict(private=False)]})
        return Response(body, content_type="application/json")

    def _login(self, request: Request) -> Any:
        asked = request_of(request.form.to_dict(), f"{self.url}/launch")
        return redirect(f"{self.lms_url}/mod/lti/auth.php?{urlencode(asked)}")

    def _launch(self, request: Request) -> Response:
        with urllib.request.urlopen(f"{self.lms_url}/mod/lti/certs.php") as answer:
            keys = KeySet.import_key_set(json.load(answer))
        claims = dict(jwt.decode(request.form["id_token"], keys, algorithms=["RS256"]).claims)
        self.launches.append(claims)
        settings = claims.get(DL + "deep_linking_settings")
        if settings is None:
            name = claims.get("name", "")
            title = claims[CLAIM + "resource_link"]["title"]
            return Response(
                f"<!doctype html><meta charset=utf-8><h1 id=launched>{title}</h1><p>{name}</p>", mimetype="text/html"
            )
        tool = RegisteredTool(claims["aud"], claims[CLAIM + "deployment_id"], "", "", (), "")
        token = response_token(tool, self.key, claims["iss"], StillClock(self.clock()), [self.item])
        address = settings["deep_link_return_url"].replace("&", "&amp;")
        page = (
            f'<!doctype html><meta charset=utf-8><form method=post action="{address}">'
            f"<input type=hidden name=JWT value={token}><button id=choose>Choose</button></form>"
        )
        return Response(page, mimetype="text/html")


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
