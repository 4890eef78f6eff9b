"""A tool with its own keys on a real local server, and a clock that stands still until told."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

NOW = datetime(2026, 11, 21, 21, 52, 12, tzinfo=UTC)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPES = (
    f"{AGS}lineitem",
    f"{AGS}lineitem.readonly",
    f"{AGS}result.readonly",
    f"{AGS}score",
    "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
)


@dataclass
class StillClock:
    """A clock tests move by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **amount: float) -> None:
        self.now += timedelta(**amount)


def new_key(kid: str = "tool-1", bits: int = 2048) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": kid})


@dataclass
class KeyServer:
    """Publishes JWKS over real HTTP and counts how often it was asked."""

    url: str = ""
    keys: list[RSAKey] = field(default_factory=list)
    asked: int = 0
    raw: bytes | None = None
    status: int = 200

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked += 1
        body = self.raw if self.raw is not None else json.dumps({"keys": [k.as_dict(private=False) for k in self.keys]})
        return Response(body, status=self.status, content_type="application/json")(environ, start_response)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port of 127.0.0.1."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def key_server(*keys: RSAKey) -> Iterator[KeyServer]:
    published = KeyServer(keys=list(keys))
    with serving(published) as base:
        published.url = f"{base}/jwks.json"
        yield published


def sign(key: RSAKey, claims: dict[str, Any], **header: Any) -> str:
    head = {"alg": "RS256", "kid": key.kid, "typ": "JWT", **header}
    return jwt.encode({k: v for k, v in head.items() if v is not None}, claims, key)


def assertion_claims(client_id: str, token_url: str, now: datetime, **changes: Any) -> dict[str, Any]:
    seconds = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": seconds - 30,
        "exp": seconds + 300,
        "jti": uuid.uuid4().hex,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def token_form(assertion: str, scopes: tuple[str, ...] = SCOPES, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        "scope": " ".join(scopes),
        **changes,
    }


@dataclass
class ServiceClient:
    """Calls services with a token; keeps what the wire says."""

    client: Client
    token: str

    def call(self, method: str, path: str, kind: str = "", body: Any = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        sent["Accept" if method == "GET" else "Content-Type"] = kind
        data = body if isinstance(body, str | None) else json.dumps(body, ensure_ascii=False)
        return self.client.open(path, method=method, headers={k: v for k, v in sent.items() if v}, data=data)


def get_token(client: Client, key: RSAKey, client_id: str, token_url: str, now: datetime, *scopes: str) -> str:
    claims = assertion_claims(client_id, token_url, now)
    answer = client.post("/mod/lti/token.php", data=token_form(sign(key, claims), scopes or SCOPES))
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.text)["access_token"])


def form_of(request: Request) -> dict[str, str]:
    return request.form.to_dict()


def query(**values: str) -> str:
    return urlencode(values)
