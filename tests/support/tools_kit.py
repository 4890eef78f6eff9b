"""A school with a third-party tool in one of its courses: the tool's own calls, signed by its key; no browser."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from connector.host.launches import Session
from connector.host.tools.launching import Opening, prepare
from connector.host.tools.records import SchoolTool, State, add_tool
from connector.host.tools.subjects import school_key, subject_of
from lti.platform.records import RegisteredTool
from lti.vocab import CLIENT_ASSERTION_TYPE, Media, Scope
from plugins.contract import Activity, OpenTool, ToolChoice
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import PUBLIC, Lms, Site, open_site
from tests.support.serving import serving

TOOL = "https://lab.vendor.kz"
TOKEN_URL = f"{PUBLIC}/platform/token"
ALL = frozenset(str(scope) for scope in Scope)


@dataclass
class Vendor:
    """One tool of one school, placed in one course, and its key."""

    site: Site
    tool: SchoolTool
    key: RSAKey
    context: str
    link: str
    pupil: str
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def columns(self) -> str:
        return f"/platform/ags/{self.context}/lineitems"

    @property
    def column(self) -> str:
        return f"{self.columns}/{self.link}"

    @property
    def members(self) -> str:
        return f"/platform/nrps/{self.context}/memberships"

    @property
    def subject(self) -> str:
        key = school_key(self.site.runtime, self.tool.school_id)
        return subject_of(key, self.tool.id, self.pupil)

    def assertion(self, **changes: Any) -> str:
        now = int(self.site.clock().timestamp())
        claims = {
            "iss": self.tool.client_id, "sub": self.tool.client_id, "aud": TOKEN_URL, "iat": now, "exp": now + 300,
            "jti": uuid.uuid4().hex, **changes,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def ask_token(self, *scopes: str, **changes: str) -> TestResponse:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": self.assertion(), "scope": " ".join(scopes or sorted(ALL)), **changes,
        }  # fmt: skip
        return self.site.app.test_client().post("/platform/token", data=form, base_url=PUBLIC)

    def token(self, *scopes: str) -> str:
        if scopes not in self.tokens:
            answer = self.ask_token(*scopes)
            assert answer.status_code == 200, answer.text
            self.tokens[scopes] = str(answer.json["access_token"])
        return self.tokens[scopes]

    def call(self, method: str, path: str, body: Any = None, token: str | None = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token() if token is None else token}"}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        client = self.site.app.test_client()
        return client.open(path, method=method, data=data, headers=headers, base_url=PUBLIC, **more)

    def score(self, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
        when = at or datetime.now(UTC)
        value = {
            "userId": self.subject, "timestamp": when.isoformat(), "activityProgress": "Completed",
            "gradingProgress": "FullyGraded", "scoreGiven": 8, "scoreMaximum": 10, **changes,
        }  # fmt: skip
        return {name: item for name, item in value.items() if item is not None}

    def send(self, at: datetime | None = None, path: str = "", **changes: Any) -> TestResponse:
        return self.call("POST", f"{path or self.column}/scores", self.score(at, **changes), content_type=Media.SCORE)


def described(jwks_url: str, **changes: Any) -> RegisteredTool:
    values: dict[str, Any] = {
        "client_id": "", "deployment_id": "1", "name": "Зертхана", "login_url": f"{TOOL}/login",
        "redirect_uris": (f"{TOOL}/launch",), "target_link_uri": f"{TOOL}/launch", "jwks_url": jwks_url,
        "deep_linking_url": f"{TOOL}/choose", "scopes": ALL, **changes,
    }  # fmt: skip
    return RegisteredTool(**values)


def place(site: Site, lms: Lms, tool: SchoolTool, session: Session, title: str = "Тізбек") -> Opening:
    """Place the tool in the session's course as an activity of ten points, as its first opening does."""
    database = site.runtime.database
    kept = {"tool": tool.id}
    activity = make.make_activity(database, lms.made.school_id, plugin="external_tool", title=title, settings=kept)
    placed = Activity(activity, "external_tool", title, kept, Decimal(10))
    return prepare(site.runtime, session, placed, OpenTool(tool.id, ToolChoice(title, score_maximum=Decimal(10))))


def make_vendor(site: Site, lms: Lms, jwks_url: str, key: RSAKey, **changes: Any) -> Vendor:
    """Let a tool into an LMS's school, place it, and have one pupil open it."""
    tool = add_tool(site.runtime, lms.made.school_id, described(jwks_url, **changes), state=State.ON)
    _, session = site.admit(lms)
    opening = place(site, lms, tool, session)
    vendor = Vendor(site, tool, key, str(session.context), opening.link, str(session.account_id))
    assert vendor.call("GET", vendor.members).status_code == 200
    return vendor


@contextmanager
def open_vendor(place_: Place, folder: Path) -> Iterator[Vendor]:
    """Open Kopir with one school, one course, one tool in it and one pupil."""
    key = RSAKey.generate_key(2048, {"kid": "vendor-1"})
    body = json.dumps({"keys": [{**key.as_dict(private=False), "kid": "vendor-1", "use": "sig", "alg": "RS256"}]})

    def keys(environ: Any, start_response: Any) -> Any:
        del environ
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body.encode()]

    with open_site(place_, folder) as site, serving(keys) as url:
        yield make_vendor(site, site.lmss["main"], f"{url}/jwks.json", key)


def later(minutes: float) -> datetime:
    """Return an instant after now."""
    return datetime.now(UTC) + timedelta(minutes=minutes)
